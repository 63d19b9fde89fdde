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
from torch.export import Dim as ExportDim
from torch.export import ExportedProgram
from torch.utils._pytree import tree_leaves, tree_map, tree_map_only

from netc.dsl.record import replace

from ...dims import Condition, free_symbols
from ...types.tensor_types import BATCH
from ..imported_model import Imported, ImportFailed, Obstacle
from .call_arguments import clone_repeated_tensors, declare_keywords, split_arguments
from .export_errors import fixed_size_obstacle
from .export_program import FEW, FixedSize, SmallExample, export_program, refuse_torchscript
from .module_calls import find_aliases
from .own_gradients import note_own_gradients
from .placeholders import find_user_inputs, flatten_axes
from .programs import read_program

_OF_BATCH = re.compile(rf"\b{BATCH}\b")
"""Matches an obstacle that speaks of the number of samples."""
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
    # Before anything reads its signature, which a traced `forward` does not have.
    refuse_torchscript(module)
    args, kwargs = split_arguments(inputs)
    implied = not any(BATCH in _number_axes(axes).values() for axes in (dims or {}).values()) if implied_batch is None else implied_batch
    call = _Call(module, args, kwargs, dims)
    try:
        return _import_with_enough_samples(call, train, stated)
    except FixedSize as fixed:
        if fixed.name != BATCH or not implied:
            raise
        # The export that failed may have repeated a single sample.
        samples = call.find_example_sizes()[BATCH]
        note = f"The module's code depends on the number of samples, so the batch is fixed at {samples} (`batch=false`)."
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
            if set(small.least) != {BATCH} or samples >= FEW:
                raise
            # Doubling reaches the needed number in a few exports, and each export is slow.
            samples = max(2 * samples, small.least[BATCH])


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

    def find_example_sizes(self) -> dict[str, int]:
        """Return the sizes of the symbolic dimensions in the examples."""
        return _find_sizes((list(self.args), self.kwargs), (self.names, self.named))

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
        sizes = _find_sizes((examples, keywords), (names, named))
        with declare_keywords(self.module, keywords), note_own_gradients(self.notes):
            called_with = tuple(examples), keywords, _bind_arguments(self.module, *spec), sizes
            evaluation = export_program(self.module, *called_with)
            training = export_program(self.module, *called_with, train=True) if train else None
        # The user may state a condition on a size that no axis of these inputs has.
        known = [item for item in stated if free_symbols(item.left) | free_symbols(item.right) <= set(sizes)]
        axes = [*names, *named.values()]
        imported = read_program(evaluation, type(self.module).__name__, axes, find_aliases(self.module), training, known, read_source=True)
        _check_symbols(evaluation, axes, sizes)
        # torch.export may fix a size by a comparison, too: `int(T / 2 * 2)` is a number for it.
        free = {name for item in known for name in free_symbols(item.left)}
        for name, size in sizes.items():
            if isinstance(imported.program.dims.get(name), int) and name not in free:
                raise FixedSize(fixed_size_obstacle(name, str(size), ""), name, size)
        return _add_notes(imported, self.notes)


def _find_sizes(examples: Any, names: Any) -> dict[str, int]:
    """Return the sizes of the symbolic dimensions in a tree of tensors, by the tree of the names of their axes."""
    sizes: dict[str, int] = {}
    tree_map(partial(_note_sizes, sizes), examples, names, is_leaf=lambda item: isinstance(item, torch.Tensor))
    return sizes


def _check_symbols(program: ExportedProgram, axes: Sequence[Any], sizes: Mapping[str, int]) -> None:
    """Check that reading a program has fixed no size: PyTorch's operators run with symbolic sizes, and may compare them. Raises
    `FixedSize`."""
    for node, names in zip(find_user_inputs(program), flatten_axes(axes), strict=True):
        for axis, name in (names or {}).items():
            size = None if node is None else node.meta["val"].shape[axis]
            if isinstance(size, int) or (size is not None and size.node.maybe_as_int() is not None):
                raise FixedSize(fixed_size_obstacle(name, str(sizes[name]), ""), name, sizes[name])


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
        shapes = [_make_dynamic_shapes(inner, shared) for inner in axes]
        # A named tuple takes its items as arguments.
        return type(axes)(*shapes) if hasattr(axes, "_fields") else type(axes)(shapes)
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
