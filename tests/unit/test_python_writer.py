"""The writer of Python knows no framework: its text has none of PyTorch's words, and it writes for one that has other words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import netc
from netc.compiler.backends import python
from netc.compiler.backends.python.build_classes import build_classes
from netc.compiler.backends.python.code.class_tree import DictCode, ListCode, PassedOn
from netc.compiler.backends.python.code.classes import ClassDef
from netc.compiler.backends.python.code.framework import Containers, Framework, MemberKind, Registration, Widths
from netc.compiler.backends.python.code.python_expressions import (
    Code,
    Default,
    Infix,
    Lit,
    SelfMember,
    Subscript,
    TupleCode,
    call_function,
    construct_module,
    to_code,
)
from netc.compiler.backends.python.emitters import Emitters
from netc.compiler.backends.python.forward.method import write_forward
from netc.compiler.backends.python.printing.python_printer import print_code
from netc.compiler.backends.python.python_source import SourceWriter
from netc.compiler.backends.python.unsupported_python import UnsupportedInPython
from netc.compiler.ir.graph import OpNode
from netc.compiler.ops.activation import Elu, LeakyRelu, Relu, Sigmoid
from netc.compiler.ops.arithmetic import Add
from netc.compiler.ops.constants import ParamOperator
from netc.compiler.ops.dense import Dense
from netc.compiler.ops.regularization import AlphaDropout, Dropout
from netc.compiler.ops.shape import Reshape
from netc.dsl.record import replace

FOLDER = Path(python.__file__).parent
WORDS = re.compile(
    r"(?i:torch)|\bnn\.|\bF\.|\bTensor\b|self\.training|\.device\b|register_|Sequential|ModuleList|ModuleDict|['`(]DropPath\b|nn_init|requires_grad"
)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: str(path.relative_to(FOLDER)))
def test_has_no_word_of_a_framework(path: Path) -> None:
    """In its code and comments. The example of a module may show what PyTorch's backend makes."""
    text = path.read_text(encoding="utf-8")
    first = ast.parse(text).body[0]
    assert isinstance(first, ast.Expr)
    lines = list(enumerate(text.splitlines(), 1))[first.end_lineno :]
    assert [f"{number}: {line}" for number, line in lines if WORDS.search(line)] == []


class Uninitialized:
    """Leaves the initial values to the framework."""

    rules = ()

    def initialize_module(self, node: OpNode, code: Code) -> Code:
        return code


def held(how: MemberKind, code: Code, trained: bool) -> Code:
    return call_function("keras.Variable", code, trainable=Default(trained, True)) if how == "parameter" else code


EMITTERS = Emitters(lambda order, modules: Uninitialized())
EMITTERS.modules[Dense] = lambda op, site: construct_module("keras.Dense", {"units": op.units}, seeds=PassedOn("seeds"))
EMITTERS.modules[Elu] = lambda op, site: construct_module("keras.Elu", {"alpha": op.alpha})
EMITTERS.imports[LeakyRelu] = "backdrop.functions"
EMITTERS.modules[Dropout] = lambda op, site: construct_module("keras.Dropout", {"rate": op.p}, seeds=PassedOn("seeds"))
EMITTERS.modules[AlphaDropout] = lambda op, site: construct_module("keras.AlphaDropout", {"rate": op.p}, seeds=PassedOn("seeds"))
EMITTERS.modules[ParamOperator] = lambda op, site: call_function("keras.ops.zeros", to_code(op.shape))
EMITTERS.functions.update(
    {
        LeakyRelu: lambda op, site: call_function("backdrop.functions.leaky", site.x, op.negative_slope),
        Relu: lambda op, site: call_function("keras.ops.relu", site.x),
        Sigmoid: lambda op, site: call_function("keras.ops.sigmoid", site.x),
        Add: lambda op, site: Infix("+", site.x, site.other),
        Reshape: lambda op, site: call_function(
            "keras.ops.reshape", site.x, TupleCode(tuple(to_code(size) for size in site.results[0].shape))
        ),
        ParamOperator: lambda op, site: SelfMember(),
    }
)
OTHER = Framework(
    title="Keras",
    imports=((r"keras\.", "import keras"), (r"\bArray\b", "from keras import Array")),
    imported=frozenset({"keras", "Array", "seeds"}),
    attributes=frozenset({"weights"}),
    container_attributes=frozenset(),
    definitions={},
    method="call",
    tensor="Array",
    module="keras.Layer",
    shape="keras.ops.shape({})",
    training="training",
    all_modules="self.layers()",
    containers=Containers(
        row="keras.Row",
        list_class="keras.Layers",
        dict_class="keras.Layers",
        named=lambda members: call_function("keras.Row", DictCode(tuple(members))),
        listed=lambda members: ListCode(members),
        parameters=lambda members: call_function("Parameters", *(code for _, code in members)),
        keyed=lambda members: DictCode(tuple(members)),
    ),
    registration=Registration(
        wrap_value=held,
        register=lambda label, how, code: None,
        calls_base=False,
    ),
    by_path=lambda module, path: call_function("getattr", module, path),
    widths=Widths(re.compile("units"), "channels", "units", "channels", "units"),
    identity="Identity",
    unstack=lambda tensor, axis: call_function("keras.ops.unstack", tensor, axis=axis),
    stack=lambda tensors, axis: call_function("keras.ops.stack", tensors, axis=axis),
    passed_on={"seeds": "keras.Seeds"},
)
WRITER = SourceWriter(OTHER, EMITTERS)
SPEC = """
block wide(times) {
    in + (in -> dense (times * in.features) as up -> relu -> dense in.features as weights)
}

Array = input [T, 4]
Array -> wide 2 -> wide 3 -> (dense 5 as 0 -> dense 6 as 1) as head -> reshape [N, 6 * T]
"""


