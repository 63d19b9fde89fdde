"""Divide a training step over devices: the memory of each, the largest batch, bounds on the time of a step, and the bottleneck.

In: a `StepProfile`, a device and a `ParallelLayout`. Out: a `DevicePlan`. Always: a time is a lower bound, as if computing, memory and
links were fully used at the same time; memory is the peak over the snapshots of a step.

FSDP keeps its share of parameters, gradients and optimizer state. In addition, it gathers the block that is computed and the next one in
the type of the activations, and keeps the full gradients of a block until they are summed. Parameters outside the repeated blocks stay
gathered. Tensor parallelism divides the parameters of the split layers; that it divides all activations too is assumed, so the result is
a lower bound.

    >>> check_groups(8, 3)
    Traceback (most recent call last):
    ValueError: 8 devices cannot be divided into groups of 3
"""

from __future__ import annotations

import math

from netc.dsl.record import Record

from .device_specs import Device
from .measure import StepProfile

DAY = 24 * 60 * 60
RESERVED = 0.1
"""The share of the memory that is left for the driver, for workspaces and for the allocator's fragments."""


class ParallelLayout(Record):
    """`devices` in total; `tensor` of them compute the same samples and share each layer. `activation_bytes` and `parameter_bytes` are the
    sizes of one element. `strategy` is `ddp` or `fsdp`. `split_share` is the share of the parameters that the `tensor` devices divide."""

    devices: int
    tensor: int
    strategy: str
    dtype: str
    activation_bytes: int
    parameter_bytes: int = 4
    split_share: float = 1.0

    @property
    def replicas(self) -> int:
        return self.devices // self.tensor

    @property
    def parameter_share(self) -> float:
        """The share of the parameters that one of the `tensor` devices computes with."""
        return self.split_share / self.tensor + 1 - self.split_share

    @property
    def stored_share(self) -> float:
        """The share of the parameters that a device stores: FSDP divides them among the replicas too."""
        return self.parameter_share / (self.replicas if self.strategy == "fsdp" else 1)


class DeviceMemory(Record):
    """The bytes of one device at the peak."""

    parameters: float
    gradients: float
    state: float
    buffers: float
    gathered: float
    activations: float

    @property
    def total(self) -> float:
        return self.parameters + self.gradients + self.state + self.buffers + self.gathered + self.activations


class DevicePlan(Record):
    """`batch` is the number of samples on one device; `largest_batch` is the largest number that fits, or 0. `times` has the lower bounds
    of a step in seconds, by cause; the longest one decides. `samples_per_day` and `tokens_per_day` are upper bounds."""

    device: Device
    layout: ParallelLayout
    profile: StepProfile
    batch: int
    largest_batch: int
    memory: DeviceMemory
    times: dict[str, float]

    @property
    def step_seconds(self) -> float:
        return max(self.times.values())

    @property
    def bottleneck(self) -> str:
        """`memory` if nothing fits, else the cause of the longest time."""
        return "memory" if not self.fits else max(self.times, key=lambda what: self.times[what])

    @property
    def fits(self) -> bool:
        return 0 < self.batch <= self.largest_batch

    @property
    def samples_per_day(self) -> float:
        return self.batch * self.layout.replicas / self.step_seconds * DAY

    @property
    def tokens_per_day(self) -> float:
        return self.samples_per_day * self.profile.tokens


def check_groups(devices: int, tensor: int) -> None:
    """Raise `ValueError` unless the devices form groups of `tensor` devices."""
    if devices % tensor:
        raise ValueError(f"{devices} devices cannot be divided into groups of {tensor}")


def make_plan(profile: StepProfile, device: Device, layout: ParallelLayout, batch: int | None = None) -> DevicePlan:
    """Make the plan for `batch` samples in total, by default as many as fit. Raises `ValueError` if the layout cannot divide them."""
    check_groups(layout.devices, layout.tensor)
    if layout.dtype not in device.flops:
        raise ValueError(f"there is no rate of {layout.dtype} for {device.name}: it is known for {', '.join(device.flops)}")
    if batch is not None and batch % layout.replicas:
        raise ValueError(f"a batch of {batch} cannot be divided over {layout.replicas} devices or groups of devices")
    largest = find_largest_batch(profile, layout, device.memory * (1 - RESERVED))
    device_batch = batch // layout.replicas if batch is not None else max(1, largest)
    return DevicePlan(
        device,
        layout,
        profile,
        device_batch,
        largest,
        estimate_memory(profile, layout, device_batch),
        estimate_times(profile, device, layout, device_batch),
    )


def estimate_memory(profile: StepProfile, layout: ParallelLayout, batch: int) -> DeviceMemory:
    """Return the memory of a device at the snapshot that needs most."""
    parameters, state = profile.parameters * layout.stored_share, profile.state * layout.stored_share
    candidates = [
        DeviceMemory(parameters, needs.gradients, state, float(profile.buffers), needs.gathered, needs.fixed + needs.sample * batch)
        for needs in _list_needs(profile, layout)
    ]
    return max(candidates, key=lambda candidate: candidate.total)


