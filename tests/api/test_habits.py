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
