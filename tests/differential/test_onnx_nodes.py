"""The operators of ONNX that the reference names for an operator of netc occur in the models that have it."""

from __future__ import annotations

import re

import pytest
from onnx import defs

import netc
from netc.compiler.backends.onnx.onnx_emitters import describe_target
from netc.compiler.ops.operator import Operator
from tests.differential.test_operators import CASES, EXAMPLES

KNOWN = {schema.name for schema in defs.get_all_schemas()}
NAMED = {name: set(re.findall(r"[A-Z]\w+", describe_target(operator))) & KNOWN for name, operator in Operator.registry.items()}
TEXTS = [text for _, text in (*EXAMPLES, *CASES)]


def list_emitted_types(text: str) -> set[str]:
    """The types of the nodes of a model, which is empty for a model that ONNX cannot express."""
    try:
        return {node.op_type for node in netc.compile(text).onnx(optimize=False).graph.node}
    except netc.CompileError:
        return set()


@pytest.mark.share(4)
@pytest.mark.parametrize("name", [name for name, named in NAMED.items() if named])
def test_named_nodes_occur(name: str) -> None:
    operator = Operator.registry[name]
    symbols = [symbol for symbol in (getattr(operator, "symbol", ""), getattr(operator, "prefix_symbol", "")) if symbol]
    missing = NAMED[name]
    for text in TEXTS:
        if missing and (re.search(rf"\b{name}\b", text) or any(f"{symbol} " in text or f" {symbol}" in text for symbol in symbols)):
            missing = missing - list_emitted_types(text)
    assert not missing, f"no case of `{name}` has these nodes: change the `onnx` of its emitter, or add a case"
