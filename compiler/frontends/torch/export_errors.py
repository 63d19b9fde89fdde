"""Explains errors of torch.export as obstacles.

In: the error that torch.export raised, and the module. Out: an `Obstacle`, with the line of the model's code and the module that was
running. Always: an error from the model's own code keeps its text, since that code may raise anything.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from types import FrameType

from torch import nn
from torch.nn.utils.rnn import PackedSequence

from ...types.tensor_types import BATCH
from ..imported_model import Obstacle
from .traces import OURS

VIOLATED = re.compile(r"Constraints violated \(([\w, ]+)\)")
FIXED = re.compile(r"^\s*(\w+) = (\d+)\s*$", re.MULTILINE)
"""torch.export's suggestion that a size can only be one number."""
_UNKNOWN = re.compile(r"Found <class '([\w.<>]+)'> in output, which is not a known type")
UNSOLVED = re.compile(r"Cannot create Dim with inconsistent|Expected derived min value of ")
"""Matches what PyTorch says of a size of which the code needs a remainder, such as `-T % 4`, if the example leaves one."""
MULTIPLES = "give example sizes that are multiples of what the model divides sizes by, such as 64"
_LONGEST_LINE = 80


def extract_suggested_fixes(message: str) -> str:
    """Extract the suggestions of torch.export, one on each line."""
    lines = message.partition("Suggested fixes:")[2].splitlines()
    return "\n".join(line.strip() for line in lines if re.match(r"\s*\w+ = ", line))


def fixed_size_obstacle(name: str, size: str, where: str) -> Obstacle:
    why = f"finds that {name} can only be {size}: the model's code depends on the number"
    if name == BATCH:
        return Obstacle("torch.export", why, where, f'fix it: `--input "{size}x... batch=false"`, in Python `dims={{0: [None, ...]}}`')
    return Obstacle("torch.export", why, where, f"fix it: write {size} in place of {name} in `--input`, in Python None in `dims`")


def explain_export_failure(error: Exception, module: nn.Module) -> Obstacle:
    """Explain an error by torch.export's own message, or by the line of the model's code that it cannot follow."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    message = lines[1] if VIOLATED.search(lines[0]) and len(lines) > 1 else lines[0]
    unknown = _UNKNOWN.search(message)
    if unknown:
        why, name = f"does not know what is in a {unknown[1]}, which is an output", unknown[1].rpartition(".")[2]
        help_ = f"call `torch.export.register_dataclass({name})` before, or return a tuple or a dict"
        # Models of transformers return their cache of keys and values, which is no tensor, unless `use_cache` is false.
        cache = "give `forward` the argument `use_cache=false` (`--call use_cache=false`), or " if "Cache" in name else ""
        return Obstacle("torch.export", why, "", cache + help_)
    if UNSOLVED.search(message):
        why = "finds no range for a size of which the code computes a remainder or a rounded quotient"
        return Obstacle("torch.export", why, find_running_module(error, module), MULTIPLES)
    if "data-dependent" in message:
        line = _find_source_line(error)
        why = f"cannot follow a branch or a size that depends on the values of tensors: {line or message[:300]}"
        help_ = (
            "decide it when the module is made, what is drawn at random by a probability of 0, or choose between results with `torch.where`"
        )
        return Obstacle("torch.export", why, find_running_module(error, module), help_)
    # The message speaks of symbolic sizes only, so the frames are searched for the cause.
    if any(isinstance(value, PackedSequence) for frame in _walk_frames(error) for value in frame.f_locals.values()):
        help_ = "give padded sequences to the module, and choose among its results by their lengths"
        return Obstacle(
            "torch.export", "cannot follow packed sequences: their sizes are values of tensors", find_running_module(error, module), help_
        )
    hidden = _find_hidden_member(module)
    if hidden is not None:
        owner, name = hidden
        why = f"cannot read `{name}`: `{type(owner).__name__}` has an attribute of that name too"
        path = next((path for path, inner in nn.Module.named_modules(module) if inner is owner), "")
        return Obstacle("torch.export", why, path, "rename it")
    line = _find_source_line(error)
    return Obstacle("torch.export", f"fails: {message[:300]}" + (f": {line}" if line else ""), find_running_module(error, module))


def _find_hidden_member(module: nn.Module) -> tuple[nn.Module, str] | None:
    """Find a submodule, parameter or buffer that an attribute of its module hides. PyTorch's `add_module` refuses such names, but netc
    registers a stage under its label, whatever that is."""
    for owner in nn.Module.modules(module):
        for name in (*owner._modules, *owner._parameters, *owner._buffers):
            if hasattr(type(owner), name):
                return owner, name
    return None


def _find_source_line(error: BaseException) -> str:
    """Return the line of the model's code that was running and its place, or an empty text."""
    # The last frame outside of PyTorch and netc is the model's own line.
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(("<", *OURS))]
    if not frames:
        return ""
    code = " ".join((frames[-1].line or "").split())[:_LONGEST_LINE]
    return f"{f'`{code}`, ' if code else ''}line {frames[-1].lineno} of {frames[-1].filename}"


def _walk_frames(error: BaseException) -> Iterator[FrameType]:
    """Walk the frames of an error and of the errors that caused it."""
    current: BaseException | None = error
    while current is not None:
        yield from (frame for frame, _ in traceback.walk_tb(current.__traceback__))
        current = current.__cause__ or current.__context__


def find_running_module(error: BaseException, module: nn.Module) -> str:
    """Return the path of the innermost module that was running."""
    paths = {id(inner): path for path, inner in module.named_modules()}
    running = (paths[id(owner)] for frame in _walk_frames(error) if id(owner := frame.f_locals.get("self")) in paths)
    return max(running, key=len, default="")
