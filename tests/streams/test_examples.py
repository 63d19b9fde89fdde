"""The examples of all operators: what can be streamed gives in pieces what the whole gives, and the rest is refused at its place."""

from __future__ import annotations

import pytest

import netc
from netc.compiler.dims import free_symbols
from netc.compiler.ops.operator import Operator
from tests.streams.pieces import same_in_pieces

RANDOM = {"dropout", "channel_dropout", "alpha_dropout", "drop_path", "rrelu"}
EXAMPLES = [(name, text) for name, cls in sorted(Operator.registry.items()) for text in cls.examples]
TOTAL = 8
"""Enough positions for the conditions of the examples."""


def with_stream(text: str) -> netc.Model | None:
    model = netc.compile(text)
    return model if any("T" in free_symbols(d) for type_ in model.inputs.values() for d in type_.shape) else None


@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_examples(name: str, text: str) -> None:
    model = with_stream(text)
    if model is None:
        return
    try:
        model.stream("T")
    except netc.CompileError as refused:
        (found,) = refused.diagnostics
        assert found.code in ("looks-ahead", "not-streamed", "streamed-output", "no-stream")
        return
    same_in_pieces(model, total=TOTAL, kinds=3, targets=("module",))
