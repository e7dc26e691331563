# SPDX-License-Identifier: Apache-2.0
"""Does a gateway of its own pass on what it should?"""
