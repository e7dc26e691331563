# SPDX-License-Identifier: Apache-2.0
"""How the documentation is built; ``tox run -e docs`` does it."""

from __future__ import annotations

project = "s3gateway"
author = "The s3gateway developers"
project_copyright = author

extensions = [
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
