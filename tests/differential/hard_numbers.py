"""Numbers that are not drawn from a normal distribution, and what is known to go wrong with them.

In: the targets of a model. Out: nothing, or an AssertionError. Always: every kind of numbers is tried on every model with inputs of
float32 or float64; a fault is known by its kind, its operators and a condition on their arguments, so that any other is found.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch

from netc.compiler.dims import free_symbols
from netc.compiler.ir.flat_graph import FlatGraph
from netc.compiler.ops.parametric import Parametric
from netc.compiler.ops.recurrent import Gru, Lstm
from tests.differential.known_faults import FAULTS, Fault
from tests.parity import (
    Allowed,
    Arrays,
    Limit,
    Targets,
    allowed_sizes,
    as_rounding_goes,
    inputs_for,
    run_module,
    sizes_of,
    slow_path,
    tensor,
    within,
)

Array = np.ndarray[Any, Any]


def _with_nan(x: Array) -> Array:
    changed = x.copy()
    changed.flat[changed.size // 2] = np.nan
    return changed


def _with_infinities(x: Array) -> Array:
    """The first is infinite; the last, if there are two, negatively."""
    changed = x.copy()
    changed.flat[0] = np.inf
    if changed.size > 1:
        changed.flat[-1] = -np.inf
    return changed


def _mixed(x: Array) -> Array:
    return _with_nan(_with_infinities(x))


SMALLEST = "smallest"
KINDS: dict[str, Callable[[Array], Array]] = {
    "zero": np.zeros_like,
    "constant": lambda x: np.full_like(x, 17.3),  # a blank image
    "far": lambda x: x + 1000,
    "flat": lambda x: 5 + x / 1000,  # a tiny variance
    "nan": _with_nan,
    "infinite": _with_infinities,
    "mixed": _mixed,
    "lowest": lambda x: np.full_like(x, -np.inf),
}
"""What becomes of numbers with mean 0 and deviation 1."""


def some_kinds(text: str) -> tuple[str, ...]:
    """Two of the kinds, which the text decides, so that every kind meets hundreds of the cases."""
    first = crc32(text.encode()) % len(KINDS)
    return (tuple(KINDS) * 2)[first : first + 2]


def check(targets: Targets, kinds: Iterable[str] = tuple(KINDS)) -> None:
    """These kinds of numbers, then the smallest sizes."""
    for kind in kinds:
        check_kind(targets, kind)
    env = smallest(targets)
    if env and env not in sizes_of(targets.model):
        _compare_smallest(targets, env)


NOT_FINITE = frozenset(("nan", "infinite", "mixed", "lowest"))
UNSAFE = frozenset(("deform_conv", "fractional_max_pool", "roi_align", "binary_cross_entropy", "match"))
"""Where a position is no number, PyTorch and torchvision read from anywhere; what is no probability is an error at run
time, and so is a cost that is NaN."""


REFUSED = {"istft": "window overlap add min"}
"""What PyTorch says at run time, by operator, of numbers that it does not take: of a window of zeros."""


def check_kind(
    targets: Targets, kind: str, sizes: Mapping[str, Sequence[int]] | None = None, limits: Mapping[str, Limit] | None = None
) -> None:
    """One kind of numbers, if the model can meet them; ONNX Runtime only where it is not known to differ."""
    if kind in kinds_for(targets):
        compare(targets, kind, ("onnx",) if known(targets, kind) else (), sizes, limits)


def kinds_for(targets: Targets) -> tuple[str, ...]:
    """None without floats; nor of halves, whose rounding would hide everything; nor of positions that may be anything. Weights are finite:
    with others, kernels differ by the order in which they multiply."""
    uses = [use.node for use in FlatGraph(targets.model.program.main).iterate_operators()]
    given = any(isinstance(node.op, Parametric) and node.op.has_weight_input(tuple(v.type for v in node.inputs)) for node in uses)
    used = {node.op.name for node in uses}
    if used & UNSAFE and "nan_to_num" not in used:
        return ()
    floats = [t.dtype for t in targets.model.inputs.values() if t.dtype.is_float]
    kinds = tuple(kind for kind in KINDS if kind not in NOT_FINITE or not given)
    return kinds if floats and all(dtype.size >= 4 for dtype in floats) else ()


def compare(
    targets: Targets,
    kind: str,
    without: Collection[str] = (),
    sizes: Mapping[str, Sequence[int]] | None = None,
    limits: Mapping[str, Limit] | None = None,
) -> None:
    """With numbers of one kind, but not in the backends `without`."""
    model, env = targets.model, sizes_of(targets.model, sizes)[1]
    drawn = inputs_for(model, env, limits=limits)
    arrays = {n: KINDS[kind](np.asarray(a, np.float64)) if model.inputs[n].dtype.is_float else a for n, a in drawn.items()}
    ops = [use.node.op for use in FlatGraph(model.program.main).iterate_operators()]
    if any(_refused(targets, env, arrays, REFUSED[op.name]) for op in ops if op.name in REFUSED):
        return
    gated = any(isinstance(op, Gru | Lstm) for op in ops)
    _compare(targets, kind, env, arrays, _allowed_of_gates if gated else _allowed, without)


def _refused(targets: Targets, env: Mapping[str, int], arrays: Arrays, why: str) -> bool:
    """Whether PyTorch refuses these numbers, and says so; then the module does too."""
    try:
        targets.wanted(env, [tensor(arrays[n], t) for n, t in targets.model.inputs.items()])
    except RuntimeError as error:
        if why not in str(error):
            raise
        with pytest.raises(RuntimeError, match=why):
            run_module(targets.module, targets.model, arrays)
        return True
    return False


def _allowed(*comparison: Any) -> float:
    """As much as for other numbers, and where these are badly conditioned, as far as rounding goes."""
    return max(within(None)(*comparison), as_rounding_goes(*comparison))


def _allowed_of_gates(targets: Targets, fed: list[torch.Tensor], *comparison: Any) -> float:
    """ONNX Runtime's sigmoid is off by up to a rounding of 1 where it is small, and is multiplied by a state as large as what is fed."""
    largest = max(float(x.double().nan_to_num(0, 0, 0).abs().max()) for x in fed)
    return max(_allowed(targets, fed, *comparison), largest * torch.finfo(torch.float32).eps)


