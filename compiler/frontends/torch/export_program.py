"""Runs torch.export on a module with symbolic sizes, within the ranges of sizes for which PyTorch can export it.

In: a module, the arguments of its call, and a dynamic shape for each tensor. Out: an `ExportedProgram`, or an `ImportFailed`, such as
`FixedSize` if a size can have one value only, or `SmallExample` if an example is smaller than PyTorch needs. Always: the modes of all
modules are afterwards as they were.

For example, `x.reshape(2, -1)` of an axis T needs an even T. torch.export says so in an error message, so the module is exported again with
twice a symbol for T.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import nn
from torch._dynamo.exc import UserError
from torch.export import Dim as ExportDim
from torch.export import ExportedProgram
from torch.export.dynamic_shapes import refine_dynamic_shapes_from_suggested_fixes
from torch.utils._pytree import tree_leaves, tree_map

from ...types.tensor_types import BATCH
from ..imported_model import ImportFailed, Obstacle
from .capture_output import silence_output
from .distribution_checks import skip_distribution_checks
from .export_errors import (
    FIXED,
    UNSOLVED,
    VIOLATED,
    explain_export_failure,
    extract_suggested_fixes,
    find_running_module,
    fixed_size_obstacle,
)
from .held_parameters import trace_held_parameters
from .opaque import replace_opaque_modules
from .traceable_experts import use_static_experts
from .traces import keep_full_traces
from .user_code import isolate_user_code

_MAX_ATTEMPTS = 6
"""The number of exports with other ranges of sizes. Each export is slow."""
FEW = 8
"""The number of samples from which examples are repeated no further, and the first lower bound that is tried for a size."""
_REMAINDER = re.compile(r"= \d+\*_\w+ [-+] \d+")
"""A suggestion that a size is a multiple and a remainder."""
_EXCLUDED = re.compile(r"Not all values of (\w+) = .* satisfy the generated guard L\[.*\]\.size\(\)\[\d+\] != (\d+)\.")
"""Matches torch.export's message that one size is a case of its own."""
_NEEDS_NO_GRADIENTS = re.compile(r"a (?:view of a )?leaf Variable that requires grad is being used in an in-place operation")
"""Matches PyTorch's message about a change in place that it accepts only without gradients, as code for inference runs."""


class FixedSize(ImportFailed):
    """torch.export finds that the size `name` can only be `size`."""

    def __init__(self, obstacle: Obstacle, name: str, size: int, *, train: bool = False) -> None:
        failed = ImportFailed((obstacle,))
        super().__init__((failed.mark_training() if train else failed).obstacles)
        self.name, self.size = name, size


class SmallExample(ImportFailed):
    """torch.export needs sizes of at least `least`, by their names."""

    def __init__(self, obstacle: Obstacle, least: Mapping[str, int]) -> None:
        super().__init__((obstacle,))
        self.least = least


def refuse_torchscript(module: nn.Module) -> None:
    """Raise `ImportFailed` for a module that is TorchScript or has such a child."""
    scripted = [path for path, inner in module.named_modules() if isinstance(inner, torch.jit.ScriptModule)]
    if scripted:
        why = "is TorchScript, which torch.export does not follow"
        raise ImportFailed((Obstacle("the module", why, scripted[0], "import the module as it was before `torch.jit`"),))


def export_program(
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    dynamic: Any,
    sizes: dict[str, int],
    *,
    train: bool = False,
) -> ExportedProgram:
    modes = {inner: inner.training for inner in module.modules()}
    module.train(train)
    try:
        with (
            replace_opaque_modules(module),
            use_static_experts(module),
            skip_distribution_checks(),
            trace_held_parameters(module),
            isolate_user_code(module),
            silence_output(),
            keep_full_traces(),
            # the package orders the products by the sizes of the example, which would fix them
            torch.backends.opt_einsum.flags(enabled=False),
        ):
            try:
                return _export_within_known_sizes(module, args, kwargs, dynamic, sizes)
            except RuntimeError as error:
                if train or not _NEEDS_NO_GRADIENTS.search(str(error)):
                    raise
            with torch.no_grad():
                return _export_within_known_sizes(module, args, kwargs, dynamic, sizes)
    except ImportFailed:
        raise
    except Exception as error:  # the module's own code runs: it may raise anything
        fixed = FIXED.search(extract_suggested_fixes(str(error)))
        obstacle = (
            fixed_size_obstacle(fixed[1], fixed[2], find_running_module(error, module)) if fixed else explain_export_failure(error, module)
        )
        if fixed:
            raise FixedSize(obstacle, fixed[1], int(fixed[2]), train=train) from error
        failed = ImportFailed((obstacle,))
        raise (failed.mark_training() if train else failed) from error
    finally:
        # `module.train(mode)` would set all modules inside to one mode, and a frozen batch norm may be in evaluation.
        for inner, mode in modes.items():
            inner.training = mode


