"""Finds the nodes of a model that a device has no kernel for.

In: a model whose initializers are not read, and the name of a device. Out: a `KernelReport`. Always: nodes that compute only sizes are not
reported for the providers of ONNX Runtime, which keeps them on the CPU on purpose, nor are nodes that it computes when it loads the model.

    >>> import netc
    >>> from ..onnx_model import build_graph
    >>> graph = build_graph(netc.compile("input 8 -> tan -> relu").program, {}, "tiny")
    >>> [(missing.node, missing.op_type) for missing in find_missing_kernels(graph, "cuda").missing]
    [('tan1', 'Tan')]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from netc.dsl.record import Record

from ....onnx_standard.operator_schemas import find_schema
from ....types.tensor_types import DTYPES
from ...backend_names import OPSETS
from ..graph_and_tensors import GraphAndTensors
from .coreml_limits import COREML_FAULTS, COREML_LIMITS
from .cuda_limits import CUDA_LIMITS
from .function_bodies import expand_node
from .kernel_table import Kernel, KernelTable, load_kernel_table
from .node_limits import Limit
from .operator_table import find_form, load_operator_table
from .qnn_limits import QNN_LIMITS
from .tensorrt_limits import TENSORRT_LIMITS
from .typed_nodes import TypedNode, list_nodes
from .web_limits import WEB_FAULTS, WEB_LIMITS

PROVIDERS: Mapping[str, tuple[str, Mapping[str, Limit]]] = {"cuda": ("ONNX Runtime", CUDA_LIMITS), "web": ("ONNX Runtime Web", WEB_LIMITS)}
"""The devices with a table of kernels: the program that has the kernels, and the rules for attributes."""
OPERATOR_LISTS: Mapping[str, tuple[str, Mapping[str, Limit]]] = {
    "coreml": ("ONNX Runtime", COREML_LIMITS),
    "qnn": ("ONNX Runtime QNN", QNN_LIMITS),
    "tensorrt": ("TensorRT", TENSORRT_LIMITS),
}
"""The devices with a list of operators, in the same form."""
FAULTS: Mapping[str, Mapping[str, Limit]] = {"coreml": COREML_FAULTS, "web": WEB_FAULTS}
"""The rules for nodes whose kernel a device uses, although it fails or computes something else."""
_ADDED_LATER = {("Attention", 25): 24}
"""Definitions that onnx added to an opset after its release, with the one before. ONNX Runtime 1.31 has the latter only: both are the same
for what netc writes."""


class OpsetNotRead(ValueError):
    """The device reads no models of an opset."""


class MissingKernel(Record):
    """A node without a kernel. `form` completes the sentence "the device has `MaxPool` only ...". It is empty if the device has no such
    operator. `opset`: the nearest opset whose form of the operator has a kernel, if the form of the model has none. `is_wrong`: the device
    has a kernel and uses it, but the kernel fails or computes something else."""

    node: str
    op_type: str
    form: str
    opset: int | None = None
    is_wrong: bool = False


class KernelReport(Record):
    """The nodes of a model that a device lacks, and the number of all nodes that are meant for it. `version` names the device's table."""

    device: str
    version: str
    nodes: int
    missing: tuple[MissingKernel, ...]

    @property
    def rank(self) -> tuple[int, int]:
        """The numbers of wrong kernels and of missing ones. A wrong kernel is worse, since a node without one runs elsewhere."""
        return sum(kernel.is_wrong for kernel in self.missing), len(self.missing)


