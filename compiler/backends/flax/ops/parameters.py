"""Writes parameters and buffers in Flax: `nnx.Param(jnp.zeros((64,), jnp.float32))`, and `self.scale[...]` where they are used."""

from __future__ import annotations

from ....ops.constants import ParamOperator
from ....ops.operator import Init
from ....ops.parameter_of import ParameterOf
from ...python.code.class_tree import ParameterRef
from ...python.code.python_expressions import AttributeCode, CallCode, Code, Method, SelfMember, call_function, to_code
from ..flax_emitters import FlaxSite, function, invocation, module
from ..flax_framework import RNGS, get_jax_dtype, get_submodule, read_variable, shape_code
from ..flax_initializers import write_initializer


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
