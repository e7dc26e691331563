# SPDX-License-Identifier: Apache-2.0
"""The object store on S3; nothing outside of this package uses boto3.

``store`` is what the gateway is handed.  ``bucket`` asks the server, ``writer`` and
``reader`` move the bytes, ``connection`` knows how a server is reached and ``errors``
what its errors mean.
"""
