# SPDX-License-Identifier: Apache-2.0
"""Clients of the image API: a bare one, and many at once."""
