# SPDX-License-Identifier: Apache-2.0
"""Is everything counted and logged once?"""
