"""Reads a PyTorch module, or a program that torch.export made, as a typed graph.

In: a module and example inputs, or an `ExportedProgram`. Out: an `Imported`, or an `ImportFailed` that is raised. Always: torch.export runs
the module in evaluation, and with `train` also in training. Afterwards the module is as it was before.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch._dynamo.exc import UserError
from torch.export import Dim as ExportDim
from torch.export import ExportedProgram
from torch.export.dynamic_shapes import refine_dynamic_shapes_from_suggested_fixes
from torch.utils._pytree import tree_leaves, tree_map, tree_map_only

from netc.dsl.record import replace

from ...dims import Condition, free_symbols
from ...types.tensor_types import BATCH
from ..imported_model import Imported, ImportFailed, Obstacle
from .call_arguments import clone_repeated_tensors, declare_keywords, split_arguments
from .capture_output import silence_output
from .export_errors import FIXED, VIOLATED, explain_export_failure, extract_suggested_fixes, find_running_module, fixed_size_obstacle
from .module_calls import find_aliases
from .opaque import replace_opaque_modules
from .programs import read_program
from .traceable_experts import use_static_experts
from .traces import keep_full_traces
from .user_code import isolate_user_code

_MAX_ATTEMPTS = 6
"""The number of exports with other ranges of sizes. Each export is slow."""
_FEW = 8
"""The number of samples from which examples are repeated no further, and the first lower bound that is tried for a size."""
_OF_BATCH = re.compile(rf"\b{BATCH}\b")
"""Matches an obstacle that speaks of the number of samples."""
_EXCLUDED = re.compile(r"Not all values of (\w+) = .* satisfy the generated guard L\[.*\]\.size\(\)\[\d+\] != (\d+)\.")
"""Matches torch.export's message that one size is a case of its own."""
_NEEDS_NO_GRADIENTS = re.compile(r"a (?:view of a )?leaf Variable that requires grad is being used in an in-place operation")
"""Matches PyTorch's message about a change in place that it accepts only without gradients, as code for inference runs."""
Axes = Mapping[int, str] | Sequence[str | None]
"""The names of axes: by their numbers, or one for each axis, None for a size that is fixed."""


def from_module(
    module: nn.Module,
    inputs: Any,
    dims: Mapping[str | int, Axes] | None = None,
    *,
    train: bool = False,
    stated: Sequence[Condition] = (),
    implied_batch: bool | None = None,
) -> Imported:
    """Read a module as a typed graph, in evaluation mode, and with `train` in training mode too.

    `inputs` are example tensors: one, a tuple of them by position, a mapping by name, or a pair of both. `dims` names symbolic axes of
    inputs, by the name of the input or its position; of an input that it does not have, axis 0 is the batch. Other arguments than tensors
    are fixed. `stated` are conditions on the sizes that the user stated. `implied_batch`: nobody asked for a symbolic batch, so that it
    may be fixed where the module's code does that; by default, unless `dims` names it. Raises `ImportFailed` with everything that has no
    counterpart.
    """
    args, kwargs = split_arguments(inputs)
    implied = not any(BATCH in _number_axes(axes).values() for axes in (dims or {}).values()) if implied_batch is None else implied_batch
    call = _Call(module, args, kwargs, dims)
    try:
        return _import_with_enough_samples(call, train, stated)
    except FixedSize as fixed:
        if fixed.name != BATCH or not implied:
            raise
        note = f"The module's code depends on the number of samples, so the batch is fixed at {fixed.size} (`batch=false`)."
        return _add_notes(_Call(module, args, kwargs, dims, batch=False).export_graph(train, stated), [note])
    except ImportFailed as failed:
        if not implied or not any(_OF_BATCH.search(obstacle.why) for obstacle in failed.obstacles):
            raise
        return _import_with_fixed_batch(_Call(module, args, kwargs, dims, batch=False), failed, train, stated)


def _import_with_fixed_batch(call: _Call, failed: ImportFailed, train: bool, stated: Sequence[Condition]) -> Imported:
    """Import the module for the number of samples of the examples, after it failed for a symbolic one.

    Convolutions with other weights for each sample, as in CondConv, have as many groups as there are samples, and the groups of a `conv`
    must be a number. Raises `failed` if a fixed batch does not help.
    """
    try:
        imported = call.export_graph(train, stated)
    except ImportFailed:
        raise failed from None
    reason = next(obstacle for obstacle in failed.obstacles if _OF_BATCH.search(obstacle.why))
    where = f" (in `{reason.where}`)" if reason.where else ""
    note = f"The batch is fixed (`batch=false`), because with a symbolic number of samples {reason.what} {reason.why}{where}."
    return _add_notes(imported, [note])


