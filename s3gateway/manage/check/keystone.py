# SPDX-License-Identifier: Apache-2.0
"""Whether the service users in the configuration get tokens from Keystone."""

from __future__ import annotations

from collections.abc import Iterator

from keystoneauth1 import exceptions
from keystoneauth1 import loading
from oslo_config import cfg

from s3gateway.manage.check import findings
from s3gateway.manage.check.findings import Finding
from s3gateway.manage.check.findings import Meaning

#: Who checks the tokens of clients, and who a gateway of its own is to Glance.
_GROUPS = ("keystone_authtoken", "service_user")
_TIMEOUT = 10  # seconds

_CERTIFICATE = Meaning(
    "keystone_certificate",
    "certificate not trusted",
    "Its certificate is not trusted: set cafile in [{group}].",
)

#: By the class of what keystoneauth raised or one that it inherits from.
_MEANINGS = {
    "Unauthorized": Meaning(
        "keystone_refuses_user",
        "wrong user or password",
        "Keystone knows no such user with that password and project: look at "
        "username, password, project_name and the domains in [{group}].",
    ),
    "SSLError": _CERTIFICATE,
    "SSLFailure": _CERTIFICATE,
    "ConnectFailure": Meaning(
        "keystone_unreachable",
        "unreachable",
        "Nothing answers: look at auth_url in [{group}] and whether Keystone runs.",
    ),
    "ConnectTimeout": Meaning(
        "keystone_silent",
        "no answer in time",
        "Nothing answers: look at auth_url in [{group}] and at firewalls.",
    ),
    "DiscoveryFailure": Meaning(
        "keystone_is_another_service",
        "not Keystone",
        "What answers is not Keystone: look at auth_url in [{group}].",
    ),
    "MissingRequiredOptions": Meaning(
        "keystone_options_missing",
        "options are missing",
        "Set the options that are missing in [{group}].",
    ),
    "NoMatchingPlugin": Meaning(
        "keystone_auth_type_unknown",
        "unknown auth_type",
        "Set auth_type in [{group}] to one that keystoneauth has, as password.",
    ),
}
_OTHER = Meaning(
    "keystone_failed",
    "failed",
    "Look at auth_url in [{group}] and at Keystone's own log.",
)


def check(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Yield what is found out about Keystone, nothing where it is not configured."""
    for group in _GROUPS:
        loading.register_auth_conf_options(conf, group)
        loading.register_session_conf_options(conf, group)
        if conf[group].auth_type or conf[group].auth_section:
            yield _token(conf, group)


def _token(conf: cfg.ConfigOpts, group: str) -> Finding:
    subject = f"Keystone, [{group}]"
    try:
        auth = loading.load_auth_from_conf_options(conf, group)
        session = loading.load_session_from_conf_options(
            conf, group, auth=auth, timeout=_TIMEOUT
        )
        session.get_token()
    except exceptions.ClientException as error:
        meaning = _meaning(error)
        found = f"{meaning.found} ({type(error).__name__})"
        advice = meaning.advice.format(group=group)
        return findings.error(meaning.code, subject, found, advice)
    return findings.ok("keystone_gives_a_token", subject, "the user gets a token")


def _meaning(error: exceptions.ClientException) -> Meaning:
    for kind in type(error).__mro__:
        if kind.__name__ in _MEANINGS:
            return _MEANINGS[kind.__name__]
    return _OTHER
