# SPDX-License-Identifier: Apache-2.0
"""How the release notes are built; ``tox run -e releasenotes`` does it."""

from __future__ import annotations

project = "s3gateway"
author = "The s3gateway developers"
project_copyright = author

extensions = ["reno.sphinxext"]

html_theme = "alabaster"
html_show_sphinx = False
html_copy_source = False
