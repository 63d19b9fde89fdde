"""Finds the gradients that a module computes by code of its own, which torch.export does not record.

    class Reverse(torch.autograd.Function):          # the graph has what `forward` applies, and nothing of `backward`
        ...

In: a module that runs. Out: notes about the classes of `torch.autograd.Function` that it applies, and about hooks of its tensors. Always:
functions of PyTorch itself are left out, because they change no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch.autograd import Function
from torch.utils.checkpoint import CheckpointFunction


@contextmanager
def note_own_gradients(notes: list[str]) -> Iterator[None]:
    """Add a note for each gradient that is computed by the module's own code within the context, once each."""
    functions, tensors = cast("Any", Function), cast("Any", torch.Tensor)
    apply, register_hook = vars(Function)["apply"], tensors.register_hook

    def apply_and_note(cls: type[Function], *args: Any, **kwargs: Any) -> Any:
        # It runs the function without gradients, and once more in its `backward`, with the gradients that the function has.
        if cls is CheckpointFunction:
            function, _, *inputs = args
            return function(*inputs, **kwargs)
        if cls.__module__.partition(".")[0] != "torch":
            _add_note(notes, f"`{cls.__name__}` has a gradient of its own. The spec has that of the operators in its `forward` instead.")
        return apply.__func__(cls, *args, **kwargs)

    def register_and_note(tensor: torch.Tensor, hook: Callable[..., Any]) -> Any:
        _add_note(notes, "The module registers hooks of tensors, which may change gradients. The spec has no such hooks.")
        return register_hook(tensor, hook)

    functions.apply = classmethod(apply_and_note)
    tensors.register_hook = register_and_note
    try:
        yield
    finally:
        functions.apply = apply
        tensors.register_hook = register_hook


def _add_note(notes: list[str], note: str) -> None:
    if note not in notes:
        notes.append(note)
