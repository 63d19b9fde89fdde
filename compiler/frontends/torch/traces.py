"""Keeps all functions of the model's code in the stack traces of exported nodes.

torch.export keeps only the functions named `forward`. A helper function in which `q, k, v = ...` stands would be lost.

In: nothing. Out: a context in which torch.export keeps them. Always: a PyTorch without this internal filter exports as before; tensors then
get their names from the statements of `forward` alone.
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.fx.proxy import TracerBase

OURS = tuple(f"{folder}{os.sep}" for folder in (Path(torch.__file__).parent, Path(__file__).parents[3]))
"""The folders of PyTorch and of netc, whose code is not the model's."""
_LAYERS = f"{Path(torch.nn.__file__).parent}{os.sep}"
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]")
_FILTER = "_filter_traceback_frames"


@contextmanager
def keep_full_traces() -> Iterator[None]:
    """Replace the filter of PyTorch's tracers within the context."""
    original = getattr(TracerBase, _FILTER, None)
    if original is None:
        yield
        return
    setattr(TracerBase, _FILTER, _filter_frames)
    try:
        yield
    finally:
        setattr(TracerBase, _FILTER, original)


def _filter_frames(_: Any, summary: traceback.StackSummary) -> traceback.StackSummary:
    """Keep the frames from the first `forward` on: `forward` functions, PyTorch's included, and other functions of their packages.

    Other libraries are left out, because the variables of einops, for example, do not name the model's tensors.
    """
    # Frames before the first `forward` are the user's script and torch.export.
    first = next((position for position, frame in enumerate(summary) if frame.name == "forward"), len(summary))
    frames = [frame for frame in summary[first:] if not frame.filename.startswith(OURS)]
    packages = {_package_of(frame.filename) for frame in frames if frame.name == "forward"}
    kept = [frame for frame in frames if frame.name == "forward" or _package_of(frame.filename) in packages]
    layers = [frame for frame in summary[first:] if frame.name == "forward" and frame.filename.startswith(_LAYERS)]
    wanted = set(map(id, (*kept, *layers)))
    return traceback.StackSummary.from_list([frame for frame in summary if id(frame) in wanted])


def _package_of(file: str) -> str:
    """Return the name of the installed package that a file belongs to, or an empty text."""
    return _INSTALLED.split(file, maxsplit=1)[-1].partition(os.sep)[0] if _INSTALLED.search(file) else ""
