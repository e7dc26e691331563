# SPDX-License-Identifier: Apache-2.0
"""Credentials, hosts and buckets of S3: where stock shows them, and we do not."""
