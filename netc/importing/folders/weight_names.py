"""Map the names of a checkpoint to the names of a spec.

In: the tensors of a checkpoint, the names of the spec's parameters, and the rules of the family. Out: tensors under the spec's names.
Always: a tensor is left out only if a rule says so, or if the spec has no part for it; `left_out` lists the latter. No value is read.

Checkpoints have other names for three reasons: transformers has renamed layers since (`LayerNorm.gamma`), the class that wrote the
checkpoint had its base model under a name (`bert.encoder`) or was the base model itself, and some layers are stored in parts.

    >>> rules = NameRules("bert.", ("bert.",))
    >>> list(map_tensors({"encoder.0.weight": None}, ["bert.encoder.0.weight"], rules).tensors)
    ['bert.encoder.0.weight']
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from netc.compiler.types.numpy_types import Array
from netc.compiler.weights.lazy_tensors import StoredTensor
from netc.dsl.record import Record

Combine = Callable[[Sequence[Array]], Array]
"""Combines the parts of a tensor, which are in the order of their numbers."""


class StackRule(Record):
    """A tensor of the spec that checkpoints store in parts.

    `pattern` matches the names of the parts; its group `number` is the part's number, and its group `part` selects the kind of part. The
    tensors of each number are concatenated in the order of `parts`, and the results are stacked.
    """

    pattern: str
    name: str
    parts: tuple[str, ...]


class NameRules(Record):
    """The rules of a family. `base` is the name of the base model in the spec, with a point, or empty if the spec is the base model;
    `base_names` are its names in checkpoints. `renames` are patterns with their replacements, and `dropped` patterns of tensors that no
    model needs."""

    base: str = ""
    base_names: tuple[str, ...] = ()
    renames: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = ()
    dropped: tuple[str, ...] = ()
    stacks: tuple[StackRule, ...] = ()


class MappedTensors(Record):
    """Tensors under the names of a spec, and the names of the checkpoint that the spec has no part for."""

    tensors: Mapping[str, StoredTensor]
    left_out: tuple[str, ...]


_OLD_NAMES = ((r"\.gamma$", ".weight"), (r"\.beta$", ".bias"))
"""The names of layer norms in checkpoints that were converted from TensorFlow."""


def map_tensors(tensors: Mapping[str, StoredTensor], names: Collection[str], rules: NameRules) -> MappedTensors:
    """Return the tensors under the names of the spec."""
    renamed: dict[str, StoredTensor] = {}
    for name, tensor in tensors.items():
        if any(re.search(pattern, name) for pattern in rules.dropped) and name not in names:
            continue
        new_name = _rename(name, names, rules)
        # Two tensors with one new name stay apart, so that the comparison of names reports the second.
        renamed[name if new_name in renamed else new_name] = tensor
    stacked = _stack_parts(renamed, rules.stacks)
    left_out = tuple(name for name in stacked if name not in names)
    return MappedTensors({name: tensor for name, tensor in stacked.items() if name in names}, left_out)


def _rename(name: str, names: Collection[str], rules: NameRules) -> str:
    if name in names:
        return name
    for pattern, replacement in (*_OLD_NAMES, *rules.renames):
        name = re.sub(pattern, replacement, name)
    if name in names or not rules.base_names:
        return name
    bare = next((name.removeprefix(prefix) for prefix in rules.base_names if name.startswith(prefix)), name)
    candidate = rules.base + bare
    return candidate if candidate in names else name


def _stack_parts(tensors: Mapping[str, StoredTensor], rules: Sequence[StackRule]) -> dict[str, StoredTensor]:
    result = dict(tensors)
    for rule in rules:
        groups: dict[str, dict[tuple[int, str], StoredTensor]] = {}
        for name in tensors:
            match = re.fullmatch(rule.pattern, name)
            if match:
                groups.setdefault(match.expand(rule.name), {})[int(match["number"]), match["part"]] = result.pop(name)
        for name, parts in groups.items():
            result[name] = _stack_group(parts, rule.parts)
    return result


def _stack_group(parts: Mapping[tuple[int, str], StoredTensor], kinds: Sequence[str]) -> StoredTensor:
    """Concatenate the parts of each number, and stack the results. Missing parts give a shape that no spec has."""
    numbers = sorted({number for number, _ in parts})
    ordered = [[parts[number, kind] for kind in kinds if (number, kind) in parts] for number in numbers]
    shapes = {tuple(tensor.shape for tensor in row) for row in ordered}
    complete = numbers == list(range(len(numbers))) and all(len(row) == len(kinds) for row in ordered) and len(shapes) == 1
    first = ordered[0]
    if not complete or any(tensor.shape[1:] != first[0].shape[1:] for tensor in first):
        return StoredTensor((0,), first[0].kind, lambda: np.zeros(0, np.float32))
    shape = (len(numbers), sum(tensor.shape[0] for tensor in first), *first[0].shape[1:])
    return StoredTensor(shape, first[0].kind, lambda: np.stack([np.concatenate([tensor.read() for tensor in row]) for row in ordered]))
