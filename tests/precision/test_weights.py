"""Checkpoints keep their type, and nothing is lost without a word."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch
from onnx import numpy_helper
from safetensors.torch import save_file

import netc
from netc.compiler.errors.weight_errors import WeightsError, WeightsWarning

TEXT = "input 3 -> dense 4 -> batch_norm -> dense 2"
HARD = torch.tensor([1.0, -0.0, 2.0**-133, 3.3895313892515355e38, float("inf"), float("-inf"), 0.1, 1 / 3])
"""Among them numbers that float16 does not have: subnormal, and the greatest of bfloat16."""


def checkpoint(dtype: torch.dtype) -> dict[str, torch.Tensor]:
    found = netc.compile(TEXT).module(seed=3).state_dict()
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in found.items()}


def saved(state: dict[str, torch.Tensor], kind: str, folder: Path) -> str | dict[str, torch.Tensor]:
    match kind:
        case "safetensors":
            save_file(state, folder / "w.safetensors")
        case "pt":
            torch.save(state, folder / "w.pt")
        case _:
            return state
    return str(folder / f"w.{kind}")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("kind", ["safetensors", "pt", "mapping"])
def test_are_given_as_they_are(kind: str, dtype: str, tmp_path: Path) -> None:
    state = checkpoint(getattr(torch, dtype))
    weights = saved(state, kind, tmp_path)
    model = netc.compile(TEXT, dtype=dtype)
    module = model.module(weights=weights)
    assert all(v.dtype == state[k].dtype and torch.equal(v, state[k]) for k, v in module.state_dict().items())
    made = {t.name: numpy_helper.to_array(t) for t in model.onnx(weights=weights).graph.initializer}
    for name in ("dense1.weight", "dense2.bias", "batch_norm1.running_var"):
        assert made[name].dtype.name == dtype
        assert np.array_equal(made[name].astype(np.float32), state[name].float().numpy())


def hard(dtype: torch.dtype) -> tuple[str, dict[str, torch.Tensor]]:
    return "x = input 8; x + (param [8] as p)", {"p": HARD.to(dtype)}


def test_all_numbers_stay() -> None:
    text, weights = hard(torch.bfloat16)
    with pytest.warns(WeightsWarning):
        kept = netc.compile(text, dtype="bfloat16").module(weights=weights).p
    assert torch.equal(kept.view(torch.int16), weights["p"].view(torch.int16))


def test_wider_models_are_exact() -> None:
    """Without `dtype`, a checkpoint of bfloat16 is widened, and rounding gives it back."""
    text, weights = hard(torch.bfloat16)
    with pytest.warns(WeightsWarning):
        wide = netc.compile(text).module(weights=weights).p
    assert wide.dtype == torch.float32
    assert torch.equal(wide.bfloat16().view(torch.int16), weights["p"].view(torch.int16))


def test_rounded_as_pytorch_rounds() -> None:
    given = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    for dtype in ("bfloat16", "float16"):
        found = netc.compile("x = input 1000; x + (param [1000] as p)", dtype=dtype).module(weights={"p": given}).p
        assert torch.equal(found, given.to(found.dtype))


def test_out_of_range() -> None:
    text, _ = hard(torch.float32)
    with pytest.raises(WeightsError, match="out of the range of float16"):
        netc.compile(text, dtype="float16").module(weights={"p": torch.full([8], 7e4)})


def test_numpy_of_bfloat16() -> None:
    given = np.arange(8).astype(ml_dtypes.bfloat16)
    found = netc.compile("x = input 8; x + (param [8] as p)", dtype="bfloat16").module(weights={"p": given}).p
    assert torch.equal(found, torch.arange(8, dtype=torch.bfloat16))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_drawn_are_those_of_float32(dtype: str) -> None:
    wide, narrow = netc.compile(TEXT).module(seed=5).state_dict(), netc.compile(TEXT, dtype=dtype).module(seed=5).state_dict()
    assert all(torch.equal(v, wide[k].to(v.dtype)) for k, v in narrow.items())
