"""Check which stages of a model a device has no kernel for: `netc check --device`.

In: a program, a device, and the opset of the ONNX model. Out: a warning at each stage concerned. Always: no device and no weights are
needed.

>>> import netc
>>> check_kernels(netc.compile("input 8x8x8 -> max_pool 2").program, "cuda", 21).format_summary()
'the only node of `net` has a kernel on CUDA (ONNX Runtime 1.31.1, opset 21)'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netc.compiler.backends.backend import BackendInput, GraphOptions
from netc.compiler.backends.backend_names import OPSET, OPSETS
from netc.compiler.backends.onnx.kernels.missing_kernels import KernelReport, MissingKernel, OpsetNotRead, find_missing_kernels
from netc.compiler.backends.onnx.onnx_model import build_graph
from netc.compiler.backends.onnx.runtime_profiles.require_sizes import require_numbers
from netc.compiler.derivatives.expand_gradients import NoClosedForm, expand_gradients
from netc.compiler.errors.kernel_errors import DEVICE_TITLES, SIZED_DEVICES, NoKernel
from netc.compiler.ir.differentiated_values import has_gradients
from netc.compiler.ir.flat_graph import FlatGraph
from netc.dsl.record import Record

from ..errors import CompileError, raise_as_compile_error
from ..files.file_problems import make_diagnostic

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program
    from netc.dsl.diagnostics import Diagnostic
    from netc.dsl.source import Span

    Stage = tuple[str, str, Span]
    """The path of a stage, its operator, and its place in the text."""


class KernelCheck(Record):
    """The nodes of a model without a kernel, and a problem for each place in the text that they come from, also as a warning."""

    name: str
    opset: int
    report: KernelReport
    problems: tuple[NoKernel, ...]
    diagnostics: tuple[Diagnostic, ...]

    def format_summary(self) -> str:
        """Format the number of nodes for users."""
        device, table = DEVICE_TITLES[self.report.device], f"({self.report.version}, opset {self.opset})"
        count, missing = self.report.nodes, len(self.report.missing)
        lack = "no working kernel" if any(kernel.is_wrong for kernel in self.report.missing) else "no kernel"
        if count == 1:
            return f"the only node of `{self.name}` has {lack if missing else 'a kernel'} on {device} {table}"
        if not missing:
            return f"all {count} nodes of `{self.name}` have a kernel on {device} {table}"
        return f"{missing} of {count} nodes of `{self.name}` {'has' if missing == 1 else 'have'} {lack} on {device} {table}"


def check_kernels(program: Program, device: str, opset: int, converts: bool = False) -> KernelCheck:
    """Find the stages without a kernel.

    Args:
        program: A checked program.
        device: A name of `DEVICE_TITLES`, such as `cuda`.
        opset: The opset of the ONNX model that netc writes.
        converts: Check the model that `netc compile --for` writes, with element types converted for the device.

    Returns:
        The nodes without a kernel, and the warnings.

    Raises:
        CompileError: netc cannot write a stage as ONNX, or the device needs numbers for symbolic sizes.
        OpsetNotRead: The device reads no models of this opset.
    """
    given = BackendInput(program, program.main.name, options=GraphOptions(opset=opset, device=device if converts else ""))
    with raise_as_compile_error(program):
        if device in SIZED_DEVICES:
            require_numbers(program, DEVICE_TITLES[device])
        graph = build_graph(program, given.open_arrays(), given.name, options=given.options)
    report = find_missing_kernels(graph, device)
    problems = _make_problems(program, report)
    diagnostics = tuple(make_diagnostic(problem, span) for span, problem in problems.items())
    return KernelCheck(program.main.name, opset, report, tuple(problems.values()), diagnostics)


def choose_opset(program: Program, device: str, opset: int | None = None) -> KernelCheck:
    """Choose the opset in which the fewest nodes lack a kernel. If several are equal, choose the nearest to the default one.

    Args:
        program: A checked program.
        device: A name of `DEVICE_TITLES`, such as `cuda`.
        opset: The only opset to consider.

    Returns:
        The check of the model in this opset.

    Raises:
        CompileError: netc cannot write a stage as ONNX.
        OpsetNotRead: The device does not read `opset`.
    """
    if opset is not None:
        return check_kernels(program, device, opset, converts=True)
    best: KernelCheck | None = None
    unwritten: CompileError | None = None
    for candidate in sorted(OPSETS, key=lambda other: (abs(other - OPSET), other)):
        try:
            check = check_kernels(program, device, candidate, converts=True)
        except OpsetNotRead:
            continue
        except CompileError as error:  # an older opset may lack an operator
            unwritten = unwritten or error
            continue
        if best is None or check.report.rank < best.report.rank:
            best = check
        if not best.report.missing:
            break
    if best is None:
        assert unwritten is not None, "each device reads some opset"
        raise unwritten
    return best


def _make_problems(program: Program, report: KernelReport) -> dict[Span, NoKernel]:
    """Return a warning for each place in the text."""
    stages = _list_stages(program)
    by_span: dict[Span, dict[str, list[MissingKernel]]] = {}
    operators: dict[Span, str] = {}
    for missing in report.missing:
        path, operator, span = _find_stage(missing.node, stages, program)
        by_span.setdefault(span, {}).setdefault(path, []).append(missing)
        operators[span] = operator
    return {span: _make_problem(report, operators[span], paths) for span, paths in by_span.items()}


def _make_problem(report: KernelReport, operator: str, paths: dict[str, list[MissingKernel]]) -> NoKernel:
    nodes = [missing for group in paths.values() for missing in group]
    lacks = tuple(dict.fromkeys((missing.op_type, missing.form) for missing in nodes))
    opsets = {missing.opset for missing in nodes}
    opset = opsets.pop() if len(opsets) == 1 else None
    is_wrong = any(missing.is_wrong for missing in nodes)
    return NoKernel(operator, report.device, report.version, lacks, tuple(filter(None, paths)), opset, is_wrong)


def _list_stages(program: Program) -> dict[str, Stage]:
    try:
        written = expand_gradients(program) if has_gradients(program.main) else program
    except NoClosedForm:  # pragma: no cover (the model is not written then)
        written = program
    flat = FlatGraph(written.main).iterate_operators()
    return {item.path: (item.path, item.node.op.name, item.node.span) for item in flat}


def _find_stage(node: str, stages: dict[str, Stage], program: Program) -> Stage:
    """Find the stage that a node belongs to. Nodes of several stages, such as sizes, belong to the model."""
    path = node.split("/")[0]
    while path:
        # The second use of a stage has a number after its path. A node of a definition has its path after the stage's.
        for candidate in (path, path.rpartition("_")[0]):
            if candidate in stages:
                return stages[candidate]
        path = path.rpartition(".")[0]
    return "", "", program.main.span
