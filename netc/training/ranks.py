"""The processes that train together, as torchrun starts them.

In: the environment variables of torchrun, and the requested device. Out: `Ranks`. Always: a single process does not communicate and does
not initialize `torch.distributed`.

    >>> is_first(), world_size()
    (True, 1)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from netc.compiler.errors.run_errors import NoDevice, RunError
from netc.dsl.record import Record

from .data.data_source import Indices
from .stop_signals import Interrupted

T = TypeVar("T")
REPLICAS, PIPELINE, TENSOR = "dp", "pp", "tp"
"""The axes of the mesh of processes."""


class Ranks(Record):
    """This process among all: its `rank` of `world`, and its device. Groups of `tensor` processes with consecutive ranks share each layer
    and have the same samples. `pipeline` such groups have stages of the model; together they are one replica."""

    device: torch.device = torch.device("cpu")
    rank: int = 0
    world: int = 1
    tensor: int = 1
    pipeline: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    @property
    def replicas(self) -> int:
        """The number of groups among which the samples are divided."""
        return self.world // (self.tensor * self.pipeline)

    @property
    def replica(self) -> int:
        return self.rank // (self.tensor * self.pipeline)

    @property
    def stage(self) -> int:
        """The number of the stage of the model that this process computes."""
        return self.rank // self.tensor % self.pipeline

    def make_mesh(self) -> DeviceMesh:
        """Make the device mesh `[replicas, pipeline, tensor]`."""
        sizes = (self.replicas, self.pipeline, self.tensor)
        return init_device_mesh(self.device.type, sizes, mesh_dim_names=(REPLICAS, PIPELINE, TENSOR))

    def select_share(self, indices: Indices) -> Indices:
        """Select the samples of this process, perhaps none."""
        return indices if self.replicas == 1 else indices[self.replica :: self.replicas]

    def all_reduce(self, numbers: Tensor) -> Tensor:
        """Sum numbers over all replicas, in place."""
        # All processes of a replica have the same number, so the sum over all processes counts it for each of them.
        if self.world > 1:
            dist.all_reduce(numbers)
        if self.world > self.replicas:
            numbers /= self.world // self.replicas
        return numbers

    def reduce_any(self, value: bool) -> bool:
        """Return whether the value is true in any process."""
        if self.world == 1:
            return value
        return bool(self.all_reduce(torch.tensor(float(value), device=self.device)))

    def all_gather(self, value: T) -> list[T]:
        """Return the values of all processes, in each of them."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def run_once(self, action: Callable[[], object]) -> None:
        """Run an action in the first process; an exception is raised in all of them, so that none waits for a process that has ended."""
        failure: Exception | None = None
        if self.is_first:
            try:
                action()
            except Exception as error:
                failure = error
        failure = next(iter(self.all_gather(failure)))
        if failure is not None:
            raise failure


def is_first() -> bool:
    """Whether this process reports. Known before `torch.distributed` is initialized."""
    return int(os.environ.get("RANK", "0")) == 0


def world_size() -> int:
    """The number of processes. Known before `torch.distributed` is initialized."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def join_ranks(device: str, strategy: str | None, tensor: int = 1, pipeline: int = 1) -> Iterator[Ranks]:
    """Connect the processes of this run for the duration of the context. Raises `RunError` if the device or a process is missing."""
    world = world_size()
    _check_processes(world, strategy, tensor, pipeline)
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if device == "cuda":
        _check_cuda(local_rank)
        torch.cuda.set_device(local_rank)
    torch_device = torch.device("cuda", local_rank) if device == "cuda" else torch.device("cpu")
    if world == 1:
        yield Ranks(torch_device)
        return
    dist.init_process_group("nccl" if device == "cuda" else "gloo", device_id=torch_device if device == "cuda" else None)
    try:
        # The others may still be communicating: a process that leaves early closes its connections to them.
        try:
            yield Ranks(torch_device, dist.get_rank(), world, tensor, pipeline)
        except Interrupted:  # all processes are interrupted after the same step
            dist.barrier()
            raise
        dist.barrier()
    finally:
        dist.destroy_process_group()


def _check_processes(world: int, strategy: str | None, tensor: int, pipeline: int = 1) -> None:
    """Check that the processes can share the work in this way. Raises `RunError`."""
    if "WORLD_SIZE" not in os.environ and (strategy is not None or tensor > 1 or pipeline > 1):
        options = f"--pp {pipeline}" if pipeline > 1 else f"--tp {tensor}" if tensor > 1 else f"--strategy {strategy}"
        remedy = f"start it by `torchrun --nproc-per-node {max(2, tensor * pipeline)} -m netc train ...`"
        raise RunError(NoDevice(f"`{options}` is for several processes, and this is one", remedy))
    if world % tensor:
        remedy = f"start a multiple of {tensor}: `--nproc-per-node {tensor}`"
        raise RunError(NoDevice(f"`--tp {tensor}` has {tensor} processes share each layer, and there are {world}", remedy))
    if world % (tensor * pipeline):
        remedy = f"start a multiple of {tensor * pipeline}: `--nproc-per-node {tensor * pipeline}`"
        need = f"{pipeline} stages" + (f" of {tensor} processes each" if tensor > 1 else "")
        raise RunError(NoDevice(f"`--pp {pipeline}` has {need}, and there are {world} processes", remedy))
    if tensor > 1 and strategy == "ddp":
        why = f"`--strategy ddp` has whole parameters in each process, and `--tp {tensor}` has parts of them"
        raise RunError(NoDevice(why, "leave out `--strategy`: what is not split is shared by FSDP"))


def _check_cuda(local_rank: int) -> None:
    if not torch.cuda.is_available():
        built = torch.version.cuda is not None
        why = "PyTorch finds no CUDA device" if built else "this PyTorch is built without CUDA"
        remedy = "check the driver with `nvidia-smi`" if built else "install one with CUDA, see https://pytorch.org/get-started/locally"
        raise RunError(NoDevice(why, f"{remedy}, or train on the CPU: `--device cpu`"))
    count = torch.cuda.device_count()
    if local_rank >= count:
        raise RunError(NoDevice(f"there are {count} CUDA devices for more processes", f"start {count}: `--nproc-per-node {count}`"))
