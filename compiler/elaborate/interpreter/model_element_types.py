"""Element types in a model of another type than float32.

Such a model has three kinds of float32 tensors. A tensor that the spec casts to float32 is float32. A tensor that is made of integers,
booleans, sizes and indices alone, such as a mask or a position, is *weak*, and so is an input that is declared as float32: it has the
precision of float32 until it meets a tensor of the model, or a layer, which convert it. The inputs of losses are float32 in every model.

`types_for_operator` takes an operator and its inputs, and returns the types that its rule sees. Nothing differs in a model of float32.
The graph is converted when it is complete (program/float_conversions.py).

    >>> import netc
    >>> half = netc.compile("x = input 8; weights = input 8 float32; x * weights -> dense 2; x * weights").in_type("bfloat16")
    >>> half.inputs, half.outputs
    ({'x': TensorType(bfloat16 [N, 8]), 'weights': TensorType([N, 8])}, {'output': TensorType(bfloat16 [N, 8])})
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from ...ir.graph_values import Value
from ...ops.operator import Operator
from ...ops.parametric import Parametric
from ...types.tensor_types import FLOAT32, DType, TensorType
from ..elaboration_session import ElaborationSession

_DTYPE = "dtype"


def types_for_operator(op: Operator, inputs: Sequence[Value], session: ElaborationSession) -> tuple[TensorType, ...]:
    """The types of the inputs as the operator takes them."""
    types = tuple([v.type for v in inputs])
    if session.is_full:
        return types
    model = session.precision.dtype
    from ...ops.loss import Loss
    from ...ops.shape import Cast

    # A cast says itself which type it makes.
    if isinstance(op, Cast):
        return types
    if model.size < FLOAT32.size and (session.in_training or isinstance(op, Loss)):
        return tuple([t.with_dtype(FLOAT32) if t.dtype == model else t for t in types])
    if isinstance(op, Parametric) or any(t.dtype == model for t in types):
        return tuple([v.type.with_dtype(model) if v.weak else v.type for v in inputs])
    return types


def makes_weak(op: Operator, inputs: Sequence[Value], session: ElaborationSession) -> bool:
    """Whether what it makes in float32 is weak."""
    if session.is_full:
        return False
    if not inputs:
        from ...ops.constants import TableOperator

        return isinstance(op, TableOperator)
    return not isinstance(op, Parametric) and all(v.weak for v in inputs if v.type.dtype.is_float)


def type_for(value: Value, other: Value, model: DType) -> TensorType:
    """The type of a tensor where another one may be in its place: what is weak gives way."""
    return value.type.with_dtype(model) if value.weak and other.type.dtype == model else value.type


def is_weak_type(dtype: DType, session: ElaborationSession) -> bool:
    """Whether an input of this type is weak."""
    return dtype == FLOAT32 and not session.is_full


def with_model_type(op: Operator, inputs: Sequence[Value], written: Container[str], session: ElaborationSession) -> Operator:
    """The operator with the type of the model for its parameters, if it has an argument for that which is not written."""
    if session.is_full or session.dtype == FLOAT32 or not isinstance(op, Parametric) or _DTYPE not in op.signature:
        return op
    if _DTYPE in written or _DTYPE in session.defaults.get(op.name, {}):
        return op
    if op.has_weight_input(tuple([v.type for v in inputs])):
        return op
    return session.inferences.make_operator(type(op), {**op.args, _DTYPE: session.dtype})
