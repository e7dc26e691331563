# SPDX-License-Identifier: Apache-2.0
"""What CPython goes through when it looks for reference cycles.

It is all objects there are, time and again while many new ones are made: a page of
1,000 images, or botocore's service descriptions.  Most of them are Glance itself, its
libraries and its options, and those stay until the process ends.
"""

from __future__ import annotations

import gc


def spare_what_is_there() -> None:
    """Have cycles looked for only among objects that are made from now on.

    Where somebody has turned the looking off, nothing is done.
    Source: https://docs.python.org/3/library/gc.html#gc.freeze
    """
    if gc.isenabled():
        gc.collect()
        gc.freeze()
