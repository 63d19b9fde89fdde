"""Tensor parallelism: split the layers of a model over devices with PyTorch's `parallelize_module`.

In: a module, a `ShardingPlan`, and the mesh of devices that share each layer. Out: the same module, with the parameters of these layers as
`DTensor`s. Always: between the first and the last layer of a region, tensors are `DTensor`s, which stand for the full tensor, so PyTorch
computes the same result as on one device, or raises an error. Outside of the regions, tensors are plain and equal on each device.

The three matrices of `nn.MultiheadAttention` are one parameter, `[3 * features, features]`. It becomes `[3, features, features]`, of which
each device has its heads. Only `state_dict` shows this; files of weights have the shape of the spec. The same holds for every packed layer,
which computes several results at once.

Dropout draws on each device separately: with the same numbers, it would drop the same places of different features or heads.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.experimental import implicit_replication
from torch.distributed.tensor.parallel import ColwiseParallel, ParallelStyle, RowwiseParallel, parallelize_module
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from .shardable_layers import COLUMNS, HEADS, PACKED, ROWS, ShardingPlan

HEADS_AXIS = -3
"""The axis of heads in queries, keys, values and masks, `[..., heads, T, features]`."""


def split_layers(model: nn.Module, splits: ShardingPlan, mesh: DeviceMesh) -> None:
    """Split the layers in place."""
    logging.getLogger("torch.distributed.tensor._redistribute").setLevel(logging.ERROR)  # it warns about each gathering of a full tensor
    styles: dict[str, Callable[[str], ParallelStyle]] = {
        COLUMNS: lambda path: ColwiseParallel(use_local_output=False),
        ROWS: lambda path: RowwiseParallel(),
        HEADS: lambda path: HeadsParallel(),
        PACKED: lambda path: PackedParallel(splits.packed_counts[path]),
    }
    for path, style in splits.styles.items():
        parallelize_module(model.get_submodule(path), mesh, styles[style](path), src_data_rank=None)  # all have the same weights


@contextmanager
def shard_operations() -> Iterator[None]:
    """Let plain tensors meet `DTensor`s, as equal on all devices, and compute attention by heads, for the duration of the context."""
    with implicit_replication(), ShardedOperations():
        yield


class ShardedOperations(TorchFunctionMode):
    """Replaces attention and dropout of `DTensor`s: each device computes its own heads, and draws for its own shard. On the CPU, PyTorch
    has no sharding rule for attention, and its dropout draws the same numbers on all devices."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        options = kwargs or {}
        if not args or not isinstance(args[0], DTensor):
            return func(*args, **options)
        if func is functional.scaled_dot_product_attention:
            return _compute_sharded_attention(args, options)
        if func is functional.dropout and any(isinstance(placement, Shard) for placement in args[0].placements):
            return _compute_sharded_dropout(args[0], *args[1:], **options)
        return func(*args, **options)


def _compute_sharded_attention(args: tuple[Any, ...], options: Mapping[str, Any]) -> DTensor:
    mesh, by_heads = args[0].device_mesh, (Shard(args[0].dim() + HEADS_AXIS),)
    query, key, value = (t.redistribute(placements=by_heads).to_local() for t in args[:3])
    mask, *rest = args[3:] or (options.get("attn_mask"),)
    others = {name: option for name, option in options.items() if name != "attn_mask"}
    with use_local_generator(mesh.get_local_rank(), query.device):
        attended = functional.scaled_dot_product_attention(query, key, value, _select_local_mask(mask, mesh), *rest, **others)
    return DTensor.from_local(attended, mesh, by_heads, run_check=False)


def _select_local_mask(mask: Tensor | None, mesh: DeviceMesh) -> Tensor | None:
    """Select the mask of this device's heads from a full mask, which may be one for all heads or one for each."""
    if mask is None:
        return None
    full = _replicate_input(mask, mesh) if mask.requires_grad else mask
    if mask.dim() < -HEADS_AXIS or mask.shape[HEADS_AXIS] == 1:
        return full
    return full.chunk(mesh.size(), dim=HEADS_AXIS)[mesh.get_local_rank()]


