# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between client, gateway, Glance and S3, on command."""
