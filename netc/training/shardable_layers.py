"""Plan tensor parallelism: find the layers of a model that several devices can share.

In: the graph of a model, and the number of devices. Out: a `ShardingPlan`. Always: layers are split in regions. The first layers of a
region (`columns`) give each device a part of their features. The operators that follow compute each part, or each head, separately. The
last layer (`rows`) sums over the parts. No sharded tensor leaves a region, and no full tensor with a gradient enters it. If the features
of a first layer are several results, such as queries, keys and values of one product, each result is split (`packed`).

For example, of `dense 32 -> relu -> dense 8` on two devices, each device computes 16 of the 32 features, and from them one of the two
summands of the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.errors.run_errors import CannotSplit
from netc.compiler.ir.flat_graph import FlatGraph, FlatNode, FlatScan
from netc.compiler.ir.graph import Program
from netc.compiler.ir.training_program import MODEL, Training
from netc.compiler.ops.attention import Attention
from netc.compiler.ops.axes import normalize_axis
from netc.compiler.ops.constants import ParamOperator
from netc.compiler.ops.dense import Dense
from netc.compiler.ops.joining import Division
from netc.compiler.ops.linear_algebra import Matmul
from netc.compiler.ops.multihead import MultiheadAttention
from netc.compiler.ops.operator import Operator
from netc.compiler.ops.shape import Cast, Permute, Reshape, Transpose
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..errors import CompileError
from ..files.file_problems import make_diagnostic
from .propagate_sharding import ShardingSite, propagate_sharding

COLUMNS, ROWS, HEADS, PACKED = "columns", "rows", "heads", "packed"
HEAD_MASKS = "each head has a mask of its own"
MAX_SHOWN = 3
"""The number of unsplit layers that a message explains."""


class Uneven(Record):
    """A number of heads or features that is not divisible."""

    path: str
    what: str
    number: int
    span: Span

    def __str__(self) -> str:
        return f"`{self.path}` has {self.number} {self.what if self.number != 1 else self.what[:-1]}"


class ShardingPlan(Record):
    """`styles` has `columns`, `rows`, `heads` or `packed` for each layer that is split, by its path in the model; `unsplit` why each other
    layer that has a matrix is not. `uneven`: what would be split, if the number of devices divided it. `packed_counts`: the number of
    results of each packed layer. `heads`: the layers that are split because heads are."""

    styles: Mapping[str, str]
    unsplit: Mapping[str, str]
    uneven: tuple[Uneven, ...]
    packed_counts: Mapping[str, int]
    heads: frozenset[str]

    def format_summary(self, devices: int) -> str:
        """Format a line on the layers that are split, and those that are not."""
        heads = sum(way == HEADS for way in self.styles.values())
        counts = [f"{n} of {what}" for n, what in ((len(self.styles) - heads, "`dense`"), (heads, "`multihead_attention`")) if n]
        rest = [f"`{path}` ({why})" for path, why in [*self.unsplit.items()][:MAX_SHOWN]]
        more = f" and {len(self.unsplit) - len(rest)} more" if len(self.unsplit) > len(rest) else ""
        unsplit = f"; whole on each: {', '.join(rest)}{more}" if rest else ""
        return f"{devices} devices share {len(self.styles)} layers, {' and '.join(counts)}{unsplit}"


class Sharding(Record):
    """The sharding of a tensor: the axis along which each device has a part, and the layers that it comes from."""

    axis: int
    layers: frozenset[str]


def require_sharding_plan(training: Training, devices: int) -> ShardingPlan:
    """Return the plan of a section's model. Raises `CompileError` if no layer can be split, or if there are heads and none of them can be
    divided."""
    program = training.program
    model = Program(training.model_call.graph, program.facts, program.symbols, program.conditions, program.dims)
    return _require_plan(model, devices, training.span, is_training=True)


def require_program_plan(model: Program, devices: int) -> ShardingPlan:
    """Return the plan of a model that is written, not trained. Raises `CompileError` as `require_sharding_plan` does."""
    return _require_plan(model, devices, model.main.span, is_training=False)


def _require_plan(model: Program, devices: int, span: Span, *, is_training: bool) -> ShardingPlan:
    plan = plan_sharding(model, devices)
    uneven = [u for u in plan.uneven if (u.what == "heads" and not plan.heads) or not plan.styles]
    problems = [make_diagnostic(CannotSplit(devices, str(u), u.number, (), is_training), u.span) for u in uneven]
    if not problems and not plan.styles:
        why = tuple(f"`{path}`: {reason}" for path, reason in [*plan.unsplit.items()][:MAX_SHOWN])
        problems.append(make_diagnostic(CannotSplit(devices, "", 0, why, is_training), span))
    if problems:
        raise CompileError(tuple(problems))
    return plan


def measure_split_share(training: Training, splits: ShardingPlan) -> float:
    """Return the share of the model's parameters that belong to split layers."""
    sizes = {
        name.removeprefix(f"{MODEL}."): info.numel
        for name, info in collect_parameters(training.program).items()
        if info.trainable and not info.tied_to
    }
    split = sum(size for name, size in sizes.items() if any(name.startswith(f"{path}.") for path in splits.styles))
    return split / max(1, sum(sizes.values()))


