# SPDX-License-Identifier: Apache-2.0
"""Glance as the operator sees it: all images, with what its database holds.

Where Glance is installed its API is called inside this process, as an admin,
without its authentication and without the gateway.  A remote Glance, in front of
which the gateway stands alone, is asked as the ``[service_user]``.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol

import webob
from oslo_config import cfg
from oslo_log import log as logging
from paste import deploy

from s3gateway.config import options
from s3gateway.config import remote as remote_glance
from s3gateway.config import sources
from s3gateway.errors import ConfigError
from s3gateway.errors import GlanceError
from s3gateway.glance import identity
from s3gateway.glance import inside
from s3gateway.glance import releases
from s3gateway.glance import relied_on
from s3gateway.glance.api import Glance
from s3gateway.glance.api import Image
from s3gateway.glance.marks import marked_since
from s3gateway.glance.releases import Traits
from s3gateway.http import wsgi
from s3gateway.manage.location_rows import InstalledRows
from s3gateway.manage.location_rows import LocationRows
from s3gateway.standalone.upstream import Upstream

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOG = logging.getLogger(__name__)

_ADMIN = {
    "HTTP_X_IDENTITY_STATUS": "Confirmed",
    "HTTP_X_USER_ID": "s3gateway-manage",
    "HTTP_X_PROJECT_ID": "s3gateway-manage",
    "HTTP_X_ROLES": "admin,member,reader,service",
}
_PAGE = 500  # images asked for at once


class Database(Protocol):
    """Glance's database, as far as its API does not say or do something."""

    def remembers(self, image_id: str) -> bool:
        """Whether it has an image, deleted or not."""

    def left_saving(self, image_id: str) -> float | None:
        """Return when an upload of ours began to save an image, ``None`` if none did.

        :return: in seconds since the epoch
        """

    def restore(self, image_id: str) -> bool:
        """Make an image that is ``saving`` queued again; whether it was."""


class Operator:
    """Asks Glance as an admin.

    :ivar traits: of the Glance that is asked
    :ivar rows: of the locations in its database, ``None`` where it is not reached
    :param identity: makes a request an admin's
    :param database: Glance's, ``None`` where it is not reached from here
    """

    def __init__(
        self,
        app: WSGIApplication,
        identity: Callable[[wsgi.Environ], wsgi.Environ],
        traits: Traits,
        database: Database | None = None,
        rows: LocationRows | None = None,
    ) -> None:
        self.glance = Glance(app)
        self.traits = traits
        self.rows = rows
        self._identity = identity
        self._database = database

    def environ(self) -> wsgi.Environ:
        """Return a request that questions can be derived from."""
        return self._identity(dict(webob.Request.blank("/").environ))

    def images(self, since: datetime.datetime | None = None) -> Iterator[Image]:
        """Yield all images of all projects, hidden ones as well.

        :param since: only those that were changed since, in UTC
        """
        for hidden in ("false", "true"):
            query = f"limit={_PAGE}&visibility=all&os_hidden={hidden}"
            if since is not None:
                query += f"&updated_at=gte:{since:%Y-%m-%dT%H:%M:%SZ}"
            yield from self.glance.images(self.environ(), query)

    def remembers(self, image_id: str) -> bool | None:
        """Whether Glance's database has an image, ``None`` if that cannot be known.

        Of one that was deleted it knows until it is purged; the API does not show it.
        """
        return self._database.remembers(image_id) if self._database else None

    def left_saving(self, image_id: str) -> float | None:
        """Return when an upload of ours began to save an image, ``None`` if none did.

        The API may not show that: a property protection file can be in the way.

        :return: in seconds since the epoch
        """
        return self._database.left_saving(image_id) if self._database else None

    def restore(self, image_id: str) -> bool:
        """Make an image that a dead upload has left ``saving`` queued again.

        Only its database lets that be done, not its API.

        :return: whether it is now
        """
        return self._database is not None and self._database.restore(image_id)

    def find(self, image_id: str) -> Image | None:
        """Return an image, ``None`` if there is none."""
        return self.glance.find(self.environ(), image_id)

    def ask(self, method: str, path: str) -> wsgi.Answer:
        """Send a request without a body; the answer is to be read or closed."""
        question = wsgi.question(self.environ(), method, path)
        return self.glance.pass_through(question)

    def show(self, image_id: str) -> Image:
        """Return an image; Glance brings its locations up to date for that."""
        return self.glance.show(self.environ(), image_id)