def _export_within_known_sizes(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], dynamic: Any, sizes: Mapping[str, int]
) -> ExportedProgram:
    """Export with ranges of sizes or, if torch.export finds none, with assertions about the sizes.

    Its solver does not know that `(T + -T % 4) // 4` is smaller than `T + -T % 4`, so it looks for ranges without end.
    """
    try:
        return _export_with_ranges(module, args, kwargs, dynamic, sizes)
    except (UserError, AssertionError, SmallExample) as error:
        if not _is_unsolved(error):
            raise
        try:
            return _export_with_ranges(module, args, kwargs, dynamic, sizes, asserting=True)
        except Exception:  # the first error says more
            raise error from None


def _is_unsolved(error: Exception) -> bool:
    """Return whether torch.export found neither ranges of the sizes nor a single size."""
    if isinstance(error, SmallExample):
        return BATCH not in error.least
    message = str(error)
    return bool(UNSOLVED.search(message) or (VIOLATED.search(message) and not FIXED.search(extract_suggested_fixes(message))))


def _export_with_ranges(
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    dynamic: Any,
    sizes: Mapping[str, int],
    *,
    asserting: bool = False,
) -> ExportedProgram:
    """Export again and again with the ranges and multiples that torch.export demands, but never with a single size.

    `asserting`: the program asserts what torch.export cannot solve.
    """
    options: dict[str, Any] = {"strict": False, "prefer_deferred_runtime_asserts_over_guards": asserting}
    for _ in range(_MAX_ATTEMPTS):
        try:
            return torch.export.export(module, args, kwargs, dynamic_shapes=dynamic, **options)
        except UserError as error:
            message = str(error)
            fixes = extract_suggested_fixes(message)
            violated = VIOLATED.search(message)
            if violated is None or FIXED.search(fixes):
                raise
            if not asserting and _REMAINDER.search(fixes):
                # A size such as `4*_T - 1` cannot be imported. With assertions, torch.export need not solve for T.
                with suppress(Exception):
                    return _export_with_ranges(module, args, kwargs, dynamic, sizes, asserting=True)
            if fixes:
                dynamic = refine_dynamic_shapes_from_suggested_fixes(f"Suggested fixes:\n{fixes}", dynamic)
            else:
                narrowed = _exclude_upper_bounds(dynamic, message)
                dynamic = narrowed or _raise_lower_bounds(dynamic, set(violated[1].split(", ")), sizes)
            _check_examples(dynamic, sizes)
    # The last attempt raises what torch.export still demands.
    return torch.export.export(module, args, kwargs, dynamic_shapes=dynamic, **options)


def _exclude_upper_bounds(dynamic: Any, message: str) -> Any | None:
    """Exclude the greatest size, where torch.export says that it may behave differently. None if it says so of no greatest size.

    Often the difference is only how a tensor lies in memory: a slice of a whole buffer is contiguous.
    """
    dims = {dim.__name__: dim for dim in tree_leaves(dynamic) if isinstance(dim, ExportDim)}
    ends = {name: int(size) for name, size in _EXCLUDED.findall(message) if name in dims and dims[name].max == int(size)}
    narrowed = {name: ExportDim(name, min=dims[name].min, max=size - 1) for name, size in ends.items()}
    return tree_map(lambda dim: narrowed.get(getattr(dim, "__name__", ""), dim), dynamic) if narrowed else None


def _raise_lower_bounds(dynamic: Any, names: set[str], sizes: Mapping[str, int]) -> Any:
    """Raise the lower bounds of sizes whose least values behave differently. torch.export does not say up to which value.

    An example that is smaller than the new bound becomes the bound, as long as it is greater than the old one.
    """

    def raised(dim: Any) -> Any:
        if not isinstance(dim, ExportDim) or dim.__name__ not in names:
            return dim
        # Doubling reaches a bound that is not known in a few exports.
        least = min(max(FEW, 2 * dim.min), max(sizes.get(dim.__name__, FEW), dim.min + 1))
        return raised_dims.setdefault(dim.__name__, ExportDim(dim.__name__, min=least, max=dim.max))

    raised_dims: dict[str, Any] = {}
    return tree_map(raised, dynamic)


def _check_examples(dynamic: Any, sizes: Mapping[str, int]) -> None:
    """Refuse an example that is smaller than torch.export needs."""
    dims = {dim.__name__: dim for dim in tree_leaves(dynamic) if isinstance(dim, ExportDim)}
    small = [(name, dim.min) for name, dim in dims.items() if sizes.get(name, dim.min) < dim.min]
    if small:
        why = ", ".join(f"{name} of at least {least}, and the example has {sizes[name]}" for name, least in small)
        raise SmallExample(Obstacle("torch.export", f"needs {why}", "", "give larger examples"), dict(small))
