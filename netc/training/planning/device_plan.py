"""The division of a training over devices: memory of each, the largest batch, bounds of the time of a step, and what limits it.

In: `Measured`, a machine, a way to divide. Out: a `Plan`. Always: a time is a lower bound, as if computing, memory and links were fully
used at the same time; memory is the peak over the moments of a step.

FSDP keeps its share of parameters, gradients and optimizer state; in addition, the block that is computed and the next one are gathered,
in the type of the activations, and the gradients of a block are whole until they are summed. What is not in a block that repeats stays
gathered. Tensor parallelism divides the parameters of the layers that are split, and is taken to divide all activations: a lower bound.
"""

from __future__ import annotations

import math

from netc.dsl.record import Record

from .device_specs import Device
from .measure import Measured

DAY = 24 * 60 * 60
RESERVED = 0.1
"""The share of the memory that is left to the driver, workspaces, and what the allocator cannot use."""


class Layout(Record):
    """`devices` in all, `tensor` of them on each part of the batch; `item` is the number of bytes of an activation's element, `single` that
    of a parameter's. `strategy`: `ddp` or `fsdp`. `split` is the share of the parameters that `tensor` devices divide."""

    devices: int
    tensor: int
    strategy: str
    dtype: str
    item: int
    single: int = 4
    split: float = 1.0

    @property
    def replicas(self) -> int:
        return self.devices // self.tensor

    @property
    def part(self) -> float:
        """The share of the parameters that one of `tensor` devices has."""
        return self.split / self.tensor + 1 - self.split

    @property
    def share(self) -> float:
        """The same, of what FSDP leaves to each device."""
        return self.part / (self.replicas if self.strategy == "fsdp" else 1)


class Memory(Record):
    """Bytes of one device at the moment when it needs most."""

    parameters: float
    gradients: float
    state: float
    buffers: float
    gathered: float
    activations: float

    @property
    def total(self) -> float:
        return self.parameters + self.gradients + self.state + self.buffers + self.gathered + self.activations


class Plan(Record):
    """`batch` is that of one device, `largest` the largest that fits, 0 if none does. `times` are lower bounds of a step by what they are
    for, in seconds; the longest one limits. `samples` and `tokens` a day are upper bounds."""

    device: Device
    layout: Layout
    measured: Measured
    batch: int
    largest: int
    memory: Memory
    times: dict[str, float]

    @property
    def step(self) -> float:
        return max(self.times.values())

    @property
    def limit(self) -> str:
        """What the bound is: the memory if nothing fits, else what takes longest."""
        return "memory" if not self.fits else max(self.times, key=lambda what: self.times[what])

    @property
    def fits(self) -> bool:
        return 0 < self.batch <= self.largest

    @property
    def samples(self) -> float:
        return self.batch * self.layout.replicas / self.step * DAY

    @property
    def tokens(self) -> float:
        return self.samples * self.measured.tokens


def check_groups(devices: int, tensor: int) -> None:
    """Raises `ValueError` unless the devices are groups of as many as share each layer."""
    if devices % tensor:
        raise ValueError(f"{devices} devices cannot be divided into groups of {tensor}")


def make_plan(measured: Measured, device: Device, layout: Layout, batch: int | None = None) -> Plan:
    """The plan for `batch` samples in all, by default as many as fit. Raises `ValueError` for what cannot be divided so."""
    check_groups(layout.devices, layout.tensor)
    if layout.dtype not in device.flops:
        raise ValueError(f"there is no rate of {layout.dtype} for {device.name}: it is known for {', '.join(device.flops)}")
    if batch is not None and batch % layout.replicas:
        raise ValueError(f"a batch of {batch} cannot be divided over {layout.replicas} devices or groups of devices")
    largest = largest_batch(measured, layout, device.memory * (1 - RESERVED))
    own = batch // layout.replicas if batch is not None else max(1, largest)
    return Plan(device, layout, measured, own, largest, memory(measured, layout, own), times(measured, device, layout, own))


