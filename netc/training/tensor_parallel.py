"""Tensor parallelism: the layers of a model, split over devices by PyTorch's own `parallelize_module`.

In: a module, what of it is split (`Splits`), and a mesh of the devices that share each layer. Out: the same module, parameters of these
layers as `DTensor`s. Always: between the first and the last layer of a region, tensors are `DTensor`s, which mean the whole tensor: what
PyTorch makes of them is what it makes of the whole, or an error. Outside they are plain, and the same on each device.

The three matrices of `nn.MultiheadAttention` are one parameter, `[3 * features, features]`; it becomes `[3, features, features]`, of which
each device has its heads. Only `state_dict` shows it, and files of weights have the shape of the spec.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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

from .splitting import COLUMNS, HEADS, ROWS, Splits

HEADS_AXIS = 1
"""Of queries, keys and values, `[N, heads, T, features]`."""


def split_layers(model: nn.Module, splits: Splits, mesh: DeviceMesh) -> None:
    """Changes the layers in place."""
    logging.getLogger("torch.distributed.tensor._redistribute").setLevel(logging.ERROR)  # it warns of how whole tensors are gathered
    styles: dict[str, Callable[[], ParallelStyle]] = {
        COLUMNS: partial(ColwiseParallel, use_local_output=False),
        ROWS: RowwiseParallel,
        HEADS: HeadsParallel,
    }
    for path, way in splits.ways.items():
        parallelize_module(model.get_submodule(path), mesh, styles[way](), src_data_rank=None)  # all have the same weights


@contextmanager
def in_parts() -> Iterator[None]:
    """What surrounds the passes: plain tensors that meet `DTensor`s are the same on all devices, and attention is computed head by head."""
    with implicit_replication(), AttentionOfHeads():
        yield


class AttentionOfHeads(TorchFunctionMode):
    """Attention on `DTensor`s of heads: each device computes its own. On the CPU, PyTorch has no rule for it."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        options = kwargs or {}
        if func is not functional.scaled_dot_product_attention or not isinstance(args[0], DTensor):
            return func(*args, **options)
        by_heads = (Shard(HEADS_AXIS),)
        query, key, value = (t.redistribute(placements=by_heads).to_local() for t in args[:3])
        made = func(query, key, value, *args[3:], **options)
        return DTensor.from_local(made, args[0].device_mesh, by_heads, run_check=False)


class HeadsParallel(ParallelStyle):
    """`nn.MultiheadAttention`, of which each device has a part of the heads."""

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        assert isinstance(module, nn.MultiheadAttention)
        features = module.embed_dim
        _distribute(module, "in_proj_weight", (3, features, features), device_mesh, Shard(1))
        _distribute(module.out_proj, "weight", (features, features), device_mesh, Shard(1))
        if module.in_proj_bias is not None:
            _distribute(module, "in_proj_bias", (3, features), device_mesh, Shard(1))
            _distribute(module.out_proj, "bias", (features,), device_mesh, Replicate())
        module.forward = partial(_attend, module, device_mesh)  # type: ignore[method-assign]
        return module


def _distribute(module: nn.Module, name: str, shape: tuple[int, ...], mesh: DeviceMesh, placement: Any) -> None:
    own = module.get_parameter(name)
    made = distribute_tensor(own.detach().reshape(shape), mesh, [placement], src_data_rank=None)
    module.register_parameter(name, nn.Parameter(made, own.requires_grad))


def _attend(
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
    """What the module computes, by the heads of this device, and the sum over all."""
    assert not need_weights
    inputs = [_entering(t, mesh) for t in (query, key, value)]
    weights, biases = _local(module.in_proj_weight), _local(module.in_proj_bias)
    size = module.head_dim
    projected = [functional.linear(t, weights[i], None if biases is None else biases[i]) for i, t in enumerate(inputs)]
    q, k, v = (t.view(*t.shape[:-1], weights.shape[1] // size, size).transpose(1, 2) for t in projected)
    causal = is_causal and key_padding_mask is None  # as PyTorch's module has it
    mask = None if causal else _joined(attn_mask, key_padding_mask, q.dtype)
    dropout = module.dropout if module.training else 0.0
    attended = functional.scaled_dot_product_attention(q, k, v, mask, dropout, causal)
    own = functional.linear(attended.transpose(1, 2).flatten(2), _local(module.out_proj.weight))
    made = DTensor.from_local(own, mesh, [Partial()], run_check=False).redistribute(placements=[Replicate()]).to_local()
    bias = _local(module.out_proj.bias)
    return made if bias is None else made + bias, None


def _entering(whole: Tensor, mesh: DeviceMesh) -> Tensor:
    """A tensor that all devices have; the gradients that they find for it are added."""
    found: Tensor = DTensor.from_local(whole, mesh, [Replicate()], run_check=False).to_local(grad_placements=[Partial()])
    return found


def _local(parameter: Tensor | None) -> Any:
    return parameter.to_local() if isinstance(parameter, DTensor) else parameter


def _joined(mask: Tensor | None, padding: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Both masks as one that is added, `[N, 1, L, S]` or `[L, S]`. Bool ones are true where a key is not seen."""
    made = None if mask is None else _added(mask, dtype)
    if padding is None:
        return made
    keys = _added(padding, dtype)[:, None, None, :]
    return keys if made is None else made + keys


def _added(mask: Tensor, dtype: torch.dtype) -> Tensor:
    if mask.dtype != torch.bool:
        return mask.to(dtype)
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(mask, float("-inf"))


# --- gradients and whole tensors -------------------------------------------------------------------------------------------


def clip_norm(parameters: list[nn.Parameter], limit: float) -> None:
    """`clip_grad_norm_`, which takes no parameters on different meshes: the norm of each group of them, then that of all."""
    groups: dict[object, list[nn.Parameter]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            groups.setdefault(parameter.device_mesh if isinstance(parameter, DTensor) else None, []).append(parameter)
    norms = [nn.utils.get_total_norm([p.grad for p in own if p.grad is not None]) for own in groups.values()]
    if not norms:
        return
    total = torch.linalg.vector_norm(torch.stack([n.full_tensor() if isinstance(n, DTensor) else n for n in norms]))
    for own in groups.values():
        nn.utils.clip_grads_with_norm_(own, limit, total)
