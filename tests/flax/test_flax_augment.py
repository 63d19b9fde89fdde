"""`augment` in the files of Flax: what is certain equals the file of PyTorch, and what is random has its rates."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from netc.analysis import Choice, analyze_training
from netc.dsl.source import SourceFile
from netc.errors import CompileError
from netc.training.source import emit_training_file
from netc.training.source.flax_file import emit_flax_file
from tests.flax.trained_files import assert_same, execute, train_both

jax = pytest.importorskip("jax", reason="jax is not installed")
pytest.importorskip("optax", reason="optax is not installed")
nnx = pytest.importorskip("flax.nnx", reason="flax is not installed")


FLIPPED = """
image = input 3x4x6
mask = input 4x6 int64
y = image -> flatten -> dense 3
train {
  t = input [] int64
  loss = ((y, t) -> cross_entropy) + 0.01 * ((image * (mask -> cast float32 -> unsqueeze 1)) * (image -> exp) -> sum axis=[1, 2, 3] -> mean)
  augment horizontal_flip image mask p=1
  augment vertical_flip image 1.0
  augment random_crop mask [4, 6]
  optimizer sgd lr=0.01
  batch 7
  epochs 2
  validate 0.2
}
"""
CROPPED = """
x = input 1x3x4
m = input 3x4 int64
y = x -> flatten -> dense 1
train {
  t = input 1
  loss = ((y, t) -> mse_loss) + 0 * (m -> cast float32 -> sum)
  LINES
  optimizer sgd lr=0.01
  seed 3
}
"""


def write_images(count: int) -> None:
    generator = np.random.default_rng(7)
    images = generator.normal(size=(count, 3, 4, 6)).astype(np.float32)
    np.savez("train.npz", image=images, mask=generator.integers(0, 3, (count, 4, 6)), t=generator.integers(0, 3, count))


@pytest.mark.sample(1)
@pytest.mark.thorough(32)
@pytest.mark.parametrize("batch", ["batch 7", "batch 7 accumulate=2"])
def test_certain_augmentations(batch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Transforms that draw nothing change images and masks as torchvision does."""
    pytest.importorskip("torchvision", reason="torchvision is not installed")
    monkeypatch.chdir(tmp_path)
    write_images(40)
    assert_same(train_both(FLIPPED.replace("batch 7", batch), "train.npz"), 1e-5)


@pytest.mark.sample(1)
@pytest.mark.thorough(32)
@pytest.mark.parametrize(
    "line",
    [
        "augment horizontal_flip x m p=0.3",
        "augment vertical_flip x m",
        "augment random_crop x m [3, 4] padding=1",
        "augment random_crop x m [3, 4] padding=[2, 1] fill=3",
        "augment random_crop x m [3, 4] padding=[0, 2, 1, 0] padding_mode=reflect",
    ],
)
def test_random_augmentations(line: str) -> None:
    """The same results as torchvision's are as frequent, and an image and its mask change together."""
    v2 = pytest.importorskip("torchvision.transforms.v2", reason="torchvision is not installed")
    training = analyze_training(SourceFile("<text>", CROPPED.replace("LINES", line)), Choice()).training
    torch_file, flax_file = execute(emit_training_file(training), "torch_file"), execute(emit_flax_file(training), "flax_file")
    assert v2
    count, image = 600, np.arange(1, 13).reshape(3, 4)
    batch = {"x": np.tile(image.astype(np.float32), (count, 1, 1, 1)), "m": np.tile(image, (count, 1, 1))}
    expected = torch_file.augment_batch({name: torch.from_numpy(array) for name, array in batch.items()}, torch.arange(count), 5)
    found = flax_file.augment_batch(batch, np.arange(count), 5)
    np.testing.assert_array_equal(found["x"][:, 0], found["m"])
    frequencies = [Counter(bytes(row.astype(np.int64).tobytes()) for row in np.asarray(masks)) for masks in (expected["m"], found["m"])]
    assert frequencies[0].keys() == frequencies[1].keys()
    for result, times in frequencies[0].items():
        share = (times + frequencies[1][result]) / (2 * count)
        assert abs(times - frequencies[1][result]) <= 5 * (2 * count * share * (1 - share)) ** 0.5
    # A sample's numbers depend on the seed, the step and the sample alone.
    rows = np.array([17, 4, 250])
    again = flax_file.augment_batch({name: array[rows] for name, array in batch.items()}, rows, 5)
    np.testing.assert_array_equal(again["m"], found["m"][rows])
    assert (flax_file.augment_batch(batch, np.arange(count), 6)["m"] != found["m"]).any()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("augment gaussian_blur x 3", "`gaussian_blur` is not part of the training file of Flax, which has `horizontal_flip`"),
        ("augment random_crop x [3, 4] pad_if_needed=true", "`random_crop` has `pad_if_needed`"),
        ("measure mae", "`measure` is not part of the training file"),
    ],
)
def test_clauses_that_the_file_lacks(settings: str, said: str) -> None:
    text = CROPPED.replace("LINES", f"{settings}; validate 0.1")
    with pytest.raises(CompileError) as caught:
        emit_flax_file(analyze_training(SourceFile("<text>", text), Choice()).training)
    assert said in str(caught.value)
