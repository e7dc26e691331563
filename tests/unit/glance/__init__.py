# SPDX-License-Identifier: Apache-2.0
"""Is Glance asked, and believed, as its API says?"""