def _compare(targets: Targets, kind: str, env: Mapping[str, int], arrays: Arrays, allowed: Allowed, without: Collection[str]) -> None:
    try:
        with slow_path():
            targets.compare(env, arrays, allowed, without)
    except AssertionError as error:
        error.add_note(f"numbers: {kind}; sizes: {env}")
        raise


def _compare_smallest(targets: Targets, env: Mapping[str, int]) -> None:
    """What PyTorch refuses because nothing would be left, the module refuses too."""
    arrays = inputs_for(targets.model, env, limits=dict.fromkeys(targets.model.inputs, 1))
    fed = [tensor(arrays[n], t) for n, t in targets.model.inputs.items()]
    try:
        wanted = targets.wanted(env, fed)
    except (RuntimeError, ValueError):
        with pytest.raises((RuntimeError, ValueError)):
            targets.module(*fed)
        return
    # A result without elements is an error in netc, where it is known beforehand.
    _compare(targets, SMALLEST, env, arrays, within(None), without=() if all(result.numel() for result in wanted) else ("onnx",))


def known(targets: Targets, kind: str) -> Fault | None:
    """A fault of ONNX that these numbers show with one of the model's operators."""
    nodes = [use.node for use in FlatGraph(targets.model.program.main).iterate_operators()]
    return next((fault for fault in FAULTS if kind in fault.kinds and any(map(fault.covers, nodes))), None)


def smallest(targets: Targets) -> dict[str, int]:
    """The least size of every symbolic dimension."""
    names = sorted({n for t in targets.model.inputs.values() for d in t.shape for n in free_symbols(d)})
    return {name: next(allowed_sizes(targets.model, name, range(1, 200))) for name in names}
