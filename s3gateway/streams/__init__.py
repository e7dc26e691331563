# SPDX-License-Identifier: Apache-2.0
"""Tools for streams of bytes: buffers, digests, retries."""