def method(cls: ClassDef) -> list[str]:
    attributes = {p.name: p.name for p in cls.parameters if p.stored}
    return [line.strip() for line in write_forward(cls.body, attributes, lambda member: f"self[{member.label!r}]")]


def test_writes_for_another_framework() -> None:
    program = netc.compile(SPEC).program
    wide, main = build_classes(program.main, program.facts, "net", OTHER, EMITTERS)
    assert {m.label: print_code(m.code) for m in wide.body.members} == {
        "up": "keras.Dense(4 * times, seeds=seeds)",
        "weights": "keras.Dense(4, seeds=seeds)",
    }
    assert method(wide) == [
        "def call(self, x: Array) -> Array:",
        "y = keras.ops.relu(self['up'](x))",
        "return x + self['weights'](y)",
    ]
    assert {m.label: print_code(m.code) for m in main.body.members} == {
        "wide1": "Wide(2, seeds=seeds)",
        "wide2": "Wide(3, seeds=seeds)",
        "head": "keras.Row(keras.Dense(5, seeds=seeds), keras.Dense(6, seeds=seeds))",
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
    (main,) = build_classes(program.main, program.facts, "net", OTHER, EMITTERS)
    assert method(main) == [
        "def call(self, x: Array, z: Array) -> Array:",
        "h = z",
        "outputs = []",
        "for x_t in keras.ops.unstack(x, axis=1):",
        "h = self['cell'](h + x_t)",
        "outputs.append(h)",
        "return keras.ops.stack(outputs, axis=1)",
    ]


FILE = """
block wide(width, keep=0) {
    scale = param [width] as scale
    y = in -> dense width as up
    z = y -> if keep != 0 { dense width as extra } -> relu
    z + y + scale
}

model net {
    input 4 -> wide 4 -> wide 4 keep=1 -> wide 4 keep=2
}
"""
EXPECTED = '''
import keras
from keras import Array


class Wide(keras.Layer):
    """x: [N, 4] -> [N, width]."""

    def __init__(self, width: int, keep: int = 0, *, seeds: keras.Seeds) -> None:
        self.scale = keras.Variable(keras.ops.zeros((width,)))
        self.up = keras.Dense(width, seeds=seeds)
        self.extra = keras.Dense(width, seeds=seeds) if keep != 0 else None

    def call(self, x: Array) -> Array:
        y = self.up(x)
        z = keras.ops.relu(y if self.extra is None else self.extra(y))
        return z + y + self.scale


class Net(keras.Layer):
    """input: [N, 4] -> [N, 4]."""

    def __init__(self, *, seeds: keras.Seeds) -> None:
        self.wide1 = Wide(4, seeds=seeds)
        self.wide2 = Wide(4, keep=1, seeds=seeds)
        self.wide3 = Wide(4, keep=2, seeds=seeds)

    def call(self, input: Array) -> Array:
        x = self.wide1(input)
        x = self.wide2(x)
        return self.wide3(x)
'''


def test_writes_a_file_for_another_framework() -> None:
    """Constructors are the writer's, and the words in them the framework's: one class with a condition, arguments that are passed on."""
    assert WRITER.write_source(netc.compile(FILE).program, "net").split("\n", 1)[1] == EXPECTED


RECURSIVE = """
block cell(x: [N, D], width, depth) {
    y = x -> dense width as inner -> relu
    deep = y -> if depth > 1 { cell (2 * width) (depth - 1) as middle }
    deep -> dense D as outer
}
input 4 -> cell 8 3
"""


def test_a_class_that_makes_itself_passes_its_arguments_on() -> None:
    cell, _ = WRITER.write_parts(netc.compile(RECURSIVE).program, "net").texts
    assert "self.middle = Cell(width, 2 * width, depth=depth - 1, seeds=seeds) if depth > 1 else None" in cell


STAGE = """
block cell(width, layer) { in -> dense width as first -> layer as second -> relu }
input 4 -> cell 3 layer=(dropout 0.1) -> cell 3 layer=(alpha_dropout 0.2)
"""


def test_what_makes_a_module_takes_what_is_passed_on() -> None:
    """The argument is what makes it alone, and the class calls that with the seeds: with a partial of them, all would share their state."""
    cell, main = WRITER.write_parts(netc.compile(STAGE).program, "net").texts
    assert "layer: Callable[..., keras.Layer]" in cell
    assert "seeds=seeds" in next(line for line in cell.splitlines() if "self.second = " in line)
    assert "keras.Dropout" in main


def test_a_default_without_an_emitter_is_no_default() -> None:
    """`tanhshrink` is written by its definition, so no value of the framework is its default."""
    text = "block cell(act=tanhshrink) { in -> dense 4 -> act }; input 4 -> cell relu -> cell sigmoid"
    cell, main = WRITER.write_parts(netc.compile(text).program, "net").texts
    assert "act: Callable[[Array], Array]," in cell
    assert "keras.ops.relu" in main


def test_a_function_is_no_dropout_by_its_name() -> None:
    """Probabilities are written without the rounding errors of what computed them, other numbers as they are."""
    (net,) = WRITER.write_parts(netc.compile("input 4 -> leaky_relu (0.1 + 0.2) -> dropout (0.1 + 0.2)").program, "net").texts
    assert "backdrop.functions.leaky(input, 0.30000000000000004)" in net
    assert "keras.Dropout(0.3, seeds=seeds)" in net


@pytest.mark.parametrize("text", ["input 4 -> dense 2 trainable=false", "input 4 -> dense 2 as weights"])
def test_what_a_framework_has_no_word_for_is_an_error(text: str) -> None:
    with pytest.raises(UnsupportedInPython, match="cannot be written in Keras here: the framework has no word for it"):
        WRITER.write_source(netc.compile(text).program, "net")


def test_an_operator_without_an_emitter_is_an_error_at_its_stage() -> None:
    """Of a backend that is not complete: its name, the place in the text, and no word of plugins."""
    text = "block cell { in -> dense 4 -> atan }; input 4 -> cell -> cell"
    with pytest.raises(UnsupportedInPython, match="`atan` has no Keras form, and no definition") as caught:
        WRITER.write_source(netc.compile(text).program, "net")
    assert caught.value.span is not None
    assert text[caught.value.span.start : caught.value.span.end] == "atan"
    assert caught.value.problem.format_help() == ("compile for another target, or register an emitter for `atan` in this one",)


def test_an_operator_that_a_definition_needs_is_reported_where_that_is_used() -> None:
    text = "input 4 -> dense 4 -> tanhshrink"
    with pytest.raises(UnsupportedInPython, match="has no Keras form") as caught:
        WRITER.write_source(netc.compile(text).program, "net")
    assert caught.value.span is not None
    assert text[caught.value.span.start : caught.value.span.end] == "tanhshrink"
    assert caught.value.notes == ("it is part of the definition of `tanhshrink`",)


def test_a_weight_that_is_an_input_needs_an_emitter() -> None:
    """The emitter of the module would call it with the weight as a further tensor."""
    with pytest.raises(UnsupportedInPython, match="there is no emitter for a weight that is an input"):
        WRITER.write_source(netc.compile("x = input 3; w = input [4, 3] batch=false; x -> dense 4 weight=w").program, "net")


def test_only_a_dropout_does_nothing_at_zero() -> None:
    (net,) = WRITER.write_parts(netc.compile("input 4 -> elu 0.0 as own -> dropout 0.0 as dropped -> relu").program, "net").texts
    assert "self.own = keras.Elu(0.0)" in net
    assert "dropped" not in net


def test_what_a_plugin_imports_is_no_variable() -> None:
    source = WRITER.write_source(netc.compile("backdrop = input 4 -> dense 4\nbackdrop + (backdrop -> leaky_relu)").program, "net")
    assert "import backdrop.functions\n" in source
    assert "return backdrop_ + backdrop.functions.leaky(backdrop_, 0.01)" in source


def test_a_container_calls_its_base_class_although_other_classes_do_not() -> None:
    registration = replace(OTHER.registration, by_label=lambda module, label, how: Subscript(call_function("vars", module), (Lit(label),)))
    program = netc.compile("x = input 4; x + (x -> dense 4 as weights -> dense 4 as 0)").program
    source = SourceWriter(replace(OTHER, registration=registration), EMITTERS).write_source(program, "net")
    assert "class Net(keras.Layers):" in source
    assert "super().__init__()" in source
    assert 'vars(self)["weights"] = keras.Dense(4, seeds=seeds)' in source
