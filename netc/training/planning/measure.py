"""One training step on tensors without numbers: what is in memory at each moment, and the operations of a sample.

In: a `Training`, an element type. Out: `Measured`. Always: PyTorch itself runs the step, with fake tensors, so that what is kept for the
backward pass is what autograd keeps; nothing is allocated. Memory is affine in the number of samples: two small batches give the line.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from netc.compiler.dims import SymDim
from netc.compiler.ir.training_program import LOSS, Training
from netc.compiler.types.tensor_types import BATCH
from netc.dsl.record import Record

from ..objective import Objective
from ..parallel import recompute_activations
from ..repeated_blocks import repeated_blocks

FEW = (2, 3)
"""The batches that are measured."""


NO_BLOCK = (-1, 0)
"""The number and the bytes of what is not in a block that repeats."""


class Moment(Record):
    """After an operation, the bytes that are alive next to parameters, buffers and optimizer state: `fixed`, and for each `sample`; the
    gradients of the parameters in blocks and of the `rest`; the parameters of the `block` that is computed, 0 outside of blocks, and those
    of the gradients that are its `own`."""

    fixed: float
    sample: float
    gradients: float
    rest: float
    block: float
    own: float


class Measured(Record):
    """Bytes of one device that does everything, and the work of a sample.

    `units` are the parameters of each block that repeats, `rest` those of what is left: FSDP gathers them one by one. `state` is the
    optimizer's. `exchanged`: the bytes of the blocks' outputs for a sample, which tensor parallelism sends. `tokens`: the number of tokens
    of a sample; 0 if the model reads none.
    """

    parameters: int
    trained: int
    buffers: int
    state: int
    units: tuple[int, ...]
    rest: int
    moments: tuple[Moment, ...]
    flops: float
    exchanged: float
    tokens: int


def measure(training: Training, dtype: torch.dtype = torch.float32, recompute: bool = False) -> Measured:
    """Runs a step. `dtype` is that of activations; the parameters' bytes are those of the spec. Raises `ValueError` for sizes that are not
    known, and PyTorch's exceptions for what fake tensors cannot do."""
    runs = [_run(training, dtype, recompute, count) for count in FEW]
    first, second = runs
    step = FEW[1] - FEW[0]
    moments = tuple(_moments(first.tracker.moments, second.tracker.moments, step))
    flops, exchanged = (second.flops - first.flops) / step, (second.exchanged - first.exchanged) / step
    return Measured(
        first.parameters, first.trained, first.buffers, first.state, first.units, first.rest, moments, flops, exchanged, first.tokens
    )


def _moments(one: list[Seen], two: list[Seen], step: int) -> Iterator[Moment]:
    """The lines through two runs; if they differ in the number of operations, one through the largest values."""
    pairs = zip(one, two, strict=True) if len(one) == len(two) else [(max(one, key=_all), max(two, key=_all))]
    for a, b in pairs:
        slope = (b.activations - a.activations) / step
        yield Moment(a.activations - slope * FEW[0], slope, a.gradients, a.rest, a.block, a.own)


class Seen(NamedTuple):
    """What is alive after an operation of one run."""

    activations: int
    gradients: int
    rest: int
    block: int
    own: int


def _all(seen: Seen) -> int:
    return seen.activations + seen.gradients + seen.rest


class _Run(Record):
    tracker: Any
    parameters: int
    trained: int
    buffers: int
    state: int
    units: tuple[int, ...]
    rest: int
    flops: float
    exchanged: float
    tokens: int


def _run(training: Training, dtype: torch.dtype, recompute: bool, count: int) -> _Run:
    frozen = gc.get_freeze_count() > 0
    if not frozen:
        gc.freeze()  # to look for garbage among all modules takes longer than the rest
    try:
        return _followed(training, dtype, recompute, count)
    finally:
        if not frozen:
            gc.unfreeze()


