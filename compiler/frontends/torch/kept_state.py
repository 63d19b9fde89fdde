"""Keeps what a module holds outside of its state dict as it was: caches that its code fills, counters, tensors that it changes in place.

In: a module whose code will run with other weights. Out: a context. Always: afterwards each attribute of each module inside has the object
that it had before, and so have the attributes of its class, of the objects in them that are of the user's own classes, and each list, dict
and set. Each tensor in them has its numbers. What is in globals, or in the closures of functions, is not looked into.

    >>> from torch import nn
    >>> layer = nn.Linear(1, 1)
    >>> layer.cache = {}
    >>> with keep_state(layer):
    ...     layer.cache["bias"], layer.calls = layer.bias * 2, 1
    >>> layer.cache, hasattr(layer, "calls")
    ({}, False)
"""

from __future__ import annotations

import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

_CONTAINERS = (dict, OrderedDict, defaultdict, list, set, deque)


@contextmanager
def keep_state(module: nn.Module | None) -> Iterator[None]:
    """Restore the state of a module at the end of the context. Without a module, do nothing."""
    if module is None:
        yield
        return
    state = _State({id(tensor) for tensor in module.state_dict(keep_vars=True).values()})
    state.record(module)
    try:
        yield
    finally:
        state.restore()


class _State:
    def __init__(self, others: set[int]) -> None:
        """`others` are the ids of tensors that somebody else restores."""
        self.seen = others
        self.containers: list[tuple[Any, Any]] = []
        self.tensors: list[tuple[torch.Tensor, int, torch.Tensor]] = []

    def record(self, value: Any) -> None:
        """Record a value, and all values in it."""
        found = [value]
        while found:
            value = found.pop()
            if id(value) in self.seen:
                continue
            if isinstance(value, nn.Module) or _is_own(value):
                self.seen.add(id(value))
                found += [vars(value), *(item for kind in type(value).__mro__ if _is_own_class(kind) for item in vars(kind).values())]
            elif isinstance(value, torch.Tensor):
                self.seen.add(id(value))
                self._record_tensor(value)
            elif type(value) in _CONTAINERS:
                self.seen.add(id(value))
                kept = value.copy()
                self.containers.append((value, kept))
                found += kept.values() if isinstance(kept, dict) else kept
            elif type(value) is tuple:
                found += value

    def _record_tensor(self, tensor: torch.Tensor) -> None:
        if tensor.is_inference() or tensor.layout != torch.strided or type(tensor) not in (torch.Tensor, nn.Parameter):
            return
        self.tensors.append((tensor, tensor._version, tensor.detach().clone()))

    def restore(self) -> None:
        """Give containers and tensors what they had, where that has changed."""
        for container, kept in self.containers:
            if not _is_same(container, kept):
                container.clear()
                (container.update if isinstance(container, (dict, set)) else container.extend)(kept)
        with torch.no_grad():
            for tensor, version, kept in self.tensors:
                if tensor._version != version and tensor.shape == kept.shape:
                    tensor.copy_(kept)


def _is_own(value: Any) -> bool:
    """Whether a value is an object with attributes, of a class that is neither Python's nor PyTorch's."""
    return not isinstance(value, type) and _is_own_class(type(value)) and isinstance(getattr(value, "__dict__", None), dict)


def _is_own_class(kind: type) -> bool:
    package = str(kind.__module__).partition(".")[0]
    return package not in sys.stdlib_module_names and package not in ("torch", "numpy")


def _is_same(one: Any, other: Any) -> bool:
    """Whether two containers have the same objects, in the same order if they have an order."""
    return len(one) == len(other) and all(map(_is_identical, _list_items(one), _list_items(other)))


def _list_items(container: Any) -> Iterable[Any]:
    return container.items() if isinstance(container, dict) else container


def _is_identical(one: Any, other: Any) -> bool:
    return one is other or (type(one) is tuple and type(other) is tuple and all(a is b for a, b in zip(one, other, strict=True)))
