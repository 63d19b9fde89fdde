"""Stack traces of exported nodes with all functions of the model's code.

In: nothing. Out: a context in which torch.export notes them. Always: without the context, and with a PyTorch that has other tracers, traces
have the functions called `forward` alone, and names of tensors are those of the modules' statements.
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
"""Code that is not the model's: that of PyTorch and of netc."""
_LAYERS = f"{Path(torch.nn.__file__).parent}{os.sep}"
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]")
_FILTER = "_filter_traceback_frames"


@contextmanager
def whole_traces() -> Iterator[None]:
    """See the module's docstring."""
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
    """The frames from the first `forward` on: those of modules, PyTorch's too, and other functions of the packages that these are from.
    What a library such as einops calls its variables says nothing of the model."""
    first = next((at for at, frame in enumerate(summary) if frame.name == "forward"), len(summary))
    frames = [frame for frame in summary[first:] if not frame.filename.startswith(OURS)]
    packages = {_package_of(frame.filename) for frame in frames if frame.name == "forward"}
    kept = [frame for frame in frames if frame.name == "forward" or _package_of(frame.filename) in packages]
    layers = [frame for frame in summary[first:] if frame.name == "forward" and frame.filename.startswith(_LAYERS)]
    wanted = set(map(id, (*kept, *layers)))
    return traceback.StackSummary.from_list([frame for frame in summary if id(frame) in wanted])


def _package_of(file: str) -> str:
    """The installed package that a file is of; empty for a file that is not installed."""
    return _INSTALLED.split(file, maxsplit=1)[-1].partition(os.sep)[0] if _INSTALLED.search(file) else ""