def _compute_sharded_dropout(x: DTensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> DTensor:
    if not training or not p:
        return x
    local = x.to_local()
    with use_local_generator(x.device_mesh.get_local_rank(), local.device):
        dropped = functional.dropout(local, p, training)
    return DTensor.from_local(dropped, x.device_mesh, x.placements, run_check=False)


@contextmanager
def use_local_generator(rank: int, device: torch.device) -> Iterator[None]:
    """Draw other numbers on each device that shares a layer, for the duration of the context. Afterwards the generators of all devices are
    equal again; they have advanced by one number."""
    seed = int(torch.randint(2**62, ()))  # the same on all of them
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed + rank)
        yield


class HeadsParallel(ParallelStyle):
    """The style of `nn.MultiheadAttention`: each device has some of the heads."""

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        assert isinstance(module, nn.MultiheadAttention)
        features = module.embed_dim
        _distribute_parameter(module, "in_proj_weight", (3, features, features), device_mesh, Shard(1))
        # the axis of its inputs, which are the heads of this device
        _distribute_parameter(module.out_proj, "weight", (features, features), device_mesh, Shard(1))
        if module.in_proj_bias is not None:
            _distribute_parameter(module, "in_proj_bias", (3, features), device_mesh, Shard(1))
            _distribute_parameter(module.out_proj, "bias", (features,), device_mesh, Replicate())
        module.forward = partial(_forward_attention, module, device_mesh)  # type: ignore[method-assign]
        return module


def _distribute_parameter(module: nn.Module, name: str, shape: tuple[int, ...], mesh: DeviceMesh, placement: Any) -> None:
    parameter = module.get_parameter(name)
    distributed = distribute_tensor(parameter.detach().reshape(shape), mesh, [placement], src_data_rank=None)
    module.register_parameter(name, nn.Parameter(distributed, parameter.requires_grad))


def place_tensor(full: Tensor, like: Tensor) -> Tensor:
    """Distribute a tensor that each process has in full over the processes, as `like` is distributed."""
    if not isinstance(like, DTensor):
        return full
    return distribute_tensor(full, like.device_mesh, like.placements, src_data_rank=None)


