"""Models that are trained for a step on the rows of a table, for the tests of predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from click.testing import CliRunner, Result

import netc
from netc.cli import cli

KINDS = ("ash", "beech", "oak")
ROWS = {"width": [-1.5, 0.25, 3.0], "height": [2.0, 10.0, -4.0]}
SECTION = """train {{
  {target}
  loss = {loss}
  data csv "rows.csv" x=[width, height]{columns}
  steps 1
  batch 6
}}
"""


def write_rows(path: Path) -> Path:
    """Write the table `rows.csv` into a folder, and return the folder."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame({"width": generator.normal(size=12), "height": generator.normal(size=12), "kind": KINDS * 4})
    table["ripe"], table["price"], table["weight"] = ["no", "yes"] * 6, 5000 + 1000 * table["width"], table["height"] ** 2 + 1
    table.to_csv(path / "rows.csv", index=False)
    return path


def train(folder: Path, name: str, body: str, target: str, loss: str, columns: str = "") -> tuple[netc.Predictor, torch.nn.Module]:
    spec = folder / f"{name}.net"
    spec.write_text(f"x = input 2\n{body}\n{SECTION.format(target=target, loss=loss, columns=columns)}", encoding="utf-8")
    netc.train(spec, output=folder / name)
    return netc.load(folder / name), netc.compile_file(spec).module(weights=folder / name).eval()


def run_cli(*words: str, input: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["predict", *words], prog_name="netc", input=input)
