# SPDX-License-Identifier: Apache-2.0
"""Does every way that a download can take end well?"""
