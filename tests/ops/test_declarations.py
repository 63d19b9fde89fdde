"""What operators declare: every flag is set by some, inputs are refused as declared, names are free for rules and emitters."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Collection
from typing import Any

import pytest

from netc.compiler.backends.onnx import onnx_emitters as onnx_table
from netc.compiler.backends.onnx.emitter_site import OnnxEmitSite
from netc.compiler.backends.torch import ops as torch_ops
from netc.compiler.backends.torch import torch_emitters as torch_table
from netc.compiler.backends.torch.torch_emitters import TorchSite
from netc.compiler.dims import Facts
from netc.compiler.errors.problem import input_location
from netc.compiler.ops import Operator
from netc.compiler.ops.op_inputs import OpInputs
from netc.compiler.ops.operator import OperatorError, Required
from netc.compiler.types.tensor_types import DTYPES, FLOAT32, TensorType

assert torch_ops
WITH_INPUTS = [cls for cls in Operator.registry.values() if cls.operands]
each = pytest.mark.parametrize("cls", WITH_INPUTS, ids=lambda cls: cls.name)
FLAGS = [name for name, value in vars(Operator).items() if isinstance(value, bool)]


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_is_set_by_some_operator(flag: str) -> None:
    assert {getattr(cls, flag) for cls in Operator.registry.values()} == {True, False}


def test_definitions_that_draw_are_declared() -> None:
    """A run seeds its steps only if an operator of the model may draw, and a definition is not searched then."""
    drawing = {name for name, cls in Operator.registry.items() if cls.draws or "dropout" in cls.signature}
    assert {"dropout", "attention"} <= drawing
    for name, cls in Operator.registry.items():
        text = cls.definition if cls.write_definition is Operator.write_definition else inspect.getsource(cls.write_definition)
        assert name in drawing or not drawing & {*re.findall(r"\w+", text)}, f"`{name}` must set `draws`"


def test_axes_keep_their_meaning() -> None:
    kept = {"relu", "neg", "batch_norm", "layer_norm", "dropout", "identity", "isnan", "sin"}
    lost = {"conv", "dense", "flatten", "permute", "matmul", "mean"}
    assert all(Operator.registry[name].pointwise for name in kept)
    assert not any(Operator.registry[name].pointwise for name in lost)


@each
def test_names_of_inputs_are_free(cls: type[Operator]) -> None:
    for name in cls.operands:
        for reader in (OpInputs, TorchSite, OnnxEmitSite):
            assert not hasattr(reader, name), f"`given.{name}` and `site.{name}` are something else"


def _operator(cls: type[Operator], names: Collection[str]) -> Operator:
    """With some value for each argument that must be given, and a number for each input that may be one and is not in `names`."""
    numbers = [name for name, operand in cls.operands.items() if operand.or_number and name not in names]
    required = [name for name, arg in cls.signature.items() if isinstance(arg.default, Required)]
    return cls(**dict.fromkeys([*required, *numbers], 2))


REFUSED = [
    pytest.param(cls, name, id=f"{cls.name}-{name}")
    for cls in WITH_INPUTS
    for name, operand in cls.operands.items()
    if len(operand.elements.names) < len(DTYPES)
]


@pytest.mark.parametrize(("cls", "name"), REFUSED)
def test_other_element_types_are_refused(cls: type[Operator], name: str) -> None:
    """Of that input, before anything else is looked at."""
    names = list(cls.operands)
    for dtype in DTYPES.values():
        if dtype.name in cls.operands[name].elements.names:
            continue
        types = []
        for other in names[: names.index(name) + 1]:
            operand = cls.operands[other]
            allowed = DTYPES[operand.elements.names[0]]
            rank = max(operand.axes.least, len([n for n in operand.axes.names if n != "..."]))
            types.append(TensorType(dtype if other == name else allowed, (2,) * rank))
        given = OpInputs(tuple(types), Facts.empty(), tuple(names[: len(types)]))
        op = _operator(cls, given.names)
        with pytest.raises(OperatorError) as caught:
            op.check_and_infer(given)
        assert caught.value.at == input_location(names.index(name))


def test_inputs_are_found_by_name() -> None:
    x, mask = TensorType(FLOAT32, (2, 3)), TensorType(DTYPES["bool"], (3,))
    given = Operator.registry["masked_fill"](value=0).bind_inputs((x, mask), Facts.empty())
    assert (given.x, given.mask, given["mask"], given.get("mask"), given.get("other")) == (x, mask, mask, mask, None)
    assert ("mask" in given, "other" in given) == (True, False)
    assert (given.position("mask"), given.at("mask")) == (1, input_location(1))
    with pytest.raises(AttributeError, match="no input `masc` among x, mask"):
        _ = given.masc


def test_a_number_takes_the_place_of_an_input() -> None:
    add = Operator.registry["add"]
    assert list(add.signature) == ["other", "reverse"]
    assert add(other=2).scalars == (2,)
    assert add().scalars == ()
    assert (add(other=2, reverse=True).number_first, add(other=2).number_first) == (True, False)


@pytest.mark.parametrize(
    ("name", "bounds"), [("relu", (1, 1)), ("add", (1, 2)), ("where", (2, 3)), ("lstm", (1, 3)), ("concat", (1, None))]
)
def test_arity(name: str, bounds: tuple[int, int | None]) -> None:
    assert Operator.registry[name].arity() == bounds


def test_any_number_of_inputs() -> None:
    x = TensorType(FLOAT32, (2,))
    assert Operator.registry["concat"](axis=0).bind_inputs((x, x, x), Facts.empty()).names == ("xs", "xs", "xs")


# --- names are not known to type checkers: that they are declared is checked here -------------------------------------------------


def _read(function: Callable[..., Any], variable: str) -> set[str]:
    """The attributes of a variable that the function reads: `inputs.x` is `x`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name))
    return {node.attr for node in found if isinstance(node.value, ast.Name) and node.value.id == variable}


@each
def test_rules_read_declared_inputs(cls: type[Operator]) -> None:
    for name, member in inspect.getmembers(cls, inspect.isfunction):
        unknown = {n for n in _read(member, "inputs") if n not in cls.operands and not hasattr(OpInputs, n)}
        assert not unknown, f"{cls.name}.{name} reads {unknown}"


@each
def test_emitters_read_declared_inputs(cls: type[Operator]) -> None:
    own = torch_table.EMITTERS
    emitters = [(table[cls], TorchSite) for table in (own.modules, own.invocations, own.functions) if cls in table]
    emitters += [(onnx_table.EMITTERS[cls], OnnxEmitSite)] if onnx_table.has_emitter(cls) else []
    assert emitters or cls.has_definition()
    for emitter, site in emitters:
        read = _read(emitter, "site")
        assert not {n for n in read if n not in cls.operands and not hasattr(site, n)}