def of_configured_glance(conf: cfg.ConfigOpts) -> Operator:
    """Return the way to the Glance that the configuration is about.

    :raises ConfigError: if there is none, or it cannot be asked as an admin
    :raises GlanceError: if it does not answer
    """
    remote = remote_glance.read(conf)
    if remote is None:
        return of_installed_glance(conf)
    user = identity.read(conf)
    if user is None:
        raise ConfigError(
            options.SERVICE_USER,
            "auth_type",
            "not set; a remote Glance is asked as this user, who must be an admin",
        )
    traits = releases.of_release(remote.release)
    operator = Operator(Upstream(remote), user.itself, traits)
    _need_admin(operator)
    return operator


def _need_admin(operator: Operator) -> None:
    """Make sure that all images are shown: what nobody shows would seem needless.

    :raises ConfigError: if they may not be
    """
    answer = operator.ask("GET", "/v2/info/stores/detail")  # for admins only
    answer.close()
    if answer.code in (401, 403, 404):
        raise ConfigError(
            options.SERVICE_USER,
            "username",
            "not an admin to Glance, who may see all images and the details of the "
            f"stores: Glance answered {answer.status}",
        )
    if answer.code != 200:
        raise GlanceError(f"Glance answered {answer.status}")


def of_installed_glance(conf: cfg.ConfigOpts) -> Operator:
    """Return the way to the Glance that is installed beside us.

    :param conf: parsed from the files that Glance's configuration is in
    :raises ConfigError: if there is no Glance here
    :raises GlanceError: if it cannot be set up
    """
    try:
        config = import_module("glance.common.config")
        wsgi_app = import_module("glance.common.wsgi_app")
    except ImportError as error:
        raise ConfigError(
            "s3gateway",
            "glance_url",
            "not set, and there is no Glance installed beside s3gateway-manage",
        ) from error
    try:
        return _set_up(conf, config, wsgi_app)
    except ConfigError:
        raise
    except Exception as error:
        # It is not ours: whatever it raises, it is not there to be asked.
        raise GlanceError("Glance cannot be set up.") from error


def _set_up(conf: cfg.ConfigOpts, config: Any, wsgi_app: Any) -> Operator:
    # What Glance's own commands do before they touch a store or the database.
    config.set_config_defaults()
    read = sources.read_by(conf)
    cfg.CONF(
        list(read.arguments),
        project="glance",
        prog="glance-api",
        default_config_files=list(read.files),
        default_config_dirs=list(read.directories),
    )
    # Only here, and only for the operator: which objects images need is asked for.
    cfg.CONF.set_override("show_multiple_locations", True)
    import_module("glance.async_").set_threadpool_model("native")
    _create_stores(wsgi_app.RESERVED_STORES)
    try:
        paste = f"config:{config._get_deployment_config_file()}"
    except RuntimeError:
        raise ConfigError(
            "paste_deploy",
            "config_file",
            "not found where Glance looks; set it",
        ) from None
    context = deploy.loadfilter(paste, name="context")
    app = context(deploy.loadapp(paste, name="rootapp"))
    return Operator(
        app,
        lambda asked: {**asked, **_ADMIN},
        releases.installed(),
        _Installed(),
        InstalledRows(),
    )


class _Installed:
    """The database of the Glance that is installed here."""

    def __init__(self) -> None:
        self._context = import_module("glance.context").RequestContext(is_admin=True)

    def remembers(self, image_id: str) -> bool:
        exception = import_module("glance.common.exception")
        database = import_module("glance.db").get_api()
        try:
            database.image_get(self._context, image_id, force_show_deleted=True)
        except exception.NotFound:
            return False
        return True

    def left_saving(self, image_id: str) -> float | None:
        image = self._image(image_id)
        return marked_since(image) if image else None

    def restore(self, image_id: str) -> bool:
        image = self._image(image_id)
        return bool(self._inside and image and self._inside.restore(image))

    def _image(self, image_id: str) -> Image | None:
        if self._inside is None:
            return None
        return self._inside.image({wsgi.CONTEXT: {"context": self._context}}, image_id)

    @functools.cached_property
    def _inside(self) -> inside.Inside | None:
        try:
            return inside.Inside()
        except relied_on.Unfit as unfit:
            LOG.warning("Images that uploads have left saving stay so: %s", unfit)
            return None


def _create_stores(reserved: dict[str, str]) -> None:
    stores = import_module("glance_store")
    if cfg.CONF.enabled_backends:
        stores.register_store_opts(cfg.CONF, reserved_stores=reserved)
        stores.create_multi_stores(cfg.CONF, reserved_stores=reserved)
    else:
        stores.register_opts(cfg.CONF)
        stores.create_stores(cfg.CONF)
