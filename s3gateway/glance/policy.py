# SPDX-License-Identifier: Apache-2.0
"""Policy rules that the gateway enforces itself, from Glance's policy file.

For most rights the gateway asks Glance.  The rules of this module are those that no
request to Glance can check without a side effect.
"""

from __future__ import annotations

from typing import Any

from oslo_config import cfg
from oslo_context import context as oslo_context
from oslo_policy import policy

from s3gateway.glance.api import Image
from s3gateway.http.wsgi import Environ
from s3gateway.http.wsgi import caller

_ADMIN = "rule:context_is_admin"
_OWN = "role:member and project_id:%(project_id)s"
# Without Keystone, Glance treats every caller as an admin who has no roles.
_OPERATORS = f"{_ADMIN} or is_admin:True or role:service or service_roles:service"
_SINCE = "Wallaby"
_REASON = "Glance's default before it had the reader and member roles."

# Declared as in Glance (glance/policies/base.py and image.py), so that a policy file
# means the same to both.
GLANCE_RULES = [
    policy.RuleDefault(
        "default",
        "",
        deprecated_rule=policy.DeprecatedRule(
            "default", _ADMIN, deprecated_reason=_REASON, deprecated_since="Ussuri"
        ),
    ),
    policy.RuleDefault("context_is_admin", "role:admin"),
    policy.RuleDefault(
        "upload_image",
        f"{_ADMIN} or ({_OWN})",
        scope_types=["project"],
        deprecated_rule=policy.DeprecatedRule(
            "upload_image",
            "rule:default",
            deprecated_reason=_REASON,
            deprecated_since=_SINCE,
        ),
    ),
]


#: The gateway's own.  The roles of a service token count as the sender's.
GATEWAY_RULES = [
    policy.DocumentedRuleDefault(
        "manage_locations",
        _OPERATORS,
        "Write S3, HTTP and unknown locations of images.",
        [
            {"path": "/v2/images/{image_id}", "method": "PATCH"},
            {"path": "/v2/images/{image_id}/locations", "method": "POST"},
        ],
    ),
    policy.DocumentedRuleDefault(
        "see_locations",
        _OPERATORS,
        "See the masked S3 locations of images when show_locations is admin.",
        [
            {"path": "/v2/images", "method": "GET"},
            {"path": "/v2/images/{image_id}", "method": "GET"},
        ],
    ),
]


class Rules:
    """Enforces Glance's policy rules and the gateway's own.

    :param conf: has Glance's ``[oslo_policy]`` section
    :param policy_file: file of the gateway's own rules; Glance's file if empty
    """

    def __init__(self, conf: cfg.ConfigOpts, policy_file: str = "") -> None:
        self._enforcer = _enforcer(conf, None)
        self._ours = _enforcer(conf, policy_file) if policy_file else self._enforcer
        self._new_defaults = conf.oslo_policy.enforce_new_defaults

    def may_manage_locations(self, environ: Environ, image: Image) -> bool:
        """Whether the caller may write the image's S3 and HTTP locations."""
        sender = caller(environ)
        return self._allows("manage_locations", _target(image), sender, self._ours)

    def may_see_locations(self, environ: Environ) -> bool:
        """Whether the caller sees locations if ``show_locations`` is ``admin``."""
        return self._allows("see_locations", {}, caller(environ), self._ours)

    def may_upload(self, environ: Environ, image: Image) -> bool:
        """Whether Glance's ``upload_image`` allows the caller to write the data."""
        sender = caller(environ)
        target = _target(image)
        if not self._allows("upload_image", target, sender):
            return False
        # glance.api.v2.policy.check_is_image_mutable, for the old defaults
        owns = sender.project_id is not None and sender.project_id == target["owner"]
        return self._new_defaults or owns or self._is_admin(sender)

    def _is_admin(self, sender: oslo_context.RequestContext) -> bool:
        return sender.is_admin or self._allows("context_is_admin", {}, sender)

    def _allows(
        self,
        rule: str,
        target: dict[str, Any],
        sender: oslo_context.RequestContext,
        enforcer: policy.Enforcer | None = None,
    ) -> bool:
        try:
            return bool((enforcer or self._enforcer).enforce(rule, target, sender))
        except policy.InvalidScope:
            return False


def receiver_of(environ: Environ) -> tuple[str | None, str | None]:
    """Return the project and the user of a request."""
    sender = caller(environ)
    return sender.project_id, sender.user_id


def list_rules() -> list[policy.RuleDefault]:
    """Return the gateway's own rules, for ``oslopolicy-sample-generator``."""
    return list(GATEWAY_RULES)


def _enforcer(conf: cfg.ConfigOpts, policy_file: str | None) -> policy.Enforcer:
    enforcer = policy.Enforcer(conf, policy_file=policy_file)
    enforcer.suppress_default_change_warnings = True
    enforcer.suppress_deprecation_warnings = True
    enforcer.register_defaults([*GLANCE_RULES, *GATEWAY_RULES])
    return enforcer


def _target(image: Image) -> dict[str, Any]:
    """Return the target of a rule, as ``glance.api.policy.ImageTarget`` has it."""
    shown = dict(image.properties)
    return {**shown, "project_id": shown.get("owner"), "image_id": image.id}
