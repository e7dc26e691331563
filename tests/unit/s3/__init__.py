# SPDX-License-Identifier: Apache-2.0
"""Is S3 spoken to as its API says?"""
