"""Every known fault is one: some example or case of the operator shows it."""

from __future__ import annotations

import re

import pytest
from case_ids import case_id
from parity import Targets

import netc
from netc.compiler.ir.graph import FlatGraph
from netc.compiler.ops import Operator
from tests.differential import hard_numbers
from tests.differential.known_faults import FAULTS, Fault
from tests.differential.test_operators import CASES, EXAMPLES

pytestmark = pytest.mark.filterwarnings("ignore")
ENTRIES = [
    pytest.param(fault, kind, name, id=case_id(f"{name} {kind}: {fault.why}"))
    for fault in FAULTS
    for kind in fault.kinds
    for name in fault.operators
]


@pytest.mark.parametrize(("fault", "kind", "name"), ENTRIES)
def test_shown(fault: Fault, kind: str, name: str) -> None:
    assert any(_shows(text, fault, kind, name) for text in _texts(name))


def _texts(name: str) -> list[str]:
    """Those that name the operator, or have its symbol."""
    symbol = Operator.registry[name].symbol or name
    found = re.compile(rf"\b{name}\b|{re.escape(symbol)}")
    return [text for _, text in (*EXAMPLES, *CASES) if found.search(text)]


def _shows(text: str, fault: Fault, kind: str, name: str) -> bool:
    """ONNX Runtime differs, and only this operator can be why."""
    model = netc.compile(text)
    ops = [use.node.op for use in FlatGraph(model.program.main)]
    if not any(op.name == name and fault.covers(op) for op in ops) or len({op.name for op in ops} - {"param", "table"}) > 1:
        return False
    targets = Targets(model)
    if kind not in hard_numbers.kinds_for(targets) or not targets.sessions:
        return False
    try:
        hard_numbers.compare(targets, kind)
    except AssertionError as error:
        return str(error).startswith("onnx")
    return False
