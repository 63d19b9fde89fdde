"""The table of ONNX's operators is complete: each has an importer, or a reason why it has none."""

from __future__ import annotations

import onnx

from netc.compiler.frontends.onnx import load as load
from netc.compiler.frontends.onnx.table import COUNTERPARTS, REASONS, TABLE

IN_THE_IMPORTER = {"Constant", "If"}


def test_every_operator_of_the_standard() -> None:
    names = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    assert names <= set(TABLE) | set(REASONS) | IN_THE_IMPORTER


def test_none_has_both() -> None:
    assert not set(TABLE) & set(REASONS)
    assert set(COUNTERPARTS) == set(TABLE)
