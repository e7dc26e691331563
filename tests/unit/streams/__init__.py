# SPDX-License-Identifier: Apache-2.0
"""Do buffers, digests and retries keep what they promise?"""
