"""Constants of real models are tables: those that the formula says, in PyTorch and in ONNX Runtime, to the last bit.

The judges are the modules of torchvision, timm and transformers that make these constants.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import netc
from netc.compiler.backends.net.array_storage import StoredNames
from netc.compiler.backends.net.table_formulas import formula_to_tree
from netc.compiler.backends.net.written_values import ValuePrinter, print_literal
from netc.compiler.frontends.constants import make_formula_table
from netc.compiler.frontends.graph_builder import ImportRefused
from netc.compiler.ops.formula import ItemFormula, iterate_parts

Array = np.ndarray


def text_of(array: Array) -> str:
    """The table of the array as a spec has it."""
    table = make_formula_table(array)
    formula = ValuePrinter((), (), StoredNames()).print_expression(formula_to_tree(table.formula, table.indices))
    return f"table ({', '.join(table.indices)}) {print_literal(table.shape)} {table.dtype} = {formula}"


def check(array: Array, *, close: bool = False) -> str:
    """The formula, which gives the array in both backends."""
    text = text_of(array)
    model = netc.compile(f"x = input 1\nout x -> relu, {text}")
    one = torch.zeros(1, 1)
    found = model.module()(one)[1].numpy()
    (_, other) = model.session()(one.numpy()).values() if isinstance(model.session()(one.numpy()), dict) else model.session()(one.numpy())
    for made in (found, np.asarray(other)):
        assert made.dtype == array.dtype
        if close:
            np.testing.assert_allclose(made, array, rtol=5e-7, atol=1e-9)
        else:
            np.testing.assert_array_equal(made, array)
    return text.partition(" = ")[2]


@pytest.mark.parametrize("window", [(7, 7), (8, 8), (4, 6), (2, 3)])
def test_swin(window: tuple[int, int]) -> None:
    from torchvision.models.swin_transformer import ShiftedWindowAttention, ShiftedWindowAttentionV2

    h, w = window
    index = ShiftedWindowAttention(8, [h, w], [0, 0], 2).relative_position_index.numpy()
    check(index)
    formula = check(index.reshape(h * w, h * w))
    assert formula == f"(i // {w} - j // {w} + {h - 1}) * {2 * w - 1} + (i % {w} - j % {w} + {w - 1})"
    check(ShiftedWindowAttentionV2(8, [h, w], [0, 0], 2).relative_coords_table.numpy(), close=True)


def test_video_swin() -> None:
    from torchvision.models.video.swin_transformer import ShiftedWindowAttention3d

    check(ShiftedWindowAttention3d(8, [2, 3, 4], [0, 0, 0], 2).relative_position_index.numpy())


@pytest.mark.parametrize(("base", "width"), [(10000.0, 64), (10000.0, 80), (500000.0, 128), (1000000.0, 96), (160000.0, 64)])
def test_llama(base: float, width: int) -> None:
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    config = LlamaConfig(hidden_size=2 * width, num_attention_heads=2, rope_parameters={"rope_type": "default", "rope_theta": base})
    formula = check(LlamaRotaryEmbedding(config).inv_freq.numpy(), close=True)
    assert formula in (f"1 / float32({base:.0f} ** float32(i / {width // 2}))", f"1 / {base:.0f} ** (i / {width // 2})")


def test_buffers_of_bert() -> None:
    assert check(np.broadcast_to(np.arange(512), (1, 512))) == "j"
    assert check(np.zeros((1, 512), np.int64)) == "0"


@pytest.mark.parametrize("size", [(7, 7), (5, 8)])
def test_timm_relative_positions(size: tuple[int, int]) -> None:
    timm = pytest.importorskip("timm.layers.pos_embed_rel")
    index = timm.gen_relative_position_index(size).numpy()
    check(index)
    formula = check(timm.gen_relative_position_index(size, class_token=True).numpy())
    assert formula.startswith("where(i == 0, where(j == 0, ")
    check(timm.gen_relative_log_coords(size).numpy(), close=True)
    check(timm.gen_relative_log_coords(size, mode="cr").numpy(), close=True)
    check(timm.generate_lookup_tensor(size[0]).numpy())


@pytest.mark.parametrize(("grid", "window", "shift"), [((14, 14), (7, 7), (3, 3)), ((16, 8), (4, 4), (2, 2)), ((12, 12), (4, 6), (1, 3))])
def test_timm_masks_of_shifted_windows(grid: tuple[int, int], window: tuple[int, int], shift: tuple[int, int]) -> None:
    timm = pytest.importorskip("timm.models.swin_transformer")
    block = timm.SwinTransformerBlock(8, grid, num_heads=2, window_size=window, shift_size=shift, always_partition=True)
    formula = check(block.attn_mask.numpy())
    assert formula.startswith("where(i >= ")
    assert formula.endswith(", -100, 0)")


def test_timm_levit() -> None:
    timm = pytest.importorskip("timm.models.levit")
    assert check(timm.Attention(8, 4, resolution=(5, 5)).attention_bias_idxs.numpy()) == "abs(i % 5 - j % 5) + abs(i // 5 - j // 5) * 5"
    check(timm.AttentionDownsample(8, 8, 4, resolution=(8, 8), stride=2).attention_bias_idxs.numpy())


def test_timm_blur() -> None:
    timm = pytest.importorskip("timm.layers.blur_pool")
    check(timm.BlurPool2d(8).filt.numpy())
    check(timm.BlurPool2d(8, filt_size=5).filt.numpy())


@pytest.mark.parametrize("shape", [(4, 4), (6, 5)])
def test_timm_rotary(shape: tuple[int, int]) -> None:
    timm = pytest.importorskip("timm.layers.pos_embed_sincos")
    check(timm.RotaryEmbeddingCat(32, in_pixels=False, feat_shape=list(shape)).pos_embed.numpy(), close=True)


# --- made here ---------------------------------------------------------------------------------------------------------------


def _both(test: Array) -> Array:
    return np.where(test, 0, -np.inf).astype(np.float32)


ROW, COLUMN = np.indices((9, 9))
MADE: dict[str, tuple[Callable[[], Array], str]] = {
    "causal": (lambda: COLUMN <= ROW, "j <= i"),
    "causal with infinity": (lambda: _both(COLUMN <= ROW), "where(j <= i, 0, -inf)"),
    "causal with the least number": (lambda: np.where(COLUMN <= ROW, np.float32(0), np.finfo(np.float32).min), ""),
    "causal of more keys": (lambda: np.tril(np.ones((4, 9), bool), 5), "j <= i + 5"),
    "upper triangle": (lambda: np.triu(np.ones((9, 9), np.float32), 1), ""),
    "band": (lambda: (COLUMN <= ROW) & (COLUMN > ROW - 4), "j >= i - 3 and j <= i"),
    "neighbors": (lambda: abs(ROW - COLUMN) <= 2, "abs(i - j) <= 2"),
    "identity": (lambda: np.eye(9, dtype=np.float32), ""),
    "identity of booleans": (lambda: np.eye(9, dtype=bool), "i == j"),
    "blocks": (lambda: ROW // 3 == COLUMN // 3, "i // 3 == j // 3"),
    "checks": (lambda: (ROW + COLUMN) % 2 == 0, ""),
    "stripes": (lambda: COLUMN % 3 == 1, "j % 3 == 1"),
    "one place": (lambda: (ROW == 2) & (COLUMN == 5), "i == 2 and j == 5"),
    "range": (lambda: np.arange(40), "i"),
    "range with a step": (lambda: np.arange(3, 60, 7), "i * 7 + 3"),
    "range of floats": (lambda: np.arange(8, dtype=np.float32) * 0.5, ""),
    "downwards": (lambda: np.arange(9, -1, -1), ""),
    "centers": (lambda: ((np.arange(14) + 0.5) / 14).astype(np.float32), ""),
    "from -1 to 1": (lambda: np.linspace(-1, 1, 9).astype(np.float32), ""),
    "grid": (lambda: np.stack(np.meshgrid(np.arange(5), np.arange(7), indexing="ij"), -1).reshape(-1, 2), ""),
    "every third": (lambda: np.repeat(np.arange(8), 3), "i // 3"),
    "again": (lambda: np.tile(np.arange(5), 4), "i % 5"),
    "distances": (lambda: abs(ROW - COLUMN), "abs(i - j)"),
    "thirds on both sides": (lambda: _thirds(np.arange(-9, 10)), "where(i < 9, -1, 1) * (abs(i - 9) // 3)"),
    "thirds, most of them below zero": (lambda: _thirds(np.subtract.outer(np.arange(6), np.arange(14))), ""),
    "thirds, most of them above zero": (lambda: _thirds(np.subtract.outer(np.arange(14), np.arange(6))), ""),
    "slopes": (lambda: (-abs(ROW - COLUMN) * 0.25).astype(np.float32), ""),
    "alibi": (lambda: (2.0 ** -np.arange(1, 9)).astype(np.float32), ""),
    "octaves": (lambda: (np.pi * 2.0 ** np.arange(8)).astype(np.float32), ""),
    "product": (lambda: np.outer([1, 2, 1], [1, 2, 1]).astype(np.float32) / 16, ""),
    "sines in halves": (lambda: _sinusoids(30, 16, interleaved=False), ""),
    "sines in turn": (lambda: _sinusoids(30, 16, interleaved=True), ""),
    "scalar": (lambda: np.asarray(0.25, np.float32), "0.25"),
    "of size 1": (lambda: np.ones((1, 1, 1), np.int64), "1"),
    "means": (lambda: np.asarray([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1), "[0.485, 0.456, 0.406][i]"),
    "infinity": (lambda: np.asarray(-np.inf, np.float32), "-inf"),
    "bytes": (lambda: np.arange(200, dtype=np.uint8), "i"),
    "halves": (lambda: np.arange(10, dtype=np.float16) / 4, ""),
    "doubles": (lambda: 10000.0 ** (-np.arange(16) / 16), ""),
}


def _thirds(distance: Array) -> Array:
    return np.sign(distance) * (abs(distance) // 3)


def _sinusoids(length: int, width: int, *, interleaved: bool) -> Array:
    """In float64, as the older models have them."""
    angle = np.arange(length)[:, None] / 10000.0 ** (2 * np.arange(width // 2) / width)
    both = np.stack([np.sin(angle), np.cos(angle)], -1 if interleaved else 1)
    return both.reshape(length, width).astype(np.float32)


def _shifted_windows(grid: tuple[int, int], window: tuple[int, int], shift: tuple[int, int]) -> Array:
    """Which positions of each window come from the same side of the image, which was rolled by `shift`."""
    index = np.arange(grid[0] * grid[1]).reshape(grid)
    rolled = np.roll(index, (-shift[0], -shift[1]), (0, 1))
    wrapped = np.stack([rolled // grid[1] < shift[0], rolled % grid[1] < shift[1]])
    parts = wrapped.reshape(2, grid[0] // window[0], window[0], grid[1] // window[1], window[1]).transpose(1, 3, 2, 4, 0)
    sides = parts.reshape(-1, window[0] * window[1], 2)
    return (sides[:, :, None] == sides[:, None]).all(-1)


SHIFTED = [
    ((14, 14), (7, 7), (3, 3)),
    ((16, 8), (4, 4), (2, 2)),
    ((12, 12), (4, 6), (1, 3)),
    ((4, 16), (4, 4), (3, 2)),
    ((16, 4), (4, 4), (2, 3)),
]


@pytest.mark.parametrize(("grid", "window", "shift"), SHIFTED)
def test_masks_of_shifted_windows(grid: tuple[int, int], window: tuple[int, int], shift: tuple[int, int]) -> None:
    formula = check(np.where(_shifted_windows(grid, window, shift), np.float32(0), np.float32(-100)))
    assert formula.startswith("where(i ")
    assert formula.endswith(", -100, 0)")


@pytest.mark.parametrize("name", MADE)
def test_made(name: str) -> None:
    make, formula = MADE[name]
    array = np.asarray(make())
    found = check(array, close=array.dtype == np.float64)
    assert not formula or found == formula


def test_numbers_without_a_rule_are_refused() -> None:
    numbers = np.random.default_rng(0).standard_normal((100, 100)).astype(np.float32)
    for array in (numbers, (numbers * 100).astype(np.int64), numbers > 0, np.full((300,), np.nan, np.float32)):
        with pytest.raises(ImportRefused, match="no formula"):
            make_formula_table(array)
    with pytest.raises(ImportRefused, match="no elements"):
        make_formula_table(np.zeros((0, 3), np.float32))


def test_few_numbers_without_a_rule_are_a_list() -> None:
    numbers = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    check(numbers)
    assert any(isinstance(part, ItemFormula) for part in iterate_parts(make_formula_table(numbers).formula))


def test_one_wrong_number_is_seen() -> None:
    """At any place: also beyond those that are tried first."""
    array = np.arange(300)[:, None] - np.arange(300)
    array[299, 298] += 1
    with pytest.raises(ImportRefused):
        make_formula_table(array)


def test_the_same_array_has_the_same_formula() -> None:
    array = np.broadcast_to(np.arange(6) % 3, (4, 6)).copy()
    assert text_of(array) == text_of(array.copy()) == "table (i, j) [4, 6] int64 = j % 3"


def test_bfloat16() -> None:
    import ml_dtypes

    for array in (np.arange(6) / 4, np.asarray([0.5, 0.25, 7.0])):
        table = make_formula_table(array.astype(ml_dtypes.bfloat16))
        assert str(table.dtype) == "bfloat16"
        np.testing.assert_array_equal(table.compute_values(), array)
