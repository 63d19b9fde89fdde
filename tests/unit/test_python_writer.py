"""The writer of Python knows no framework: its text has none of PyTorch's words, and it writes for one that has other words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import netc
from netc.compiler.backends import python
from netc.compiler.backends.python.build_classes import classes_of
from netc.compiler.backends.python.code.class_tree import DictCode, ListCode
from netc.compiler.backends.python.code.classes import ClassDef
from netc.compiler.backends.python.code.framework import Containers, Framework, Widths
from netc.compiler.backends.python.code.python_expressions import Code, Infix, TupleCode, call, construct, lit
from netc.compiler.backends.python.forward.method import forward
from netc.compiler.backends.python.operator_calls import Emitters, OperatorSite
from netc.compiler.backends.python.printing.python_printer import text
from netc.compiler.ir.graph import OpNode
from netc.compiler.ops.activation import Relu
from netc.compiler.ops.arithmetic import Add
from netc.compiler.ops.dense import Dense
from netc.compiler.ops.shape import Reshape

FOLDER = Path(python.__file__).parent
WORDS = re.compile(
    r"(?i:torch)|\bnn\.|\bF\.|\bTensor\b|self\.training|\.device\b|register_|Sequential|ModuleList|ModuleDict|\bDropPath\b|\bfloat32\b"
)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: str(path.relative_to(FOLDER)))
def test_has_no_word_of_a_framework(path: Path) -> None:
    found = [f"{number}: {line}" for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if WORDS.search(line)]
    assert not found


class Uninitialised:
    """Leaves the initial values to the framework."""

    rules = ()

    def applied(self, node: OpNode, code: Code) -> Code:
        return code


EMITTERS = Emitters(
    modules={Dense: lambda op, site: construct("keras.Dense", {"units": op.units})},
    invocations={},
    functions={
        Relu: lambda op, site: call("keras.ops.relu", site.x),
        Add: lambda op, site: Infix("+", site.x, site.other),
        Reshape: lambda op, site: call("keras.ops.reshape", site.x, TupleCode(tuple(lit(size) for size in site.results[0].shape))),
    },
    given={},
    site=OperatorSite,
    initialisation=lambda order, modules: Uninitialised(),
)
OTHER = Framework(
    imported=frozenset({"keras", "Array"}),
    attributes=frozenset({"weights"}),
    container_attributes=frozenset(),
    definitions={},
    method="call",
    tensor="Array",
    module="keras.Layer",
    shape="keras.ops.shape({})",
    training="training",
    containers=Containers(
        row="keras.Row",
        named=lambda members: call("keras.Row", DictCode(tuple(members))),
        listed=lambda members: ListCode(members),
        parameters=lambda members: call("Parameters", *(code for _, code in members)),
        keyed=lambda members: DictCode(tuple(members)),
    ),
    by_path=lambda module, path: call("getattr", module, path),
    by_label=lambda module, label: call("getattr", module, label),
    widths=Widths(re.compile("units"), "channels", "units", "channels", "units"),
    drops=re.compile("Dropout"),
    idle=re.compile("Dropout"),
    identity="Identity",
    unstacked=lambda tensor, axis: call("keras.ops.unstack", tensor, axis=axis),
    stacked=lambda tensors, axis: call("keras.ops.stack", tensors, axis=axis),
)
SPEC = """
block wide(times) {
    in + (in -> dense (times * in.features) as up -> relu -> dense in.features as weights)
}

Array = input [T, 4]
Array -> wide 2 -> wide 3 -> (dense 5 as 0 -> dense 6 as 1) as head -> reshape [N, 6 * T]
"""


def method(cls: ClassDef) -> list[str]:
    attributes = {p.name: p.name for p in cls.parameters if p.stored}
    return [line.strip() for line in forward(cls.body, attributes, lambda member: f"self[{member.label!r}]")]


def test_writes_for_another_framework() -> None:
    program = netc.compile(SPEC).program
    wide, main = classes_of(program.main, program.facts, "net", OTHER, EMITTERS)
    assert {m.label: text(m.code) for m in wide.body.members} == {"up": "keras.Dense(4 * times)", "weights": "keras.Dense(4)"}
    assert method(wide) == [
        "def call(self, x: Array) -> Array:",
        "y = keras.ops.relu(self['up'](x))",
        "return x + self['weights'](y)",
    ]
    assert {m.label: text(m.code) for m in main.body.members} == {
        "wide1": "Wide(2)",
        "wide2": "Wide(3)",
        "head": "keras.Row(keras.Dense(5), keras.Dense(6))",
    }
    assert method(main) == [
        "def call(self, Array_: Array) -> Array:",
        "N, T = keras.ops.shape(Array_)[:2]",
        "x = self['wide1'](Array_)",
        "x = self['wide2'](x)",
        "x = self['head'](x)",
        "return keras.ops.reshape(x, (N, 6 * T))",
    ]


def test_writes_a_scan_for_another_framework() -> None:
    program = netc.compile("x = input [T, 4]; z = input 4; x -> scan (h = z) axis=1 { h = h + in -> dense 4 as cell }").program
    (main,) = classes_of(program.main, program.facts, "net", OTHER, EMITTERS)
    assert method(main) == [
        "def call(self, x: Array, z: Array) -> Array:",
        "h = z",
        "outputs = []",
        "for x_t in keras.ops.unstack(x, axis=1):",
        "h = self['cell'](h + x_t)",
        "outputs.append(h)",
        "return keras.ops.stack(outputs, axis=1)",
    ]
