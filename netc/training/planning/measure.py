"""Profile one training step on fake tensors: the live memory after each operation, and the operations of a sample.

In: a `Training` and an element type. Out: a `StepProfile`. Always: PyTorch itself runs the step on fake tensors, so the tensors kept for
the backward pass are the ones that autograd keeps; nothing is allocated. Memory is affine in the number of samples, so two small batches
determine the line.
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
from netc.compiler.ir.training_program import Training
from netc.compiler.types.tensor_types import BATCH
from netc.dsl.record import Record

from ..objective import Objective
from ..parallel import recompute_activations
from ..repeated_blocks import find_repeated_blocks

BATCH_SIZES = (2, 3)
"""The batches that are profiled."""
NO_BLOCK = (-1, 0)
"""The number and the bytes that stand for "outside the repeated blocks"."""


class MemorySnapshot(Record):
    """The live bytes after an operation, without parameters, buffers and optimizer state. Activations are `fixed + per_sample * batch`.
    `gradients` belong to parameters in repeated blocks, `other_gradients` to the others. `block_parameters` and `block_gradients` are those
    of the block that is being computed, 0 outside of blocks."""

    fixed: float
    per_sample: float
    gradients: float
    other_gradients: float
    block_parameters: float
    block_gradients: float


class StepProfile(Record):
    """Bytes of one device that does everything, and the work of a sample.

    `units` are the parameters of each block that repeats, `other_gradients` the gradients of all others: FSDP gathers them one by one.
    `state` is the optimizer's. `exchanged`: the bytes of the blocks' outputs for a sample, which tensor parallelism sends. `tokens`: the
    number of tokens of a sample; 0 if the model reads none.
    """

    parameters: int
    trainable: int
    buffers: int
    state: int
    units: tuple[int, ...]
    rest: int
    snapshots: tuple[MemorySnapshot, ...]
    flops: float
    exchanged: float
    tokens: int


def profile_step(training: Training, dtype: torch.dtype = torch.float32, recompute: bool = False) -> StepProfile:
    """Profile a step. `dtype` is the type of activations; parameters have the spec's types. Raises `ValueError` for unknown sizes, and
    PyTorch's exceptions for operations that fake tensors do not support."""
    runs = [_profile_run_without_collection(training, dtype, recompute, count) for count in BATCH_SIZES]
    first, second = runs
    step = BATCH_SIZES[1] - BATCH_SIZES[0]
    moments = tuple(_fit_snapshots(first.tracker.snapshots, second.tracker.snapshots, step))
    flops, exchanged = (second.flops - first.flops) / step, (second.exchanged - first.exchanged) / step
    return StepProfile(
        first.parameters, first.trained, first.buffers, first.state, first.units, first.rest, moments, flops, exchanged, first.tokens
    )


def _fit_snapshots(first_run: list[LiveMemory], second_run: list[LiveMemory], step: int) -> Iterator[MemorySnapshot]:
    """Fit a line through each pair of snapshots. If the runs differ in the number of operations, fit one line through the peaks."""
    pairs = (
        zip(first_run, second_run, strict=True)
        if len(first_run) == len(second_run)
        else [(max(first_run, key=_sum_live), max(second_run, key=_sum_live))]
    )
    for a, b in pairs:
        slope = (b.activations - a.activations) / step
        yield MemorySnapshot(
            a.activations - slope * BATCH_SIZES[0], slope, a.gradients, a.other_gradients, a.block_parameters, a.block_gradients
        )


class LiveMemory(NamedTuple):
    """The live bytes after an operation of one run."""

    activations: int
    gradients: int
    other_gradients: int
    block_parameters: int
    block_gradients: int


def _sum_live(seen: LiveMemory) -> int:
    return seen.activations + seen.gradients + seen.other_gradients


class _RunProfile(Record):
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


def _profile_run_without_collection(training: Training, dtype: torch.dtype, recompute: bool, count: int) -> _RunProfile:
    frozen = gc.get_freeze_count() > 0
    if not frozen:
        gc.freeze()  # the collector would search all loaded modules, which takes longer than the profile
    try:
        return _profile_run(training, dtype, recompute, count)
    finally:
        if not frozen:
            gc.unfreeze()


