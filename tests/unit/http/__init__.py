# SPDX-License-Identifier: Apache-2.0
"""Are requests, ranges and preconditions read as RFC 9110 has them?"""
