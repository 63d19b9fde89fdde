"""Writes parameters and tables: `nnx.Param(jnp.zeros((64,), jnp.float32))`, `self.scale[...]`, `jnp.arange(8) < 4`."""

from __future__ import annotations

from ....ops.constants import ParamOperator, TableOperator
from ....ops.operator import Init
from ....ops.parameter_of import ParameterOf
from ....types.tensor_types import BOOL
from ..array_tables import ArrayTable, bind_elements
from ..code.class_tree import ParameterRef
from ..code.python_expressions import AttributeCode, Code, LetCode, SelfMember, call_method, to_code
from ..lowering.lowered_operators import CausalMask, ConvertedTable, ExactTable, WindowMask
from .array_emitters import ARRAY, ArraySite, ArrayWords, shape_code
from .shape import emit_model_type


def _write_table(op: TableOperator, words: ArrayWords, dtype: Code | None = None) -> Code:
    table = ArrayTable(op, "np", words.arrays, words.default_integer, words.framework.imported)
    bindings, code = table.write_elements()
    element = dtype or to_code(words.get_dtype(op.element_type))
    if table.is_constant and not table.inline:
        return words.call("full", table.shape, code, element)
    code = words.call("asarray", code, element)
    return bind_elements(bindings, code if table.is_full else words.call("broadcast_to", code, table.shape))


@ARRAY.module(TableOperator, target="{array}.arange and arithmetic")
def emit_static_table(op: TableOperator, site: ArraySite) -> Code:
    return _write_table(op, site.words)


@ARRAY.function(TableOperator)
@ARRAY.invocation(TableOperator)
def emit_table(op: TableOperator, site: ArraySite) -> Code:
    if not op.is_static or not site.node.specs:  # a table of a gradient that is written out is no member
        return _write_table(op, site.words)
    return site.words.read_variable(SelfMember()) if op.labeled else site.words.read_constant(SelfMember())


@ARRAY.function(ConvertedTable)
def emit_converted_table(op: ConvertedTable, site: ArraySite) -> Code:
    return _write_table(op, site.words, emit_model_type(op, site))


@ARRAY.module(ExactTable)
def emit_exact_table(op: ExactTable, site: ArraySite) -> Code:
    match _write_table(op, site.words):
        case LetCode(bindings, result):
            return LetCode(bindings, site.words.hold_constant(result))
        case code:
            return site.words.hold_constant(code)


@ARRAY.invocation(ExactTable)
def emit_exact_value(op: ExactTable, site: ArraySite) -> Code:
    return site.words.read_constant(SelfMember())


@ARRAY.function(WindowMask)
def emit_window_mask(op: WindowMask, site: ArraySite) -> Code:
    """Write a mask that is true where `j <= i + span - length` and, with a window, `j > i + span - length - window`."""
    ones = site.words.call("ones", to_code((op.length, op.span)), to_code(site.words.get_dtype(BOOL)))
    offset = op.span - op.length
    seen = site.words.call("tril", ones, *(() if offset == 0 else (to_code(offset, "diagonal"),)))
    return seen if op.window is None else site.words.call("triu", seen, to_code(offset + 1 - op.window, "diagonal"))


@ARRAY.function(CausalMask)
def emit_causal_mask(op: CausalMask, site: ArraySite) -> Code:
    ones = site.words.call("ones", to_code((op.length, op.span)), to_code(site.words.get_dtype(BOOL)))
    hidden = site.words.call("triu", ones, to_code(op.offset + 1, "diagonal"))
    like = site.get("x")
    if like is None:
        return hidden
    minus_infinity = site.words.call("where", hidden, to_code(float("-inf")), 0.0)
    return call_method(minus_infinity, "astype", AttributeCode(like, "dtype"))


@ARRAY.module(ParamOperator, target="a parameter of the module")
def emit_parameter(op: ParamOperator, site: ArraySite) -> Code:
    shape, dtype = shape_code(op.shape), site.words.get_dtype(op.dtype)
    match op.init:
        case Init("zeros" | "ones" as kind):
            return site.words.call(kind, shape, dtype)
        case Init("constant", (value,)):
            return site.words.call("full", shape, to_code(value, "value"), dtype)
    return site.words.draw_tensor(op.init, shape, to_code(dtype))


@ARRAY.function(ParamOperator)
@ARRAY.invocation(ParamOperator)
def emit_parameter_access(op: ParamOperator, site: ArraySite) -> Code:
    spec = site.node.specs[0] if site.node.specs else None
    is_variable = spec is None or spec.trainable or spec.persistent
    return site.words.read_variable(SelfMember()) if is_variable else site.words.read_constant(SelfMember())


@ARRAY.function(ParameterOf, target="an attribute of the module")
def emit_parameter_of(op: ParameterOf, site: ArraySite) -> Code:
    if op.path:
        return site.words.read_variable(ParameterRef(op.path, op.parameter))
    path, _, name = op.parameter.rpartition(".")
    return site.words.read_variable(AttributeCode(site.words.framework.by_path(SelfMember(), path) if path else SelfMember(), name))
