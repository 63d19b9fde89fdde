"""Selects the tensors of a checkpoint that are for the model, and strips their prefix.

In: `StoredTensor`s by name, the names of the parameters, and a `Selection`. Out: the tensors under the model's names, the prefix and the
names that were left out. Always: a pattern or prefix that matches nothing raises `WeightsError`, because it is probably misspelled.

    >>> select_tensors({"module.fc.weight": None, "module.fc.bias": None}, ["fc.weight", "fc.bias"], Selection()).prefix
    'module.'
    >>> list(select_tensors({"fc.weight": None, "head.bias": None}, ["fc.weight"], Selection(ignored=("head.*",))).tensors)
    ['fc.weight']
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from itertools import islice

from netc.dsl.record import Record

from ..errors.weight_errors import SHOWN, PatternUnused, WeightsError, WeightsUnreadable
from .lazy_tensors import StoredTensor

WRAPPERS = ("module.", "_orig_mod.", "model.")
"""The prefixes of DataParallel, of torch.compile, and of Lightning or a trainer."""


class Selection(Record):
    """A choice of tensors. `prefix` is removed from the names that begin with it. `ignored` are patterns of names in the checkpoint, with
    the prefix or without. `allowed` are patterns of parameters that the checkpoint may lack."""

    prefix: str | None = None
    ignored: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


class Selected(Record):
    """The selected tensors. `prefix` is the prefix of wrappers that was removed unasked. `ignored` are the names that were left out."""

    tensors: Mapping[str, StoredTensor]
    prefix: str = ""
    ignored: tuple[str, ...] = ()


def select_tensors(tensors: Mapping[str, StoredTensor], names: Collection[str], selection: Selection) -> Selected:
    """Select tensors. If no prefix is given, the prefixes of wrappers are stripped if more names match then."""
    for pattern in selection.allowed:
        _check_pattern(pattern, names, "no parameter of the model")
    # A prefix that matches nothing is probably misspelled.
    asked = selection.prefix
    if asked and not any(name.startswith(asked) for name in tensors):
        raise WeightsError(PatternUnused(f"{asked}*", "no name in the weights", tuple(islice(tensors, SHOWN))))
    prefix = asked if asked is not None else _find_wrapper_prefix([n for n in tensors if not _matches_any(n, selection.ignored)], names)
    kept: dict[str, StoredTensor] = {}
    ignored: list[str] = []
    for name, tensor in tensors.items():
        bare = name.removeprefix(prefix)
        if _matches_any(name, selection.ignored) or _matches_any(bare, selection.ignored):
            ignored.append(name)
        # Stripping must not let one tensor hide another.
        elif bare in kept:
            raise WeightsError(WeightsUnreadable("the checkpoint", f"`{bare}` is there twice, with the prefix `{prefix}` and without it"))
        else:
            kept[bare] = tensor
    for pattern in selection.ignored:
        _check_pattern(pattern, [*ignored, *(name.removeprefix(prefix) for name in ignored)], "no name in the weights", tensors)
    return Selected(kept, "" if asked is not None else prefix, tuple(ignored))


def _matches_any(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name fits one of the patterns, which are shell patterns: `fc.*`."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def may_be_missing(selection: Selection, name: str) -> bool:
    """Whether the checkpoint may lack a parameter."""
    return _matches_any(name, selection.allowed)


def _check_pattern(pattern: str, names: Iterable[str], nothing: str, shown: Iterable[str] | None = None) -> None:
    names = list(names)
    if not any(fnmatchcase(name, pattern) for name in names):
        raise WeightsError(PatternUnused(pattern, nothing, tuple(islice(names if shown is None else shown, SHOWN))))


def _find_wrapper_prefix(theirs: Collection[str], ours: Collection[str]) -> str:
    """Return the prefixes of wrappers that all names of the weights begin with, if more names match without them."""
    ours = set(ours)
    best, most = "", len(ours.intersection(theirs))
    # Wrappers may be nested, as `module._orig_mod.`, so prefixes are stripped one after the other.
    prefix = ""
    while (further := _next_wrapper(theirs, prefix)) is not None:
        prefix += further
        agree = len(ours.intersection(name.removeprefix(prefix) for name in theirs))
        best, most = (prefix, agree) if agree > most else (best, most)
    return best


def _next_wrapper(names: Collection[str], before: str) -> str | None:
    """Return the wrapper's prefix that follows `before` in all names."""
    return next((w for w in WRAPPERS if names and all(name.startswith(before + w) for name in names)), None)
