"""The samples of an operator, imported and run in PyTorch and in ONNX Runtime, against what the operator computes itself.

In: a `Case`. Out: a `Result`: the worst of its samples. Always: a sample that is refused is tried once more with all tensors but the first
as constants. Gradients are compared too, also of parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from suite_workers import CONSTANT, CRASHED, REFUSED, RIGHT, WRONG, Result
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch_suite.cases import Called, Case, Sample

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.types.numpy_types import to_array, to_tensor
from netc.dsl.record import Record
from netc.importing.further_proofs import TARGETS
from netc.importing.output_judge import NotProved

UNJUDGED = "not judged"
"""All samples are sparse, complex or without elements, are refused by PyTorch itself, or draw random numbers."""
KNOWN = "different for a known reason"
_LOGICAL = "PyTorch lets gradients through the method that works in place, as if the tensor had not changed"
DIFFERENT: dict[str, str] = {
    **dict.fromkeys(("logical_and", "logical_not", "logical_or", "logical_xor"), _LOGICAL),
    "nn.functional.embedding": "`scale_grad_by_freq` changes gradients, which a spec cannot say",
    "nn.functional.embedding_bag": "`scale_grad_by_freq` changes gradients, which a spec cannot say",
    "take": "indices below 0 are errors in the module (docs/import.md)",
    "take_along_dim": "indices below 0 are errors in the module (docs/import.md)",
}
"""Operators with differences that are known, and why."""
_ORDER = (UNJUDGED, RIGHT, CONSTANT, REFUSED, CRASHED, WRONG)
TIED = ("topk", "sort", "argsort", "msort")
"""Operators whose order of equal elements PyTorch leaves open (docs/import.md)."""
CLOSE = 1e-4
CLOSE_TO_LARGEST = 1e-5


class Differs(Exception):
    """A result is not the operator's."""


class Asked(Record):
    """What is compared too: the import proves itself, as `netc import` does, and JAX and MLX run it."""

    prove: bool = False
    targets: bool = False


_USUAL = Asked()


def judge(case: Case, asked: Asked = _USUAL) -> Result:
    worst = Result(case.name, case.operator, UNJUDGED)
    try:
        samples = case.samples()
    except Exception:  # PyTorch cannot draw all of its own
        return worst
    for sample in samples:
        outcome, why = _judge_sample(case, sample, asked)
        if _ORDER.index(outcome) > _ORDER.index(worst.outcome):
            worst = Result(case.name, case.operator, outcome, f"{why} ({sample})" if outcome in (WRONG, CRASHED) else why)
    if worst.outcome in (WRONG, CRASHED) and case.operator in DIFFERENT:
        return Result(case.name, case.operator, KNOWN, DIFFERENT[case.operator])
    return worst


def _judge_sample(case: Case, sample: Sample, asked: Asked) -> tuple[str, str]:
    outcome, why = _try_import(case, sample, sample.tensors, asked, RIGHT)
    if outcome == REFUSED and len(sample.tensors) > 1:
        outcome, why = _try_import(case, sample, sample.tensors[:1], asked, CONSTANT)
    return outcome, why


def _try_import(case: Case, sample: Sample, inputs: Sequence[int], asked: Asked, good: str) -> tuple[str, str]:
    module = Called(sample, inputs).train(case.train)
    given = [sample.leaves[at] for at in inputs]
    try:
        wanted, again = _run(module, given), _run(module, given)
    except Exception:  # PyTorch refuses some of its own samples, of sparse tensors for example
        return UNJUDGED, ""
    tensors = (*wanted, *given)
    if not wanted or any(x.is_complex() or x.layout != torch.strided or not x.numel() for x in tensors) or not _are_equal(wanted, again):
        return UNJUDGED, ""
    try:
        _compare_import(case, module, given, wanted, _fix_sizes(given), asked)
        if all(size > 1 for x in given for size in x.shape):
            _compare_with_names(case, module, given, wanted)
    except ImportFailed as error:
        return REFUSED, f"{error.obstacles[0].what} {error.obstacles[0].why}"
    except (Differs, NotProved) as error:
        return WRONG, str(error)
    except Exception as error:  # whatever it is, it is counted
        return CRASHED, f"{type(error).__name__}: {str(error)[:300]}"
    return good, ""


def _fix_sizes(given: Sequence[Tensor]) -> dict[str | int, Any]:
    return {at: {} for at in range(len(given))}


