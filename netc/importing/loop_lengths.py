"""Sizes that a Python loop counts to: torch.export reads a loop for one length alone, and says that the size can only be that.

In: a module and its arguments, and the name of such a size. Out: the model for every length. It is read at two lengths, whose texts must
differ in numbers alone: where one has 5 and the other 7 it is `T`, 4 and 6 are `T - 1`. Always: the text is proved at other lengths, as
any other; if it is none, the failure is that of torch.export.
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
    from netc.compiler.frontends.torch.exporting import FixedSize
    from netc.compiler.ir.graph import Program

Dims = Mapping[str | int, Any]
LENGTHS = 5, 7
FURTHER = 1, 67
"""The lengths at which the text is proved in addition: code that treats some positions in another way does so for few of them."""
_INPUTS = re.compile(r"^(?:\w+ = )?input .*?(?=$| ->)", re.MULTILINE)


def read_at_lengths(
    module: torch.nn.Module,
    arguments: tuple[Sequence[Any], Mapping[str, Any]],
    dims: Dims,
    fixed: FixedSize,
    stated: Sequence[Condition],
    implied_batch: bool | None,
) -> Imported:
    """The model for every size of the name that torch.export fixes. Raises `fixed` if there is none."""
    found: list[tuple[Imported, str]] = []
    others = [one for one in stated if fixed.name not in str(one)]
    for length in LENGTHS:
        resized = _resized(module, arguments, dims, fixed.name, length)
        if resized is None:
            raise fixed
        try:
            imported = from_module(module, resized, _without(dims, fixed.name), stated=others, implied_batch=implied_batch)
            found.append((imported, _looping_text(imported.program)))
        except (ImportFailed, UnsupportedByTarget, _NoLoop):
            raise fixed from None
    shortest = _resized(module, arguments, dims, fixed.name, 1)
    conditions = [str(one) for one in stated] + ([] if shortest is not None and _runs(module, *shortest) else [f"{fixed.name} >= 2"])
    program = _general_program([text for _, text in found], fixed.name, conditions)
    if program is None:
        raise fixed

    def fail() -> Imported:
        raise fixed

    first = found[0][0]
    note = f"The module's code loops over {fixed.name}, and was read at {' and '.join(f'{fixed.name}={n}' for n in LENGTHS)}."
    return Imported(
        program,
        first.weights,
        (*first.notes, note),
        stated=tuple(map(str, stated)),
        further=tuple((fixed.name, n) for n in FURTHER),
        otherwise=fail,
    )


def _runs(module: torch.nn.Module, positional: Sequence[Any], named: Mapping[str, Any]) -> bool:
    """Whether the module takes these arguments."""
    import torch

    modes = {inner: inner.training for inner in module.modules()}
    try:
        module.eval()
        with isolate_user_code(), torch.no_grad():
            module(*positional, **named)
    except Exception:  # it is the user's code
        return False
    finally:
        for inner, mode in modes.items():
            inner.training = mode
    return True


class _NoLoop(Exception):
    """There is no loop over time."""


def _looping_text(program: Program) -> str:
    """The text of a program, in which a `scan` must be."""
    tidy_program(program)
    stored = name_stored_arrays(program, "lengths.net")
    if fold_time_loops(program) is None or stored.arrays:
        raise _NoLoop
    return write_program(program, (), stored)


def _resized(
    module: torch.nn.Module, arguments: tuple[Sequence[Any], Mapping[str, Any]], dims: Dims, name: str, length: int
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """The arguments with another size of that name; None if not all of them are tensors that are known by position or name."""
    import torch

    positional, named = list(arguments[0]), dict(arguments[1])
    order = list(inspect.signature(module.forward).parameters)
    for key, axes in dims.items():
        at = key if isinstance(key, int) else order.index(key) if key in order and key not in named else -1
        for axis in (axis for axis, one in _named_axes(axes) if one == name):
            tensor = named.get(str(key)) if at < 0 else positional[at] if at < len(positional) else None
            if not isinstance(tensor, torch.Tensor):
                return None
            resized = tensor.index_select(axis, torch.arange(length) % tensor.shape[axis])
            if at < 0:
                named[str(key)] = resized
            else:
                positional[at] = resized
    return tuple(positional), named


def _named_axes(axes: Any) -> list[tuple[int, Any]]:
    return list(axes.items()) if isinstance(axes, Mapping) else list(enumerate(axes or ()))


def _without(dims: Dims, name: str) -> Dims:
    """The names of axes without that one."""
    return {
        key: {axis: one for axis, one in axes.items() if one != name}
        if isinstance(axes, Mapping)
        else [None if one == name else one for one in axes]
        for key, axes in dims.items()
    }


def _general_program(texts: Sequence[str], name: str, stated: Sequence[str]) -> Program | None:
    """The program of the text for every length; None if the texts differ in more than numbers, or if it does not compile."""
    text = general_text(texts, name)
    for conditions in ([*stated], [*stated, f"{name} >= 2"]):  # of T - 1 positions there may be none
        if text is None:
            return None
        where = f" where {', '.join(conditions)}" if conditions else ""
        *_, last = _INPUTS.finditer(text)
        analysis = analyze(SourceFile("lengths.net", text[: last.end()] + where + text[last.end() :]), Choice())
        if analysis.program is not None and not any(one.severity == "error" for one in analysis.diagnostics):
            return analysis.program
    return None


def general_text(texts: Sequence[str], name: str) -> str | None:
    """The text of all lengths, of those of `LENGTHS`; None if they differ in more than numbers."""
    parts = [re.split(r"(\d+)", text) for text in texts]
    if len({len(one) for one in parts}) > 1 or any(one[::2] != parts[0][::2] for one in parts):
        return None
    short, long = LENGTHS
    found: list[str] = []
    for first, second in zip(*parts, strict=True):
        if first == second:
            found.append(first)
            continue
        factor, rest = divmod(int(second) - int(first), long - short)
        offset = int(first) - factor * short
        if rest or factor < 1:
            return None
        size = name if factor == 1 else f"{factor} * {name}"
        found.append(size if not offset and factor == 1 else f"({size})" if not offset else f"({size} {'+-'[offset < 0]} {abs(offset)})")
    return re.sub(rf"\binput ({name}(?:x\w+)*)", lambda shape: f"input [{shape[1].replace('x', ', ')}]", "".join(found))