def _forward_attention(
    module: nn.MultiheadAttention,
    mesh: DeviceMesh,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    attn_mask: Tensor | None = None,
    key_padding_mask: Tensor | None = None,
    is_causal: bool = False,
    need_weights: bool = False,
) -> tuple[Tensor, None]:
    """Compute the module's output: the heads of this device, then the sum over all devices."""
    assert not need_weights
    inputs = [_replicate_input(t, mesh) for t in (query, key, value)]
    weights, biases = _to_local(module.in_proj_weight), _to_local(module.in_proj_bias)
    size = module.head_dim
    projected = [functional.linear(t, weights[i], None if biases is None else biases[i]) for i, t in enumerate(inputs)]
    q, k, v = (t.view(*t.shape[:-1], weights.shape[1] // size, size).transpose(1, 2) for t in projected)
    # PyTorch's module merges a padding mask into `attn_mask`, and then ignores `is_causal` (pytorch/pytorch#172338).
    causal = is_causal and key_padding_mask is None
    mask = None if causal else _combine_masks(attn_mask, key_padding_mask, q.dtype)
    dropout = module.dropout if module.training else 0.0
    with use_local_generator(mesh.get_local_rank(), q.device) if dropout else nullcontext():
        attended = functional.scaled_dot_product_attention(q, k, v, mask, dropout, causal)
    partial_sum = functional.linear(attended.transpose(1, 2).flatten(2), _to_local(module.out_proj.weight))
    summed = DTensor.from_local(partial_sum, mesh, [Partial()], run_check=False).redistribute(placements=[Replicate()]).to_local()
    # after the sum, or each device would add it
    bias = _to_local(module.out_proj.bias)
    return summed if bias is None else summed + bias, None


class PackedParallel(ParallelStyle):
    """The style of an `nn.Linear` whose features are several results, one after the other: each device has a part of each result."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        assert isinstance(module, nn.Linear)
        features = module.out_features // self.count
        _distribute_parameter(module, "weight", (self.count, features, module.in_features), device_mesh, Shard(1))
        if module.bias is not None:
            _distribute_parameter(module, "bias", (self.count, features), device_mesh, Shard(1))
        module.forward = partial(_forward_packed, module, device_mesh)  # type: ignore[assignment,method-assign]
        return module


def _forward_packed(module: nn.Linear, mesh: DeviceMesh, x: Tensor) -> PackedResults:
    weight, bias = _to_local(module.weight), _to_local(module.bias)
    local_output = functional.linear(_replicate_input(x, mesh), weight.flatten(0, 1), None if bias is None else bias.flatten())
    return PackedResults(local_output, mesh, len(weight))


class PackedResults:
    """The output of a packed layer: this device's part of each result. It is not a tensor, because no `DTensor` placement describes it.
    It has only the methods that can follow in the graph, `chunk` and `split`."""

    def __init__(self, local_output: Tensor, mesh: DeviceMesh, count: int) -> None:
        self.local_output, self.mesh, self.count = local_output, mesh, count

    def chunk(self, chunks: int, dim: int) -> tuple[Tensor, ...]:
        axis = dim % self.local_output.dim()
        # the parts of all results lie one after the other, and the plan splits only layers whose results are equal in size
        pieces = self.local_output.chunk(self.count, dim=axis)
        return tuple(DTensor.from_local(piece, self.mesh, [Shard(axis)], run_check=False) for piece in pieces)

    def split(self, sizes: int | tuple[int, ...], dim: int) -> tuple[Tensor, ...]:
        return self.chunk(self.count, dim)


def _replicate_input(full: Tensor, mesh: DeviceMesh) -> Tensor:
    """Prepare a tensor that all devices have: in the backward pass, their gradients for it are summed."""
    local: Tensor = DTensor.from_local(full, mesh, [Replicate()], run_check=False).to_local(grad_placements=[Partial()])
    return local


def _to_local(parameter: Tensor | None) -> Any:
    return parameter.to_local() if isinstance(parameter, DTensor) else parameter


def _combine_masks(mask: Tensor | None, padding: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Combine both masks into one that is added, `[N, 1, L, S]` or `[L, S]`. In a bool mask, true hides a key."""
    additive = None if mask is None else _to_additive_mask(mask, dtype)
    if padding is None:
        return additive
    keys = _to_additive_mask(padding, dtype)[:, None, None, :]
    return keys if additive is None else additive + keys


def _to_additive_mask(mask: Tensor, dtype: torch.dtype) -> Tensor:
    if mask.dtype != torch.bool:
        return mask.to(dtype)
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(mask, float("-inf"))


# --- gradients and whole tensors -------------------------------------------------------------------------------------------


def clip_sharded_grad_norm(parameters: list[nn.Parameter], limit: float, combine: Callable[[Tensor], Tensor] = lambda norm: norm) -> None:
    """Do what `clip_grad_norm_` does, which refuses parameters on different meshes: compute the norm of each mesh, then the total norm.
    `combine` returns the norm of all stages of a model, by the norm of this process's stage."""
    groups: dict[object, list[nn.Parameter]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            groups.setdefault(parameter.device_mesh if isinstance(parameter, DTensor) else None, []).append(parameter)
    norms = [nn.utils.get_total_norm([p.grad for p in group if p.grad is not None]) for group in groups.values()]
    if not norms:
        return
    total = combine(torch.linalg.vector_norm(torch.stack([n.full_tensor() if isinstance(n, DTensor) else n for n in norms])))
    for group in groups.values():
        nn.utils.clip_grads_with_norm_(group, limit, total)
