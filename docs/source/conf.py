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
    "oslo_config.sphinxext",
    "oslo_policy.sphinxext",
    "reno.sphinxext",
]
nitpicky = True

html_theme = "alabaster"
html_theme_options = {
    "description": "Keeps OpenStack Glance images in S3 without showing its keys",
    "fixed_sidebar": True,
    "page_width": "72rem",
}
html_show_sphinx = False
html_copy_source = False

man_pages = [
    ("command", "s3gateway-manage", "look after Glance images in S3", [author], 1),
]
