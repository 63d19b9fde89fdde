"""What another runtime than ONNX Runtime takes: the profile that a graph is written for.

In: a node of a graph, with the types of its inputs and results. Out: the reason why the runtime cannot run it, or computes something else,
or None. Always: a profile imports no runtime, so a model is checked and written on a machine that lacks it.

>>> profile = RuntimeProfile("edge", "Edge", 18, limits=(Limit(("Celu",), "it ignores `alpha`"),))
>>> profile.find_reason(NodeUse("Celu", "celu1", {}, (), ()))
'it ignores `alpha`'
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from collections.abc import Set as AbstractSet

from netc.dsl.record import Record

from ....ir.graph import OpNode


class TensorUse(Record):
    """A tensor that a node takes or makes. `dtype` is the name of its element type, `rank` the number of its axes; both may be unknown.
    `is_stored`: it is a constant or a parameter. `name`: tensors of one name are equal, because the same nodes make them. `extremes`: the
    least and the largest number of a constant of wide integers. `is_output`: the model returns it, or a tensor of the same
    element type that is computed from it. `is_size`: it is computed from sizes, places and
    constants alone."""

    dtype: str | None
    rank: int | None
    is_stored: bool = False
    name: str = ""
    extremes: tuple[int, ...] = ()
    is_output: bool = False
    is_size: bool = False


class NodeUse(Record):
    """A node: its operator, its name, its attributes, and the tensors that it takes and makes. A missing input is None."""

    op_type: str
    name: str
    attributes: Mapping[str, object]
    inputs: tuple[TensorUse | None, ...]
    outputs: tuple[TensorUse | None, ...]


class Limit(Record):
    """Uses of operators of ONNX that a runtime refuses, or computes wrong; without `operators`, of all of them. `reason` is a clause about
    the runtime: `it has no such operator`."""

    operators: tuple[str, ...]
    reason: str
    when: Callable[[NodeUse], bool] = lambda node: True


class StageLimit(Record):
    """Uses of operators of netc that a runtime refuses, or computes wrong. `reason` is a clause about the runtime."""

    operators: tuple[str, ...]
    reason: str
    when: Callable[[OpNode], bool] = lambda node: True


class KnownDifference(Record):
    """Results that may differ from ONNX Runtime's. `sentence` says which, without a full stop at its end.

    It is about models with one of the `operators` of netc, or with a tensor of one of the `dtypes`; about all models if both are empty.
    `is_rare`: only for numbers that few models meet, such as NaN.
    """

    sentence: str
    operators: frozenset[str] = frozenset()
    dtypes: frozenset[str] = frozenset()
    is_rare: bool = True

    def is_about(self, operators: AbstractSet[str], dtypes: AbstractSet[str]) -> bool:
        """Whether a model with these operators and element types may show the difference."""
        return not (self.operators or self.dtypes) or bool(self.operators & operators or self.dtypes & dtypes)


class RuntimeProfile(Record):
    """A runtime of ONNX models. `name` is the word for `--for` and `--runtime`, `title` the name in messages.

    `opset`: the opset that the graph is written in, unless the caller asks for another one. `needs_sizes`: all sizes must be numbers.
    `written_out`: operators of netc that are written by their definitions, because the runtime lacks their operator of ONNX, or computes
    it wrong. `replaced`: operators of ONNX that are written in others for the same reason. `lacking`: element types that stages cannot
    have, with the reason; netc itself may compute in them in between. `limits`: other nodes that it cannot run, `stage_limits`
    other stages.
    `crashing`: operators of ONNX that may end the process on an input without elements.
    `differences`: results that may differ from ONNX Runtime's, and are not refused.
    """

    name: str
    title: str
    opset: int
    needs_sizes: bool = False
    written_out: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()
    lacking: Mapping[str, str] = {}
    limits: tuple[Limit, ...] = ()
    stage_limits: tuple[StageLimit, ...] = ()
    crashing: frozenset[str] = frozenset()
    differences: tuple[KnownDifference, ...] = ()

    def find_stage_reason(self, node: OpNode) -> str | None:
        """Return the reason why the runtime cannot run a stage, a clause, or None."""
        dtypes = [value.type.dtype.name for value in (*node.inputs, *node.outputs)]
        lacking = next((dtype for dtype in dtypes if dtype in self.lacking), None)
        if lacking is not None:
            return self.lacking[lacking]
        return next((limit.reason for limit in self.stage_limits if node.op.name in limit.operators and limit.when(node)), None)

    def list_kernel_types(self, op_type: str, opset: int, variable: str) -> Collection[str] | None:
        """Return None for an operator of ONNX that is replaced, else nothing, which stands for all element types."""
        return None if op_type in self.replaced else ()

    def find_reason(self, node: NodeUse) -> str | None:
        """Return the reason why the runtime cannot run a node, a clause, or None."""
        limits = (limit for limit in self.limits if not limit.operators or node.op_type in limit.operators)
        return next((limit.reason for limit in limits if limit.when(node)), None)
