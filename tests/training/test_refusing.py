"""Values of a batch that PyTorch refuses: the message is PyTorch's own, and names the stage of the spec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netc

DATA = {
    "x": np.ones((6, 3), np.float32),
    "index": np.array([[0], [1], [2], [1], [0], [7]]),
    "target": np.array([0, 1, 2, 0, 1, 9]),
}
MODEL = "block pick(x: [N, D], i: [N, 1]) { (x, i) -> gather axis=1 -> exp }\nx = input 3\ny = x -> dense 3 as head\n"
SECTIONS = {
    "index 7 is out of bounds": "index = input 1 int64; loss = (y, index) -> gather axis=1 -> mean",
    "index 7 is out of bounds for dimension 1": "index = input 1 int64; loss = (y, index) -> pick -> mean",
    "target out of range": "target = input [] int64; loss = (y, target) -> multi_margin_loss",
    "between 0 and 1": "loss = (x, y + 3) -> binary_cross_entropy",
    "var has negative entry": "loss = (y, x, -x) -> gaussian_nll_loss",
    "ZeroDivisionError": "target = input [] int64; loss = (y -> sum axis=1) * (target // (target - target)) -> mean",
}
STAGES = ("`gather1`", "`pick1.gather1`", "`multi_margin_loss1`", "`binary_cross_entropy1`", "`gaussian_nll_loss1`", "`floor_div1`")


@pytest.mark.parametrize(("why", "section", "stage"), [(*pair, stage) for pair, stage in zip(SECTIONS.items(), STAGES, strict=True)])
def test_refused_batches(why: str, section: str, stage: str, tmp_path: Path) -> None:
    (tmp_path / "m.net").write_text(f"{MODEL}train {{ {section}; batch 6 }}")
    np.savez(tmp_path / "d.npz", **DATA)
    with pytest.raises(netc.CompileError) as caught:
        netc.train(tmp_path / "m.net", data=tmp_path / "d.npz", output=tmp_path / "run")
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.message) == ("batch-refused", f"{stage} cannot be computed for the batch of step 1")
    assert why in problem.label


def test_refused_validation(tmp_path: Path) -> None:
    (tmp_path / "m.net").write_text(f"{MODEL}train {{ {SECTIONS['index 7 is out of bounds']}; batch 5; epochs 1 }}")
    right = {name: array[:5] for name, array in DATA.items()}
    np.savez(tmp_path / "d.npz", **right)
    np.savez(tmp_path / "v.npz", **DATA)
    with pytest.raises(netc.CompileError) as caught:
        netc.train(tmp_path / "m.net", data=tmp_path / "d.npz", validation=tmp_path / "v.npz", output=tmp_path / "run")
    (problem,) = caught.value.diagnostics
    assert problem.message == "`gather1` cannot be computed for the validation after step 1"
