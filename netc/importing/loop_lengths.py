"""Imports modules with a Python loop over a symbolic size, which torch.export can read for one length only.

In: a module and its arguments, and the name of such a size. Out: the model for every length. netc reads the module at two lengths, whose
texts must differ in numbers alone: 5 in one and 7 in the other become `T`, and 4 and 6 become `T - 1`. Always: the text is proved at other
lengths. If this fails, torch.export's own failure is raised.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netc.compiler.backends.net.artifact import name_stored_arrays
from netc.compiler.backends.net.spec_source import write_program
from netc.compiler.errors.target_errors import UnsupportedByTarget
from netc.compiler.frontends.imported_model import Imported, ImportFailed
from netc.compiler.frontends.tidying import tidy_program
from netc.compiler.frontends.tidying.time_loops import fold_time_loops
from netc.compiler.frontends.torch import from_module
from netc.compiler.frontends.torch.user_code import isolate_user_code
from netc.dsl.source import SourceFile

from ..analysis import Choice, analyze

if TYPE_CHECKING:
    import torch

    from netc.compiler.dims import Condition
    from netc.compiler.frontends.torch.export_program import FixedSize
    from netc.compiler.ir.graph import Program

Dims = Mapping[str | int, Any]
LENGTHS = 5, 7
FURTHER = 1, 67
"""The further lengths at which the text is proved. Code that treats some positions differently usually does so for the first few."""
_INPUTS = re.compile(r"^(?:\w+ = )?input .*?(?=$| ->)", re.MULTILINE)


def read_at_lengths(
    module: torch.nn.Module,
    arguments: tuple[Sequence[Any], Mapping[str, Any]],
    dims: Dims,
    fixed: FixedSize,
    stated: Sequence[Condition],
    implied_batch: bool | None,
) -> Imported:
    """Import the module for all lengths of the size that torch.export fixed. Raises `fixed` if that is not possible."""
    readings: list[tuple[Imported, str]] = []
    others = [condition for condition in stated if fixed.name not in str(condition)]
    for length in LENGTHS:
        resized = _resize_arguments(module, arguments, dims, fixed.name, length)
        if resized is None:
            raise fixed
        try:
            imported = from_module(module, resized, _drop_name(dims, fixed.name), stated=others, implied_batch=implied_batch)
            readings.append((imported, _write_loop_text(imported.program)))
        except (ImportFailed, UnsupportedByTarget, _NoLoop):
            raise fixed from None
    shortest = _resize_arguments(module, arguments, dims, fixed.name, 1)
    conditions = [str(condition) for condition in stated] + (
        [] if shortest is not None and _can_run(module, *shortest) else [f"{fixed.name} >= 2"]
    )
    program = _compile_general_text([text for _, text in readings], fixed.name, conditions)
    if program is None:
        raise fixed

    def fail() -> Imported:
        raise fixed

    first = readings[0][0]
    note = f"The module's code loops over {fixed.name}, and was read at {' and '.join(f'{fixed.name}={n}' for n in LENGTHS)}."
    return Imported(
        program,
        first.weights,
        (*first.notes, note),
        stated=tuple(map(str, stated)),
        further=tuple((fixed.name, n) for n in FURTHER),
        otherwise=fail,
    )


def _can_run(module: torch.nn.Module, positional: Sequence[Any], named: Mapping[str, Any]) -> bool:
    """Return whether the module accepts these arguments."""
    import torch

    modes = {inner: inner.training for inner in module.modules()}
    try:
        module.eval()
        with isolate_user_code(module), torch.no_grad():
            module(*positional, **named)
    except Exception:  # it is the user's code
        return False
    finally:
        for inner, mode in modes.items():
            inner.training = mode
    return True


class _NoLoop(Exception):
    """The program has no loop over time."""


def _write_loop_text(program: Program) -> str:
    """Write the text of a program. Raises `_NoLoop` if it has no `scan`."""
    tidy_program(program)
    stored = name_stored_arrays(program, "lengths.net")
    if fold_time_loops(program) is None or stored.arrays:
        raise _NoLoop
    return write_program(program, (), stored)


def _resize_arguments(
    module: torch.nn.Module, arguments: tuple[Sequence[Any], Mapping[str, Any]], dims: Dims, name: str, length: int
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Return the arguments with another length. None if an axis with that name is not of a tensor by position or name."""
    import torch

    positional, named = list(arguments[0]), dict(arguments[1])
    order = list(inspect.signature(module.forward).parameters)
    for key, axes in dims.items():
        index = key if isinstance(key, int) else order.index(key) if key in order and key not in named else -1
        for axis in (axis for axis, axis_name in _list_named_axes(axes) if axis_name == name):
            tensor = named.get(str(key)) if index < 0 else positional[index] if index < len(positional) else None
            if not isinstance(tensor, torch.Tensor):
                return None
            # Repeated elements instead of random ones, so that indices stay valid.
            resized = tensor.index_select(axis, torch.arange(length) % tensor.shape[axis])
            if index < 0:
                named[str(key)] = resized
            else:
                positional[index] = resized
    return tuple(positional), named


def _list_named_axes(axes: Any) -> list[tuple[int, Any]]:
    return list(axes.items()) if isinstance(axes, Mapping) else list(enumerate(axes or ()))


def _drop_name(dims: Dims, name: str) -> Dims:
    """Return the names of axes without one of the names."""
    return {
        key: {axis: axis_name for axis, axis_name in axes.items() if axis_name != name}
        if isinstance(axes, Mapping)
        else [None if axis_name == name else axis_name for axis_name in axes]
        for key, axes in dims.items()
    }


def _compile_general_text(texts: Sequence[str], name: str, stated: Sequence[str]) -> Program | None:
    """Compile the text for all lengths. None if the texts differ in more than numbers, or if it does not compile."""
    text = generalize_texts(texts, name)
    for conditions in ([*stated], [*stated, f"{name} >= 2"]):  # of T - 1 positions there may be none
        if text is None:
            return None
        where = f" where {', '.join(conditions)}" if conditions else ""
        *_, last = _INPUTS.finditer(text)
        analysis = analyze(SourceFile("lengths.net", text[: last.end()] + where + text[last.end() :]), Choice())
        if analysis.program is not None and not any(diagnostic.severity == "error" for diagnostic in analysis.diagnostics):
            return analysis.program
    return None


def generalize_texts(texts: Sequence[str], name: str) -> str | None:
    """Return the text for all lengths, from the texts at `LENGTHS`. None if they differ in more than numbers.

    >>> generalize_texts(["slice 0 stop=4", "slice 0 stop=6"], "T")
    'slice 0 stop=(T - 1)'
    """
    parts = [re.split(r"(\d+)", text) for text in texts]
    if len({len(pieces) for pieces in parts}) > 1 or any(pieces[::2] != parts[0][::2] for pieces in parts):
        return None
    short, long = LENGTHS
    general: list[str] = []
    for first, second in zip(*parts, strict=True):
        if first == second:
            general.append(first)
            continue
        factor, rest = divmod(int(second) - int(first), long - short)
        offset = int(first) - factor * short
        # A number that does not grow with the length by a whole factor is no size.
        if rest or factor < 1:
            return None
        size = name if factor == 1 else f"{factor} * {name}"
        general.append(size if not offset and factor == 1 else f"({size})" if not offset else f"({size} {'+-'[offset < 0]} {abs(offset)})")
    # the shape `5x3` has become `Tx3`, and a shape with a name needs brackets: `[T, 3]`
    return re.sub(rf"\binput ({name}(?:x\w+)*)", lambda shape: f"input [{shape[1].replace('x', ', ')}]", "".join(general))
