"""Runs on rows and on images with names that are hard to quote, and what `netc predict` prints for them: for the tests of `--example`."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import netc
from netc.cli import cli

NODE_MODULES = Path(os.environ.get("NETC_NODE_MODULES", Path(__file__).parents[2] / "playground" / "node_modules"))
HARD = "a \"b\"\\ 'c'; ${x} %s ü\u2028."
"""A name that is code in some language unless it is quoted with care."""
SPEC = """x = input 3
town = input [] int64
age = input [] int8
stamp = input [] int64
small = ((age -> cast float32) / 100, (stamp % 10 -> cast float32) / 10) -> stack axis=1
hidden = (x, town -> embedding 3 2, small) -> concat axis=1 -> dense 8 relu
scores = hidden -> dense 3
guess = hidden -> dense 1 -> squeeze 1
odds = hidden -> dense 1
best = scores -> argmax axis=1 -> cast int32
large = guess > 0.1
out scores, guess, odds, best, large

train {
  kind = input [] int64
  price = input []
  ripe = input []
  cost = (guess, (price - 5000) / 1000) -> mse_loss
  doubt = (odds, ripe -> unsqueeze 1) -> binary_cross_entropy_with_logits
  loss = ((scores, kind) -> cross_entropy) + cost + doubt
  fill median columns=height
  fill 3 columns=age
  data csv "rows.csv" x=[width, height, fresh] town=place
  steps 2
  batch 6
}
"""
COLUMNS = ("width", "height", "fresh", "place", "age", "stamp")
ROWS = [
    ["-1.5", "2", "yes", HARD, "7", "9007199254740993"],
    ["0.25", "", "no", "Ulm", "-128", "-3"],
    [" +.5 ", "NA", "Y", " Ulm ", "1.0", "9223372036854775807"],
    ["1e-400", " nan ", "f", "Bonn", "", "-9223372036854775808"],
]
WRONG = (
    *(("width", cell) for cell in ("x", "", "nan", "inf", "3.5e38", "1e400", "0x10", "1_0", "\u0661", "1 2", "2f", "+-1")),
    *(("fresh", cell) for cell in ("perhaps", "")),
    *(("place", cell) for cell in ("Rom", "")),
    *(("age", cell) for cell in ("128", "-129", "1e9", "1.5", "0x1", "1_0")),
    *(("stamp", cell) for cell in ("9223372036854775808", "1e19", "-9223372036854775809", "inf", "0b1", "1n")),
)
"""Cells that `netc predict` and the programs refuse."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("examples")
    generator = np.random.default_rng(0)
    table = pd.DataFrame(generator.normal(size=(12, 2)).round(3), columns=["width", "height"])
    table["fresh"], table["place"], table["kind"] = ["yes", "no"] * 6, [HARD, "Bonn", "Ulm"] * 4, ["ash", HARD, "oak"] * 4
    table["age"], table["stamp"] = range(12), range(12)
    table["price"], table["ripe"] = 5000 + 1000 * table["width"], ["no", "yes", "yes"] * 4
    table.loc[3, "height"] = None
    table.to_csv(path / "rows.csv", index=False)
    (path / "trees.net").write_text(SPEC, encoding="utf-8")
    netc.train(path / "trees.net", output=path / "run")
    return path


def compile_example(folder: Path, language: str, *options: str, name: str = "trees") -> Result:
    for program in folder.glob("trees_example.*"):  # of an earlier test: netc does not replace it
        program.unlink()
    words = ["compile", str(folder / "trees.net"), "--weights", str(folder / "run"), "-o", str(folder / f"{name}.onnx"), *options]
    return CliRunner().invoke(cli, [*words, "--example", language], prog_name="netc")


def read_numbers(text: str) -> list[tuple[str, float | str]]:
    """Each printed line as its name, and its value: a number to three digits, or a text."""
    lines = [re.match(r"(.*?)(?:: |  )(\S.*)$", line.strip()) for line in text.split("\n")]
    pairs = [(match[1].strip(), match[2]) for match in lines if match]
    return sorted((name, round(float(value), 3) if re.fullmatch(r"-?[\d.]+(e[-+]\d+)?", value) else value) for name, value in pairs)


def predict_row(folder: Path, cells: list[str]) -> Result:
    pairs = [f"{name}={cell}" for name, cell in zip(COLUMNS, cells, strict=True)]
    return CliRunner().invoke(cli, ["predict", str(folder / "run"), *pairs], prog_name="netc")


def write_images(folder: Path, classes: tuple[str, ...], mode: str) -> None:
    generator = np.random.default_rng(1)
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(4):
            pixels = generator.integers(0, 256, (21 + 5 * i, 34 - number, 4), dtype=np.uint8)
            Image.fromarray(pixels, "RGBA").convert(mode).save(folder / name / f"{i}.png")


def train_on_images(folder: Path, classes: tuple[str, ...], image: str, size: str) -> None:
    """Train on four pictures of each class. `image` is the type of the input, and `size` the size of the pictures."""
    write_images(folder / "photos", classes, "RGB")
    text = f"""image = input {image}
scores = image -> cast float32 -> conv 4 3x3 relu -> global_avg_pool -> dense 3
train {{
  kind = input [] int64
  loss = (scores, kind) -> cross_entropy
  data images "photos" kind=label size={size}
  steps 1
  batch 4
}}"""
    (folder / "trees.net").write_text(text, encoding="utf-8")
    netc.train(folder / "trees.net", output=folder / "run")


def replace_cell(row: list[str], name: str, cell: str) -> list[str]:
    return [cell if column == name else known for column, known in zip(COLUMNS, row, strict=True)]
