"""Every known fault is one: some example or case of the operator shows it."""

from __future__ import annotations

import re

import pytest
from case_ids import case_id

import netc
from netc.compiler.ir.flat_graph import FlatGraph
from netc.compiler.ops import Operator
from tests.differential import hard_numbers
from tests.differential.known_faults import FAULTS, Fault
from tests.differential.test_operators import CASES, EXAMPLES
from tests.parity import Targets

pytestmark = pytest.mark.filterwarnings("ignore")
ENTRIES = [
    pytest.param(fault, kind, cls, id=case_id(f"{cls.name} {kind}: {fault.why}"))
    for fault in FAULTS
    for kind in fault.kinds
    for cls in fault.operators
    if kind not in ("mixed", "lowest")  # follow from others
]


@pytest.mark.parametrize(("fault", "kind", "cls"), ENTRIES)
def test_shown(fault: Fault, kind: str, cls: type[Operator]) -> None:
    is_shown = any(_shows(text, fault, kind, cls) for text in _texts(cls))
    if not is_shown and "some of PyTorch's kernels" in fault.why:
        pytest.skip(f"PyTorch has no such kernel of {cls.name} for this processor")
    assert is_shown


def _texts(cls: type[Operator]) -> list[str]:
    """Those that name the operator."""
    return [text for _, text in (*EXAMPLES, *CASES) if re.search(rf"\b{cls.name}\b", text)]


def _shows(text: str, fault: Fault, kind: str, cls: type[Operator]) -> bool:
    """ONNX Runtime differs, and only this operator can be why."""
    model = netc.compile(text)
    nodes = [use.node for use in FlatGraph(model.program.main).iterate_operators()]
    shown = any(type(node.op) is cls and fault.covers(node) for node in nodes)
    if not shown or len({node.op.name for node in nodes} - {"param", "table", "sort"}) > 1:
        return False
    targets = Targets(model)
    if kind not in hard_numbers.kinds_for(targets) or not targets.sessions:
        return False
    try:
        hard_numbers.compare(targets, kind)
    except AssertionError as error:
        return str(error).startswith("onnx")
    return False
