"""What PyTorch itself says of a use: the reference of the operator is called, and neither netc's rules nor its emitters are asked.

In: a `Use`, valid or not. Out: an `Answer`. Always: the tensors are tiny and on the CPU, or without numbers (PyTorch's meta device) where
an argument is so large that the result may not fit; of integers as inputs, all 1 and all 0 are tried, as which of them are allowed
may depend on the operator. What matters in training only is asked in training.
"""

from __future__ import annotations

import re
from math import prod

import torch

from netc.compiler.ops.kinds import AXES, AXIS, NumberKind, ScalarKind
from netc.compiler.types.tensor_types import TensorType
from netc.dsl.record import Record
from tests.differential.references import REFERENCES, Call
from tests.differential.references.run import arguments, results
from tests.differential.use import Use

LARGE = 1000
SMALL = (NumberKind, ScalarKind)
FITS = 2**20
"""A result of up to this many elements is computed."""
UNCHECKED = frozenset(("conv_transpose",))
"""Without numbers, PyTorch does not check whether `output_padding` is small enough."""
ENDLESS = 100
"""This many layers are not made in any reasonable time."""
TRAINED = frozenset(("alpha_dropout", "attention", "channel_dropout", "drop_path", "dropout", "gru", "lstm", "multihead_attention", "rnn"))
# PyTorch itself lacks some half kernels on the CPU, which is no answer.
HALF_IS_MISSING = re.compile(r"not (?:implemented|supported) for '?(?:Half|BFloat16)|Half.*not (?:implemented|supported)")
# Nor is it one that a machine is too small for the result.
TOO_LARGE = re.compile(r"not enough memory|can't allocate memory|Storage size calculation overflowed|invalid storage size|numel.*overflow")
# Nor that the lengths, all 1 or all 0 here, do not add up to the number of classes in a row.
OTHER_LENGTHS = re.compile(r"Expected tensor to have size \d+ at dimension 0, .* for argument #2 'targets'")


class Answer(Record):
    """`types`: element type and shape of each result; None if PyTorch refuses, and `why`. `unknown`: it could not be asked."""

    types: tuple[tuple[str, tuple[int, ...]], ...] | None
    why: str = ""
    unknown: bool = False


def ask(use: Use, results: int) -> Answer:
    """Runs the use. `results` counts those that are unpacked."""
    answers = [_ask(use, results, fill) for fill in ((1, 0) if any(not t.dtype.is_float for t in use.inputs) else (1,))]
    return next((a for a in answers if a.types is not None), next((a for a in answers if a.unknown), answers[0]))


def _is_large(use: Use) -> bool:
    """What is no size makes nothing large."""
    kinds = {name: arg.kind for name, arg in use.cls.signature.items()}
    values = [value for name, value in use.args if not isinstance(kinds.get(name), SMALL) and kinds.get(name) not in (AXIS, AXES)]
    return any(isinstance(n, int) and abs(n) >= LARGE for value in values for n in (value if isinstance(value, tuple) else (value,)))


def _ask(use: Use, results: int, fill: int) -> Answer:
    """Without numbers first where they might not fit; those that do are computed, as the meta device does not look at everything."""
    if any(name == "layers" and n > ENDLESS for name, n in use.args):
        return Answer(None, "it would not come to an end", unknown=True)
    if _is_large(use):
        answer = _answer(use, results, fill, "meta")
        if answer.types is None or any(prod(shape) > FITS for _, shape in answer.types):
            return Answer(None, "the meta device does not check it", unknown=True) if use.operator in UNCHECKED else answer
    return _answer(use, results, fill, "cpu")


def _answer(use: Use, count: int, fill: int, device: str) -> Answer:
    tensors = [_tensor(t, fill).to(device) for t in use.inputs]
    call = Call(arguments(use.build()), count, training=use.operator in TRAINED)
    try:
        with torch.no_grad(), torch.device(device):
            found = results(REFERENCES[use.operator], call, tensors)
    except Exception as error:  # PyTorch refuses by exceptions of many kinds
        unknown = isinstance(error, NotImplementedError) or any(kind.search(str(error)) for kind in (HALF_IS_MISSING, TOO_LARGE))
        unknown = unknown or (_is_in_a_row(use) and bool(OTHER_LENGTHS.search(str(error))))
        return Answer(None, f"{type(error).__name__}: {error}".split("\n")[0], unknown=unknown)
    return Answer(tuple((str(t.dtype).removeprefix("torch."), tuple(t.shape)) for t in found))


def _is_in_a_row(use: Use) -> bool:
    """Whether one list has the classes of several sequences."""
    return use.operator == "ctc_loss" and use.inputs[1].rank == 1


def _tensor(type_: TensorType, fill: int) -> torch.Tensor:
    shape, dtype = [int(d) for d in type_.shape], getattr(torch, type_.dtype.name)
    return (
        torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
        if type_.dtype.is_float
        else torch.full(shape, fill, dtype=dtype)
    )
