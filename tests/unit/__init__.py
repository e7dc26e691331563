# SPDX-License-Identifier: Apache-2.0
"""Is each module right by itself?"""
