# SPDX-License-Identifier: Apache-2.0
"""S3 servers by name, and the object store in memory."""
