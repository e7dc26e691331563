# SPDX-License-Identifier: Apache-2.0
"""``s3gateway-manage check``."""
