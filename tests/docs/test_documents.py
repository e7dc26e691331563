# SPDX-License-Identifier: Apache-2.0
"""The pages of the followed documents say what the last run has written."""

from __future__ import annotations

import json
import pathlib
import runpy
import tempfile

import pytest

from tests.documents.story import Document
from tests.documents.story import Story
from tests.documents.story import of_this_machine
from tests.documents.story import plain

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = runpy.run_path(str(ROOT / "docs" / "documents.py"))

DOCUMENT = Document(
    number=9,
    name="example",
    title="A document about *S3*",
    published="Somebody wrote it in 2020.",
    cannot=("A machine: nobody has one.",),
)


@pytest.fixture
def story() -> Story:
    told = Story(DOCUMENT)
    told.instead("http://127.0.0.1:9999", "http://glance.example.org:9292")
    told.instead("a-secret", "SECRET")
    told.step("Ask")
    told.row("It asks.", "``http://127.0.0.1:9999/v2`` answered.", "Faster.")
    told.block("What it printed", "with a-secret\n\x1b[32mgreen\x1b[0m  \n 10%\r100%")
    told.table("Seconds", [["", "stock"], ["upload", "3"]])
    return told


def test_the_pages_are_up_to_date() -> None:
    made = DOCUMENTS["pages"]()
    there = set(DOCUMENTS["PAGES"].glob("*.rst"))
    assert there == set(made), "run: python docs/documents.py"
    for path, text in made.items():
        assert path.read_text("utf-8") == text, "run: python docs/documents.py"


def test_nothing_of_a_machine_is_published() -> None:
    for path in DOCUMENTS["STORIES"].glob("*.json"):
        text = path.read_text("utf-8")
        assert of_this_machine(text) == [], path.name
        assert "/tmp/" not in text, path.name  # noqa: S108
        assert json.loads(text)["name"] == path.stem


def test_a_story_is_written_and_becomes_a_page(
    story: Story, tmp_path: pathlib.Path
) -> None:
    told = json.loads(story.write(tmp_path).read_text("utf-8"))
    [step] = told["steps"]
    assert step["rows"][0][1] == "``http://glance.example.org:9292/v2`` answered."
    assert step["blocks"][0]["text"] == "with SECRET\ngreen\n100%"
    page = DOCUMENTS["page"](told)
    head, _, rest = page.partition("Ask\n---\n")
    assert "A machine: nobody has one." in head, "the first lines say what is missing"
    assert told["date"] in head
    assert "     - Faster.\n" in rest
    assert "    with SECRET\n    green\n    100%\n" in rest
    assert "   * - upload\n     - 3\n" in rest


def test_what_a_run_leaves_out_is_in_the_first_lines(story: Story) -> None:
    story.left_out("The role", "no tree of it is named")
    told = story.document_of_it()
    assert told["cannot"][-1] == "The role: no tree of it is named."
    assert "The role: no tree" in DOCUMENTS["index"]([told])


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:12345/v2",
        f"{tempfile.gettempdir()}/s3gw-abc/disk.raw",
        f"{ROOT}/docs",
        "X-Auth-Token: gAAAAABm" + "x" * 40,
    ],
)
def test_a_story_with_a_name_of_this_machine_is_refused(
    story: Story, text: str
) -> None:
    story.block("What it printed", text)
    with pytest.raises(AssertionError):
        story.document_of_it()


def test_plain() -> None:
    assert plain("\n[=>  ] 10%\r[====] 100%\r\nend\n") == "[====] 100%\nend"
