"""`netc check --device NAME`: name the stages that a device has no kernel for. `netc compile --for NAME`: choose the opset.

$ netc check --device cuda -e 'input 8 -> dense 2 -> gelu'
no errors
all 2 nodes of `net` have a kernel on CUDA (ONNX Runtime 1.31.1, opset 23)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from netc.compiler.backends.backend_names import OPSET
from netc.compiler.errors.kernel_errors import DEVICE_TITLES
from netc.dsl.record import replace

from .report import report_and_exit
from .shared_options import device_option, opset_option
from .terminal import write_note, write_status

if TYPE_CHECKING:
    from netc.compiler.backends.backend import GraphOptions
    from netc.compiler.ir.graph import Program
    from netc.dsl.diagnostics import Diagnostic

    from ..proving.check_kernels import KernelCheck
    from .compile_checks import CompileOptions

F = TypeVar("F", bound=Callable[..., object])
_SHOWN = 5
"""The most stages that `netc compile` names."""


def device_options(function: F) -> F:
    """Add `--device` and `--opset`."""
    device = device_option("Warn of stages without a kernel on this device, as ONNX. The device is not needed.", None, tuple(DEVICE_TITLES))
    return device(opset_option(f"With --device: the opset of the ONNX model. [default: {OPSET}]")(function))


def check_device_options(device: str | None, opset: int | None) -> None:
    """Refuse options that do not go together."""
    if opset is not None and device is None:
        raise click.UsageError("--opset is for --device")


def check_device(programs: Sequence[Program], device: str | None, opset: int | None) -> tuple[list[KernelCheck], list[Diagnostic]]:
    """Check programs. Return the checks, and the errors of stages that netc cannot write as ONNX."""
    if device is None:
        return [], []
    from netc.compiler.backends.onnx.kernels.missing_kernels import OpsetNotRead

    from ..errors import CompileError
    from ..proving.check_kernels import check_kernels

    checks: list[KernelCheck] = []
    errors: list[Diagnostic] = []
    for program in programs:
        try:
            checks.append(check_kernels(program, device, OPSET if opset is None else opset))
        except OpsetNotRead as error:
            raise click.UsageError(str(error)) from None
        except CompileError as error:
            errors += error.diagnostics
    return checks, errors


def choose_graph_options(program: Program, device: str, graph: GraphOptions, options: CompileOptions) -> GraphOptions:
    """Choose the opset for a device, unless the user did, and note the stages without a kernel."""
    from netc.compiler.backends.onnx.kernels.missing_kernels import OpsetNotRead

    from ..errors import CompileError
    from ..proving.check_kernels import choose_opset

    try:
        check = choose_opset(program, device, graph.opset if "opset" in options.graph else None)
    except OpsetNotRead as error:
        raise click.UsageError(str(error)) from None
    except CompileError as error:
        report_and_exit(error.diagnostics)
    write_note(check.format_summary())
    for diagnostic in check.diagnostics[:_SHOWN]:
        write_note(f"{diagnostic.message}: {diagnostic.label}")
    if len(check.diagnostics) > _SHOWN:
        write_note(f"`netc check --device {device} --opset {check.opset}` names {len(check.diagnostics) - _SHOWN} more")
    return replace(graph, opset=check.opset, device=device)


def show_kernels(checks: Sequence[KernelCheck]) -> None:
    """Print how many nodes have a kernel."""
    for check in checks:
        write_status(check.format_summary())