def _import_with_enough_samples(call: _Call, train: bool, stated: Sequence[Condition]) -> Imported:
    """Import the module with as many samples as torch.export needs, by repeating the examples."""
    samples = 2
    while True:
        try:
            return call.export_graph(train, stated, samples)
        except SmallExample as small:
            # Only the batch can be enlarged without changing what the module computes for a sample.
            if set(small.least) != {BATCH} or samples >= _FEW:
                raise
            # Doubling reaches the needed number in a few exports, and each export is slow.
            samples = max(2 * samples, small.least[BATCH])


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


class _Call:
    """A module with the arguments of its call. Without `batch`, there are as many samples as examples."""

    def __init__(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], dims: Mapping[str | int, Axes] | None, *, batch: bool = True
    ) -> None:
        self.module, self.args, self.kwargs = module, args, kwargs
        self.notes: list[str] = []
        called = list(inspect.signature(module.forward).parameters)
        keys: list[tuple[str | int, ...]] = [(position, *called[position : position + 1]) for position in range(len(args))]
        known = {key for several in keys for key in several} | kwargs.keys()
        for key in dims or {}:
            if key not in known:
                listed = ", ".join(repr(key) for several in keys for key in several) or ", ".join(map(repr, kwargs))
                raise ValueError(f"`dims` names the axes of {key!r}, which is none of the inputs: {listed}")
        samples = next((value.shape[0] for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor) and value.dim()), None)
        self.names = [self._name_axes(dims, key, value, samples) for key, value in zip(keys, args, strict=True)]
        self.named = {name: self._name_axes(dims, (name,), value, samples) for name, value in kwargs.items()}
        if not batch:
            self.names, self.named = tree_map(_drop_batch, (self.names, self.named), is_leaf=_is_axes)

    def _name_axes(self, dims: Mapping[str | int, Axes] | None, keys: tuple[str | int, ...], example: Any, samples: int | None) -> Any:
        """Name the symbolic axes of each tensor in one argument. `keys` are its position and its name.

        By default axis 0 is the batch, if it is as long as the first tensor's.
        """
        explicit = next((dims[key] for key in keys if dims and key in dims), None)
        if explicit is not None:
            by_number = _number_axes(explicit)
            return tree_map_only(torch.Tensor, lambda tensor: _normalize_axes(by_number, tensor, keys[-1]), example)

        def default_axes(tensor: torch.Tensor) -> dict[int, str]:
            if not tensor.dim():
                return {}
            if tensor.shape[0] == samples:
                return {0: BATCH}
            self.notes.append(
                f"Axis 0 of `{keys[-1]}` is not the batch, since the first input has {samples} samples: it is fixed at {tensor.shape[0]}."
            )
            return {}

        return tree_map_only(torch.Tensor, default_axes, example)

    def export_graph(self, train: bool, stated: Sequence[Condition], samples: int = 2) -> Imported:
        """Export the module with at least `samples` samples, and read the program. Raises `ImportFailed`."""
        shared: dict[str, Any] = {}
        names, named = self.names, self.named
        spec = (
            tuple(_make_dynamic_shapes(axes, shared) for axes in names),
            {name: _make_dynamic_shapes(axes, shared) for name, axes in named.items()},
        )
        args, kwargs = clone_repeated_tensors((self.args, self.kwargs))
        examples = [_enlarge_example(item, axes, samples) for item, axes in zip(args, names, strict=True)]
        keywords = {name: _enlarge_example(item, named[name], samples) for name, item in kwargs.items()}
        sizes: dict[str, int] = {}
        tree_map(partial(_note_sizes, sizes), (examples, keywords), (names, named), is_leaf=lambda item: isinstance(item, torch.Tensor))
        with declare_keywords(self.module, keywords):
            called_with = tuple(examples), keywords, _bind_arguments(self.module, *spec), sizes
            evaluation = _export_program(self.module, *called_with, self.notes)
            training = _export_program(self.module, *called_with, self.notes, train=True) if train else None
        # The user may state a condition on a size that no axis of these inputs has.
        known = [item for item in stated if free_symbols(item.left) | free_symbols(item.right) <= set(sizes)]
        axes = [*names, *named.values()]
        imported = read_program(evaluation, type(self.module).__name__, axes, find_aliases(self.module), training, known, read_source=True)
        return _add_notes(imported, self.notes)