def _profile_run(training: Training, dtype: torch.dtype, recompute: bool, count: int) -> _RunProfile:
    with FakeTensorMode():
        objective = Objective(training)
        blocks = find_repeated_blocks(objective.model)
        bytes_of = {id(m): _count_bytes(m.parameters()) for m in (*blocks, objective.model)}
        total = bytes_of[id(objective.model)]
        buffers = _count_bytes(objective.model.buffers())
        optimizer = objective.optimizer()
        trained = _count_bytes(p for group in optimizer.param_groups for p in group["params"])
        state = _measure_optimizer_state(optimizer)
        if dtype != torch.float32:
            _convert_dtype(objective, dtype)
        if recompute:
            recompute_activations(objective.model)
        outputs: list[int] = []
        for block in blocks:
            block.register_forward_hook(
                lambda _, __, output: outputs.append(_count_bytes(t for t in tree_leaves(output) if isinstance(t, Tensor)))
            )
        inputs = make_inputs(objective, count, dtype)
        with LiveMemoryTracker(objective, blocks, inputs, recompute) as tracker, _FlopCounter() as flop_counter:
            loss = objective.results(objective.totals(inputs), objective.counts(inputs))[training.losses[0]]
            loss.backward()  # type: ignore[no-untyped-call]
        # The tokens of a sample are the elements of its largest input of integers, without counting one label for each sample.
        units = tuple(bytes_of[id(b)] for b in blocks)
        tokens = max((t.numel() // count for t in inputs.values() if not t.is_floating_point() and t.ndim > 1), default=0)
        return _RunProfile(
            tracker,
            total,
            trained,
            buffers,
            state,
            units,
            total - sum(units),
            flop_counter.get_total_flops(),
            sum(outputs[: len(blocks)]),
            tokens,
        )


def _convert_dtype(module: nn.Module, dtype: torch.dtype) -> None:
    """Convert a module as `module.to(dtype)` does, which fails for shared fake tensors. Tied parameters stay tied."""
    converted_parameters: dict[int, nn.Parameter] = {}
    for submodule in module.modules():
        for name, parameter in submodule._parameters.items():
            if parameter is not None and parameter.is_floating_point():
                converted = converted_parameters.setdefault(id(parameter), nn.Parameter(parameter.to(dtype), parameter.requires_grad))
                submodule._parameters[name] = converted
        for name, buffer in submodule._buffers.items():
            if buffer is not None and buffer.is_floating_point() and type(submodule)._apply is nn.Module._apply:
                submodule._buffers[name] = buffer.to(dtype)


def _measure_optimizer_state(optimizer: torch.optim.Optimizer) -> int:
    """Return the bytes of the optimizer's state, which its first step creates."""
    # Optimizers create their state only in a step, and only for parameters with a gradient.
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    size = _count_bytes(t for t in tree_leaves(list(optimizer.state.values())) if isinstance(t, Tensor))
    optimizer.zero_grad()
    return size


def make_inputs(objective: Objective, count: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """Make inputs for `count` samples."""
    inputs = {}
    for name, type_ in objective.inputs.items():
        shape = [count if isinstance(size, SymDim) and str(size) == BATCH else size for size in type_.shape]
        unknown = [str(size) for size in shape if not isinstance(size, int)]
        if unknown:
            raise ValueError(f"the size `{unknown[0]}` of `{name}` is not known: fix it by `--dim`")
        declared = getattr(torch, type_.dtype.name)
        inputs[name] = torch.zeros(shape, dtype=dtype if declared.is_floating_point else declared)  # type: ignore[arg-type]
    return inputs


def _count_bytes(tensors: Any) -> int:
    """Return the bytes of tensors, counting each storage once."""
    return sum({id(s): s.nbytes() for s in (t.untyped_storage() for t in list(tensors))}.values())


class _NoModules:
    """Stands for the module tracker of `FlopCounterMode`, whose hooks fail within `torch.autograd.grad`. A `gradient` in a loss calls it.
    All operations are in one group."""

    parents = frozenset(("Global",))

    def __enter__(self) -> None: ...

    def __exit__(self) -> None: ...


class _FlopCounter(FlopCounterMode):
    def __init__(self) -> None:
        super().__init__(display=False)
        self.mod_tracker: Any = _NoModules()


class LiveMemoryTracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Track the storages that operations create while they are alive; `snapshots` has the live bytes after each operation. A block is being
    computed from the first use of one of its parameters to the first use of a parameter outside of it."""

    def __init__(self, objective: Objective, blocks: Sequence[nn.Module], inputs: Mapping[str, Tensor], recompute: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live_storages: dict[int, Any] = {}
        self.activations = self.peak = 0
        self.recompute = recompute
        self.gradients, self.other_gradients, self.block_gradients = 0, 0, 0
        self.block = NO_BLOCK
        self.snapshots: list[LiveMemory] = []
        self.kept = [t.untyped_storage() for t in (*objective.parameters(), *objective.buffers())]
        self.excluded = {id(s) for s in self.kept}
        self.owner = {id(p.untyped_storage()): NO_BLOCK for p in objective.parameters()}
        for number, block in enumerate(blocks):
            owner = (number, _count_bytes(block.parameters()))
            self.owner |= {id(p.untyped_storage()): owner for p in block.parameters()}
        for tensor in inputs.values():
            self._track_tensor(tensor)
        for parameter in objective.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(self._reclassify_gradient)  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        outputs = func(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, Tensor):
                self._enter_block(self.owner.get(id(tensor.untyped_storage()), self.block))
        for tensor in tree_leaves(outputs):
            if isinstance(tensor, Tensor):
                self._track_tensor(tensor)
        if self.recompute and self.activations > self.peak:
            gc.collect()  # PyTorch ends the recomputation by an exception, whose frames keep tensors alive until a collection
            self.peak = max(self.peak, self.activations)
        self.snapshots.append(LiveMemory(self.activations, self.gradients, self.other_gradients, self.block[1], self.block_gradients))
        return outputs

    def _enter_block(self, block: tuple[int, int]) -> None:
        self.block_gradients = self.block_gradients if block == self.block else 0
        self.block = block

    def _track_tensor(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = id(storage)
        if key in self.live_storages or key in self.excluded:
            return
        size = storage.nbytes()
        # A weak reference tells when PyTorch frees the storage, without keeping it alive.
        self.live_storages[key] = weakref.ref(storage, lambda _: self._release_storage(key, size))
        self.activations += size

    def _release_storage(self, key: int, size: int) -> None:
        if self.live_storages.pop(key, None) is not None:
            self.activations -= size

    def _reclassify_gradient(self, parameter: Tensor) -> None:
        """Count a finished gradient as a gradient from now on, no longer as an activation."""
        if parameter.grad is None:
            return
        storage = parameter.grad.untyped_storage()
        key = id(storage)
        if key in self.excluded:
            return
        self._release_storage(key, storage.nbytes())
        self.excluded.add(key)
        self.kept.append(storage)
        owner = self.owner.get(id(parameter.untyped_storage()), NO_BLOCK)
        if owner != NO_BLOCK:
            self.gradients += storage.nbytes()
            self.block_gradients += storage.nbytes() if owner == self.block else 0
        else:
            self.other_gradients += storage.nbytes()
