# SPDX-License-Identifier: Apache-2.0
"""How the documentation is built; ``tox run -e docs`` does it."""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

project = "s3gateway"
author = "The s3gateway developers"
project_copyright = author

extensions = [
    "commands",
    "openstackdocstheme",
    "oslo_config.sphinxext",
    "oslo_policy.sphinxext",
    "reno.sphinxext",
]
nitpicky = True
# Most blocks are configuration, shell or output; others say what they are.
highlight_language = "text"
# Two hyphens begin an option, also in what --help says.
smartquotes_action = "qe"

html_theme = "openstackdocs"
html_theme_options = {
    # Nothing is fetched from elsewhere when a page is read.
    "analytics_tracking_code": "",
    "display_badge": False,
    "sidebar_mode": "toctree",
}
html_static_path = ["_static"]
html_css_files = ["s3gateway.css"]
templates_path = ["_templates"]
openstackdocs_auto_name = False
openstackdocs_auto_version = False
html_show_sphinx = False
html_copy_source = False
