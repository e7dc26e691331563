# SPDX-License-Identifier: Apache-2.0
"""Whether the Glance behind a stand-alone gateway takes a location from a member.

It should not: then no way past the gateway and no fault in it lets a member write one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import webob
from oslo_config import cfg

from s3gateway.config import remote as remote_glance
from s3gateway.errors import ConfigError
from s3gateway.errors import GlanceError
from s3gateway.glance import identity
from s3gateway.glance.api import Glance
from s3gateway.http import wsgi
from s3gateway.manage.check import findings
from s3gateway.manage.check.findings import Finding
from s3gateway.standalone.upstream import Upstream

GROUP = "check_user"
_SUBJECT = "Glance's policy"
#: A scheme that no store knows: Glance looks at it last, so nothing is ever written.
_LOCATION = {"url": "s3gateway-rehearsal://member", "metadata": {}}


def check(conf: cfg.ConfigOpts, *, write: bool = True) -> Iterator[Finding]:
    """Yield what is found out; nothing for a filter, whose Glance it stands in.

    :param write: whether an image may be created for it
    """
    remote = remote_glance.read(conf)
    if remote is None:
        return
    if not write:
        yield findings.note(
            "member_needs_an_image",
            _SUBJECT,
            "not tried",
            "--no-write: it needs an image.",
        )
        return
    try:
        member = identity.read(conf, GROUP)
        if member is None:
            yield findings.note(
                "member_not_named",
                _SUBJECT,
                "not tried",
                f"Name a plain member in [{GROUP}], with the options of "
                "[service_user]: then this tries to write a location past the gateway.",
            )
            return
        asked = member.itself(dict(webob.Request.blank("/").environ))
        yield _verdict(_try(Glance(Upstream(remote)), asked))
    except (ConfigError, GlanceError) as error:
        yield findings.error(
            "member_failed", _SUBJECT, "not tried", f"{error} Look at [{GROUP}]."
        )


def _try(glance: Glance, asked: wsgi.Environ) -> int:
    """Try to write a location to a new image; return the status of the answer."""
    image = {"name": "s3gateway-manage check", "disk_format": "raw"}
    body = json.dumps({**image, "container_format": "bare"}).encode()
    json_type = "application/json"
    create = wsgi.question(
        asked, "POST", "/v2/images", body=body, content_type=json_type
    )
    created = glance.pass_through(create)
    text = created.read()
    if created.code != 201:
        raise GlanceError(f"Glance created no image: it answered {created.status}.")
    image_id = json.loads(text)["id"]
    try:
        change = {"op": "add", "path": "/locations/-", "value": _LOCATION}
        return glance.patch(asked, image_id, [change]).code
    finally:
        path = f"/v2/images/{image_id}"
        glance.pass_through(wsgi.question(asked, "DELETE", path)).close()


def _verdict(status: int) -> Finding:
    if status == 403:
        return findings.ok(
            "member_writes_no_location", _SUBJECT, "members may write no location"
        )
    return findings.error(
        "member_writes_locations",
        _SUBJECT,
        "members may write locations",
        "A member who gets past the gateway or its guard can read and delete every "
        "image: give set_image_location, delete_image_location and get_image_location "
        "to admins and services in Glance's policy file, as etc/glance/policy.yaml has "
        "it, and set [s3gateway] register_as = service.",
    )