def memory(measured: Measured, layout: Layout, batch: int) -> Memory:
    """The memory of the moment that needs most."""
    parameters, state = measured.parameters * layout.share, measured.state * layout.share
    found = [
        Memory(parameters, needs.gradients, state, float(measured.buffers), needs.gathered, needs.fixed + needs.sample * batch)
        for needs in _needs(measured, layout)
    ]
    return max(found, key=lambda one: one.total)


def largest_batch(measured: Measured, layout: Layout, available: float) -> int:
    """How many samples fit on a device; 0 if not even one does."""
    left = available - (measured.parameters + measured.state) * layout.share - measured.buffers
    found = math.inf
    for needs in _needs(measured, layout):
        room = left - needs.gradients - needs.gathered - needs.fixed
        if room < 0:
            return 0
        if needs.sample > 0:
            found = min(found, room / needs.sample)
    return int(found) if math.isfinite(found) else 1


class _Needs(Record):
    """What a moment needs on a device, in addition to the shares of parameters and optimizer state."""

    gradients: float
    gathered: float
    fixed: float
    sample: float


def _needs(measured: Measured, layout: Layout) -> list[_Needs]:
    """The needs of each moment; at last those of the sum of the gradients, and of the optimizer's step."""
    computed, tensor, part = layout.item / layout.single, layout.tensor, layout.part
    if layout.strategy != "fsdp" or layout.replicas == 1:
        converted = computed * measured.parameters * part if computed != 1 else 0.0  # autocast keeps what it converts for the step
        made = [_Needs((m.gradients + m.rest) * part, converted, m.fixed / tensor, m.sample / tensor) for m in measured.moments]
        return [*made, _Needs(measured.trained * part, 0.0, 0.0, 0.0)]
    found = [_Needs(0.0, 2 * computed * measured.rest * part, 0.0, 0.0)]  # gathered, and copied into the parameters
    for m in measured.moments:
        whole = measured.rest + m.rest + 2 * m.block + m.own  # the block and the next one; gradients that are not summed yet
        found.append(_Needs((m.gradients - m.own) * layout.share, computed * whole * part, m.fixed / tensor, m.sample / tensor))
    gradients = measured.trained * layout.share
    return [*found, _Needs(gradients, 2 * computed * measured.rest * part, 0.0, 0.0), _Needs(gradients, 0.0, 0.0, 0.0)]


def times(measured: Measured, device: Device, layout: Layout, batch: int) -> dict[str, float]:
    """The bounds: operations, bytes of the device's memory, bytes sent."""
    passes = (2 * measured.parameters * layout.item / layout.single + 2 * measured.trained + 2 * measured.state) * layout.part
    if layout.strategy == "fsdp":
        passes -= 2 * (measured.trained + measured.state) * layout.part * (1 - 1 / layout.replicas)
    kept = max((m.sample for m in measured.moments), default=0.0) * batch / layout.tensor
    made = {
        "compute": measured.flops * batch / layout.tensor / device.flops[layout.dtype],
        "memory bandwidth": (passes + 2 * kept) / device.bandwidth,
    }
    if layout.devices > 1:
        made["links"] = _links(measured, device, layout, batch)
    return made


def _links(measured: Measured, device: Device, layout: Layout, batch: int) -> float:
    """Of the gradients, and with FSDP of the parameters; of what tensor parallelism sums, twice forward and twice backward a block."""
    other = (layout.replicas - 1) / layout.replicas
    if layout.strategy == "fsdp":
        computed = layout.item / layout.single
        sent = other * (2 * measured.parameters * computed + measured.trained * computed) * layout.part
    else:
        sent = other * 2 * measured.trained * layout.part
    rate = device.link if layout.devices <= device.together else device.network
    across = (layout.tensor - 1) / layout.tensor
    summed = 4 * 2 * across * measured.exchanged * batch
    near = device.link if layout.tensor <= device.together else device.network
    return sent / rate + summed / near
