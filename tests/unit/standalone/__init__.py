# SPDX-License-Identifier: Apache-2.0
"""Does a stand-alone gateway forward what it should?"""
