"""Which layers of a model several devices can share, so that each has a part of every such layer: tensor parallelism.

In: the graph of a model, and the number of devices. Out: `Splits`. Always: layers are split together. The first ones (`columns`) give each
device a part of their features; what follows computes each part, or each head, by itself; the last one (`rows`) sums over the parts. No
tensor of which devices have parts leaves such a region, and none that is whole and has a gradient enters it. Features of a first layer that
are several results one after the other, as queries, keys and values of one product, are divided result by result (`packed`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import singledispatch

from netc.compiler.analysis.state_dict import parameters
from netc.compiler.dims import Facts
from netc.compiler.errors.run_errors import CannotSplit
from netc.compiler.ir.flat_graph import FlatGraph, FlatNode, FlatScan
from netc.compiler.ir.graph import Program
from netc.compiler.ir.training_program import MODEL, Training
from netc.compiler.ops.activation import Activation, AlongAxis, Glu
from netc.compiler.ops.arithmetic import Clamp, NumberOrTensor, Pair
from netc.compiler.ops.attention import Attention
from netc.compiler.ops.axes import normalize_axis
from netc.compiler.ops.constants import ParamOperator
from netc.compiler.ops.dense import Dense
from netc.compiler.ops.elementwise import Numeric, Real
from netc.compiler.ops.joining import Division
from netc.compiler.ops.linear_algebra import Matmul
from netc.compiler.ops.multihead import MultiheadAttention
from netc.compiler.ops.operator import Operator
from netc.compiler.ops.rearrange import Rearrange
from netc.compiler.ops.regularization import Dropout, Identity
from netc.compiler.ops.rotary import Rotary
from netc.compiler.ops.shape import Cast, Flatten, Permute, Reshape, Transpose, Unflatten
from netc.compiler.types.tensor_types import TensorType
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..errors import CompileError
from ..files.file_problems import diagnostic

COLUMNS, ROWS, HEADS, PACKED = "columns", "rows", "heads", "packed"
OWN_MASKS = "each head has a mask of its own"
SHOWN = 3
"""Layers of which a message says why they are whole."""


class Uneven(Record):
    """A number of heads or features that is not divisible."""

    path: str
    what: str
    number: int
    span: Span

    def __str__(self) -> str:
        return f"`{self.path}` has {self.number} {self.what if self.number != 1 else self.what[:-1]}"


class Splits(Record):
    """`ways` has `columns`, `rows`, `heads` or `packed` for each layer that is split, by its path in the model; `whole` why each other
    layer that has a matrix is not. `uneven`: what would be split, if the number of devices divided it. `pieces`: the number of results of
    each packed layer. `heads`: the layers that are split because heads are."""

    ways: Mapping[str, str]
    whole: Mapping[str, str]
    uneven: tuple[Uneven, ...]
    pieces: Mapping[str, int]
    heads: frozenset[str]

    def summary(self, devices: int) -> str:
        """A line on what is split, and what is not."""
        heads = sum(way == HEADS for way in self.ways.values())
        shown = [f"{n} of {what}" for n, what in ((len(self.ways) - heads, "`dense`"), (heads, "`multihead_attention`")) if n]
        rest = [f"`{path}` ({why})" for path, why in [*self.whole.items()][:SHOWN]]
        more = f" and {len(self.whole) - len(rest)} more" if len(self.whole) > len(rest) else ""
        whole = f"; whole on each: {', '.join(rest)}{more}" if rest else ""
        return f"{devices} devices share {len(self.ways)} layers, {' and '.join(shown)}{whole}"


class Parts(Record):
    """A tensor of which each device has a part along an axis, and the layers that it comes from."""

    axis: int
    layers: frozenset[str]


class Site(Record):
    """The use of an operator: its inputs' types, and of those that are in parts the axis."""

    types: tuple[TensorType, ...]
    axes: Mapping[int, int]
    result: TensorType
    facts: Facts

    @property
    def axis(self) -> int:
        """That of the first input which is in parts."""
        return next(iter(self.axes.values()))


