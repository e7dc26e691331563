# SPDX-License-Identifier: Apache-2.0
"""Is everything in the wheel, and does it install?"""
