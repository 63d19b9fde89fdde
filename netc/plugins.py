"""The module that a plugin imports to define its own operators.

    # snakes.py
    import torch
    from netc.plugins import FLOATS, NUMBER, Arg, Input, Operator, onnx, pytorch

    class Snake(Operator):
        '''The snake activation: `x + sin(a x)^2 / a`.'''

        name = "snake"
        is_activation = True
        x = Input(FLOATS)
        a = Arg(NUMBER, default=1.0)

        def infer_types(self, inputs):
            return (inputs.x,)

    @pytorch(Snake)
    def snake(x: torch.Tensor, a: float = 1.0) -> torch.Tensor:
        return x + torch.sin(a * x) ** 2 / a

    @onnx(Snake)
    def snake_in_onnx(op, site):
        wave = (site.x * op.a).op("Sin")
        return site.x + wave * wave / op.a

A module with such classes is a plugin. Load it by `netc compile --plugin snakes voice.net`, by `import snakes` before `netc.compile`, or by
an entry point of the group `netc.operators` in an installed package. A spec alone never loads code. docs/plugins.md is the guide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from netc.compiler.backends.onnx.onnx_emitters import Site, emits
from netc.compiler.backends.onnx.tensor_expressions import TensorExpr
from netc.compiler.backends.onnx.unsupported_in_onnx import UnsupportedInOnnx
from netc.compiler.backends.python.code.python_expressions import CallCode, Code, KeywordCode, to_code
from netc.compiler.backends.torch.torch_emitters import EMITTERS, TorchSite, function, module
from netc.compiler.backends.torch.torch_framework import get_torch_dtype
from netc.compiler.dims import Dim
from netc.compiler.errors.plugin_errors import RefusedByPlugin
from netc.compiler.errors.problem import STAGE, Location
from netc.compiler.errors.problem import argument_location as argument
from netc.compiler.ops.broadcast import broadcast
from netc.compiler.ops.element_types import ANY, BOOLS, FLOATS, INDICES, INTEGERS, NUMBERS
from netc.compiler.ops.kinds import AXIS, COUNT, DIM, DTYPE, FLAG, FRACTION, INT, NUMBER, SHAPE, SIZE, SIZES, STRING
from netc.compiler.ops.operand import REVERSE, SPATIAL, Input, Inputs, OperatorError, axes
from netc.compiler.ops.operator import Arg, Init, Operator, OpInputs, ParameterSpec, numel
from netc.compiler.types.tensor_types import BOOL, DTYPES, FLOAT32, DType, TensorType

__all__ = [
    "ANY",
    "AXIS",
    "BOOL",
    "BOOLS",
    "COUNT",
    "DIM",
    "DTYPE",
    "DTYPES",
    "FLAG",
    "FLOAT32",
    "FLOATS",
    "FRACTION",
    "INDICES",
    "INT",
    "INTEGERS",
    "NUMBER",
    "NUMBERS",
    "SHAPE",
    "SIZE",
    "SIZES",
    "SPATIAL",
    "STAGE",
    "STRING",
    "Arg",
    "DType",
    "Dim",
    "Init",
    "Input",
    "Inputs",
    "OpInputs",
    "Operator",
    "ParameterSpec",
    "Refused",
    "Site",
    "TensorExpr",
    "TensorType",
    "UnsupportedInOnnx",
    "argument",
    "axes",
    "broadcast",
    "numel",
    "onnx",
    "pytorch",
]

T = TypeVar("T", bound=Callable[..., Any])
Sizes = Callable[[OpInputs], Mapping[str, Dim]]


class Refused(OperatorError):
    """Raised by a rule for inputs or arguments that the operator does not take: `raise Refused("`snake` needs ...", inputs.at("x"))`.

    `message` is one sentence in lower case, with code in backticks; `at` says what is underlined: `STAGE`, `argument("a")`,
    `inputs.at("x")`; `help` suggests what to write instead.
    """

    def __init__(self, message: str, at: Location = STAGE, *, help: str = "") -> None:
        super().__init__(RefusedByPlugin(message, help), at)


def pytorch(operator: type[Operator], *, sizes: Sizes | None = None) -> Callable[[T], T]:
    """The operator in PyTorch: a function of its tensors, with its arguments as keywords, or a class of `nn.Module` that is constructed
    with the arguments as keywords and called with the tensors. It is at the top level of a module: emitted source imports it by name.

    `sizes` gives more keywords of a module's constructor, from the types of the inputs: `lambda inputs: {"channels": inputs.x.shape[1]}`.
    The parameters and buffers of a module have the names and shapes that `Operator.parameters` gives. Raises ValueError for what cannot be
    imported by name.
    """

    def put(implementation: T) -> T:
        path = _get_import_path(implementation)
        if isinstance(implementation, type):
            module(operator, target=path)(lambda op, site: CallCode(path, (), _make_keywords(op, sizes(site.given) if sizes else {})))
        else:
            function(operator, target=path)(lambda op, site: _make_call(path, op, site))
        EMITTERS.imports[operator] = implementation.__module__
        return implementation

    return put


def onnx(operator: type[Operator], *, nodes: str = "composed") -> Callable[[T], T]:
    """The operator in ONNX: a function of the operator and its use, that adds nodes and gives the result, or a tuple of all results.

    `site.x` is a tensor, with arithmetic and `site.x.op("Sin")` for any ONNX operator, whose further inputs are tensors, numbers, or tuples
    of sizes or axes; `site.learned("weight")` is a parameter as such a tensor. `nodes` says in `netc ops` what the operator becomes. Where
    it cannot be said in ONNX: `raise UnsupportedInOnnx(op.name, reason)`.
    """

    def put(emitter: T) -> T:
        def emit(op: Operator, site: Site) -> str | tuple[str, ...]:
            results = emitter(op, site)
            return tuple(_get_name(result) for result in results) if isinstance(results, tuple) else _get_name(results)

        emits(operator, onnx=nodes)(emit)
        return emitter

    return put


def _get_import_path(implementation: Callable[..., Any]) -> str:
    where, name = implementation.__module__, implementation.__qualname__
    # emitted source imports the function, and in its process `__main__` is another module
    if where == "__main__" or not name.isidentifier():
        raise ValueError(f"`{name}` cannot be imported by name: define it at the top level of a module of its own")
    return f"{where}.{name}"


def _make_call(path: str, op: Operator, site: TorchSite) -> Code:
    """Return the call of a plugin's function: tensors by position, tensors after an absent one by name, then arguments that differ from
    their defaults."""
    tensors: list[Code] = []
    named: dict[str, object] = {}
    for name, operand in op.operands.items():
        if operand.many:
            tensors += site.inputs[len(tensors) :]
        elif name in site.given and len(tensors) == list(op.operands).index(name):
            tensors.append(site[name])
        elif name in site.given:
            named[name] = site[name]
    return CallCode(path, tuple(tensors), _make_keywords(op, named))


def _make_keywords(op: Operator, others: Mapping[str, object]) -> tuple[KeywordCode, ...]:
    values = {name: op.args[name] for name in op.signature if name != REVERSE or op.args[name]}
    written = [KeywordCode(name, _make_code(value, name)) for name, value in values.items() if value != op.signature[name].default]
    return (*(KeywordCode(name, _make_code(value, name)) for name, value in others.items()), *written)


def _make_code(value: object, name: str) -> Code:
    return to_code(get_torch_dtype(value) if isinstance(value, DType) else value, name)


def _get_name(tensor: TensorExpr | str) -> str:
    return tensor.name if isinstance(tensor, TensorExpr) else tensor