def checked_splits(training: Training, devices: int) -> Splits:
    """What is split. Raises `CompileError` if that is nothing, or if there are heads and none of them can be divided."""
    whole = training.program
    found = splits_of(Program(training.call.graph, whole.facts, whole.symbols, whole.conditions, whole.dims), devices)
    uneven = [u for u in found.uneven if (u.what == "heads" and not found.heads) or not found.ways]
    problems = [diagnostic(CannotSplit(devices, str(u), u.number), u.span) for u in uneven]
    if not problems and not found.ways:
        why = tuple(f"`{path}`: {reason}" for path, reason in [*found.whole.items()][:SHOWN])
        problems.append(diagnostic(CannotSplit(devices, "", 0, why), training.span))
    if problems:
        raise CompileError(tuple(problems))
    return found


def split_share(training: Training, splits: Splits) -> float:
    """The share of the model's parameters that are in layers which are split."""
    sizes = {
        name.removeprefix(f"{MODEL}."): info.numel
        for name, info in parameters(training.program).items()
        if info.trainable and not info.tied_to
    }
    split = sum(size for name, size in sizes.items() if any(name.startswith(f"{path}.") for path in splits.ways))
    return split / max(1, sum(sizes.values()))


def splits_of(model: Program, devices: int) -> Splits:
    """What is split if that many devices share each layer."""
    tied = {name for info in parameters(model).values() if info.tied_to for name in (info.name, info.tied_to)}
    refused: dict[str, str] = {}
    while True:
        walk = _Walk(model, devices, tied, refused)
        walk.run()
        if not walk.refused:
            return walk.found()
        refused |= walk.refused


