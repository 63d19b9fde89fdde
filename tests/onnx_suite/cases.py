"""The tests of ONNX's own backend suite that the installed `onnx` package has: a model, inputs, and the outputs that ONNX expects.

In: nothing. Out: `Case`s, in the suite's order. Always: the same version of onnx gives the same cases; nothing is downloaded, so the
`light` and `real` models of the suite are not among them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import onnx
from onnx import numpy_helper

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")


class Case:
    """One test. `data` has the inputs and the expected outputs of each of its data sets."""

    def __init__(self, test: Any) -> None:
        self.name = str(test.name).removeprefix("test_")
        self.kind = str(test.kind)
        self.rtol, self.atol = float(test.rtol), float(test.atol)
        self._test = test

    @cached_property
    def model(self) -> onnx.ModelProto:
        return self._test.model or onnx.load(Path(self._test.model_dir) / "model.onnx")

    @cached_property
    def data(self) -> list[tuple[list[Any], list[Any]]]:
        if self._test.data_sets is not None:
            return [(list(map(_array, inputs)), list(map(_array, outputs))) for inputs, outputs in self._test.data_sets]
        folders = sorted(Path(self._test.model_dir).glob("test_data_set_*"))
        return [(_stored(folder, "input"), _stored(folder, "output")) for folder in folders]

    @property
    def operator(self) -> str:
        """The operator that the test is about: the only one of a node test, `several` for a larger graph."""
        types = {node.op_type if not node.domain else f"{node.domain}:{node.op_type}" for node in self.model.graph.node}
        types -= {"Constant"} if len(types) > 1 else set()
        return types.pop() if len(types) == 1 else f"({self.kind})"

    def is_of_tensors(self) -> bool:
        """Whether all inputs and outputs are tensors of numbers."""
        return all(_is_numbers(value) for inputs, outputs in self.data for value in (*inputs, *outputs))


def cases(kinds: Sequence[str] = KINDS) -> list[Case]:
    """All tests of these kinds. The name of one that is a copy of another, with the operator by its definition, ends in `_expanded`."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # casts that overflow on purpose
        return [Case(test) for kind in kinds for test in load_model_tests(kind=kind)]


def first_cases() -> list[Case]:
    """The first node test of each operator. They are made once, so only for a process that asks for no others: all take seconds."""
    from onnx.backend.test.case import base

    make_all = base._Exporter.__init__

    def make_first(cls: Any, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> None:
        first = [member for member in members if member.startswith("export")][:1]
        make_all(cls, name, bases, {member: members[member] for member in first})

    with mock.patch.object(base._Exporter, "__init__", make_first):
        every = [case for case in cases(("node",)) if not case.name.endswith("_expanded")]
    return sample(every, len(every))


def _stored(folder: Path, what: str) -> list[Any]:
    """The tensors `what_0.pb`, `what_1.pb`, ... of a data set; None for what is no tensor."""
    return list(_read(folder, what))


def _read(folder: Path, what: str) -> Iterator[Any]:
    for number in range(len(list(folder.glob(f"{what}_*.pb")))):
        tensor = onnx.TensorProto()
        try:
            tensor.ParseFromString((folder / f"{what}_{number}.pb").read_bytes())
            yield numpy_helper.to_array(tensor)
        except Exception:  # a sequence or an optional value, which is another message
            yield None


def _array(value: Any) -> Any:
    """A tensor as an array: what NumPy has no type for is a message in the suite."""
    if isinstance(value, onnx.TensorProto) and value.data_type != onnx.TensorProto.STRING:
        return numpy_helper.to_array(value)
    return value


def _is_numbers(value: object) -> bool:
    return isinstance(value, np.ndarray | np.generic | float | int) and np.asarray(value).dtype.kind not in "OSU"


def sample(every: Sequence[Case], step: int) -> list[Case]:
    """A part of the cases that is the same every time: of each operator the first, and of all others each `step`-th."""
    seen = set[str]()
    chosen: list[Case] = []
    for number, case in enumerate(every):
        if case.operator not in seen or number % step == 0:
            chosen.append(case)
        seen.add(case.operator)
    return chosen
