# SPDX-License-Identifier: Apache-2.0
"""Real answers of Glance 30, 32 and 33 with anybody's keys, hosts and buckets."""

from __future__ import annotations

import html
import json
import pathlib
from collections.abc import Callable
from typing import Any
from urllib import parse

import pytest
from hypothesis import HealthCheck
from hypothesis import Phase
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from s3gateway.config.keys import KeyPair
from s3gateway.config.keys import Keys
from s3gateway.http.wsgi import Answer
from s3gateway.locations.answers import Masking
from s3gateway.locations.documents import Masks
from s3gateway.locations.redaction import Sweep
from s3gateway.uris import Mask
from tests.support.hidden import Hidden
from tests.support.s3.memory import store_settings

ANSWERS = pathlib.Path(__file__).parents[1] / "fixtures" / "answers"
CORPUS = [
    answer
    for path in sorted(ANSWERS.glob("*.json"))
    for answer in json.loads(path.read_text())
]
IMAGE_ID = "6f2c0000-0000-4000-8000-000000000001"
ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

# With beginnings that no answer holds by chance.
HIDDEN = st.builds(
    Hidden,
    access_key=st.text(ALPHANUMERIC, max_size=30).map("XAKIAX{}".format),
    secret_key=st.text(ALPHANUMERIC.lower() + "/+=@:%&", min_size=10, max_size=50).map(
        "xskx/x{}".format
    ),
    host=st.builds(
        "host-{}.example{}{}".format,
        st.text(ALPHANUMERIC.lower(), max_size=20),
        st.sampled_from(["", ":9000"]),
        st.sampled_from(["", "/base"]),
    ),
    bucket=st.text(ALPHANUMERIC.lower(), max_size=20).map("bucket-{}".format),
)
SPELLINGS: list[Callable[[str], str]] = [
    str,
    parse.quote,
    lambda text: parse.quote(text, safe=""),
    html.escape,
]


@st.composite
def answers(draw: st.DrawFn) -> tuple[Hidden, bool, str, Answer]:
    """Return what is hidden, whether the store is known, a path and its answer."""
    hidden = draw(HIDDEN)
    recorded = draw(st.sampled_from(CORPUS))
    scheme = draw(st.sampled_from(["s3://", "s3+http://", "s3+https://"]))
    user = f"{hidden.access_key}:{hidden.secret_key}@" if draw(st.booleans()) else ""
    uri = f"{scheme}{user}{hidden.host}/{hidden.bucket}/{IMAGE_ID}"
    body = recorded["body"]
    is_json = recorded["headers"].get("Content-Type", "").startswith("application/json")
    escape = (lambda text: json.dumps(text)[1:-1]) if is_json else html.escape
    body = body.replace("s3://{user}{host}/{bucket}/{id}", escape(uri))
    for name, value in (("{host}", hidden.host), ("{bucket}", hidden.bucket)):
        body = body.replace(name, value)
    body = body.replace("{user}", escape(user)).replace("{id}", IMAGE_ID)
    if draw(st.booleans()):  # something of which nobody thought
        bare = escape(draw(st.sampled_from(SPELLINGS))(hidden.secret_key))
        body = body.replace("public", bare).replace("not ", f"not {bare} ")
    if draw(st.booleans()):
        body = body.replace('"store": "fast"', '"store": "renamed"')
    headers = [*recorded["headers"].items()]
    if draw(st.booleans()):
        headers.append(("Location", draw(st.sampled_from(SPELLINGS[:3]))(uri)))
    answer = Answer(f"{recorded['status']} Recorded", headers, [body.encode()])
    path = "/v2/images" + "/id/tasks" * ("task" in recorded["surface"])
    return hidden, draw(st.booleans()), path, answer


def check(case: tuple[Hidden, bool, str, Answer]) -> None:
    """Nothing that is hidden is in what leaves."""
    hidden, known, path, answer = case
    request = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
    keys = Keys(KeyPair(hidden.access_key, hidden.secret_key))
    endpoint = f"http://{hidden.host}" if known else "http://other.example"
    store = store_settings("fast", keys=keys, endpoint=endpoint, bucket=hidden.bucket)
    masks = Masks({"fast": store}, Mask())
    sweep = Sweep(lambda: [keys.current()])
    left = Masking(masks, sweep, lambda environ: True).apply(request, answer)
    text = left.read().decode() + repr(left.headers)
    assert hidden.found_in(text) == []
    if left.header("Content-Type").startswith("application/json"):
        json.loads(left.body[0])  # type: ignore[index]


def fuzz(examples: int, *phases: Phase) -> Callable[[], None]:
    """Return a run of the check over so many examples."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=phases or tuple(Phase),
        suppress_health_check=list(HealthCheck),
    )(given(case=answers())(check))


def test_nothing_leaves() -> None:
    fuzz(5000)()


def unchanged(self: Any, document: Any, **how: Any) -> bool:
    return False


def as_it_is(self: Any, location: Any, image_id: str) -> Any:
    return location.url


def first(self: Any, text: Any) -> Any:
    return text


def last(self: Any, *arguments: Any) -> Any:
    return arguments[-1]


def nothing_found(self: Any, text: bytes) -> tuple[bytes, bool]:
    return text, False


MASKERS: dict[str, tuple[type, str, Callable[..., Any]]] = {
    "documents": (Masks, "document", unchanged),
    "locations": (Masks, "location", as_it_is),
    "texts": (Masks, "text", first),
    "headers": (Masking, "_header", last),
    "sweep": (Sweep, "redact", nothing_found),
}


@pytest.mark.parametrize("name", MASKERS)
def test_each_masker_is_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With any one of them switched off the run above turns red."""
    monkeypatch.setattr(*MASKERS[name])
    with pytest.raises(AssertionError):
        fuzz(2000, Phase.generate)()


def test_the_corpus_is_of_three_releases() -> None:
    assert len(list(ANSWERS.glob("glance-3[023].json"))) == 3
    assert len(CORPUS) == 3 * 18
    assert sum("{host}" in answer["body"] for answer in CORPUS) == 3 * 12
