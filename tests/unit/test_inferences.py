"""Equal stages are inferred once, and what is reported of one is reported of each."""

from __future__ import annotations

import pytest

from netc.analysis import Choice, analyze
from netc.compiler.ir.graph import CallNode, OpNode, Program
from netc.compiler.ops.dense import Dense
from netc.compiler.ops.learned_tensors import ParameterSpec
from netc.compiler.ops.operator import OpInputs
from netc.compiler.types.traced_ints import origin_of
from netc.dsl.source import SourceFile


def diagnostics(text: str) -> list[tuple[str, int]]:
    """The code and the position of each."""
    return [(d.code, d.span.start) for d in analyze(SourceFile("net", text), Choice()).diagnostics]


def program(text: str) -> Program:
    found = analyze(SourceFile("net", text), Choice())
    assert found.program is not None
    return found.program


def test_equal_stages_are_inferred_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    learned = Dense.default_parameters

    def counted(self: Dense, given: OpInputs) -> tuple[ParameterSpec, ...]:
        asked.append(given.x)
        return learned(self, given)

    monkeypatch.setattr(Dense, "default_parameters", counted)
    made = program("input 3" + " -> dense 4 relu" * 1000)
    assert len(made.main.nodes) == 2000
    assert [str(x) for x in asked] == ["[N, 3]", "[N, 4]"]


def test_numbers_of_other_types_are_other_arguments() -> None:
    nodes = program("x = input [4] int64; out x * 2, x * 2.0, x * 2").main.nodes
    assert [str(node.outputs[0].type) for node in nodes] == ["int64 [N, 4]", "[N, 4]", "int64 [N, 4]"]


def test_each_equal_stage_has_its_warning() -> None:
    text = "x = input [4] uint8; a = x + 300; b = x + 300; out a, b"
    assert diagnostics(text) == [("number-converted", text.index("300; b")), ("number-converted", text.index("300; out"))]


def test_each_equal_stage_has_its_error() -> None:
    text = "x = input 4; a = x -> flatten 2; b = x -> flatten 2; out a, b"
    assert diagnostics(text) == [("bad-axis", text.index("flatten 2; b") + 8), ("bad-axis", text.index("flatten 2; out") + 8)]


def test_what_depends_on_a_parameter_is_that_of_its_own_block() -> None:
    made = program("block one(a) { dense a }\nblock two(b) { dense b }\ninput 3 -> one 4 -> two 4")
    units = []
    for call in made.main.nodes:
        assert isinstance(call, CallNode)
        (node,) = call.graph.nodes
        assert isinstance(node, OpNode)
        units.append(str(origin_of(node.op.args["units"])))
    assert ["a" in units[0], "b" in units[1], len({*units})] == [True, True, 2]
