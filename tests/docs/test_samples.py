# SPDX-License-Identifier: Apache-2.0
"""The sample files in etc/ are those that the options and rules make."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest
from oslo_config import generator as config_generator
from oslo_policy import generator as policy_generator

from s3gateway.config import options

ROOT = pathlib.Path(__file__).resolve().parents[2]


def generate_config(output: pathlib.Path) -> None:
    config_generator.main([
        f"--config-file={ROOT / 'docs' / 'config-generator.conf'}",
        f"--output-file={output}",
    ])  # fmt: skip


def generate_policy(output: pathlib.Path) -> None:
    policy_generator.generate_sample([
        f"--config-file={ROOT / 'docs' / 'policy-generator.conf'}",
        f"--output-file={output}",
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("name", "generate"),
    [
        ("s3gateway.conf.sample", generate_config),
        ("policy.yaml.sample", generate_policy),
    ],
)
def test_a_sample_is_up_to_date(
    name: str, generate: Callable[[pathlib.Path], None], tmp_path: pathlib.Path
) -> None:
    generate(tmp_path / name)
    assert (ROOT / "etc" / name).read_text() == (tmp_path / name).read_text(), (
        "run: tox run -e samples"
    )


def test_the_sample_has_every_option() -> None:
    lines = (ROOT / "etc" / "s3gateway.conf.sample").read_text().splitlines()
    for option in (option for _, found in options.list_opts() for option in found):
        assert any(line.startswith(f"#{option.name} =") for line in lines), option.name
