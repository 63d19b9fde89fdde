"""`batch_norm` on several processes: outputs, gradients and running statistics equal the results of PyTorch's layer in one process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from safetensors.numpy import load_file
from torch import nn

from netc.training.synchronized_statistics import synchronize_statistics
from tests.training.test_ranks import begin

SPEC = """
image = input 3x6x6 float64
pixels = image -> conv 4 3x3 bias=false -> batch_norm relu
scores = pixels -> conv 5 3x3 bias=false -> batch_norm momentum=none -> flatten -> dense 3 bias=false -> batch_norm affine=false
train {
  target = input [3] float64
  loss = (scores, target) -> mse_loss
  optimizer sgd lr=0.1 momentum=0.9
  epochs 3
  BATCH
  ema 0.9
  validate 0.2
}
"""
GENERATOR = torch.Generator().manual_seed(0)


@pytest.mark.long
@pytest.mark.parametrize(
    ("ranks", "batch", "options"),
    [
        (2, "batch 8", ""),
        (2, "batch 10 accumulate=3", "--strategy fsdp"),
        (4, "batch 6 accumulate=2", ""),
        (2, "batch 8", "--compile"),
    ],
    ids=["ddp", "uneven parts", "a process without samples", "compiled"],
)
def test_several_processes_have_the_statistics_of_one(tmp_path: Path, ranks: int, batch: str, options: str) -> None:
    """In float64, whose rounding the small batches do not amplify to what could be a mistake. Of images with a large mean."""
    (tmp_path / "spec.net").write_text(SPEC.replace("BATCH", batch))
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", image=generator.normal(size=(45, 3, 6, 6)) + 100, target=generator.normal(size=(45, 3)))
    one, several = begin(tmp_path, 1, "one"), begin(tmp_path, ranks, "several", *options.split())
    wanted, found = load_file(one / "last.safetensors"), load_file(several / "last.safetensors")
    assert wanted.keys() == found.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-8, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("options", [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}, {"eps": 0.5}], ids=str)
@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 1), (2, 4, 3, 2)], ids=str)
def test_one_process_computes_what_the_layer_does(
    options: dict[str, object], shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps, with gradients of gradients, and an evaluation."""
    monkeypatch.setattr(dist, "all_reduce", lambda tensor, group: None)
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(shape)]
    layer, shared = kind(4, **options).double(), kind(4, **options).double()
    synchronize_statistics(shared)
    for scale in (1.0, 30.0):
        x = (torch.randn(shape, generator=GENERATOR, dtype=torch.float64) * scale + 100).requires_grad_()
        results = []
        for norm in (layer, shared):
            y = norm(x)
            (first,) = torch.autograd.grad(y.pow(3).sum(), x, create_graph=True)
            (second,) = torch.autograd.grad(first.pow(2).sum(), x)
            results.append((y, first, second))
        torch.testing.assert_close(results[1], results[0], rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(dict(shared.named_buffers()), dict(layer.named_buffers()))
    torch.testing.assert_close(shared.eval()(x), layer.eval()(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """The statistics are in float32, as in PyTorch's layer."""
    monkeypatch.setattr(dist, "all_reduce", lambda tensor, group: None)
    layer, shared = nn.BatchNorm1d(4), nn.BatchNorm1d(4)
    synchronize_statistics(shared)
    x = (torch.randn(64, 4, generator=GENERATOR) + 20).to(dtype)
    y, wanted = shared(x), layer(x)
    assert y.dtype == wanted.dtype == dtype
    torch.testing.assert_close(y, wanted)
    torch.testing.assert_close(shared.running_var, layer.running_var, rtol=1e-3, atol=1e-3)
