"""What people do with modules, done with the models of the zoo: converting, copying, saving, compiling, exporting and sharding them. Each
time the results equal the original module's, or are as near as the element type allows."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.fx.experimental._config
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from zoo.small import SMALL, WHOLE

MODELS = {**SMALL, **WHOLE}
ROUNDINGS = 8
"""The allowed distance of the results in another element type, as a multiple of its largest rounding error of the largest result."""
COMPILED = ("convnext", "swin", "gpt2", "llama", "mistral", "t5 encoder", "wavenet", "nerf", "two_tower", "kan", "mlp_mixer")
EXPORTED = ("densenet", "vit", "bert", "llama", "mistral", "t5 decoder", "whisper", "ddpm", "tagger", "luong", "pointnet", "kan")
"""Those that are compiled and exported each time, each with something that the others have not; the rest is marked `zoo`."""


def named(*quick: str) -> pytest.MarkDecorator:
    often = quick or SMALL
    return pytest.mark.parametrize("name", [n if n in often else pytest.param(n, marks=pytest.mark.zoo) for n in MODELS])


@cache
def made(name: str) -> tuple[nn.Module, tuple[Tensor, ...], list[Tensor]]:
    """The module in eval mode, inputs, and its results for them. Weights are as PyTorch draws them: the first ones of a classifier, for
    example, may be zero."""
    model = MODELS[name].compiled()
    module = model.module(seed=0).eval()
    torch.manual_seed(0)
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    inputs = MODELS[name].inputs(model)
    return module, inputs, results(module, inputs)


def results(module: Any, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    with torch.no_grad():
        found = module(*inputs)
    return list(found) if isinstance(found, tuple) else [found]


def assert_equal(found: list[Tensor], wanted: list[Tensor]) -> None:
    assert len(found) == len(wanted)
    assert all(torch.equal(left, right) for left, right in zip(found, wanted, strict=True))


@pytest.mark.share(4)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
@named()
def test_half_precision(name: str, dtype: torch.dtype) -> None:
    module, inputs, wanted = made(name)
    converted = copy.deepcopy(module).to(dtype)
    found = results(converted, tuple(x.to(dtype) if x.is_floating_point() else x for x in inputs))
    for left, right in zip(found, wanted, strict=True):
        assert left.dtype == dtype
        kind = torch.finfo(dtype)
        assert float((left.float() - right).abs().max()) <= ROUNDINGS * kind.eps * max(kind.tiny, float(right.abs().max()))


@pytest.mark.share(4)
@named()
def test_double_precision(name: str) -> None:
    module, inputs, wanted = made(name)
    found = results(copy.deepcopy(module).double(), tuple(x.double() if x.is_floating_point() else x for x in inputs))
    for left, right in zip(found, wanted, strict=True):
        assert left.dtype == torch.float64
        torch.testing.assert_close(left.float(), right, rtol=1e-4, atol=1e-4 * float(right.abs().max()))


@pytest.mark.share(4)
@named()
def test_meta(name: str) -> None:
    """The shapes and types of the results, without numbers; where rows are chosen by numbers, PyTorch is to assume all."""
    module, inputs, wanted = made(name)
    with torch.fx.experimental._config.patch(meta_nonzero_assume_all_nonzero=True):
        found = results(copy.deepcopy(module).to("meta"), tuple(x.to("meta") for x in inputs))
    assert [(y.shape, y.dtype, y.device.type) for y in found] == [(y.shape, y.dtype, "meta") for y in wanted]


@pytest.mark.share(4)
@named()
def test_copies(name: str) -> None:
    module, inputs, wanted = made(name)
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), torch.load(file, weights_only=False)):
        assert_equal(results(twin, inputs), wanted)
        assert list(twin.state_dict()) == list(module.state_dict())


@pytest.mark.long
@named(*COMPILED)
def test_compile(name: str) -> None:
    module, inputs, wanted = made(name)
    torch.compiler.reset()
    with torch._dynamo.config.patch(allow_rnn=True):
        torch.testing.assert_close(results(torch.compile(module, backend="eager", fullgraph=True), inputs), wanted)


@pytest.mark.long
@named(*EXPORTED)
def test_export(name: str) -> None:
    module, inputs, wanted = made(name)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.testing.assert_close(results(torch.export.export(module, inputs).module(), inputs), wanted)


@pytest.fixture(scope="module")
def mesh() -> Iterator[DeviceMesh]:
    """This process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield init_device_mesh("cpu", (1,))
    finally:
        dist.destroy_process_group()


@pytest.mark.long
@named()
def test_shards(name: str, mesh: DeviceMesh) -> None:
    """PyTorch shards no parameter that is a single number, such as the scale of CLIP: so it must leave that one out."""
    module, inputs, wanted = made(name)
    copied = copy.deepcopy(module)
    sharded = fully_shard(copied, mesh=mesh, ignored_params={p for p in copied.parameters() if not p.shape})
    assert_equal(results(sharded, inputs), wanted)
    assert list(sharded.state_dict()) == list(module.state_dict())
