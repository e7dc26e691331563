# SPDX-License-Identifier: Apache-2.0
"""Asks for a URL until somebody answers, as curl in a loop does."""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request


def is_answered(url: str) -> bool:
    try:
        with urllib.request.urlopen(url):  # noqa: S310
            return True
    except urllib.error.HTTPError as answer:
        answer.close()
        return True
    except OSError:
        return False


if __name__ == "__main__":
    while not is_answered(sys.argv[1]):
        time.sleep(0.2)
