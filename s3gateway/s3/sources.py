# SPDX-License-Identifier: Apache-2.0
"""The sources of botocore's chain: what they are called, and how they fail."""

from __future__ import annotations

import re

from botocore import exceptions as boto
from botocore.credentials import ReadOnlyCredentials

#: What the sources of the chain raise: errors of botocore, and of the files and
#: programs that they read.
FAILURES = (
    boto.BotoCoreError,
    boto.ClientError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)

#: By botocore's name of a source: what it is, and what to check if it fails.
_SOURCES = {
    "env": ("environment variables", "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"),
    "assume-role": (
        "an assumed role",
        "the profile's role_arn and its source, the trust policy, and STS",
    ),
    "assume-role-with-web-identity": (
        "a web identity",
        (
            "AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and AWS_REGION, the trust "
            "policy, and STS"
        ),
    ),
    "shared-credentials-file": ("a credentials file", "the file and s3_store_profile"),
    "config-file": ("a configuration file", "the file and s3_store_profile"),
    "custom-process": (
        "a credential process",
        "whether it runs as the gateway's user, and prints the JSON of AWS",
    ),
    "container-role": ("container credentials", "AWS_CONTAINER_CREDENTIALS_*"),
    "iam-role": ("the instance role", "the metadata service and the role"),
}
_CHAIN = ("the chain", "the AWS configuration files and s3_store_profile")

#: What can be a part of a header field.  A line end in a token would fail in the HTTP
#: library, which shows the field.
_USABLE = re.compile(r"[!-~]+")
#: A code of STS is a word.
_CODE = re.compile(r"[A-Za-z0-9.]{1,64}")


class UnusableCredentials(ValueError):
    """A source has given something that cannot be a key or a token."""


def named(method: str) -> tuple[str, str]:
    """Return what a source is, and what to check if it fails.

    :param method: botocore's name of it, empty if there was none yet
    """
    return _SOURCES.get(method, (method, _CHAIN[1]) if method else _CHAIN)


def kind_of(error: Exception) -> str:
    """Return what kind of error a source has raised, without its text.

    The text may hold what a program or a service said.
    """
    if isinstance(error, boto.ClientError):
        code = error.response.get("Error", {}).get("Code")
        if isinstance(code, str) and _CODE.fullmatch(code):
            return code
    return type(error).__name__


def check_usable(found: ReadOnlyCredentials) -> None:
    """Check what a source has given.

    :raises UnusableCredentials: if it is not text without spaces and line ends
    """
    for each in (found.access_key, found.secret_key, found.token or "-"):
        if not (isinstance(each, str) and _USABLE.fullmatch(each)):
            raise UnusableCredentials
