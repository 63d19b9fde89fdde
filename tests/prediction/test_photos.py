"""Predictions for photos use the size and the normalization of the training: torchvision's transforms, applied by hand, are the judge."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torchvision import transforms
from torchvision.datasets import ImageFolder

import netc
from netc.cli import cli

SPEC = """
image = input SHAPE
scores = image -> standardize -> conv 3 3x3 relu -> flatten -> dense 2
train {
  label = input [] int64
  loss = (scores, label) -> cross_entropy
  data images "train" size=SIZE
  validate images "new" size=SIZE
  augment horizontal_flip
  augment resized_crop CROP
  epochs 1
  batch 4
}
"""
SIZES: dict[str, tuple[str, str, list[Any]]] = {
    "square": ("3x9x9", "9", [transforms.Resize(9), transforms.CenterCrop(9)]),
    "stretched": ("3x7x10", "[7, 10]", [transforms.Resize((7, 10))]),
    "gray": ("1x8x8", "8", [transforms.Grayscale(), transforms.Resize(8), transforms.CenterCrop(8)]),
}


def write_photos(root: Path) -> None:
    """Photos of several sizes, forms and formats, in two classes."""
    generator = np.random.default_rng(4)
    for part, count in ("train", 6), ("new", 3):
        for name, mean in ("day", 200), ("night", 60):
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                height, width = generator.integers(8, 40, 2)
                pixels = np.clip(generator.normal(mean, 30, (height, width, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.{('png', 'bmp', 'jpg')[i % 3]}")


@pytest.mark.parametrize("case", SIZES)
def test_photos_are_prepared_as_in_training(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_photos(tmp_path)
    shape, size, steps = SIZES[case]
    text = SPEC.replace("SHAPE", shape).replace("SIZE", size).replace("CROP", size)
    Path("photos.net").write_text(text)
    netc.train("photos.net", output="run")
    model = netc.compile_file("photos.net")
    model.save("photos.onnx", weights="run")

    prepare = transforms.Compose([*steps, transforms.ToTensor()])
    train, new = (torch.stack([image for image, _ in ImageFolder(part, prepare)]) for part in ("train", "new"))
    module = model.module(weights="run").eval()
    state = module.state_dict()
    axes = (0, 2, 3)
    # Augmentation changes the batches of the steps, and neither what is measured nor what is predicted.
    np.testing.assert_allclose(state["standardize1.mean"], train.double().mean(axes), rtol=1e-6)
    np.testing.assert_allclose(state["standardize1.std"], train.double().std(axes, correction=0), rtol=1e-6)
    with torch.no_grad():
        wanted = module(new).softmax(1).numpy()
    (scores,) = onnxruntime.InferenceSession("photos.onnx").run(None, {"image": new.numpy()})
    np.testing.assert_allclose(torch.from_numpy(scores).softmax(1), wanted, atol=1e-5)
    names = [str(Path("new", *Path(path).parts[-2:])) for path, _ in ImageFolder("new").samples]
    for source in ("run", "photos.onnx"):
        done = CliRunner().invoke(cli, ["predict", source, *names], prog_name="netc")
        assert done.exit_code == 0, done.output
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        assert [row["file"] for row in rows] == names
        found = [[float(row["probability_day"]), float(row["probability_night"])] for row in rows]
        np.testing.assert_allclose(found, wanted, atol=1e-5)

    metadata = {entry.key: entry.value for entry in onnx.load("photos.onnx").metadata_props}
    signature = json.loads(metadata["netc_signature"])
    assert signature["format"] == "images"
    assert signature["options"] == {"size": json.loads(size)}
    assert "augment" not in metadata["netc_signature"]
