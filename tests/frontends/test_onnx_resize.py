"""`Resize` with every rule for positions, roundings and coefficients; `broadcast` of old operator sets. ONNX Runtime is the judge."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from frontends.onnx_models import model, node
from frontends.onnx_parity import imported, same, session

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.onnx import from_model


@pytest.mark.share(4)
@pytest.mark.parametrize("where", ["half_pixel", "pytorch_half_pixel", "half_pixel_symmetric", "asymmetric", "align_corners"])
@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("amounts", [[1, 1, 2, 1.5], [2, 3, 7, 8], [2, 3, 9, 1]], ids=str)
def test_nearest_elements(where: str, rounding: str, amounts: list[float]) -> None:
    by_scale = amounts[0] == 1
    array = np.array(amounts, np.float32 if by_scale else np.int64)
    modes = {"coordinate_transformation_mode": where, "nearest_mode": rounding}
    resize = node("Resize", ["x", "", "s"] if by_scale else ["x", "", "", "s"], ["y"], mode="nearest", **modes)
    same(model([resize], {"x": [2, 3, 5, 4]}, ["y"], {"s": array}, opset=19))


@pytest.mark.parametrize(
    "factors",
    [[1, 2, 1, 1], [1, 1.5, 1, 2], [2, 1, 1, 1], [1, 2, 1, 3, 1], [1, 3, 1, 1, 1], [1, 2, 2, 2, 1], [1, 2], [2, 1, 3]],
    ids=str,
)
def test_axes_before_the_last(factors: list[float]) -> None:
    """Also where other axes are around them, one of which has a size that is not known."""
    modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    resize, scales = node("Resize", ["x", "", "s"], ["y"], **modes), {"s": np.array(factors, np.float32)}
    same(model([resize], {"x": [2, 4, 3, 5, 2][: len(factors)]}, ["y"], scales, opset=19))
    same(model([resize], {"x": ["N", 4, 3, 5, "W"][: len(factors)]}, ["y"], scales, opset=19))


@pytest.mark.parametrize(("where", "rounding"), [("asymmetric", "floor"), ("half_pixel", "round_prefer_ceil")])
@pytest.mark.parametrize(("before", "after"), [(2, 82), (3, 123), (4, 110), (20, 12), (102, 54), (56, 163), (168, 138)])
def test_positions_that_are_rounded_unlike_in_pytorch(where: str, rounding: str, before: int, after: int) -> None:
    """ONNX Runtime divides by the ratio of the sizes, and PyTorch multiplies by the inverse: 41 * (2 / 82) is just below 1."""
    modes = {"mode": "nearest", "coordinate_transformation_mode": where, "nearest_mode": rounding}
    resize = node("Resize", ["x", "", "", "s"], ["y"], axes=[2], **modes)
    same(model([resize], {"x": [1, 2, before]}, ["y"], {"s": np.array([after])}, opset=19))
    unknown = imported(model([resize], {"x": [1, 2, "W"]}, ["y"], {"s": np.array([after])}, opset=19))
    assert any("PyTorch rounds a position to the element before" in note for note in unknown.notes)


def test_nearest_elements_of_an_axis_whose_size_is_not_known() -> None:
    resize = node("Resize", ["x", "", "s"], ["y"], mode="nearest", coordinate_transformation_mode="align_corners")
    with pytest.raises(ImportFailed, match="whose size is not known"):
        from_model(model([resize], {"x": ["N", 3, "H", 4]}, ["y"], {"s": np.array([1, 1, 2, 2], np.float32)}))


@pytest.mark.parametrize("factor", [0.6, 0.3, 1.2, 0.5, 2.5])
def test_factors_whose_reciprocals_are_rounded(factor: float) -> None:
    # The tenth element of a factor of 0.6 is at 9 / 0.6 = 15; PyTorch multiplies by the reciprocal, and reads the element before.
    modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    resize, scales = node("Resize", ["x", "", "s"], ["y"], **modes), {"s": np.array([1, 1, 1, factor], np.float32)}
    same(model([resize], {"x": ["N", 2, 3, 40]}, ["y"], scales, opset=19))
    unknown = model([resize], {"x": ["N", 2, 3, "W"]}, ["y"], scales, opset=19)
    if factor in (0.6, 0.3, 1.2):
        with pytest.raises(ImportFailed, match="whose size is not known"):
            from_model(unknown)
    else:
        from_model(unknown)


_NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
_NEAREST_EXACT = {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
_LINEAR, _CUBIC = ({"mode": mode, "coordinate_transformation_mode": "half_pixel"} for mode in ("linear", "cubic"))
_OF_ONE = {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}


@pytest.mark.parametrize(
    ("attributes", "factors", "where", "least"),
    [
        (_NEAREST, [1, 1.25], "", (1, 1)),
        (_NEAREST, [1.25, 1.25], "where H >= 4, W >= 4", (4, 4)),
        (_NEAREST, [1.25, 2], "where H >= 4", (4, 1)),
        (_NEAREST_EXACT, [1, 1.25], "where W >= 4", (1, 4)),
        (_NEAREST_EXACT, [0.3, 2], None, None),
        (_LINEAR, [1, 1.125], "", (1, 1)),
        (_LINEAR, [1.125, 0.5], "where H >= 8", (8, 2)),
        (_CUBIC, [1, 1.5], "where W >= 2", (1, 2)),
        (_OF_ONE, "half", "where H // 2 >= 2, W // 2 >= 2", (4, 4)),
        (_OF_ONE, [1.5, 1.5], "where H >= 2, W >= 2", (2, 2)),
    ],
)
def test_sizes_that_are_not_known(attributes: dict[str, str], factors: Any, where: str | None, least: Any, tmp_path: Path) -> None:
    """Either the sizes at which ONNX Runtime and PyTorch differ are excluded, or nothing is imported. Factors that add less than an
    element leave an axis as long as it is, and one runtime then looks at no factor."""
    if factors == "half":
        shape = [node("Shape", ["x"], ["all"]), node("Slice", ["all", "2", "4"], ["hw"]), node("Div", ["hw", "2"], ["halves"])]
        nodes = [*shape, node("Resize", ["x", "", "", "halves"], ["y"], axes=[2, 3], **attributes)]
        constants = {number: np.array([int(number)]) for number in ("2", "4")}
    else:
        nodes, constants = [node("Resize", ["x", "", "s"], ["y"], **attributes)], {"s": np.array([1, 1, *factors], np.float32)}
    file = tmp_path / "resize.onnx"
    onnx.save(model(nodes, {"x": ["N", 2, "H", "W"]}, ["y"], constants, opset=19), file)
    if where is None:
        with pytest.raises(ImportFailed):
            netc.from_onnx(file)
        return
    made = netc.from_onnx(file)
    assert re.findall("where .*", made.spec()) == ([where] if where else [])
    theirs, ours = session(file), made.module()
    for height, width in product(range(least[0], 12), range(least[1], 12)):
        x = np.random.default_rng(height).normal(size=(1, 2, height, width)).astype(np.float32)
        np.testing.assert_allclose(ours(torch.from_numpy(x)).numpy(), theirs.run(None, {"x": x})[0], atol=1e-4)


@pytest.mark.share(4)
@pytest.mark.parametrize("where", ["half_pixel", "pytorch_half_pixel", "half_pixel_symmetric", "asymmetric", "align_corners"])
@pytest.mark.parametrize(
    "mode",
    [{"mode": "linear"}, {"mode": "cubic"}, {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}],
    ids=["linear", "cubic", "excluding"],
)
@pytest.mark.parametrize("amounts", [[1, 1, 2, 1.5], [1, 1, 0.4, 0.5], [2, 3, 7, 8], [2, 3, 3, 1]], ids=str)
def test_interpolation(where: str, mode: dict[str, Any], amounts: list[float]) -> None:
    array = np.array(amounts, np.float32 if amounts[0] == 1 else np.int64)
    resize = node("Resize", ["x", "", "s"] if amounts[0] == 1 else ["x", "", "", "s"], ["y"], coordinate_transformation_mode=where, **mode)
    same(model([resize], {"x": ["N", 3, 5, 4]} if amounts[0] == 1 else {"x": [2, 3, 5, 4]}, ["y"], {"s": array}, opset=19))


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("sizes", [[2, 2], [4, 3], [7, 8]], ids=str)
def test_interpolation_without_aliases(mode: str, sizes: list[int]) -> None:
    resize = node("Resize", ["x", "", "", "s"], ["y"], mode=mode, axes=[2, 3], antialias=1)
    same(model([resize], {"x": ["N", 3, 5, 4]}, ["y"], {"s": np.array(sizes)}, opset=19))


@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize("sizes", [[4, 3], [7, 2], [1, 6]], ids=str)
def test_regions_of_images(mode: str, sizes: list[int]) -> None:
    constants = {"roi": np.array([0.1, 0.3, 0.6, 0.9], np.float32), "s": np.array(sizes)}
    modes = {"coordinate_transformation_mode": "tf_crop_and_resize", "mode": mode}
    same(model([node("Resize", ["x", "roi", "", "s"], ["y"], axes=[2, 3], **modes)], {"x": ["N", 3, 5, 4]}, ["y"], constants, opset=19))


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize("sizes", [[7, 8], [3, 9], [2, 2]], ids=str)
def test_sizes_that_keep_the_ratio(policy: str, mode: str, sizes: list[int]) -> None:
    resize = node("Resize", ["x", "", "", "s"], ["y"], mode=mode, axes=[2, 3], keep_aspect_ratio_policy=policy)
    same(model([resize], {"x": ["N", 3, 5, 4]}, ["y"], {"s": np.array(sizes)}, opset=19))


@pytest.mark.parametrize("factor", [2, 3, 1.5])
def test_interpolation_of_old_files(factor: float) -> None:
    upsample = node("Upsample", ["x", "s"], ["y"], mode="linear")
    same(model([upsample], {"x": ["N", 3, 4, 6]}, ["y"], {"s": np.array([1, 1, factor, factor], np.float32)}, opset=9))


def test_interpolation_along_other_axes() -> None:
    resize = node("Resize", ["x", "", "s"], ["y"], mode="linear", coordinate_transformation_mode="asymmetric")
    same(model([resize], {"x": ["N", 4, 6, 3]}, ["y"], {"s": np.array([1, 2, 1.5, 1], np.float32)}, opset=13))


@pytest.mark.parametrize(
    ("attributes", "shape", "why"),
    [
        ({"coordinate_transformation_mode": "asymmetric"}, ["N", 3, "H", 4], "`coordinate_transformation_mode=asymmetric`"),
        ({"coordinate_transformation_mode": "align_corners"}, ["N", 3, 5, 4], "gives no whole size"),
    ],
    ids=["size", "corners"],
)
def test_interpolation_that_is_refused(attributes: dict[str, Any], shape: list[Any], why: str) -> None:
    resize = node("Resize", ["x", "", "s"], ["y"], mode="linear", **attributes)
    with pytest.raises(ImportFailed, match=why):
        from_model(model([resize], {"x": shape}, ["y"], {"s": np.array([1, 1, 1.5, 1.5], np.float32)}))


@pytest.mark.parametrize("axis", [0, 1, 2, None])
def test_a_tensor_that_is_broadcast_from_an_axis_on(axis: int | None) -> None:
    """As operator sets before 7 say it, which ONNX Runtime does not run: the judge is NumPy."""
    size = {0: 2, 1: 3, 2: 4, None: 4}[axis]
    attributes = {"broadcast": 1} | ({} if axis is None else {"axis": axis})
    b = np.arange(size, dtype=np.float32)
    made = imported(model([node("Mul", ["x", "b"], ["y"], **attributes)], {"x": [2, 3, 4]}, ["y"], {"b": b}, opset=6))
    x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    shape = [1, 1, 1]
    shape[2 if axis is None else axis] = size
    assert np.array_equal(netc.Model(made.program).session(dict(made.weights))(x), x * b.reshape(shape))
