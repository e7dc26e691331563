# SPDX-License-Identifier: Apache-2.0
"""The former name of ``s3gateway.standalone.app``, kept for one release."""

from s3gateway.standalone.app import application as application
