# SPDX-License-Identifier: Apache-2.0
"""Is each location write judged, and each location masked?"""