def find_largest_batch(profile: StepProfile, layout: ParallelLayout, available: float) -> int:
    """Return how many samples fit on a device, or 0."""
    remaining = available - (profile.parameters + profile.state) * layout.stored_share - profile.buffers
    largest = math.inf
    for needs in _list_needs(profile, layout):
        free = remaining - needs.gradients - needs.gathered - needs.fixed
        if free < 0:
            return 0
        if needs.sample > 0:
            largest = min(largest, free / needs.sample)
    # A model without activations fits with any number of samples, and then one sample is as good as any.
    return int(largest) if math.isfinite(largest) else 1


class _MemoryNeeds(Record):
    """The bytes that a snapshot needs on a device, in addition to the shares of parameters and optimizer state."""

    gradients: float
    gathered: float
    fixed: float
    sample: float


def _list_needs(profile: StepProfile, layout: ParallelLayout) -> list[_MemoryNeeds]:
    """List the needs of each snapshot, then of the reduction of the gradients and of the optimizer's step."""
    computed, tensor, part = layout.activation_bytes / layout.parameter_bytes, layout.tensor, layout.parameter_share
    if layout.strategy != "fsdp" or layout.replicas == 1:
        converted = computed * profile.parameters * part if computed != 1 else 0.0  # autocast keeps what it converts for the step
        needs = [
            _MemoryNeeds((m.gradients + m.other_gradients) * part, converted, m.fixed / tensor, m.per_sample / tensor)
            for m in profile.snapshots
        ]
        return [*needs, _MemoryNeeds(profile.trainable * part, 0.0, 0.0, 0.0)]
    needs_list = [_MemoryNeeds(0.0, 2 * computed * profile.rest * part, 0.0, 0.0)]  # gathered, and copied into the parameters
    for m in profile.snapshots:
        gathered = (
            profile.rest + m.other_gradients + 2 * m.block_parameters + m.block_gradients
        )  # the block and the next one; gradients that are not summed yet
        needs_list.append(
            _MemoryNeeds(
                (m.gradients - m.block_gradients) * layout.stored_share, computed * gathered * part, m.fixed / tensor, m.per_sample / tensor
            )
        )
    gradients = profile.trainable * layout.stored_share
    return [*needs_list, _MemoryNeeds(gradients, 2 * computed * profile.rest * part, 0.0, 0.0), _MemoryNeeds(gradients, 0.0, 0.0, 0.0)]


def estimate_times(profile: StepProfile, device: Device, layout: ParallelLayout, batch: int) -> dict[str, float]:
    """Return the bounds in seconds: operations, bytes of the device's memory, and bytes sent."""
    # Parameters are read twice, forward and backward; the optimizer reads and writes parameters and state.
    passes = (
        2 * profile.parameters * layout.activation_bytes / layout.parameter_bytes + 2 * profile.trainable + 2 * profile.state
    ) * layout.parameter_share
    if layout.strategy == "fsdp":
        passes -= 2 * (profile.trainable + profile.state) * layout.parameter_share * (1 - 1 / layout.replicas)
    kept = max((m.per_sample for m in profile.snapshots), default=0.0) * batch / layout.tensor
    bounds = {
        "compute": profile.flops * batch / layout.tensor / device.flops[layout.dtype],
        "memory bandwidth": (passes + 2 * kept) / device.bandwidth,
    }
    if layout.devices > 1:
        bounds["links"] = _estimate_link_time(profile, device, layout, batch)
    return bounds


def _estimate_link_time(profile: StepProfile, device: Device, layout: ParallelLayout, batch: int) -> float:
    """Return the seconds for sending gradients, with FSDP also parameters, and the activations that tensor parallelism sums."""
    # A ring reduces or gathers n bytes among k devices by sending (k - 1) / k * n from each; an all-reduce is both. FSDP gathers the
    # parameters twice and scatters the gradients once, DDP reduces the gradients. Tensor parallelism reduces activations twice forward and
    # twice backward in each block.
    other = (layout.replicas - 1) / layout.replicas
    if layout.strategy == "fsdp":
        computed = layout.activation_bytes / layout.parameter_bytes
        sent = other * (2 * profile.parameters * computed + profile.trainable * computed) * layout.parameter_share
    else:
        sent = other * 2 * profile.trainable * layout.parameter_share
    rate = device.link if layout.devices <= device.together else device.network
    across = (layout.tensor - 1) / layout.tensor
    summed = 4 * 2 * across * profile.exchanged * batch
    near = device.link if layout.tensor <= device.together else device.network
    return sent / rate + summed / near
