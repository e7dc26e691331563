# SPDX-License-Identifier: Apache-2.0
"""Streams of bytes: buffers, digests, retries."""
