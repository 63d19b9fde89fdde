"""Lets torch.export see parameters that a module's code finds in a list or dict of its own: `self.scales = {"w": self.w}`.

In: a module. Out: a context for its export. Always: afterwards each container holds what it held before. torch.export gives modules other
tensors in place of their parameters, but it does not look into lists and dicts. What it finds there is a constant to it, and so is all
that is computed from it: nothing seems to read the parameter.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from netc.dsl.record import Record


class _HeldTensor(Record):
    """A parameter or buffer, which `owner` has as `name`, in a list or dict."""

    container: Any
    key: Any
    owner: nn.Module
    name: str


@contextmanager
def trace_held_parameters(module: nn.Module) -> Iterator[None]:
    """In the calls of the module, put into its lists and dicts what its modules have as their parameters then."""
    held = list(_iterate_held_tensors(module))
    if not held:
        yield
        return
    before = [item.container[item.key] for item in held]

    def replace_tensors(*_: Any) -> None:
        for item in held:
            item.container[item.key] = getattr(item.owner, item.name)

    hook = module.register_forward_pre_hook(replace_tensors)
    try:
        yield
    finally:
        hook.remove()
        for item, tensor in zip(held, before, strict=True):
            item.container[item.key] = tensor


def _iterate_held_tensors(module: nn.Module) -> Iterator[_HeldTensor]:
    owners: dict[int, tuple[nn.Module, str]] = {}
    for inner in module.modules():
        for name, tensor in (*inner._parameters.items(), *inner._buffers.items()):
            owners.setdefault(id(tensor), (inner, name))
    owners.pop(id(None), None)
    seen: set[int] = set()
    waiting: list[Any] = [vars(inner) for inner in module.modules()]
    while waiting:
        container = waiting.pop()
        if id(container) in seen:
            continue
        seen.add(id(container))
        for key, value in container.items() if isinstance(container, dict) else enumerate(container):
            if id(value) in owners:
                yield _HeldTensor(container, key, *owners[id(value)])
            elif isinstance(value, dict | list) and not (isinstance(container, dict) and key in ("_parameters", "_buffers", "_modules")):
                waiting.append(value)
