# SPDX-License-Identifier: Apache-2.0
"""Do the tools of the tests work themselves?"""