class _Walk:
    """The operators in the order of computation. `before` are layers that are not split, since an earlier walk has found why."""

    def __init__(self, model: Program, devices: int, tied: set[str], before: Mapping[str, str]) -> None:
        self.model, self.devices, self.tied, self.before = model, devices, tied, before
        self.refused: dict[str, str] = {}
        self.parts: dict[int, Parts] = {}
        self.learned: set[int] = set()
        """Tensors that depend on parameters, and so have a gradient."""
        self.columns: set[str] = set()
        self.rows: dict[str, frozenset[str]] = {}
        self.heads: set[str] = set()
        self.projections: set[str] = set()
        """First layers that compute what `attention` takes."""
        self.whole: dict[str, str] = {}
        self.uneven: dict[str, Uneven] = {}
        """By layer: the first number in its region that is not divisible."""
        self.pieces: dict[str, int] = {}
        self.undivided: dict[int, str] = {}
        """Results of first layers that nothing has taken yet, and these layers."""
        self.divided: set[int] = set()
        """Results of packed layers, which nothing else can take."""
        self.free: dict[int, str] = {}
        """Parameters that are no layer's, by their tensors."""
        self.loops = 0
        self.used: set[str] = set()

    def run(self) -> None:
        flat = FlatGraph(self.model.main)
        for item in flat:
            if isinstance(item, FlatNode):
                self._node(item)
            elif isinstance(item, FlatScan):
                self._leave(item.inputs, "a `scan` takes what it computes")
                self.learned.update(item.given)
                self.loops += 1
            else:
                self._leave(item.made, "it is a result of a `scan`")
                self.learned.update(item.outputs)
                self.loops -= 1
        self._leave(flat.results(), "it is an output of the model")

    def found(self) -> Splits:
        closed = frozenset(layer for layers in self.rows.values() for layer in layers)
        bad = {layer for layer in self.uneven if layer in closed or layer in self.heads}
        while more := {layer for layers in self.rows.values() if layers & bad for layer in layers} - bad:
            bad |= more  # layers whose parts meet are split together
        ways = {layer: PACKED if layer in self.pieces else COLUMNS for layer in sorted(closed - bad)}
        ways |= {layer: ROWS for layer, layers in self.rows.items() if not layers & bad}
        ways |= dict.fromkeys(sorted(self.heads - bad), HEADS)
        whole = {**self.before, **self.whole}
        whole |= dict.fromkeys(sorted(self.columns - closed), "no layer takes what it computes")
        whole |= {layer: f"{u} that cannot be divided" for layer, u in self.uneven.items() if layer in bad}
        uneven = tuple({u.span: u for layer, u in self.uneven.items() if layer in bad}.values())
        pieces = {layer: count for layer, count in self.pieces.items() if layer in ways}
        heads = frozenset(self.heads | self.projections) & ways.keys()
        return Splits(ways, {layer: why for layer, why in whole.items() if layer not in ways}, uneven, pieces, heads)

    def _node(self, flat: FlatNode) -> None:
        node = flat.node
        if isinstance(node.op, ParamOperator):
            self.free[flat.outputs[0]] = flat.path
        elif isinstance(node.op, (Transpose, Permute, Reshape, Cast)) and flat.inputs[0] in self.free:
            self.free[flat.outputs[0]] = self.free[flat.inputs[0]]
        if isinstance(node.op, Matmul):
            why = "it is multiplied by `@`, and only layers are divided"
            self.whole |= {self.free[key]: why for key in flat.inputs if key in self.free}
        if node.specs or any(key in self.learned for key in flat.inputs):
            self.learned.update(flat.outputs)
        here = {i: self.parts[key] for i, key in enumerate(flat.inputs) if key in self.parts}
        self._leave((key for key in flat.inputs if key in self.divided), "what it computes is divided, and taken as a whole too")
        if isinstance(node.op, (Dense, MultiheadAttention)) and node.specs:
            self._layer(flat, here)
        elif here and not self._divides(flat):
            self._between(flat, here)
        for key in flat.inputs:
            self.undivided.pop(key, None)

    def _layer(self, flat: FlatNode, here: Mapping[int, Parts]) -> None:
        """A layer with a matrix, which begins or ends a region, or is one."""
        path, node = flat.path, flat.node
        own = isinstance(node.op, Dense)
        why = self.before.get(path) or self._why_whole(flat)
        last = own and all(parts.axis == node.inputs[i].type.rank - 1 for i, parts in here.items())
        if why or (here and not last):
            self._refuse(here.values(), why or f"`{path}` takes all of what it computes")
            self.whole[path] = why or "what it is given is in parts"
        elif here:
            self.rows[path] = frozenset().union(*(parts.layers for parts in here.values()))
        elif own:
            self.columns.add(path)
            self.parts[flat.outputs[0]] = Parts(node.outputs[0].type.rank - 1, frozenset((path,)))
            self.undivided[flat.outputs[0]] = path
            self._check_even((path,), flat, "features", node.outputs[0].type.shape[-1])
        else:
            self.heads.add(path)
            self._check_even((path,), flat, "heads", node.op.args["heads"])
        self.used.add(path)

    def _why_whole(self, flat: FlatNode) -> str:
        """Why a layer cannot be split whatever is around it; empty if it can."""
        node, path = flat.node, flat.path
        if self.loops:
            return "it is in a `scan`"
        if node.shared is not None or path in self.used or any(f"{path}.{spec.name}" in self.tied for spec in node.specs):
            return "its parameters are used twice"
        if not any(spec.role == "weight" or spec.name == "weight" for spec in node.specs):
            return "its weight is computed"
        return _why_no_heads(node.op, node.op.bind(tuple(v.type for v in node.inputs), self.model.facts))

    def _divides(self, flat: FlatNode) -> bool:
        """Whether it divides what a first layer computes, and nothing else takes, into equal results: they are in parts then."""
        node, key = flat.node, flat.inputs[0]
        if not isinstance(node.op, Division) or key not in self.undivided:
            return False
        path, parts = self.undivided[key], self.parts[key]
        sizes = {value.type.shape[parts.axis] for value in node.outputs}
        if normalize_axis(node.op.name, node.op.args["axis"], node.inputs[0].type) != parts.axis or len(node.outputs) < 2 or len(sizes) > 1:
            return False
        self.pieces[path] = len(node.outputs)
        self.divided.add(key)
        for output in flat.outputs:
            self.parts[output] = parts
        self._check_even((path,), flat, "features", sizes.pop())
        return True

    def _between(self, flat: FlatNode, here: Mapping[int, Parts]) -> None:
        """An operator that is given parts."""
        node = flat.node
        types = tuple(value.type for value in node.inputs)
        site = Site(types, {i: p.axis for i, p in here.items()}, node.outputs[0].type, self.model.facts)
        axis = None if node.specs else followed(node.op, site)
        if axis is None:
            self._refuse(here.values(), _why_together(node.op))
            return
        if not isinstance(node.op, Attention) and any(key in self.learned for i, key in enumerate(flat.inputs) if i not in here):
            self._refuse(here.values(), f"`{node.op.name}` joins it with what is whole")
            return
        layers = frozenset().union(*(parts.layers for parts in here.values()))
        what = "heads" if isinstance(node.op, Attention) else "features"
        if what == "heads":
            self.projections |= layers
        for i, own in site.axes.items():
            self._check_even(layers, flat, what, types[i].shape[own])
        for key, value in zip(flat.outputs, node.outputs, strict=True):
            self.parts[key] = Parts(axis, layers)
            self._check_even(layers, flat, what, value.type.shape[axis])

    def _check_even(self, layers: Iterable[str], flat: FlatNode, what: str, size: object) -> None:
        if isinstance(size, int) and size % self.devices == 0:
            return
        for layer in layers:
            if not isinstance(size, int):
                self.refused[layer] = f"the size `{size}` is not known"
            elif layer not in self.uneven or what == "heads":
                self.uneven[layer] = Uneven(flat.path, what, size, flat.node.span)

    def _leave(self, keys: Iterable[int], why: str) -> None:
        self._refuse([self.parts[key] for key in keys if key in self.parts], why)

    def _refuse(self, found: Iterable[Parts], why: str) -> None:
        for parts in found:
            for layer in parts.layers:
                self.refused.setdefault(layer, why)


