"""Labels of imported stages: each is given once, and none is a level of another."""

from __future__ import annotations

import numpy as np
from frontends.onnx_models import model, node
from frontends.onnx_parity import imported

from netc.compiler.frontends.onnx.onnx_names import LabelMaker
from netc.compiler.frontends.onnx.undo_journal import Journal


def test_a_label_is_a_stage_or_a_level() -> None:
    labels = LabelMaker(Journal())
    assert [labels.make_label(path.split(".")) for path in ("a.b.c", "a.b", "a", "a.b.d", "a.b.c.e", "a.b.c")] == [
        "a.b.c",
        "a.b_2",
        "a_2",
        "a.b.d",
        "a.b.c_2.e",
        "a.b.c_3",
    ]


def test_a_released_label_frees_the_levels_that_no_other_label_has() -> None:
    labels = LabelMaker(Journal())
    first, second = labels.make_label(["a", "b", "weight"]), labels.make_label(["a", "c", "d", "weight"])
    labels.release_label(first)
    assert labels.make_label(["a", "b"]) == "a.b"
    # `a.c.d.weight` still has the levels `a`, `a.c` and `a.c.d`.
    assert [labels.make_label(path.split(".")) for path in ("a", "a.c", "a.c.d")] == ["a_2", "a.c_2", "a.c.d_2"]
    # And `a.c.d_2` has the levels `a` and `a.c`.
    labels.release_label(second)
    assert [labels.make_label(path.split(".")) for path in ("a", "a.c", "a.c.d")] == ["a_3", "a.c_3", "a.c.d"]


def test_counted_labels() -> None:
    labels = LabelMaker(Journal())
    labels.make_label(["conv2"])
    assert [labels.make_counted_label("conv") for _ in range(3)] == ["conv1", "conv3", "conv4"]
    assert [labels.make_counted_label("conv", ahead) for ahead in (["conv1"], ["body"], ["body"])] == [
        "conv1_2.conv1",
        "body.conv1",
        "body.conv2",
    ]


def test_labels_that_are_taken_back() -> None:
    """The journal undoes labels that were made after a point, also after a label was released."""
    journal = Journal()
    labels = LabelMaker(journal)
    labels.make_label(["a", "weight"])
    point = journal.point
    labels.make_label(["a", "bias"])
    labels.make_label(["b", "bias"])
    journal.take_back(point)
    assert [labels.make_label([name]) for name in ("b", "a")] == ["b", "a_2"]


def test_no_module_is_called_training() -> None:
    """PyTorch's modules have an attribute of that name."""
    labels = LabelMaker(Journal())
    found = [labels.make_label(path.split(".")) for path in ("training", "a.training.b", "training")]
    assert found == ["training_", "a.training_.b", "training__2"]
    for weight, key in (("training", "dense1.weight"), ("training_weight", "training_.weight")):
        given = model(
            [node("MatMul", ["x", weight], ["y"], name="training")], {"x": ["N", 2]}, ["y"], {weight: np.eye(2, dtype=np.float32)}
        )
        assert list(imported(given).weights) == [key]
