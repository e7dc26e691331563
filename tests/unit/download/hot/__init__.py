# SPDX-License-Identifier: Apache-2.0
"""Do workers of one host read a hot image once, and never a wrong byte of it?"""
