# SPDX-License-Identifier: Apache-2.0
"""GET of image data, from the object in S3 to the response body."""