def _followed(training: Training, dtype: torch.dtype, recompute: bool, count: int) -> _Run:
    with FakeTensorMode():
        objective = Objective(training)
        blocks = repeated_blocks(objective.model)
        bytes_of = {id(m): _bytes(m.parameters()) for m in (*blocks, objective.model)}
        whole = bytes_of[id(objective.model)]
        buffers = _bytes(objective.model.buffers())
        optimizer = objective.optimizer()
        trained = _bytes(p for group in optimizer.param_groups for p in group["params"])
        state = _state(optimizer)
        if dtype != torch.float32:
            _convert(objective, dtype)
        if recompute:
            recompute_activations(objective.model)
        outputs: list[int] = []
        for block in blocks:
            block.register_forward_hook(lambda _, __, made: outputs.append(_bytes(t for t in tree_leaves(made) if isinstance(t, Tensor))))
        given = inputs_of(objective, count, dtype)
        with LiveBytes(objective, blocks, given, recompute) as tracker, FlopCounterMode(display=False) as counted:
            loss = objective.results(objective.totals(given), objective.counts(given))[LOSS]
            loss.backward()  # type: ignore[no-untyped-call]
        units = tuple(bytes_of[id(b)] for b in blocks)
        tokens = max((t.numel() // count for t in given.values() if not t.is_floating_point() and t.ndim > 1), default=0)
        return _Run(
            tracker,
            whole,
            trained,
            buffers,
            state,
            units,
            whole - sum(units),
            counted.get_total_flops(),
            sum(outputs[: len(blocks)]),
            tokens,
        )


def _convert(module: nn.Module, dtype: torch.dtype) -> None:
    """`module.to(dtype)`, which PyTorch does not do with fake tensors that are shared. Parameters that are one stay one."""
    made: dict[int, nn.Parameter] = {}
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None and parameter.is_floating_point():
                converted = made.setdefault(id(parameter), nn.Parameter(parameter.to(dtype), parameter.requires_grad))
                part._parameters[name] = converted
        for name, buffer in part._buffers.items():
            if buffer is not None and buffer.is_floating_point() and type(part)._apply is nn.Module._apply:
                part._buffers[name] = buffer.to(dtype)


def _state(optimizer: torch.optim.Optimizer) -> int:
    """The bytes of the optimizer's state: what a step with gradients makes."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    made = _bytes(t for t in tree_leaves(list(optimizer.state.values())) if isinstance(t, Tensor))
    optimizer.zero_grad(set_to_none=True)
    return made


def inputs_of(objective: Objective, count: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """Inputs for that many samples."""
    made = {}
    for name, type_ in objective.inputs.items():
        shape = [count if isinstance(size, SymDim) and str(size) == BATCH else size for size in type_.shape]
        unknown = [str(size) for size in shape if not isinstance(size, int)]
        if unknown:
            raise ValueError(f"the size `{unknown[0]}` of `{name}` is not known: fix it by `--dim`")
        kind = getattr(torch, type_.dtype.name)
        made[name] = torch.zeros(shape, dtype=dtype if kind.is_floating_point else kind)  # type: ignore[arg-type]
    return made


def _bytes(tensors: Any) -> int:
    """The bytes of tensors, of each storage once."""
    return sum({id(s): s.nbytes() for s in (t.untyped_storage() for t in list(tensors))}.values())


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the storages that operations make while they are alive; `moments` has what was alive after each operation. A block is computed
    from the first use of a parameter of it to the first use of one that is not in it."""

    def __init__(self, objective: Objective, blocks: Sequence[nn.Module], given: Mapping[str, Tensor], recompute: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.known: dict[int, Any] = {}
        self.activations = self.peak = 0
        self.recompute = recompute
        self.gradients, self.rest, self.own = 0, 0, 0
        self.block = NO_BLOCK
        self.moments: list[Seen] = []
        self.kept = [t.untyped_storage() for t in (*objective.parameters(), *objective.buffers())]
        self.outside = {id(s) for s in self.kept}
        self.owner = {id(p.untyped_storage()): NO_BLOCK for p in objective.parameters()}
        for number, block in enumerate(blocks):
            place = (number, _bytes(block.parameters()))
            self.owner |= {id(p.untyped_storage()): place for p in block.parameters()}
        for tensor in given.values():
            self._add(tensor)
        for parameter in objective.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(self._accumulated)  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, Tensor):
                self._enter(self.owner.get(id(tensor.untyped_storage()), self.block))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._add(tensor)
        if self.recompute and self.activations > self.peak:
            gc.collect()  # recomputing ends by an exception, whose frames keep tensors that PyTorch has let go
            self.peak = max(self.peak, self.activations)
        self.moments.append(Seen(self.activations, self.gradients, self.rest, self.block[1], self.own))
        return made

    def _enter(self, block: tuple[int, int]) -> None:
        self.own = self.own if block == self.block else 0
        self.block = block

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = id(storage)
        if key in self.known or key in self.outside:
            return
        size = storage.nbytes()
        self.known[key] = weakref.ref(storage, lambda _: self._free(key, size))
        self.activations += size

    def _free(self, key: int, size: int) -> None:
        if self.known.pop(key, None) is not None:
            self.activations -= size

    def _accumulated(self, parameter: Tensor) -> None:
        """A gradient is no activation from now on, and stays."""
        if parameter.grad is None:
            return
        storage = parameter.grad.untyped_storage()
        key = id(storage)
        if key in self.outside:
            return
        self._free(key, storage.nbytes())
        self.outside.add(key)
        self.kept.append(storage)
        owner = self.owner.get(id(parameter.untyped_storage()), NO_BLOCK)
        if owner != NO_BLOCK:
            self.gradients += storage.nbytes()
            self.own += storage.nbytes() if owner == self.block else 0
        else:
            self.rest += storage.nbytes()
