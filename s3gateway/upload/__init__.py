# SPDX-License-Identifier: Apache-2.0
"""PUT of image data, from the request body to the object in S3."""
