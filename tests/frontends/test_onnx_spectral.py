"""Fourier transforms of ONNX files. ONNX Runtime is the judge, and NumPy where it has no kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from frontends.onnx_models import model, node
from frontends.onnx_parity import same

import netc
from netc.compiler.backends.net.spec_source import write_program
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.onnx import from_model
from netc.importing.float64_reference import run_reference

REAL, COMPLEX = ["N", 12, 3, 1], ["N", 12, 3, 2]


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        (REAL, {"onesided": 1}),
        (REAL, {}),
        (REAL, {"inverse": 1}),
        (REAL, {"axis": 2, "onesided": 1}),
        (COMPLEX, {}),
        (COMPLEX, {"axis": -2}),
        (COMPLEX, {"inverse": 1}),
    ],
    ids=["half", "real", "inverse of real", "along", "complex", "from the end", "inverse"],
)
def test_transforms(shape: list[Any], options: dict[str, int]) -> None:
    same(model([node("DFT", ["x"], ["y"], **options)], {"x": shape}, ["y"], opset=17))


@pytest.mark.parametrize("length", [8, 12, 15])
@pytest.mark.parametrize("onesided", [0, 1])
def test_the_length_is_cut_off_or_filled_up(length: int, onesided: int) -> None:
    constants = {"n": np.array(length), "axis": np.array(-3)}
    same(model([node("DFT", ["x", "n", "axis"], ["y"], onesided=onesided)], {"x": REAL}, ["y"], constants, opset=20))


def test_real_numbers_of_half_of_their_frequencies() -> None:
    given = model([node("DFT", ["x", "n", "axis"], ["y"], inverse=1, onesided=1)], {"x": COMPLEX}, ["y"], _of(23, 1), opset=20)
    x = np.random.default_rng(0).standard_normal((2, 12, 3, 2))
    x[:, 0, :, 1] = 0  # the mean of real numbers is real
    made = netc.Model(from_model(given).program).session({})(x.astype(np.float32))
    wanted = np.fft.irfft(x[..., 0] + 1j * x[..., 1], 23, axis=1)[..., None]
    assert made.shape == wanted.shape
    np.testing.assert_allclose(made, wanted, atol=1e-6)


def _of(length: int, axis: int) -> dict[str, Any]:
    return {"n": np.array(length), "axis": np.array(axis)}


@pytest.mark.parametrize("window", [False, True], ids=["no window", "window"])
@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("axes", [["N", "T", 1], ["N", "T"]], ids=["three axes", "two axes"])
def test_windows(axes: list[Any], onesided: int, window: bool) -> None:
    inputs = ["x", "hop", "w" if window else "", "size"]
    constants = {"hop": np.array(5), "size": np.array(16), **({"w": np.hanning(16).astype(np.float32)} if window else {})}
    given = model([node("STFT", inputs, ["y"], onesided=onesided)], {"x": axes}, ["y"], constants)
    made = same(given, sizes={"T": (64, 79)})
    assert "stft 16 5 center=false" in write_program(made.program, ())
    x = np.random.default_rng(0).standard_normal([{"N": 2, "T": 79}.get(n, n) for n in axes]).astype(np.float32)
    (found,) = run_reference(given, {"x": x})
    np.testing.assert_allclose(found, netc.Model(made.program).session(dict(made.weights))(x), atol=1e-5)


def test_a_window_has_the_size_of_its_weights() -> None:
    constants = {"hop": np.array(4), "w": np.hanning(8).astype(np.float32)}
    made = same(model([node("STFT", ["x", "hop", "w"], ["y"])], {"x": ["N", 32, 1]}, ["y"], constants))
    assert "stft 8 4 " in write_program(made.program, ())


@pytest.mark.parametrize(
    ("shape", "options", "why"),
    [
        (COMPLEX, {"onesided": 1}, "has `onesided` for complex numbers"),
        (["N", 12, 3], {}, "needs a last axis of 1 for real numbers or 2 for complex ones"),
        (REAL, {"axis": 3}, "transforms the axis of the real and imaginary parts"),
    ],
)
def test_what_is_no_transform(shape: list[Any], options: dict[str, int], why: str) -> None:
    with pytest.raises(ImportFailed, match=why):
        from_model(model([node("DFT", ["x"], ["y"], **options)], {"x": shape}, ["y"]))


def test_windows_of_complex_numbers_are_refused() -> None:
    given = model([node("STFT", ["x", "hop", "", "size"], ["y"])], {"x": ["N", 32, 2]}, ["y"], {"hop": np.array(4), "size": np.array(8)})
    with pytest.raises(ImportFailed, match="netc's stft is of real numbers"):
        from_model(given)
