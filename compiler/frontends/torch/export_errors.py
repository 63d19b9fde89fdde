"""Explains errors of torch.export as obstacles.

In: the error that torch.export raised, and the module. Out: an `Obstacle`, with the line of the model's code and the module that was
running. Always: an error from the model's own code keeps its text, since that code may raise anything.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from types import CodeType, FrameType

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
_UNTRACED = re.compile(r"fake tensor|has no attribute 'constant'|functorch|requires? grad")
"""Matches what PyTorch says of gradients that it does not trace, none of which names them."""
_GRADIENTS = frozenset(("grad", "grad_and_value", "jacrev", "jacfwd", "hessian", "vjp", "jvp"))
"""The functions of `torch.autograd` and `torch.func` that compute gradients."""
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
    differentiating = _find_differentiating_module(module)
    if differentiating is not None and _UNTRACED.search(message):
        why = "cannot follow gradients that a module's code computes" + (f": {line}" if line else "")
        help_ = "import the module that is differentiated, and write `gradient(y, x)` in the spec"
        return Obstacle("torch.export", why, differentiating, help_)
    return Obstacle("torch.export", f"fails: {message[:300]}" + (f": {line}" if line else ""), find_running_module(error, module))


def _find_differentiating_module(module: nn.Module) -> str | None:
    """Find a module whose own code calls a function of `torch.autograd` or `torch.func` for gradients. Return its path."""
    path: str
    for path, inner in nn.Module.named_modules(module):
        functions = (getattr(member, "__code__", None) for member in vars(type(inner)).values())
        if not type(inner).__module__.startswith("torch.") and any(_names_gradient(code) for code in functions if code is not None):
            return path
    return None


def _names_gradient(code: CodeType) -> bool:
    """Return whether a function, or one that is defined in it, names a function for gradients."""
    inside = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return not _GRADIENTS.isdisjoint(code.co_names) or any(map(_names_gradient, inside))


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
