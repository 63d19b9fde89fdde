"""A cache of what operators' rules return: equal stages are inferred once, however often a text has them.

`infer_types` takes an operator and the types of its inputs, and returns an `Inference`. What is traced to a parameter or a size is not
stored, since each use of it may decide something; nor is what has been refused. Lookups compare no values: equal arguments give one
operator object, and equal results have one type object, so identities are enough.

    >>> from ..ops.dense import Dense
    >>> from ..types.tensor_types import DTYPES
    >>> cache = InferenceCache(Facts())
    >>> dense = cache.make_operator(Dense, {"units": 4})
    >>> inference = cache.infer_types(dense, (TensorType(DTYPES["float32"], (2, 3)),))
    >>> inference.results, [spec.name for spec in inference.specs]
    ((TensorType([2, 4]),), ['weight', 'bias'])
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from netc.dsl.record import Record, replace

from ..dims import Facts, free_symbols
from ..errors.arithmetic import BatchBroadcast
from ..errors.problem import STAGE, Location, Problem
from ..ops.operator import Operator, OpInputs, ParameterSpec, strict_key
from ..types.tensor_types import BATCH, TensorType
from ..types.traced_ints import has_origin

Types = tuple[TensorType, ...]


class Inference(Record):
    """An operator with inputs of these types: the types of the results, the parameters, and warnings with their locations."""

    op: Operator
    types: Types
    results: Types
    specs: tuple[ParameterSpec, ...]
    warnings: tuple[tuple[Problem, Location], ...]


class InferenceCache:
    """The inferences of one elaboration, with the facts about its dimensions."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._operators: dict[Hashable, Operator] = {}
        self._types: dict[TensorType, TensorType] = {}
        self._known: dict[tuple[int, ...], Inference] = {}
        """By the identities of the operator and the types, which it holds."""

    def make_operator(self, cls: type[Operator], args: dict[str, Any]) -> Operator:
        """The operator with these arguments, which its kinds have converted."""
        # Equal integers may have different formulas, which the emitted code shows.
        if any(map(has_origin, args.values())):
            return cls(**args)
        # `strict_key` tells `1` from `True` and `1.0`, which Python compares as equal.
        key = (cls, *args, *map(strict_key, args.values()))
        operator = self._operators.get(key)
        if operator is None:
            operator = self._operators[key] = cls(**args)
        return operator

    def find_inference(self, op: Operator, types: Types) -> Inference | None:
        """Return the stored inference for the operator with inputs of these types."""
        return self._known.get((id(op), *map(id, types)))

    def infer_types(self, op: Operator, types: Types) -> Inference:
        """Apply the operator's rules. Raises `OperatorError`."""
        inputs = op.bind_inputs(types, self._facts)
        results = op.check_and_infer(inputs)
        warnings = op.find_warnings(inputs)
        if op.pointwise and _joins_batches(inputs, results[0]):
            warnings += ((BatchBroadcast(op.symbol or op.name, tuple(t.shape for t in inputs), results[0].shape), STAGE),)
        return Inference(op, types, results, op.parameters(inputs), warnings)

    def store_inference(self, inference: Inference) -> Inference:
        """Remembers what has been accepted; its results have the types of equal ones before."""
        if any(has_origin(t.shape) for t in inference.types) or any(map(has_origin, inference.op.numbers)):
            return inference
        # One object for equal types, so that the next stage is found by identity.
        results = tuple([self._types.setdefault(t, t) for t in inference.results])
        known = self._known[(id(inference.op), *map(id, inference.types))] = replace(inference, results=results)
        return known


def _joins_batches(inputs: OpInputs, result: TensorType) -> bool:
    """Whether broadcasting pairs the samples of one operand with the samples of another."""

    def batches(type: TensorType) -> int:
        return sum(BATCH in free_symbols(d) for d in type.shape)

    return len(inputs) > 1 and batches(result) > 1 and all(batches(t) < 2 for t in inputs)
