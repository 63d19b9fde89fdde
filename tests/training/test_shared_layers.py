"""What two devices compute together, which are two threads of the test's process: PyTorch's whole layers are the judge."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor

import netc
from netc.training.ranks import Ranks
from netc.training.shardable_layers import plan_sharding
from netc.training.step import StepHooks
from netc.training.tensor_parallel import clip_sharded_grad_norm, place_tensor, shard_operations, split_layers
from tests.training.test_tensor_parallel import SPEC, WINDOWS


@pytest.fixture
def devices() -> Iterator[Callable[[Callable[[DeviceMesh], Any]], list[Any]]]:
    """Run a function on each of two devices, which are threads of this process, as PyTorch tests its own layers."""
    from torch.testing._internal.distributed import multi_threaded_pg as threads

    threads._install_threaded_pg()
    torch._C._distributed_c10d._set_thread_isolation_mode(True)

    def run(function: Callable[[DeviceMesh], Any]) -> list[Any]:
        store, results, errors = distributed.HashStore(), [None, None], []

        def begin(rank: int) -> None:
            try:
                distributed.init_process_group(backend="threaded", rank=rank, world_size=2, store=store)
                results[rank] = function(init_device_mesh("cpu", (2,)))
                distributed.destroy_process_group()
            except BaseException as error:
                errors.append(error)
                threads.ProcessLocalGroup.exception_handle(error)  # the other thread would wait for this one

        begun = [threading.Thread(target=begin, args=(rank,)) for rank in range(2)]
        for thread in begun:
            thread.start()
        for thread in begun:
            thread.join()
        if errors:
            raise errors[0]
        return results

    yield run
    torch._C._distributed_c10d._set_thread_isolation_mode(False)
    threads._uninstall_threaded_pg()


def full(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def is_shared(module: nn.Module) -> int:
    return sum(isinstance(p, DTensor) and p.to_local().numel() < p.numel() for p in module.parameters())


MASKED = """x = input [4, 8]; seen = input [4, 4] {kind} batch=false; padding = input [4] {kind}
a = x + (x -> layer_norm -> multihead_attention 4 attn_mask=seen key_padding_mask=padding as both)
b = a + (a -> layer_norm -> multihead_attention 2 bias=false attn_mask=seen as scores)
c = b + (b -> layer_norm -> multihead_attention 4 key_padding_mask=padding causal=true as keys)
c -> layer_norm -> dense 16 as up -> dropout 0.5 -> dense 8 bias=false as down"""
SHARED = {
    "layers": (SPEC.partition("train {")[0].replace("repeat 2", "repeat 1"), 19),
    "windows": (WINDOWS.partition("train {")[0], 6),
    "bool masks": (MASKED.replace("{kind}", "bool"), 11),
    "masks that are added": (MASKED.replace("{kind}", ""), 11),
}
"""Models, with the number of their parameters of which each device has a part."""


def draw_input(kind: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    generator = torch.Generator().manual_seed(len(shape))
    if kind == torch.bool:  # each query sees a key: the first
        return torch.rand(shape, generator=generator) > 0.6 if len(shape) < 2 else torch.arange(shape[-1]).expand(shape) > 2
    return torch.randint(50, shape, generator=generator) if kind == torch.int64 else torch.randn(shape, generator=generator)


@pytest.mark.sample(1)
@pytest.mark.parametrize("name", SHARED)
def test_two_devices_compute_what_one_does(name: str, devices: Callable[[Callable[[DeviceMesh], Any]], list[Any]]) -> None:
    text, count = SHARED[name]
    model = netc.compile(text)
    plan = plan_sharding(model.program, 2)
    sizes = {"N": 2, "T": 6}
    inputs = [
        draw_input(getattr(torch, value.type.dtype.name), tuple(sizes.get(str(d)) or int(str(d)) for d in value.type.shape))
        for value in model.program.main.inputs
    ]
    alone = model.module(seed=0).eval()
    expected = alone(*inputs)
    (expected * torch.arange(expected.shape[-1])).sum().backward()
    norm = nn.utils.clip_grad_norm_(alone.parameters(), 0.1)
    assert norm > 0.2  # so each gradient is smaller now

    def compute(mesh: DeviceMesh) -> tuple[Tensor, list[Tensor], int]:
        module = model.module(seed=0).eval()
        split_layers(module, plan, mesh)
        with shard_operations():
            result = module(*inputs)
            (result * torch.arange(expected.shape[-1])).sum().backward()
        parameters = list(module.parameters())
        clip_sharded_grad_norm(parameters, 0.1)
        return result.detach(), [full(p.grad) for p in parameters if p.grad is not None], is_shared(module)

    for result, gradients, shared in devices(compute):
        assert shared == count
        torch.testing.assert_close(result, expected.detach(), rtol=1e-4, atol=1e-5)
        for gradient, parameter in zip(gradients, alone.parameters(), strict=True):
            assert parameter.grad is not None
            torch.testing.assert_close(gradient.reshape(parameter.shape), parameter.grad, rtol=1e-3, atol=1e-6)


def test_sums_over_processes(devices: Callable[[Callable[[DeviceMesh], Any]], list[Any]]) -> None:
    """Processes that share layers have the same numbers, which count once. If one is asked to stop, all stop after the same step."""

    def reduce(mesh: DeviceMesh) -> object:
        rank = mesh.get_local_rank()
        ranks, sharing = Ranks(rank=rank, world=2), Ranks(rank=rank, world=2, tensor=2)
        hooks: Any = StepHooks(None, None, ranks)  # type: ignore[arg-type]
        hooks.stop = rank == 1
        counts = hooks.all_reduce_counts([rank + 1.0, torch.tensor(10.0 * rank)])
        total = sharing.all_reduce(torch.tensor([2.0 + rank])).item()
        return counts, hooks.stop, ranks.reduce_any(rank == 0), ranks.reduce_any(False), total

    assert devices(reduce) == [([3.0, 10.0], True, True, False, 2.5)] * 2


def test_a_full_tensor_is_placed_like_another(devices: Callable[[Callable[[DeviceMesh], Any]], list[Any]]) -> None:
    table = torch.arange(24.0).reshape(6, 4)

    def place(mesh: DeviceMesh) -> tuple[Tensor, Tensor, Tensor]:
        module = netc.compile("x = input 4; x -> dense 6 as a -> dense 2 as b").module(seed=0)
        split_layers(module, plan_sharding(netc.compile("x = input 4; x -> dense 6 as a -> dense 2 as b").program, 2), mesh)
        placed = place_tensor(table, module.a.weight)
        assert isinstance(placed, DTensor)
        return placed.to_local(), placed.full_tensor(), place_tensor(table, table)

    for rank, (local, whole, plain) in enumerate(devices(place)):
        assert torch.equal(local, table[3 * rank : 3 * rank + 3])
        assert torch.equal(whole, table)
        assert plain is table
