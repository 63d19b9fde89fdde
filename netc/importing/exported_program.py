"""Reads exported programs, `.pt2` files of torch.export, as origins."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from netc.compiler.frontends.imported_model import ImportFailed, Obstacle
from netc.compiler.frontends.torch import from_exported
from netc.compiler.frontends.torch.capture_output import silence_output

from .archives import check_archive
from .module_origin import make_runner_origin
from .origin import Origin

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram


def make_exported_origin(path: str) -> Origin:
    """Read a `.pt2` file. Raises `ImportFailed`, also for a file with code that PyTorch would execute."""
    import torch

    begun = time.monotonic()
    # Before PyTorch sees the file, because loading may execute code.
    check_archive(path)
    try:
        with silence_output():
            program = torch.export.load(path)
            # Made first: the import rewrites the graph of the program, and the judge must run the graph as it was.
            module = _make_module(program)
            args, kwargs = _make_arguments(program)
    except Exception as error:  # what a damaged archive raises is not stated anywhere
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ImportFailed((Obstacle("the file", f"is no exported program: {reason}", path),)) from None
    return make_runner_origin(module, args, kwargs, path, from_exported(program), begun)


def _make_module(program: ExportedProgram) -> nn.Module:
    """Return the program as a module that can change its mode, like any other."""
    # The guards are text that PyTorch would execute. The spec states them as conditions, so the module needs none.
    module = program.module(check_guards=False)
    # The program has the mode in which it was exported, and refuses calls of these methods. nn.Module's own only set a flag.
    for name in ("train", "eval"):
        vars(module).pop(name, None)
    return module


def _make_arguments(program: ExportedProgram) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments of the program's call: the examples of the file or, if it has none, tensors of zeros and the fixed values."""
    import torch
    from torch.export.graph_signature import ConstantArgument, InputKind
    from torch.utils._pytree import tree_unflatten

    if program.example_inputs is not None:
        args, kwargs = program.example_inputs
        return tuple(args), dict(kwargs)
    placeholders = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    leaves: list[Any] = []
    for spec in program.graph_signature.input_specs:
        if spec.kind != InputKind.USER_INPUT:
            continue
        value = spec.arg.value if isinstance(spec.arg, ConstantArgument) else placeholders[spec.arg.name]
        leaves.append(torch.zeros((1,) * value.dim(), dtype=value.dtype) if isinstance(value, torch.Tensor) else value)
    assert program.call_spec.in_spec is not None
    args, kwargs = tree_unflatten(leaves, program.call_spec.in_spec)
    return tuple(args), dict(kwargs)
