# SPDX-License-Identifier: Apache-2.0
"""The face: answers S3 requests of Glance's own driver, which then needs no S3 keys.

``app`` answers a request.  ``requests`` says what it asks for, ``signature`` who asks,
``payload`` reads its body, ``objects`` and ``multipart`` carry it out.
"""
