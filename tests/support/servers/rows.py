# SPDX-License-Identifier: Apache-2.0
"""Many images at once: copies of the rows of one in Glance's database."""

from __future__ import annotations

from collections.abc import Callable


def multiply(sql: Callable[[str], str], image_id: str, copies: list[str]) -> None:
    """Copy an image's rows under other ids.

    :param sql: runs a statement on Glance's database and returns what it prints
    """
    for table, owner in (
        ("images", "id"),
        ("image_locations", "image_id"),
        ("image_tags", "image_id"),
    ):
        names = sql(
            "SELECT column_name FROM information_schema.columns WHERE "  # noqa: S608
            f"table_schema = DATABASE() AND table_name = '{table}'"
        ).split()
        columns = [f"`{name}`" for name in names if name != "id" or owner == "id"]
        values = [_value(column, owner, image_id) for column in columns]
        for start in range(0, len(copies), 200):
            rows = " UNION ALL ".join(
                f"SELECT '{copy}' AS made" for copy in copies[start : start + 200]
            )
            sql(
                f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608
                f"SELECT {', '.join(values)} FROM {table}, ({rows}) AS copies "
                f"WHERE `{owner}` = '{image_id}'"
            )


def _value(column: str, owner: str, image_id: str) -> str:
    if column == f"`{owner}`":
        return "made"
    if column == "`value`":  # of a location or tag
        return f"REPLACE(`value`, '{image_id}', made)"
    return column
