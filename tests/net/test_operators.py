"""Every operator's cases as text again: the same operators, with the same arguments."""

from __future__ import annotations

import pytest
from case_families import FAMILIES
from case_ids import case_id
from net.same import signature

import netc
from netc.compiler.backends.net.emit import text_of
from netc.compiler.ir.graph import CallNode, graphs

CASES = {text: family for family, module in FAMILIES.items() for text in module.CASES}


ORDINARY = 10
"""One case of this number is in `make test`, all are in `make long`."""


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(text, id=f"{family}: {case_id(text)}", marks=[pytest.mark.long] * (at % ORDINARY > 0))
        for at, (text, family) in enumerate(CASES.items())
    ],
)
def test_operators(case: str) -> None:
    model = netc.compile(case)
    listed = any(one.listed for one in model.program.main.tuples)
    if listed or any(isinstance(n, CallNode) and n.scan is not None for g in graphs(model.program.main) for n in g.nodes):
        return  # refused: test_round_trip.py
    again = netc.compile(text_of(model.program))
    assert list(again.inputs.values()) == list(model.inputs.values())
    assert list(again.outputs.items()) == list(model.outputs.items())
    assert again.parameters.keys() == model.parameters.keys()
    assert signature(again.program) == signature(model.program)
