"""Reads exported programs, `.pt2` files of torch.export, as origins."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netc.compiler.frontends.imported_model import ImportFailed, Obstacle
from netc.compiler.frontends.torch import from_exported
from netc.compiler.frontends.torch.capture_output import silence_output
from netc.compiler.types.numpy_types import to_array, to_tensor

from .archives import check_archive
from .first_difference import list_tensors
from .module_origin import fill_weights
from .origin import Origin

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from netc.compiler.types.numpy_types import Array


def make_exported_origin(path: str) -> Origin:
    """Read a `.pt2` file. Raises `ImportFailed`, also for a file with code that PyTorch would execute."""
    import torch

    begun = time.monotonic()
    # Before PyTorch sees the file, because loading may execute code.
    check_archive(path)
    try:
        with silence_output():
            program = torch.export.load(path)
    except Exception as error:  # what a damaged archive raises is not stated anywhere
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ImportFailed((Obstacle("the file", f"is no exported program: {reason}", path),)) from None
    # Made first: the import rewrites the graph of the program, and the judge must run the graph as it was.
    runner = _ProgramRunner(program)
    return Origin(path, from_exported(program), runner, True, None, time.monotonic() - begun)


class _ProgramRunner:
    """Runs the program with given weights."""

    def __init__(self, program: ExportedProgram) -> None:
        self.module = program.module()
        self.in_spec = program.call_spec.in_spec

    def __call__(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Array]:
        import torch
        from torch.utils._pytree import tree_unflatten

        with torch.no_grad():
            fill_weights(self.module, weights)
            tensors: list[Any] = list(map(to_tensor, inputs))
            assert self.in_spec is not None
            args, kwargs = tree_unflatten(tensors, self.in_spec)
            results = self.module(*args, **kwargs)
        return [to_array(tensor) for tensor in list_tensors(results)]
