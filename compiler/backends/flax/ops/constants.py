"""Writes parameters and tables in Flax: `nnx.Param(jnp.zeros((64,), jnp.float32))`, `self.scale[...]`, `jnp.arange(8) < 4`."""

from __future__ import annotations

from ....ops.constants import ParamOperator, TableOperator
from ....ops.operator import Init
from ....ops.parameter_of import ParameterOf
from ...python.array_tables import ArrayTable, bind_elements
from ...python.code.class_tree import NameCode, ParameterRef
from ...python.code.python_expressions import AttributeCode, CallCode, Code, Method, SelfMember, call_function, call_method, to_code
from ...python.lowering.lowered_operators import CausalMask, ConvertedTable, ExactTable, WindowMask
from ..flax_emitters import FlaxSite, function, invocation, module
from ..flax_framework import FLAX, RNGS, get_jax_dtype, get_submodule, read_variable, shape_code
from ..flax_initializers import write_initializer
from .shape import emit_model_type


def _write_table(op: TableOperator, dtype: Code | None = None) -> Code:
    table = ArrayTable(op, "np", "jnp", FLAX.imported)
    bindings, code = table.write_elements()
    element = dtype or to_code(get_jax_dtype(op.element_type))
    if table.is_constant and not table.inline:
        return call_function("jnp.full", table.shape, code, element)
    code = call_function("jnp.asarray", code, element)
    return bind_elements(bindings, code if table.is_full else call_function("jnp.broadcast_to", code, table.shape))


@module(TableOperator, target="jax.numpy.arange and arithmetic")
def emit_static_table(op: TableOperator, site: FlaxSite) -> Code:
    return _write_table(op)


@function(TableOperator)
@invocation(TableOperator)
def emit_table(op: TableOperator, site: FlaxSite) -> Code:
    if not op.is_static or not site.node.specs:  # a table of a gradient that is written out is no member
        return _write_table(op)
    return read_variable(SelfMember()) if op.labeled else SelfMember()


@function(ConvertedTable)
def emit_converted_table(op: ConvertedTable, site: FlaxSite) -> Code:
    return _write_table(op, emit_model_type(op, site))


@module(ExactTable)
def emit_exact_table(op: ExactTable, site: FlaxSite) -> Code:
    return _write_table(op)


@invocation(ExactTable)
def emit_exact_value(op: ExactTable, site: FlaxSite) -> Code:
    return SelfMember()


@function(WindowMask)
def emit_window_mask(op: WindowMask, site: FlaxSite) -> Code:
    """Write a mask that is true where `j <= i + span - length` and, with a window, `j > i + span - length - window`."""
    ones = call_function("jnp.ones", to_code((op.length, op.span)), NameCode("bool"))
    offset = op.span - op.length
    seen = call_function("jnp.tril", ones, *(() if offset == 0 else (to_code(offset, "diagonal"),)))
    return seen if op.window is None else call_function("jnp.triu", seen, to_code(offset + 1 - op.window, "diagonal"))


@function(CausalMask)
def emit_causal_mask(op: CausalMask, site: FlaxSite) -> Code:
    ones = call_function("jnp.ones", to_code((op.length, op.span)), NameCode("bool"))
    hidden = call_function("jnp.triu", ones, to_code(op.offset + 1, "diagonal"))
    like = site.get("x")
    if like is None:
        return hidden
    minus_infinity = call_function("jnp.where", hidden, to_code(float("-inf")), 0.0)
    return call_method(minus_infinity, "astype", AttributeCode(like, "dtype"))


@module(ParamOperator, target="flax.nnx.Param")
def emit_parameter(op: ParamOperator, site: FlaxSite) -> Code:
    shape, dtype = shape_code(op.shape), get_jax_dtype(op.dtype)
    match op.init:
        case Init("zeros" | "ones" as kind):
            return call_function(f"jnp.{kind}", shape, dtype)
        case Init("constant", (value,)):
            return call_function("jnp.full", shape, to_code(value, "value"), dtype)
    return CallCode(write_initializer(op.init), (Method(RNGS, "params"), shape, to_code(dtype)))


@function(ParamOperator)
@invocation(ParamOperator)
def emit_parameter_access(op: ParamOperator, site: FlaxSite) -> Code:
    spec = site.node.specs[0] if site.node.specs else None
    is_variable = spec is None or spec.trainable or spec.persistent
    return read_variable(SelfMember()) if is_variable else SelfMember()


@function(ParameterOf, target="an attribute of the module")
def emit_parameter_of(op: ParameterOf, site: FlaxSite) -> Code:
    if op.path:
        return read_variable(ParameterRef(op.path, op.parameter))
    path, _, name = op.parameter.rpartition(".")
    return read_variable(AttributeCode(get_submodule(SelfMember(), path) if path else SelfMember(), name))
