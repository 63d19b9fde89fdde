"""One use of an operator, as a rule sees it: the operator, its abstract inputs, and their types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..ir.graph import OpNode
from ..ops.attention import Attention
from ..ops.interval_arithmetic import UNKNOWN
from ..ops.operator import OpInputs
from ..types.tensor_types import BOOL, TensorType
from .abstract_tensors import AbstractTensor
from .assumptions import Assumptions
from .element_facts import Fact, limit_to_type, make_result
from .position_order import mix_earlier
from .tensor_positions import Positions


class RuleSite:
    """`op` has any arguments, so it is typed as `Any`. `owner` is the stage of the model in whose definition the operator is."""

    def __init__(
        self, node: OpNode, owner: OpNode, inputs: Sequence[AbstractTensor], positions: Positions, assumptions: Assumptions, training: bool
    ) -> None:
        self.owner = owner
        self.op: Any = node.op
        self.inputs = tuple(inputs)
        self.given: OpInputs = node.op.bind_inputs(tuple(value.type for value in node.inputs), positions.sizes)
        self.results: tuple[TensorType, ...] = tuple(value.type for value in node.outputs)
        self.positions, self.assumptions, self.training = positions, assumptions, training

    def get(self, name: str) -> AbstractTensor:
        """Return the input that was declared as `name`."""
        return self.inputs[self.given.position(name)]

    def combine(self, compute: Callable[[Sequence[Fact]], Fact], *tensors: AbstractTensor) -> AbstractTensor:
        """Broadcast tensors and compute element by element. If arithmetic makes a constant of hidden values, they must be finite."""

        def compute_fact(facts: Sequence[Fact]) -> Fact:
            result = limit_to_type(compute(facts), self.results[0].dtype)
            if result.is_constant and self.results[0].dtype != BOOL and not all(fact.is_constant for fact in facts):
                self.assumptions.finite = True
            return result

        return self.positions.combine(tensors, compute_fact)

    def combine_unknown(self, *tensors: AbstractTensor) -> AbstractTensor:
        """Broadcast tensors to elements of unknown values."""
        return self.positions.combine(tensors, lambda facts: make_result(UNKNOWN, facts))

    def note_empty_row(self, where: str) -> None:
        """Record that this softmax gives NaN for some rows."""
        # The operator `attention` returns 0 where a mask of booleans hides all keys.
        is_safe = isinstance(self.owner.op, Attention) and any(value.type.dtype == BOOL for value in self.owner.inputs)
        if not is_safe:
            self.assumptions.risks[f"`{self.owner.op.name}` gives NaN {where}"] = None

    def mix_axes(self, mixed: Sequence[frozenset[int]], ahead: Mapping[int, int] | None = None) -> list[AbstractTensor]:
        """Return results whose elements depend on all elements of each input along its `mixed` axes, and on the elements at their own
        position along all others. `ahead`: of a mixed axis of the first input, element i of the results depends on the elements up to
        i + this number."""
        return [self._mix_for(result, mixed, ahead or {}) for result in self.results]

    def _mix_for(self, result: TensorType, mixed: Sequence[frozenset[int]], ahead: Mapping[int, int]) -> AbstractTensor:
        positions, parts = self.positions, [self.positions.make_constant(result.shape, Fact())]
        for number, (tensor, type_, axes) in enumerate(zip(self.inputs, self.given.types, mixed, strict=True)):
            if type_.rank != result.rank:
                parts.append(positions.forget_positions(tensor, result.shape))
                continue
            for axis, size in enumerate(result.shape):
                same = positions.sizes.are_equal(type_.shape[axis], size) is True or type_.shape[axis] == 1
                if axis in axes or not same:
                    is_earlier = number == 0 and axis in axes and axis in ahead
                    earlier = mix_earlier(positions, tensor, axis, size, ahead[axis]) if is_earlier else None
                    tensor = earlier or positions.replace_axis(tensor, axis, size)
            parts.append(tensor)
        made = self.combine_unknown(*parts)
        # Also where all elements are the same number: a running sum of ones counts them.
        sizes = [size for type_, axes in zip(self.given.types, mixed, strict=True) for axis, size in enumerate(type_.shape) if axis in axes]
        return positions.depend_on_count(made) if positions.has_counted(sizes) else made

    def forget_positions(self) -> list[AbstractTensor]:
        """Return results whose elements may depend on any elements of the inputs."""
        return self.mix_axes([frozenset(range(type_.rank)) for type_ in self.given.types])
