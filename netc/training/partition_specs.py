"""Write the plan of tensor parallelism as data: for each parameter, the axis that several devices share.

In: the program of a model, and the number of devices. Out: by a pattern of keys, `tp` or None for each axis of the parameter, as
`jax.sharding.PartitionSpec` takes them. Always: what has no entry is whole on each device. A `*` stands for one part of a key, and all keys
that fit a pattern have its axes.

    >>> import netc
    >>> model = netc.compile("input 4 -> repeat 3 as layers { dense 16 relu as up -> dense 4 as down }")
    >>> for pattern, axes in partition_parameters(model.program, 2).items():
    ...     print(pattern, axes)
    layers.*.up.weight ('tp', None)
    layers.*.up.bias ('tp',)
    layers.*.down.weight (None, 'tp')
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.ir.graph import Program

from .shardable_layers import COLUMNS, HEADS, PACKED, ROWS, require_program_plan

AXIS = "tp"
"""The name of the axis of the mesh."""
Axes = tuple[str | None, ...]
T = TypeVar("T")
_FEATURES, _INPUTS = (AXIS, None), (None, AXIS)
STYLES: dict[str, dict[str, Axes]] = {
    COLUMNS: {"weight": _FEATURES, "bias": (AXIS,)},
    PACKED: {"weight": _FEATURES, "bias": (AXIS,)},
    ROWS: {"weight": _INPUTS},
    HEADS: {"in_proj_weight": _FEATURES, "in_proj_bias": (AXIS,), "out_proj.weight": _INPUTS},
}
"""The shared axis of each parameter of a layer, by the way in which the layer is split."""


def partition_parameters(program: Program, devices: int) -> dict[str, Axes]:
    """Return the axes by pattern, in the order of the keys. Raises `CompileError` if that many devices can share no layer."""
    plan = require_program_plan(program, devices)
    keys = list(collect_parameters(program))
    known = set(keys)
    parts = ((f"{path}.{name}", axes) for path, style in plan.styles.items() for name, axes in STYLES[style].items())
    by_key = {key: axes for key, axes in parts if key in known}
    return generalize_keys(by_key, keys)


def generalize_keys(by_key: Mapping[str, T], keys: Sequence[str]) -> dict[str, T]:
    """Return the values of some keys by patterns, in the order of all keys. Keys that differ in a number share a pattern if their values
    are equal."""
    return {_generalize(key, by_key, keys): by_key[key] for key in keys if key in by_key}


def _generalize(key: str, by_key: Mapping[str, object], keys: Iterable[str]) -> str:
    """Replace each part of a key that has a digit by `*`, if more keys fit then, and all of them have the axes of this one."""
    parts, count = key.split("."), 1
    for index, part in enumerate(parts):
        if any(letter.isdigit() for letter in part):
            wider = [*parts[:index], "*", *parts[index + 1 :]]
            fitting = [other for other in keys if _fits(other, wider)]
            if len(fitting) > count and all(by_key.get(other) == by_key[key] for other in fitting):
                parts, count = wider, len(fitting)
    return ".".join(parts)


def _fits(key: str, pattern: list[str]) -> bool:
    parts = key.split(".")
    return len(parts) == len(pattern) and all(map(fnmatchcase, parts, pattern))
