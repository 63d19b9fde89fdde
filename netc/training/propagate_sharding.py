"""Rules of tensor parallelism: along which axis the result of an operator is sharded, if its inputs are.

In: an operator, and the sharded axes of its inputs. Out: an axis of the result, or None if the operator needs the full tensor. Always: an
operator without a rule needs the full tensor, so a new operator is correct before anybody thinks of sharding.

For example, the result of `relu` is sharded like its input, and `softmax` over the sharded axis needs the full tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch

from netc.compiler.dims import Facts
from netc.compiler.ops.activation import Activation, AlongAxis, Glu
from netc.compiler.ops.arithmetic import Clamp, NumberOrTensor, Pair
from netc.compiler.ops.attention import Attention
from netc.compiler.ops.axes import normalize_axis
from netc.compiler.ops.elementwise import Numeric, Real
from netc.compiler.ops.joining import Division
from netc.compiler.ops.operator import Operator
from netc.compiler.ops.rearrange import Rearrange
from netc.compiler.ops.regularization import Dropout, PassingOn
from netc.compiler.ops.rotary import Rotary
from netc.compiler.ops.shape import Cast, Flatten, Permute, Reshape, Transpose, Unflatten
from netc.compiler.types.tensor_types import TensorType
from netc.dsl.record import Record


class ShardingSite(Record):
    """The use of an operator: the types of its inputs, and the axis of each sharded input."""

    types: tuple[TensorType, ...]
    axes: Mapping[int, int]
    result: TensorType
    facts: Facts

    @property
    def axis(self) -> int:
        """The axis of the first sharded input."""
        return next(iter(self.axes.values()))


@singledispatch
def propagate_sharding(op: Operator, site: ShardingSite) -> int | None:
    """Return the axis along which the result is sharded; None if the operator needs the full tensor."""
    return None


@propagate_sharding.register(Activation)
@propagate_sharding.register(Numeric)
@propagate_sharding.register(Real)
@propagate_sharding.register(NumberOrTensor)
@propagate_sharding.register(Pair)
@propagate_sharding.register(Clamp)
@propagate_sharding.register(Dropout)
@propagate_sharding.register(PassingOn)
@propagate_sharding.register(Cast)
def _propagate_elementwise(op: Operator, site: ShardingSite) -> int | None:
    """Operators that compute element by element. Broadcasting aligns the last axes, so the axis is counted from the end."""
    from_end = {site.types[i].rank - axis for i, axis in site.axes.items()}
    return site.result.rank - from_end.pop() if len(from_end) == 1 else None


@propagate_sharding.register
def _propagate_glu(op: Glu, site: ShardingSite) -> None:
    """`glu` multiplies the halves of the axis, which are on different devices."""


@propagate_sharding.register
def _propagate_along_axis(op: AlongAxis, site: ShardingSite) -> int | None:
    return site.axis if normalize_axis(op.name, op.args["axis"], site.types[0]) != site.axis else None


@propagate_sharding.register
def _propagate_division(op: Division, site: ShardingSite) -> int | None:
    return site.axis if normalize_axis(op.name, op.args["axis"], site.types[0]) != site.axis else None


@propagate_sharding.register(Permute)
@propagate_sharding.register(Transpose)
def _propagate_permutation(op: Permute | Transpose, site: ShardingSite) -> int:
    return op.axis_order(site.types[0]).index(site.axis)


@propagate_sharding.register(Flatten)
@propagate_sharding.register(Unflatten)
@propagate_sharding.register(Reshape)
def _propagate_reshape(op: Operator, site: ShardingSite) -> int | None:
    """The axis stays sharded if all axes before it stay, and it is the first of the axes that it is joined with or divided into; or if it
    and all axes after it stay."""
    before, after, axis = site.types[0].shape, site.result.shape, site.axis
    # a new axis of size 1 before it is none of the axes that it is divided into
    if len(after) > axis and before[:axis] == after[:axis] and after[axis] != 1:
        return axis
    rest = len(before) - axis
    return len(after) - rest if len(after) >= rest and before[axis:] == after[len(after) - rest :] else None


@propagate_sharding.register
def _propagate_rearrange(op: Rearrange, site: ShardingSite) -> int | None:
    plan = op.make_plan(op.bind_inputs(site.types, site.facts))
    name, *others = plan.left[site.axis] or ("",)
    for axis, group in enumerate(plan.right):
        if group[:1] == (name,):
            return axis if not others or len(group) == 1 else None
    return None


@propagate_sharding.register
def _propagate_attention(op: Attention, site: ShardingSite) -> int | None:
    """Queries, keys and values are sharded by heads. A mask is full, even if it is learned: each device takes the part for its heads."""
    heads = {t.rank - 3 for t in site.types[:3]}
    return heads.pop() if len(heads) == 1 and site.axes == dict.fromkeys(range(3), max(heads)) else None


@propagate_sharding.register
def _propagate_rotary(op: Rotary, site: ShardingSite) -> int | None:
    return site.axis if dict(site.axes).keys() == {0} and site.axis < site.types[0].rank - 2 else None
