# SPDX-License-Identifier: Apache-2.0
"""A key manager for Glance that holds one certificate, and data that it signed.

Glance verifies image signatures with certificates that castellan fetches; this is a
castellan backend that needs no server.  Certificate and signature are fixtures; the
key that made them is gone.
"""

from __future__ import annotations

import base64
import pathlib
from typing import Any

FIXTURES = pathlib.Path(__file__).parents[2] / "fixtures" / "signing"

CERTIFICATE_ID = "5f7bde6c-0000-4000-8000-00000000c3a7"
SIGNED_DATA = b"an image that somebody has signed" * 100


def signature_properties() -> dict[str, str]:
    """Return the properties of an image whose data is ``SIGNED_DATA``."""
    return {
        "img_signature": (FIXTURES / "signature.txt").read_text().strip(),
        "img_signature_hash_method": "SHA-256",
        "img_signature_key_type": "RSA-PSS",
        "img_signature_certificate_uuid": CERTIFICATE_ID,
    }


class Certificate:
    """What castellan's certificates are to cursive."""

    format = "X.509"

    def get_encoded(self) -> bytes:
        """Return the certificate in DER."""
        lines = (FIXTURES / "certificate.pem").read_text().splitlines()
        return base64.b64decode("".join(lines[1:-1]))


class KeyManager:
    """Castellan's interface, as far as Glance uses it."""

    def __init__(self, configuration: Any) -> None:
        pass

    def get(self, context: Any, managed_object_id: str) -> Certificate:
        """Return the one certificate."""
        assert managed_object_id == CERTIFICATE_ID
        return Certificate()