def _drop_batch(axes: Any) -> Any:
    return {axis: name for axis, name in axes.items() if name != BATCH} if _is_axes(axes) else axes


def _add_notes(imported: Imported, notes: Sequence[str]) -> Imported:
    # The notes hold for the other reading of the program too.
    otherwise = imported.otherwise
    again = None if otherwise is None else lambda: _add_notes(otherwise(), notes)
    return replace(imported, notes=tuple(dict.fromkeys((*imported.notes, *notes))), otherwise=again)


def from_exported(program: ExportedProgram, module: nn.Module | None = None) -> Imported:
    """Read an exported program, such as a `.pt2` file. Its symbolic sizes are called N, and then A, B, C..."""
    imported = read_program(program, "Model" if module is None else type(module).__name__, None)
    return replace(imported, widened=False)  # the program itself refuses sizes outside of its conditions


def _normalize_axes(names: Mapping[int, str], tensor: torch.Tensor, of: str | int) -> dict[int, str]:
    """Convert axes that count from the end, and refuse those that the tensor does not have."""
    for axis in names:
        if not -tensor.dim() <= axis < tensor.dim():
            raise ValueError(f"`dims` names axis {axis} of {of!r}, whose example has the shape {list(tensor.shape)}")
    for name in names.values():
        if not isinstance(name, str) or not (name.isascii() and name.isidentifier() and name.isupper()):
            raise ValueError(f"`dims` has {name!r} for an axis of {of!r}: write a name in capital letters, such as 'T'")
    return {axis % tensor.dim(): name for axis, name in names.items()}


def _number_axes(axes: Axes) -> dict[int, str]:
    if isinstance(axes, Mapping):
        return dict(axes)
    if not isinstance(axes, Sequence) or isinstance(axes, str):
        raise TypeError(f"`dims` must name the axes of an argument in a list or a mapping, not {type(axes).__name__}")
    return {axis: name for axis, name in enumerate(axes) if name is not None}


def _is_axes(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, int) for key in value)


def _make_dynamic_shapes(axes: Any, shared: dict[str, Any]) -> Any:
    """Make the dynamic shapes for torch.export, with one `Dim` for each name."""
    if _is_axes(axes):
        return {axis: shared.setdefault(name, ExportDim(name)) for axis, name in axes.items()}
    if isinstance(axes, list | tuple):
        return type(axes)(_make_dynamic_shapes(inner, shared) for inner in axes)
    if isinstance(axes, dict):
        return {name: _make_dynamic_shapes(inner, shared) for name, inner in axes.items()}
    return None


