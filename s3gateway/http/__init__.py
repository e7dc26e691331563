# SPDX-License-Identifier: Apache-2.0
"""HTTP and WSGI: requests, answers, ranges, preconditions, WSGI servers."""
