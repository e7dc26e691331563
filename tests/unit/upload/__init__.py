# SPDX-License-Identifier: Apache-2.0
"""Does every way that an upload can take end well?"""
