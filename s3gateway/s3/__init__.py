# SPDX-License-Identifier: Apache-2.0
"""The object store on S3; no other package uses boto3.

``store`` is the interface.  ``bucket`` sends the requests, ``writer`` and ``reader``
move the bytes, ``connection`` connects to the server, and ``errors`` translates its
errors.
"""
