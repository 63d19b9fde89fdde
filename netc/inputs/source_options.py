"""Make the options of a source for the target Flax."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netc.compiler.backends.backend import SourceOptions

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program


def make_source_options(program: Program, scan_layers: bool, tp: int) -> SourceOptions:
    """Return the options of a source. Raises `ValueError` for less than one device, and `CompileError` if `tp` devices can share no
    layer."""
    if tp < 1:
        raise ValueError(f"`tp` must be at least 1, not {tp}")
    if tp == 1:
        return SourceOptions(scan_layers)
    from ..training.partition_specs import partition_parameters

    return SourceOptions(scan_layers, tuple(partition_parameters(program, tp).items()))
