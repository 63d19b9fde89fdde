"""What people who know PyTorch or Keras try first, and the sentence that it gets."""

from __future__ import annotations

import pytest

import netc

SPEC = "input 3 -> dense 2"


def test_a_path_for_a_text() -> None:
    with pytest.raises(ValueError, match=r"call compile_file\('digits.net'\)"):
        netc.compile("digits.net")


def test_a_model_is_called() -> None:
    with pytest.raises(TypeError, match=r"`model.module\(\)\(x\)`"):
        netc.compile(SPEC)([1, 2, 3])


def test_parameters_are_called() -> None:
    with pytest.raises(TypeError, match=r"`model.module\(\).parameters\(\)`"):
        netc.compile(SPEC).parameters()


def test_parameters_are_a_dict() -> None:
    assert list(netc.compile(SPEC).parameters) == ["dense1.weight", "dense1.bias"]


@pytest.mark.parametrize("stage", ["channel_dropout 0.1", "max_pool 2", "conv 4 3x3", "batch_norm -> channel_dropout 0.1 -> relu"])
def test_dense_after_a_stage_of_images(stage: str) -> None:
    """In PyTorch one flattens first. `[64, 8, 8]` alone says nothing of images, but these stages do."""
    assert [d.code for d in netc.compile(f"input [64, 8, 8] -> {stage} -> dense 10").diagnostics] == ["dense-after-spatial"]
    assert netc.compile("input [64, 8, 8] -> relu -> dense 10").diagnostics == ()
