# SPDX-License-Identifier: Apache-2.0
"""How the release notes are built; ``tox run -e releasenotes`` does it."""

from __future__ import annotations

project = "s3gateway"
author = "The s3gateway developers"
project_copyright = author

extensions = ["openstackdocstheme", "reno.sphinxext"]

html_theme = "openstackdocs"
html_theme_options = {
    # Nothing is fetched from elsewhere when a page is read.
    "analytics_tracking_code": "",
    "display_badge": False,
    "sidebar_mode": "toctree",
}
html_static_path = ["../../docs/source/_static"]
html_css_files = ["s3gateway.css"]
templates_path = ["../../docs/source/_templates"]
openstackdocs_auto_name = False
openstackdocs_auto_version = False
html_show_sphinx = False
html_copy_source = False
