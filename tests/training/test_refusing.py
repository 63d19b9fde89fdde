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


def test_a_stage_inside_of_a_model_with_parameters_is_named(tmp_path: Path) -> None:
    """The sizes inside of the model are formulas of its parameters, which mean nothing around it. 1e30 * 1e30 is too large for float32."""
    model = "model net(width=4, depth=1) { x = input 3; y = x -> repeat depth as layers { dense width relu } -> dense 3 as head }\n"
    section = "train net(rate=1e-2) { target = input [] int64; loss = (y, target) -> cross_entropy; optimizer sgd lr=rate; batch 2 }"
    (tmp_path / "m.net").write_text(model + section)
    np.savez(tmp_path / "d.npz", x=DATA["x"], target=np.array([0, 1, 2, 0, 1, 2]))
    options = {"data": tmp_path / "d.npz", "output": tmp_path / "run"}
    with pytest.raises(netc.CompileError) as caught:
        netc.train(tmp_path / "m.net", params={"rate": 1e30, "width": 5}, **options)
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.label) == ("loss-not-finite", "`head` is the first stage whose output is not finite")


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_batch_whose_labels_are_all_ignored_is_named(accumulate: int, tmp_path: Path) -> None:
    """PyTorch's cross entropy is NaN there too, whatever the learning rate."""
    section = f"train {{ target = input [] int64; loss = (y, target) -> cross_entropy; optimizer sgd; batch 4 accumulate={accumulate}"
    model = f"x = input 3\ny = x -> dense 3\n{section} }}"
    (tmp_path / "m.net").write_text(model)
    np.savez(tmp_path / "d.npz", x=np.ones((8, 3), np.float32), target=np.full(8, -100))
    with pytest.raises(netc.CompileError) as caught:
        netc.train(tmp_path / "m.net", data=tmp_path / "d.npz", output=tmp_path / "run")
    (problem,) = caught.value.diagnostics
    assert problem.message == "the loss is NaN at step 1"
    assert problem.label == "a mean of no values is NaN: this batch has none that count"
    assert "-100" in problem.help[0]
