"""The digits of the README, trained and quantized: how many images the classifier still knows that it has not seen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from netc.cli import cli
from netc.compiler.backends.onnx.runtime import OnnxSession

README = Path(__file__).parents[2] / "README.md"
LOST = 0.005
"""The part of the images that it may know less."""


def _run(*words: str) -> str:
    done = CliRunner().invoke(cli, words, prog_name="netc")
    assert done.exit_code == 0, done.output
    return done.stderr


@pytest.mark.long
def test_the_accuracy_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the images is kept apart; static scales come from the images that it was trained on."""
    datasets: Any = pytest.importorskip("sklearn.datasets")
    monkeypatch.chdir(tmp_path)
    text = re.search(r"```net file=digits.net\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert text is not None
    Path("digits.net").write_text(text[1], encoding="utf-8")
    digits = datasets.load_digits()
    images, labels = digits.images[:, None].astype(np.float32), digits.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(images))
    seen, unseen = order[: len(order) * 4 // 5], order[len(order) * 4 // 5 :]
    np.savez("seen.npz", image=images[seen], target=labels[seen])
    np.savez("calibration.npz", image=images[seen])
    _run("train", "digits.net", "--data", "seen.npz", "-o", "run")

    def accuracy(*options: str) -> float:
        said = _run("compile", "digits.net", "--weights", "run", "-o", "digits.onnx", *options)
        assert not options or "3 of 3 products with weights are quantized" in said or "int4" in options
        scores = OnnxSession("digits.onnx")(image=images[unseen])
        assert isinstance(scores, np.ndarray)
        return float((scores.argmax(1) == labels[unseen]).mean())

    exact = accuracy()
    assert exact > 0.95
    found = {
        "dynamic": accuracy("--quantize", "int8"),
        "static": accuracy("--quantize", "int8", "--calibration", "calibration.npz"),
        "int4": accuracy("--quantize", "int4"),
    }
    assert min(found["dynamic"], found["static"]) >= exact - LOST, found
    assert found["int4"] >= exact - 4 * LOST, found
