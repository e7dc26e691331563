# SPDX-License-Identifier: Apache-2.0
"""Is each option read and checked?"""
