# SPDX-License-Identifier: Apache-2.0
"""Keeps OpenStack Glance images in S3 without showing its keys."""