def _enlarge_example(value: Any, axes: Any, samples: int) -> Any:
    """Repeat the example so that each symbolic axis has at least 2 elements: torch.export specializes on a size of 1."""
    if isinstance(value, torch.Tensor) and _is_axes(axes):
        for axis, name in axes.items():
            least, size = samples if name == BATCH else 2, value.shape[axis]
            if 0 < size < least:
                value = torch.cat([value] * -(-least // size), axis)
        return value
    return value


def _note_sizes(sizes: dict[str, int], value: Any, axes: Any) -> None:
    """Record the size that the example has for each name."""
    if isinstance(value, torch.Tensor) and _is_axes(axes):
        sizes.update((name, value.shape[axis]) for axis, name in axes.items())


def _bind_arguments(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Bind the dynamic shapes to the names of `forward`'s arguments, as torch.export expects them."""
    try:
        return dict(inspect.signature(module.forward).bind(*args, **kwargs).arguments)
    except TypeError as error:
        raise ImportFailed((Obstacle("forward", f"cannot be called with these inputs: {error}", ""),)) from error


def _export_program(
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    dynamic: Any,
    sizes: dict[str, int],
    notes: list[str],
    *,
    train: bool = False,
) -> ExportedProgram:
    scripted = [path for path, inner in module.named_modules() if isinstance(inner, torch.jit.ScriptModule)]
    if scripted:
        why = "is TorchScript, which torch.export does not follow"
        raise ImportFailed(
            tuple(Obstacle("the module", why, path, "import the module as it was before `torch.jit`") for path in scripted[:1])
        )
    modes = {inner: inner.training for inner in module.modules()}
    module.train(train)
    try:
        with replace_opaque_modules(module), use_static_experts(module), isolate_user_code(), silence_output(), keep_full_traces():
            try:
                return _export_within_known_sizes(module, args, kwargs, dynamic, sizes, notes)
            except RuntimeError as error:
                if train or not _NEEDS_NO_GRADIENTS.search(str(error)):
                    raise
            with torch.no_grad():
                return _export_within_known_sizes(module, args, kwargs, dynamic, sizes, notes)
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
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], dynamic: Any, sizes: Mapping[str, int], notes: list[str]
) -> ExportedProgram:
    """Export with ranges of sizes or, if torch.export finds none, with assertions about the sizes.

    Its solver does not know that `(T + -T % 4) // 4` is smaller than `T + -T % 4`, so it looks for ranges without end.
    """
    try:
        return _export_with_ranges(module, args, kwargs, dynamic, sizes, notes)
    except (UserError, AssertionError, SmallExample) as error:
        if not _is_unsolved(error):
            raise
        try:
            return torch.export.export(
                module, args, kwargs, dynamic_shapes=dynamic, strict=False, prefer_deferred_runtime_asserts_over_guards=True
            )
        except Exception:  # the first error says more
            raise error from None


def _is_unsolved(error: Exception) -> bool:
    """Return whether torch.export found neither ranges of the sizes nor a single size."""
    if isinstance(error, SmallExample):
        return BATCH not in error.least
    message = str(error)
    return "Cannot create Dim with inconsistent" in message or bool(
        VIOLATED.search(message) and not FIXED.search(extract_suggested_fixes(message))
    )


def _export_with_ranges(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], dynamic: Any, sizes: Mapping[str, int], notes: list[str]
) -> ExportedProgram:
    """Export again and again with the ranges and multiples that torch.export demands, but never with a single size."""
    for _ in range(_MAX_ATTEMPTS):
        try:
            return torch.export.export(module, args, kwargs, dynamic_shapes=dynamic, strict=False)
        except UserError as error:
            message = str(error)
            fixes = extract_suggested_fixes(message)
            violated = VIOLATED.search(message)
            if violated is None or FIXED.search(fixes):
                raise
            if fixes:
                dynamic = refine_dynamic_shapes_from_suggested_fixes(f"Suggested fixes:\n{fixes}", dynamic)
            else:
                narrowed = _exclude_upper_bounds(dynamic, message, notes)
                dynamic = narrowed or _raise_lower_bounds(dynamic, set(violated[1].split(", ")), sizes)
            _check_examples(dynamic, sizes)
    # The last attempt raises what torch.export still demands.
    return torch.export.export(module, args, kwargs, dynamic_shapes=dynamic, strict=False)


def _exclude_upper_bounds(dynamic: Any, message: str, notes: list[str]) -> Any | None:
    """Exclude the greatest size, where torch.export says that it may behave differently. None if it says so of no greatest size.

    Often the difference is only how a tensor lies in memory: a slice of a whole buffer is contiguous.
    """
    dims = {dim.__name__: dim for dim in tree_leaves(dynamic) if isinstance(dim, ExportDim)}
    ends = {name: int(size) for name, size in _EXCLUDED.findall(message) if name in dims and dims[name].max == int(size)}
    narrowed = {name: ExportDim(name, min=dims[name].min, max=size - 1) for name, size in ends.items()}
    notes += [f"{name}={size} is left out: for torch.export it is a case of its own." for name, size in ends.items()]
    return tree_map(lambda dim: narrowed.get(getattr(dim, "__name__", ""), dim), dynamic) if narrowed else None


def _raise_lower_bounds(dynamic: Any, names: set[str], sizes: Mapping[str, int]) -> Any:
    """Raise the lower bounds of sizes whose least values behave differently. torch.export does not say up to which value.

    An example that is smaller than the new bound becomes the bound, as long as it is greater than the old one.
    """

    def raised(dim: Any) -> Any:
        if not isinstance(dim, ExportDim) or dim.__name__ not in names:
            return dim
        # Doubling reaches a bound that is not known in a few exports.
        least = min(max(_FEW, 2 * dim.min), max(sizes.get(dim.__name__, _FEW), dim.min + 1))
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
