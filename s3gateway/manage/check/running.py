# SPDX-License-Identifier: Apache-2.0
"""Whether the Glance that runs has the gateway, and in which version.

A paste file says what the next start will bring.  A gateway that runs says its version
in an answer that Glance gives to admins alone, and in its metrics.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from collections.abc import Mapping

from oslo_config import cfg

from s3gateway.config import options
from s3gateway.errors import ConfigError
from s3gateway.errors import GlanceError
from s3gateway.errors import UsageError
from s3gateway.glance.routes import STORE_DETAILS
from s3gateway.manage import user_api
from s3gateway.manage.check import findings
from s3gateway.manage.check.findings import Finding
from s3gateway.manage.user_api import UserApi
from s3gateway.monitoring import metrics
from s3gateway.monitoring import version

_SUBJECT = "running Glance"
_HERE = "running Glance, this host"
#: Whose users are admins most often.
_GROUPS = (options.SERVICE_USER, "keystone_authtoken")
#: Each time on a connection of its own: a load balancer may have several Glances.
_TIMES = 4
_NEW: Mapping[str, str] = {"Connection": "close"}

_ASK_A_USER = "Run s3gateway-manage selftest: it finds out as a user does."
_RESTART = "Restart Glance on each host, and run s3gateway-manage selftest."


def check(conf: cfg.ConfigOpts, cloud: str) -> Iterator[Finding]:
    """Yield what is found out.

    :param cloud: of ``clouds.yaml``, whose user asks
    """
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR") and (shown := _counted()):
        yield _judged(_HERE, shown)
    try:
        api = user_api.connect(conf, _GROUPS, cloud=cloud)
    except (ConfigError, UsageError, GlanceError) as error:
        yield _unknown(str(error))
        return
    if api is None:
        yield _unknown("There are no credentials to ask it with.")
        return
    try:
        yield _asked(api)
    except user_api.NO_ANSWER as error:
        yield findings.warning(
            "running_does_not_answer",
            _SUBJECT,
            f"no answer: {type(error).__name__}",
            f"Nothing answers {api.who} at the catalog's image endpoint: look whether "
            "Glance runs, and at the proxies in front of it.",
        )


def _asked(api: UserApi) -> Finding:
    answers = [api.ask("GET", STORE_DETAILS, None, _NEW) for _ in range(_TIMES)]
    refused = next((a.status for a in answers if a.status != 200), None)
    if refused == 404:
        return _unknown("A Glance with a single store does not say.")
    if refused is not None:
        return _unknown(f"It answers {api.who} with {refused}: it tells admins only.")
    return _judged(
        _SUBJECT, {answer.headers.get(version.HEADER, "") for answer in answers}
    )


def _judged(subject: str, shown: set[str]) -> Finding:
    """Return what the versions mean that were shown; an empty one is none."""
    found = ", ".join(sorted(filter(None, shown)))
    if not found:
        return findings.warning(
            "running_without_gateway",
            subject,
            "does not say that it has s3gateway",
            f"It has none, or an older one than {version.RUNNING}. {_RESTART}",
        )
    if "" in shown:
        return findings.warning(
            "running_not_on_each_host",
            subject,
            f"has s3gateway {found}, but not on each host",
            _RESTART,
        )
    if shown != {version.RUNNING}:
        return findings.warning(
            "running_another_version",
            subject,
            f"has s3gateway {found}",
            f"{version.RUNNING} is installed here. {_RESTART}",
        )
    return findings.ok("running_this_version", subject, f"has s3gateway {found}")


def _counted() -> set[str]:
    """Return the versions of the gateways that count on this host."""
    return {
        sample.labels["version"]
        for family in metrics.collected().collect()
        for sample in family.samples
        if sample.name == metrics.BUILD_INFO_NAME
    }


def _unknown(why: str) -> Finding:
    advice = f"{why} {_ASK_A_USER}"
    return findings.note(
        "running_unknown", _SUBJECT, "whether it has s3gateway is not known", advice
    )
