# SPDX-License-Identifier: Apache-2.0
"""Is what the documentation says true of the code?"""
