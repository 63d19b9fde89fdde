"""docs/precision.md is true: its specs have the types that it says, in every type."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import netc

TEXT = (Path(__file__).parents[2] / "docs" / "precision.md").read_text(encoding="utf-8")
SPECS = re.findall(r"^```net\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64"])
@pytest.mark.parametrize("text", SPECS)
def test_specs(text: str, dtype: str) -> None:
    model = netc.compile(text, dtype=dtype)
    assert not model.diagnostics
    assert {t.dtype.name for t in model.outputs.values()} == {dtype}
    assert {p.dtype.name for p in model.parameters.values()} == {dtype}