def find_missing_kernels(graph: GraphAndTensors, device: str) -> KernelReport:
    """Find the nodes without a kernel.

    Args:
        graph: A model without functions.
        device: A name of `DEVICE_TITLES`.

    Returns:
        The report, with the nodes in the order of the model.

    Raises:
        OpsetNotRead: The device reads no models of this opset.
    """
    nodes, opset = list_nodes(graph), graph.proto.opset_import[0].version
    if device in PROVIDERS:
        table, (program, limits) = load_kernel_table(device), PROVIDERS[device]
        own = list(_expand_nodes(nodes, partial(_has_kernel, table), opset))
        found = (_find_missing(table, limits, node, opset) or _find_fault(device, node) for node in own)
        return KernelReport(device, f"{program} {table.version}", len(own), tuple(filter(None, found)))
    operators, (program, limits) = load_operator_table(device), OPERATOR_LISTS[device]
    version = f"{program} {operators.version}"
    if not operators.lowest <= opset <= operators.highest:
        raise OpsetNotRead(f"{version} reads opsets {operators.lowest} to {operators.highest}, not {opset}")
    # TensorRT takes a complete model. The others are providers of ONNX Runtime, which expands definitions and computes sizes itself.
    own = nodes if device == "tensorrt" else list(_expand_nodes(nodes, lambda node: node.op_type in operators.types, opset))
    forms = ((node, find_form(operators, limits, node)) for node in own)
    missing = (_find_fault(device, node) if form is None else MissingKernel(node.name, node.op_type, form) for node, form in forms)
    return KernelReport(device, version, len(own), tuple(filter(None, missing)))


def _expand_nodes(nodes: Iterable[TypedNode], has_kernel: Callable[[TypedNode], bool], opset: int) -> Iterator[TypedNode]:
    """Iterate over the nodes of data. Nodes without a kernel on any provider are replaced by their definitions, as in ONNX Runtime."""
    for node in nodes:
        if node.role != "data":
            continue
        expanded = [] if has_kernel(node) or _has_kernel(load_kernel_table("cpu"), node) else expand_node(node, opset)
        if expanded:
            yield from _expand_nodes(expanded, has_kernel, opset)
        else:
            yield node


def _find_fault(device: str, node: TypedNode) -> MissingKernel | None:
    """Return the form in which the device's kernel for the node works, if the kernel is wrong."""
    rule = FAULTS.get(device, {}).get(node.op_type)
    form = None if rule is None else rule(node)
    return None if form is None else MissingKernel(node.name, node.op_type, form, is_wrong=True)


def _has_kernel(table: KernelTable, node: TypedNode) -> bool:
    return table.find_kernel(node.op_type, _get_known_version(node.op_type, node.since), node.types) is not None


def _find_missing(table: KernelTable, limits: Mapping[str, Limit], node: TypedNode, opset: int) -> MissingKernel | None:
    """Return what a provider has instead of a kernel for the node. None if it has one."""
    if _has_kernel(table, node):
        limit = limits.get(node.op_type)
        form = None if limit is None else limit(node)
        return None if form is None else MissingKernel(node.name, node.op_type, form)
    nearest = _find_nearest_opset(table, node, opset)
    if nearest is not None:
        direction = "up to" if nearest < opset else "from"
        return MissingKernel(node.name, node.op_type, f"{direction} opset {nearest}", nearest)
    kernels = table.list_kernels(node.op_type, _get_known_version(node.op_type, node.since))
    forms = dict.fromkeys(_describe_types(kernel, node) for kernel in kernels)
    return MissingKernel(node.name, node.op_type, f"of {' or '.join(forms)}" if forms else "")


def _find_nearest_opset(table: KernelTable, node: TypedNode, opset: int) -> int | None:
    """Find the opset nearest to the model's whose form of the operator has a kernel for these types: a lower one, if there are two."""
    for other in sorted(OPSETS, key=lambda other: (abs(other - opset), other)):
        schema = find_schema(node.op_type, other)
        if schema is not None and table.find_kernel(node.op_type, _get_known_version(node.op_type, schema.since_version), node.types):
            return other
    return None


def _get_known_version(op_type: str, since: int) -> int:
    """Return the opset in which ONNX Runtime's copy of onnx defines an operator that the installed onnx defines in opset `since`."""
    return _ADDED_LATER.get((op_type, since), since)


def _describe_types(kernel: Kernel, node: TypedNode) -> str:
    """Describe the element types that the kernel takes where the node has others."""
    wrong = [allowed for name, allowed in kernel.types.items() if node.types.get(name) not in (None, *allowed)]
    return " and ".join(", ".join(name for name in DTYPES if name in allowed) for allowed in wrong)
