# SPDX-License-Identifier: Apache-2.0
"""Asks a URL until it is answered, for a minute: ``python3 ask.py URL``.

For systems that have nothing but Python: standard library only.
"""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request

PATIENCE = 60.0  # seconds


def main(url: str) -> int:
    """Return 0 if it was answered with 200."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
                print(url, answer.status, answer.read().decode())
                return 0
        except urllib.error.HTTPError as error:
            print(url, error.code, error.read().decode())
            return 1
        except OSError as error:
            if time.monotonic() > end:
                print(url, error)
                return 1
            time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
