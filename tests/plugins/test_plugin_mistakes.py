"""Mistakes of a plugin's author are reported as such, at the class or the method that has them, and never as a mistake of netc."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from netc.cli import cli
from netc.compiler.ops import Operator
from netc.plugin_loading import _restore_registry
from netc.plugins import _get_import_path

RULE = "    def infer_types(self, inputs):\n        return {}\n\n@pytorch(Odd)\ndef odd(x):\n    return x\n"
LEARNED = '    definition = "x * alpha"\n    def parameters(self, inputs):\n        return {}\n'
DEFINED = '    definition = "x"\n'
TUPLE = "must return a tuple of `ParameterSpec`s, each with a tuple of sizes and an initializer with its arguments, not"
TYPES = "`infer_types` must return a tuple of types, each with a tuple of sizes as its shape, not"
MISTAKES = {
    RULE.format("inputs.x"): f"{TYPES} a TensorType",
    RULE.format("()"): f"{TYPES} ()",
    RULE.format("None"): f"{TYPES} None",
    RULE.format("(inputs.x.with_shape(('a',)),)"): f"{TYPES} (a TensorType,)",
    RULE.format("(inputs.x.shape,)"): f"{TYPES} ((a SymDim, 3),)",
    LEARNED.format('ParameterSpec("alpha", (3,), init=Init("ones"))'): f"{TUPLE} a ParameterSpec",
    LEARNED.format('(ParameterSpec("alpha", (3,), init=Init("onez")),)'): f"{TUPLE} (a ParameterSpec,)",
    LEARNED.format('(ParameterSpec("alpha", (3,), init=Init("normal", (0.1,))),)'): f"{TUPLE} (a ParameterSpec,)",
    LEARNED.format("1 // 0"): "a plugin has failed: ZeroDivisionError",
    DEFINED + "    def count_flops(self, inputs, results):\n        return 'many'\n": "`count_flops` must return a number, not a str",
    "    def write_definition(self, inputs):\n        return None\n": "`write_definition` must return a text, not None",
    "    definition = 5\n": "`definition` must be a text, not 5",
    '    definition = "x\\n}\\nmodel other { input 3"\n': "it closes a brace that it does not open",
    DEFINED + "    a = Arg(SHAPE, default=[1])\n": "the default of `a` must be a tuple or one value, not a list",
    DEFINED + "    is_activation = True\n    a = Arg(NUMBER)\n": "`a` needs a default, because an activation is written without arguments",
    DEFINED + "raise SystemExit(3)\n": "cannot load the plugin `odd_plugin`: SystemExit: 3",
}


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The operators of a test's plugin are forgotten after the test."""
    before = set(Operator.registry)
    monkeypatch.delenv("NETC_DEBUG", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    _restore_registry(before)
    sys.modules.pop("odd_plugin", None)


@pytest.mark.parametrize("body", MISTAKES, ids=[message[-30:] for message in MISTAKES.values()])
def test_mistakes(body: str, tmp_path: Path) -> None:
    head = "from netc.plugins import FLOATS, NUMBER, SHAPE, Arg, Init, Input, Operator, ParameterSpec, pytorch\n\n"
    declared = 'class Odd(Operator):\n    """Something."""\n    name = "odd"\n    x = Input(FLOATS)\n'
    (tmp_path / "odd_plugin.py").write_text(head + declared + body, encoding="utf-8")
    stage = "dense 3 odd" if "is_activation" in body else "odd"
    result = CliRunner().invoke(cli, ["summary", "--plugin", "odd_plugin", "-e", f"input 3 -> {stage}"])
    assert result.exit_code == 1, result.output
    assert MISTAKES[body] in result.stderr
    page = CliRunner().invoke(cli, ["ops", "--plugin", "odd_plugin", "odd"])
    assert page.exit_code in (0, 1), page.output


def test_a_function_that_another_process_cannot_import(monkeypatch: pytest.MonkeyPatch) -> None:
    def nested(x: object) -> object:
        return x

    assert _get_import_path(return_unchanged) == f"{return_unchanged.__module__}.return_unchanged"
    for implementation in (nested, lambda x: x):
        with pytest.raises(ValueError, match="cannot be imported by name: define it at the top level of a module of its own"):
            _get_import_path(implementation)
    monkeypatch.setattr(return_unchanged, "__module__", "__main__")
    with pytest.raises(ValueError, match="`return_unchanged` cannot be imported by name"):
        _get_import_path(return_unchanged)


def return_unchanged(x: object) -> object:
    return x
