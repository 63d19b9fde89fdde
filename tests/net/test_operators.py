"""Every operator's cases as text again: the same operators, with the same arguments."""

from __future__ import annotations

import pytest
from case_ids import case_id

import netc
from netc.compiler.backends.net.spec_source import write_program
from tests.case_families import FAMILIES
from tests.net.same import has_scan, same_results, signature

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
    if any(one.listed for one in model.program.main.tuples):
        return  # refused: test_round_trip.py
    again = netc.compile(write_program(model.program))
    assert list(again.inputs.values()) == list(model.inputs.values())
    assert list(again.outputs.items()) == list(model.outputs.items())
    assert again.parameters.keys() == model.parameters.keys()
    if has_scan(model):
        assert same_results(model, again)
    else:
        assert signature(again.program) == signature(model.program)


@pytest.mark.parametrize("text", ["x = input 3\n-x\n", "x = input 3\n-x * 2 + -(x * x)\n", "x = input 3\ny = input 3\nx - y + (2 - x)\n"])
def test_arithmetic_is_written_as_it_was(text: str) -> None:
    assert write_program(netc.compile(text).program) == text