def plan_sharding(model: Program, devices: int) -> ShardingPlan:
    """Plan which layers are split if that many devices share each layer."""
    # A layer that is refused late changes what comes before it, so the walk is repeated until it refuses nothing new.
    tied = {name for info in collect_parameters(model).values() if info.tied_to for name in (info.name, info.tied_to)}
    refused: dict[str, str] = {}
    while True:
        analysis = _ShardingAnalysis(model, devices, tied, refused)
        analysis.visit_graph()
        if not analysis.refused:
            return analysis.make_plan()
        refused |= analysis.refused


class _ShardingAnalysis:
    """A walk over the operators in the order of computation. `known_refusals` are the layers that earlier walks have refused, with
    reasons."""

    def __init__(self, model: Program, devices: int, tied: set[str], before: Mapping[str, str]) -> None:
        self.model, self.devices, self.tied, self.known_refusals = model, devices, tied, before
        self.refused: dict[str, str] = {}
        self.shardings: dict[int, Sharding] = {}
        self.gradient_values: set[int] = set()
        """Values that depend on parameters, and so have a gradient."""
        self.columns: set[str] = set()
        self.rows: dict[str, frozenset[str]] = {}
        self.heads: set[str] = set()
        self.projections: set[str] = set()
        """First layers that compute the inputs of `attention`."""
        self.unsplit: dict[str, str] = {}
        self.uneven: dict[str, Uneven] = {}
        """The first number in its region that is not divisible, by layer."""
        self.pieces: dict[str, int] = {}
        self.undivided: dict[int, str] = {}
        """First layers, by results that no operator has taken yet."""
        self.divided: set[int] = set()
        """Results of packed layers, which no other operator can take."""
        self.loose_parameters: dict[int, str] = {}
        """Parameters that belong to no layer, by their values."""
        self.loops = 0
        self.used: set[str] = set()

    def visit_graph(self) -> None:
        flat = FlatGraph(self.model.main)
        for item in flat:
            if isinstance(item, FlatNode):
                self._visit_node(item)
            elif isinstance(item, FlatScan):
                self._refuse_exits(item.inputs, "a `scan` takes what it computes")
                self.gradient_values.update(item.step_inputs)
                self.loops += 1
            else:
                self._refuse_exits(item.step_outputs, "it is a result of a `scan`")
                self.gradient_values.update(item.outputs)
                self.loops -= 1
        self._refuse_exits(flat.output_keys(), "it is an output of the model")

    def make_plan(self) -> ShardingPlan:
        closed = frozenset(layer for layers in self.rows.values() for layer in layers)
        bad = {layer for layer in self.uneven if layer in closed or layer in self.heads}
        while more := {layer for layers in self.rows.values() if layers & bad for layer in layers} - bad:
            bad |= more  # layers whose parts meet are split together
        ways = {layer: PACKED if layer in self.pieces else COLUMNS for layer in sorted(closed - bad)}
        ways |= {layer: ROWS for layer, layers in self.rows.items() if not layers & bad}
        ways |= dict.fromkeys(sorted(self.heads - bad), HEADS)
        unsplit = {**self.known_refusals, **self.unsplit}
        unsplit |= dict.fromkeys(sorted(self.columns - closed), "no layer takes what it computes")
        unsplit |= {layer: f"{u} that cannot be divided" for layer, u in self.uneven.items() if layer in bad}
        uneven = tuple({u.span: u for layer, u in self.uneven.items() if layer in bad}.values())
        pieces = {layer: count for layer, count in self.pieces.items() if layer in ways}
        heads = frozenset(self.heads | self.projections) & ways.keys()
        return ShardingPlan(ways, {layer: why for layer, why in unsplit.items() if layer not in ways}, uneven, pieces, heads)

    def _visit_node(self, flat: FlatNode) -> None:
        node = flat.node
        if isinstance(node.op, ParamOperator):
            self.loose_parameters[flat.outputs[0]] = flat.path
        elif isinstance(node.op, (Transpose, Permute, Reshape, Cast)) and flat.inputs[0] in self.loose_parameters:
            self.loose_parameters[flat.outputs[0]] = self.loose_parameters[flat.inputs[0]]
        if isinstance(node.op, Matmul):
            why = "it is multiplied by `@`, and only layers are divided"
            self.unsplit |= {self.loose_parameters[key]: why for key in flat.inputs if key in self.loose_parameters}
        if node.specs or any(key in self.gradient_values for key in flat.inputs):
            self.gradient_values.update(flat.outputs)
        input_shardings = {i: self.shardings[key] for i, key in enumerate(flat.inputs) if key in self.shardings}
        self._refuse_exits((key for key in flat.inputs if key in self.divided), "what it computes is divided, and taken as a whole too")
        if isinstance(node.op, (Dense, MultiheadAttention)) and node.specs:
            self._visit_layer(flat, input_shardings)
        elif input_shardings and not self._split_packed_results(flat):
            self._visit_inner_node(flat, input_shardings)
        for key in flat.inputs:
            # a result that two operators take cannot be divided for one of them
            self.undivided.pop(key, None)

    def _visit_layer(self, flat: FlatNode, input_shardings: Mapping[int, Sharding]) -> None:
        """Visit a layer with a matrix, which begins or ends a region, or is a region itself (multi-head attention)."""
        path, node = flat.path, flat.node
        is_dense = isinstance(node.op, Dense)
        why = self.known_refusals.get(path) or self._why_whole(flat)
        # a last layer sums over the features, so they must be the axis that is in parts
        last = is_dense and all(parts.axis == node.inputs[i].type.rank - 1 for i, parts in input_shardings.items())
        if why or (input_shardings and not last):
            self._refuse_layers(input_shardings.values(), why or f"`{path}` takes all of what it computes")
            self.unsplit[path] = why or "what it is given is in parts"
        elif input_shardings:
            self.rows[path] = frozenset().union(*(parts.layers for parts in input_shardings.values()))
        elif is_dense:
            self.columns.add(path)
            self.shardings[flat.outputs[0]] = Sharding(node.outputs[0].type.rank - 1, frozenset((path,)))
            self.undivided[flat.outputs[0]] = path
            self._check_even((path,), flat, "features", node.outputs[0].type.shape[-1])
        else:
            self.heads.add(path)
            self._check_even((path,), flat, "heads", node.op.args["heads"])
        self.used.add(path)

    def _why_whole(self, flat: FlatNode) -> str:
        """Return why a layer cannot be split in any context; empty if it can."""
        node, path = flat.node, flat.path
        if self.loops:
            return "it is in a `scan`"
        if node.shared is not None or path in self.used or any(f"{path}.{spec.name}" in self.tied for spec in node.specs):
            return "its parameters are used twice"
        return _why_no_heads(node.op, node.op.bind_inputs(tuple(v.type for v in node.inputs), self.model.facts))

    def _split_packed_results(self, flat: FlatNode) -> bool:
        """Record a packed layer if the operator divides its output into equal results and is the only one to take it. Return whether it
        does."""
        node, key = flat.node, flat.inputs[0]
        if not isinstance(node.op, Division) or key not in self.undivided:
            return False
        path, sharding = self.undivided[key], self.shardings[key]
        sizes = {value.type.shape[sharding.axis] for value in node.outputs}
        if (
            normalize_axis(node.op.name, node.op.args["axis"], node.inputs[0].type) != sharding.axis
            or len(node.outputs) < 2
            or len(sizes) > 1
        ):
            return False
        self.pieces[path] = len(node.outputs)
        self.divided.add(key)
        for output in flat.outputs:
            self.shardings[output] = sharding
        self._check_even((path,), flat, "features", sizes.pop())
        return True

    def _visit_inner_node(self, flat: FlatNode, input_shardings: Mapping[int, Sharding]) -> None:
        """Visit an operator with sharded inputs."""
        node = flat.node
        types = tuple(value.type for value in node.inputs)
        site = ShardingSite(types, {i: p.axis for i, p in input_shardings.items()}, node.outputs[0].type, self.model.facts)
        axis = None if node.specs else propagate_sharding(node.op, site)
        if axis is None:
            self._refuse_layers(input_shardings.values(), _why_together(node.op))
            return
        if not isinstance(node.op, Attention) and any(
            key in self.gradient_values for i, key in enumerate(flat.inputs) if i not in input_shardings
        ):
            self._refuse_layers(input_shardings.values(), f"`{node.op.name}` joins it with what is whole")
            return
        layers = frozenset().union(*(parts.layers for parts in input_shardings.values()))
        what = "heads" if isinstance(node.op, Attention) else "features"
        if what == "heads":
            self.projections |= layers
        for i, input_axis in site.axes.items():
            self._check_even(layers, flat, what, types[i].shape[input_axis])
        for key, value in zip(flat.outputs, node.outputs, strict=True):
            self.shardings[key] = Sharding(axis, layers)
            self._check_even(layers, flat, what, value.type.shape[axis])

    def _check_even(self, layers: Iterable[str], flat: FlatNode, what: str, size: object) -> None:
        if isinstance(size, int) and size % self.devices == 0:
            return
        for layer in layers:
            if not isinstance(size, int):
                self.refused[layer] = f"the size `{size}` is not known"
            # heads replace features, because a model whose heads cannot be divided is refused
            elif layer not in self.uneven or what == "heads":
                self.uneven[layer] = Uneven(flat.path, what, size, flat.node.span)

    def _refuse_exits(self, keys: Iterable[int], why: str) -> None:
        self._refuse_layers([self.shardings[key] for key in keys if key in self.shardings], why)

    def _refuse_layers(self, shardings: Iterable[Sharding], why: str) -> None:
        for parts in shardings:
            for layer in parts.layers:
                self.refused.setdefault(layer, why)


def _why_no_heads(op: Operator, given: object) -> str:
    """Return why the heads of multi-head attention cannot be divided; empty for other layers."""
    if not isinstance(op, MultiheadAttention):
        return ""
    if op.add_bias_kv or op.add_zero_attn:
        return "it adds keys"
    if not op.is_joint(given):  # type: ignore[arg-type]
        return "its projections are several matrices"
    if given.query.rank != 3 or ("attn_mask" in given and given.attn_mask.rank != 2):  # type: ignore[attr-defined,operator]
        return HEAD_MASKS
    return ""


def _why_together(op: Operator) -> str:
    """Return why an operator needs the full tensor."""
    return f"`{op.name}` takes all of what it computes"
