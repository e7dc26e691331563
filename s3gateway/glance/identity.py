# SPDX-License-Identifier: Apache-2.0
"""The identity of requests to Glance: the sender, an admin, or the gateway's user.

The gateway's own user in Keystone is ``[service_user]``.  As in Nova and Cinder, a
service token beside the user's token makes Glance accept a user's token that expired
during the upload.  Only this module gets tokens from Keystone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

from keystoneauth1 import exceptions
from keystoneauth1 import loading
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session
from oslo_config import cfg
from oslo_log import log as logging

from s3gateway.config.options import SERVICE_USER
from s3gateway.config.options.standalone import SERVICE_USER_OPTS
from s3gateway.errors import ConfigError
from s3gateway.errors import GlanceError
from s3gateway.http.wsgi import CONTEXT
from s3gateway.http.wsgi import Environ

LOG = logging.getLogger(__name__)

#: Gives a request another identity.
Identity = Callable[[Environ], Environ]


def caller(environ: Environ) -> Environ:
    """Return the request unchanged: its sender is the identity."""
    return environ


def admin_in_glance(environ: Environ) -> Environ:
    """Return the request with an admin's rights, inside Glance's own pipeline.

    Behind Glance's context filter the rights are those of the context in the request.
    Like Glance's own ``elevated()``, this adds the admin role to the sender's context.
    """
    attributes = dict(environ[CONTEXT])
    context = copy.copy(attributes["context"])
    context.roles = [*context.roles, "admin"]
    context.is_admin = True
    attributes["context"] = context
    return {**environ, CONTEXT: attributes}


class ServiceUser:
    """Gets tokens from Keystone; uses each until shortly before it expires.

    :ivar vouches: whether its token goes beside the tokens of users
    """

    def __init__(
        self, auth: BaseAuthPlugin, session: Session, *, vouches: bool = True
    ) -> None:
        self._auth = auth
        self._session = session
        self.vouches = vouches

    def token(self) -> str:
        """Return a token.

        :raises GlanceError: if Keystone issues none
        """
        try:
            return str(self._auth.get_token(self._session))
        except exceptions.ClientException as error:
            LOG.error("Keystone issued no token to [%s]: %s", SERVICE_USER, error)
            raise GlanceError("The gateway could not get a token.") from error

    def beside_caller(self, environ: Environ) -> Environ:
        """Return the request with a service token beside the sender's token."""
        try:
            return {**environ, "HTTP_X_SERVICE_TOKEN": self.token()}
        except GlanceError:
            return environ  # the sender's own token may still be valid

    def itself(self, environ: Environ) -> Environ:
        """Return the request with the token of the gateway's own user."""
        return {**environ, "HTTP_X_AUTH_TOKEN": self.token()}

    def as_service(self, environ: Environ) -> Environ:
        """Return the request on behalf of the gateway's own user, as a service.

        Glance 2025.2 asks for the role in the service token, other releases for it in
        the user's: ``service_api`` in ``glance.policies.base``.
        """
        token = self.token()
        ours = {"HTTP_X_AUTH_TOKEN": token, "HTTP_X_SERVICE_TOKEN": token}
        return {**environ, **ours}


def read(conf: cfg.ConfigOpts, group: str = SERVICE_USER) -> ServiceUser | None:
    """Return the user in the configuration, ``None`` if there is none.

    :param group: the section with the user's credentials
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