def _why_no_heads(op: Operator, given: object) -> str:
    """Why the heads of multi-head attention cannot be divided; empty for other layers."""
    if not isinstance(op, MultiheadAttention):
        return ""
    if op.add_bias_kv or op.add_zero_attn:
        return "it adds keys"
    if not op.joint(given):  # type: ignore[arg-type]
        return "its projections are several matrices"
    if given.query.rank != 3 or ("attn_mask" in given and given.attn_mask.rank != 2):  # type: ignore[attr-defined,operator]
        return OWN_MASKS
    return ""


def _why_together(op: Operator) -> str:
    """Why an operator needs all parts at once."""
    return f"`{op.name}` takes all of what it computes"


# --- where the parts are after an operator ---------------------------------------------------------------------------------


@singledispatch
def followed(op: Operator, site: Site) -> int | None:
    """The axis along which the result is in parts; None if the operator needs all parts at once."""
    return None


@followed.register(Activation)
@followed.register(Numeric)
@followed.register(Real)
@followed.register(NumberOrTensor)
@followed.register(Pair)
@followed.register(Clamp)
@followed.register(Dropout)
@followed.register(Identity)
@followed.register(Cast)
def _element(op: Operator, site: Site) -> int | None:
    """Element by element, of tensors that broadcast: their last axes are the same."""
    from_end = {site.types[i].rank - axis for i, axis in site.axes.items()}
    return site.result.rank - from_end.pop() if len(from_end) == 1 else None


@followed.register
def _glu(op: Glu, site: Site) -> None:
    """Each element is one of two parts of the axis."""


@followed.register
def _along_axis(op: AlongAxis, site: Site) -> int | None:
    return site.axis if normalize_axis(op.name, op.args["axis"], site.types[0]) != site.axis else None


@followed.register
def _division(op: Division, site: Site) -> int | None:
    return site.axis if normalize_axis(op.name, op.args["axis"], site.types[0]) != site.axis else None


@followed.register(Permute)
@followed.register(Transpose)
def _reordered(op: Permute | Transpose, site: Site) -> int:
    return op.order(site.types[0]).index(site.axis)


@followed.register(Flatten)
@followed.register(Unflatten)
@followed.register(Reshape)
def _reshaped(op: Operator, site: Site) -> int | None:
    """The axis stays if those before it do, and is the first of what it is joined with or divided into; or if those from it on do."""
    before, after, axis = site.types[0].shape, site.result.shape, site.axis
    if len(after) > axis and before[:axis] == after[:axis]:
        return axis
    rest = len(before) - axis
    return len(after) - rest if len(after) >= rest and before[axis:] == after[len(after) - rest :] else None


@followed.register
def _rearranged(op: Rearrange, site: Site) -> int | None:
    plan = op.plan(op.bind(site.types, site.facts))
    name, *others = plan.left[site.axis] or ("",)
    for axis, group in enumerate(plan.right):
        if group[:1] == (name,):
            return axis if not others or len(group) == 1 else None
    return None


@followed.register
def _attention(op: Attention, site: Site) -> int | None:
    """Queries, keys and values in parts of heads. A mask is whole, also if it is learned: each device takes what is for its heads."""
    heads = {t.rank - 3 for t in site.types[:3]}
    return heads.pop() if len(heads) == 1 and site.axes == dict.fromkeys(range(3), max(heads)) else None


@followed.register
def _rotary(op: Rotary, site: Site) -> int | None:
    return site.axis if dict(site.axes).keys() == {0} and site.axis < site.types[0].rank - 2 else None
