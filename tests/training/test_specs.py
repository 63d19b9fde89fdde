"""The specs with a train section are trained: a few steps on data made here, after which the loss is smaller."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import netc
from netc.training.run_files import read_metrics

SPECS = Path(__file__).parents[2] / "specs"
Array = NDArray[np.generic]
GENERATOR = np.random.default_rng(0)


def patterns(count: int, size: int, channels: int = 1) -> tuple[Array, Array]:
    """Images of horizontal (0) or vertical (1) stripes with noise, and which they have."""
    label = GENERATOR.integers(0, 2, count)
    stripes = (np.arange(size) // 3 % 2).astype(np.float32)
    rows, columns = np.broadcast_to(stripes[:, None], (size, size)), np.broadcast_to(stripes, (size, size))
    image = np.where(label[:, None, None, None] == 0, rows, columns) * np.ones((1, channels, 1, 1))
    return (image * 0.8 + 0.1 * GENERATOR.random(image.shape)).astype(np.float32), label.astype(np.int64)


def features(width: int) -> dict[str, Array]:
    x = GENERATOR.normal(size=(64, width)).astype(np.float32)
    return {"input": x, "target": (x.sum(1, keepdims=True) > 0).astype(np.float32)}


def digits() -> dict[str, Array]:
    image, label = patterns(64, 28)
    return {"input": image, "label": label}


def pairs() -> dict[str, Array]:
    (left, one), (right, other) = patterns(64, 28), patterns(64, 28)
    return {"left": left, "right": right, "same": (one == other).astype(np.float32)}


def masks() -> dict[str, Array]:
    image, _ = patterns(16, 16, 3)
    return {"image": image, "label": (image[:, 0] > 0.4).astype(np.int64)}


def pictures() -> dict[str, Array]:
    return {"image": np.clip(patterns(64, 28)[0], 0, 1)}


def clean() -> dict[str, Array]:
    return {"clean": patterns(8, 16, 3)[0]}


CASES: dict[str, tuple[Callable[[], dict[str, Array]], list[str]]] = {
    "seed/mlp.net": (lambda: features(3), []),
    "seed/neuron.net": (lambda: features(5), []),
    "mnist_resnet.net": (digits, ["optimizer adamw lr=1e-3", "schedule constant"]),
    "siamese.net": (pairs, []),
    "unet.net": (masks, []),
    "vae.net": (pictures, []),
    "generative/ddpm.net": (clean, ["optimizer adam lr=1e-3", "schedule constant"]),
}


def trained(spec: str, data: str, folder: Path, steps: int, batch: int, *settings: str, **more: Any) -> list[float]:
    """The losses of the steps, with other settings in place of the section's own."""
    text = (SPECS / spec).read_text(encoding="utf-8")
    if spec.startswith("generative"):  # the smallest U-Net of this kind
        text += f"\nmodel tiny = network [32, 32] [1] depth=1\ntrain tried for tiny {section_body(text)}\n"
        section = "tried"
    else:
        section = "train"
    for line in settings:
        word = line.split()[0]
        text = "\n".join(f"  {line}" if one.strip().startswith(f"{word} ") else one for one in text.split("\n"))
    path = folder / "spec.net"
    path.write_text(text, encoding="utf-8")
    netc.train(path, section=section, data=data, output=folder / "run", steps=steps, batch=batch, seed=1, **more)
    return [entry["loss"] for entry in read_metrics(str(folder / "run")) if "loss" in entry]


def section_body(text: str) -> str:
    return text[text.index("{", text.index("\ntrain ")) :].rstrip()


@pytest.mark.parametrize("spec", CASES)
@pytest.mark.sample(2)
def test_trains(spec: str, tmp_path: Path) -> None:
    make, settings = CASES[spec]
    np.savez(tmp_path / "data.npz", **make())
    losses = trained(spec, str(tmp_path / "data.npz"), tmp_path, 12, 16, *settings)
    assert np.isfinite(losses).all()
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


def test_gpt_on_a_text(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("the cat sat on the mat. " * 200, encoding="utf-8")
    losses = trained("gpt.net", f"text:{tmp_path / 'book.txt'}", tmp_path, 12, 8, "schedule constant", data_options={"length": "24"})
    assert abs(losses[0] - np.log(256)) < 0.1  # a fresh network knows nothing of its 256 tokens
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


def test_gpt_decays_its_matrices_alone() -> None:
    """As GPT-2 is trained: neither biases, also those that PyTorch calls `in_proj_bias`, nor norms and positions."""
    objective = netc.compile_file(SPECS / "gpt.net").training()
    names = {id(parameter): name for name, parameter in objective.model.named_parameters()}
    groups = objective.optimizer().param_groups
    decayed = {names[id(p)] for group in groups if group["weight_decay"] for p in group["params"]}
    assert decayed == {name for name, p in objective.model.named_parameters() if p.ndim == 2 and name != "positions"}
    assert sum(len(group["params"]) for group in groups) == len(names)


@pytest.mark.long
def test_resnet_on_a_folder_of_images(tmp_path: Path) -> None:
    images, labels = patterns(48, 28)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        home = tmp_path / "images" / f"class{label}"
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray((np.clip(image[0], 0, 1) * 255).astype(np.uint8)).save(home / f"{index}.png")
    data, settings = f"images:{tmp_path / 'images'}", ("optimizer adamw lr=1e-3", "schedule constant")
    losses = trained("mnist_resnet.net", data, tmp_path, 12, 16, *settings, columns={"input": "image"})
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