def _compare_with_names(case: Case, module: Called, given: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
    """Compare an import whose axes all have names, unless it is refused."""
    names = {at: {axis: f"{chr(65 + at)}{chr(65 + axis)}" for axis in range(x.dim())} for at, x in enumerate(given)}
    try:
        _compare_import(case, module, given, wanted, dict(names), _USUAL)
    except ImportFailed:
        return


def _compare_import(
    case: Case, module: Called, given: Sequence[Tensor], wanted: Sequence[Tensor], dims: Mapping[str | int, Any], asked: Asked
) -> None:
    model = netc.from_torch(module, tuple(x.clone() for x in given), dims, verify=asked.prove, train=case.train)
    made = model.module().train(case.train)
    _compare("PyTorch", _run(made, given), wanted)
    try:
        gradients = _find_gradients(module, given)
    except Exception:  # PyTorch has none of some operators
        gradients = None
    if gradients is not None:
        # Where PyTorch has NaN, as for the least of several numbers with NaN, another gradient is no worse.
        found = zip(_find_gradients(made, given), gradients, strict=True)
        _compare("gradients", [torch.where(wanted.isnan(), wanted, own) for own, wanted in found], gradients)
    if case.train or case.operator.startswith(TIED):
        return
    _compare_session(model, given, wanted)
    if asked.targets:
        _compare_targets(model, given, wanted)


def _compare_session(model: netc.Model, given: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
    try:
        session = model.session()
    except netc.CompileError:  # ONNX has no form of it
        return
    except Exception as error:
        if "Could not find an implementation" in str(error):  # ONNX Runtime has no kernel
            return
        raise
    found = session(*map(to_array, given))
    _compare("ONNX Runtime", list(map(to_tensor, tree_leaves(found))), wanted)


def _compare_targets(model: netc.Model, given: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
    for target, (_, make_run) in TARGETS.items():
        if target == "MLX" and any(x.dtype == torch.float64 for x in (*given, *wanted)):  # a GPU has no float64
            continue
        try:
            run = make_run(model, model.weights)
        except netc.CompileError:  # the target has no form of it
            continue
        _compare(target, list(map(to_tensor, run(list(map(to_array, given))))), wanted)


def _run(module: torch.nn.Module, given: Sequence[Tensor]) -> list[Tensor]:
    return [x.detach() for x in tree_leaves(module(*[x.clone() for x in given])) if isinstance(x, Tensor)]


def _find_gradients(module: torch.nn.Module, given: Sequence[Tensor]) -> list[Tensor]:
    """Return the gradients of a sum of the results with weights: of all inputs in float, and of the parameters by their names. They are
    zeros if no result depends on them."""
    inputs = [x.clone().requires_grad_(x.is_floating_point()) for x in given]
    # An operator that works in place is given no leaves.
    results = [x for x in tree_leaves(module(*[x * 1 if x.requires_grad else x for x in inputs])) if isinstance(x, Tensor)]
    results = [x for x in results if x.requires_grad]
    weights = torch.Generator().manual_seed(0)
    sums = [(x.double() * torch.rand(x.shape, generator=weights, dtype=torch.float64)).sum() for x in results]
    learned = [*(x for x in inputs if x.requires_grad), *(x for _, x in sorted(module.named_parameters()) if x.requires_grad)]
    found = torch.autograd.grad(torch.stack(sums).sum(), learned, allow_unused=True) if sums and learned else [None] * len(learned)
    return [torch.zeros_like(x) if gradient is None else gradient for x, gradient in zip(learned, found, strict=True)]


def _are_equal(left: Sequence[Tensor], right: Sequence[Tensor]) -> bool:
    return all(np.array_equal(a.double().numpy(), b.double().numpy(), equal_nan=True) for a, b in zip(left, right, strict=True))


def _compare(target: str, found: Sequence[Tensor], wanted: Sequence[Tensor]) -> None:
    if len(found) != len(wanted):
        raise Differs(f"{target}: {len(found)} results, not {len(wanted)}")
    for number, (own, other) in enumerate(zip(found, wanted, strict=True)):
        if (own.shape, own.dtype) != (other.shape, other.dtype):
            raise Differs(f"{target}: result {number} is {own.dtype} {list(own.shape)}, not {other.dtype} {list(other.shape)}")
        if not other.is_floating_point():
            if not torch.equal(own, other):
                raise Differs(f"{target}: result {number} differs")
            continue
        a, b = own.detach().double().numpy(), other.detach().double().numpy()
        near = CLOSE_TO_LARGEST * float(np.max(np.abs(b), initial=0.1, where=np.isfinite(b)))
        if not np.allclose(a, b, rtol=CLOSE, atol=near, equal_nan=True):
            raise Differs(f"{target}: result {number} differs by {np.nanmax(np.abs(a - b)):.2g}")
