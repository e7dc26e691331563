# SPDX-License-Identifier: Apache-2.0
"""One line of what ``check`` has found out."""

from __future__ import annotations

import dataclasses

from s3gateway.manage.check.store_findings import Severity

COLUMNS = ("state", "subject", "found", "what to do")


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that was found out.

    :ivar subject: what was looked at, in a few words
    :ivar found: what was found, in a few words
    :ivar advice: what it means and what to do, in sentences; empty if nothing
    """

    state: Severity
    subject: str
    found: str
    advice: str = ""

    def row(self) -> dict[str, str]:
        """Return it as a row of the table."""
        values = (self.state.name.lower(), self.subject, self.found, self.advice)
        return dict(zip(COLUMNS, values, strict=True))


def ok(subject: str, found: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(Severity.OK, subject, found)


def error(subject: str, found: str, advice: str) -> Finding:
    """Return a finding without whose mending the gateway does not work."""
    return Finding(Severity.ERROR, subject, found, advice)
