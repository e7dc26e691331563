# SPDX-License-Identifier: Apache-2.0
"""On whose behalf Glance is asked: the sender, an admin, or the gateway's own user.

The gateway's own user in Keystone is ``[service_user]``.  As in Nova and Cinder: a
service token beside the user's makes Glance accept a user's token that has run out
while data was coming in.  Only this module asks Keystone for tokens.
"""

from __future__ import annotations

import copy

from keystoneauth1 import exceptions
from keystoneauth1 import loading
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session
from oslo_config import cfg
from oslo_log import log as logging

from s3gateway.config.options import SERVICE_USER
from s3gateway.config.options import SERVICE_USER_OPTS
from s3gateway.errors import ConfigError
from s3gateway.errors import GlanceError
from s3gateway.http.wsgi import CONTEXT
from s3gateway.http.wsgi import Environ

LOG = logging.getLogger(__name__)


def caller(environ: Environ) -> Environ:
    """Return the request as it is: on behalf of its sender."""
    return environ


def admin_in_glance(environ: Environ) -> Environ:
    """Return the request on behalf of an admin, inside Glance's own pipeline.

    Behind Glance's context filter a request's rights are those of the context that
    it carries; this is the sender's with the admin role, as Glance's own
    ``elevated()`` makes it.
    """
    attributes = dict(environ[CONTEXT])
    context = copy.copy(attributes["context"])
    context.roles = [*context.roles, "admin"]
    context.is_admin = True
    attributes["context"] = context
    return {**environ, CONTEXT: attributes}


class ServiceUser:
    """Gets tokens; one is used until it is about to run out.

    :ivar vouches: whether it is to vouch for others
    """

    def __init__(
        self, auth: BaseAuthPlugin, session: Session, *, vouches: bool = True
    ) -> None:
        self._auth = auth
        self._session = session
        self.vouches = vouches

    def token(self) -> str:
        """Return a token.

        :raises GlanceError: if Keystone gives none
        """
        try:
            return str(self._auth.get_token(self._session))
        except exceptions.ClientException as error:
            LOG.error("Keystone gave [%s] no token: %s", SERVICE_USER, error)
            raise GlanceError("The gateway could not identify itself.") from error

    def beside_caller(self, environ: Environ) -> Environ:
        """Return the request on behalf of its sender, vouched for by us."""
        try:
            return {**environ, "HTTP_X_SERVICE_TOKEN": self.token()}
        except GlanceError:
            return environ  # the sender's own may still be good

    def itself(self, environ: Environ) -> Environ:
        """Return the request on behalf of the gateway's own user."""
        return {**environ, "HTTP_X_AUTH_TOKEN": self.token()}


def read(conf: cfg.ConfigOpts, group: str = SERVICE_USER) -> ServiceUser | None:
    """Return the user that the configuration names, ``None`` if there is none.

    :param group: the section that names it
    :raises ConfigError: if an option is missing
    """
    loading.register_auth_conf_options(conf, group)
    loading.register_session_conf_options(conf, group)
    conf.register_opts(SERVICE_USER_OPTS, group=group)
    try:
        auth = loading.load_auth_from_conf_options(conf, group)
        if auth is None:
            return None
        session = loading.load_session_from_conf_options(conf, group)
    except exceptions.ClientException as error:
        raise ConfigError(group, "auth_type", str(error)) from error
    return ServiceUser(auth, session, vouches=conf[group].send_service_user_token)
