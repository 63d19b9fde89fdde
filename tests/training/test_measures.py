"""`measure`: scikit-learn's metrics of all validation samples, judged by scikit-learn on the outputs of PyTorch's module."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import netc
from netc.dsl.source import SourceFile, Span
from netc.errors import CompileError
from netc.evaluation.compute_measures import compute_measure
from netc.prediction.model_signature import BINARY, OutputSignature
from netc.reference.foreign_names import advise_stage
from netc.training.measure_rules import FOREIGN_MEASURES, MEASURES, MeasureRule
from netc.training.stop_signals import Interrupted
from tests.training.runs import SPEC, resume, train
from tests.training.test_early_stopping import find_stop
from tests.training.test_resume import assert_same_run, stopping_at

metrics = pytest.importorskip("sklearn.metrics")

TREES = """
measures = input 3
hidden = measures -> dense 8 relu
kinds = hidden -> dense 4
ripe = hidden -> dense 1
weight = hidden -> dense 1 -> squeeze 1

train {
  kind = input [] int64
  is_ripe = input 1
  grams = input []
  loss = ((kinds, kind) -> cross_entropy) + ((ripe, is_ripe) -> binary_cross_entropy_with_logits) + (weight - grams / 50 -> square -> mean)
  optimizer adamw lr=0.02
  epochs 2
  batch 7 accumulate=3
  MEASURES
}
""".replace("(weight - grams / 50 -> square -> mean)", "((weight, grams / 50) -> mse_loss)")


def make_samples(count: int, seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    kind = generator.integers(0, 4, count)
    measures = (generator.normal(size=(count, 3)) + kind[:, None]).astype(np.float32)
    ripe = (measures[:, :1] + generator.normal(size=(count, 1)) > 1).astype(np.float32)
    return {"measures": measures, "kind": kind, "is_ripe": ripe, "grams": np.float32(50 * measures[:, 1] + 3)}


def measure(folder: Path, lines: str, validation: dict[str, np.ndarray], **options: Any) -> dict[str, float]:
    """Train, and return the last validation's results."""
    (folder / "trees.net").write_text(TREES.replace("MEASURES", lines.replace("; ", "\n  ")))
    result = netc.train(folder / "trees.net", data=make_samples(40, 0), validation=validation, output=folder / "run", **options)
    return dict(result.results)


def compute_outputs(folder: Path, samples: dict[str, np.ndarray]) -> list[np.ndarray]:
    weights = folder / "run" / "last.safetensors"
    objective = netc.compile_file(folder / "trees.net").training(weights=weights)
    with torch.no_grad():
        results = objective.model.eval()(torch.tensor(samples["measures"]))
    names = objective.training_section.model_call.graph.output_names
    kinds, ripe, weight = (results[names.index(name)] for name in ("kinds", "ripe", "weight"))
    return [torch.softmax(kinds.double(), 1).numpy(), torch.sigmoid(ripe.double()).numpy()[:, 0], 50.0 * weight.double().numpy()]


def test_measures_are_those_of_scikit_learn(tmp_path: Path) -> None:
    samples = make_samples(31, 1)
    kinds = "measure f1 output=kinds; measure f1 average=micro output=kinds; measure f1 average=weighted output=kinds"
    kinds += "; measure auroc output=kinds; measure average_precision output=kinds; measure top_k k=2; measure log_loss output=kinds"
    kinds += "; measure perplexity; measure balanced_accuracy output=kinds; measure recall output=kinds; measure precision output=kinds"
    ripe = "; ".join(f"measure {name} output=ripe" for name in ("accuracy", "f1", "auroc", "average_precision", "log_loss"))
    found = measure(tmp_path, f"{kinds}; {ripe}; measure mae; measure rmse; measure r2", samples)
    probabilities, ripeness, grams = compute_outputs(tmp_path, samples)
    truth, guess, one_hot = samples["kind"], probabilities.argmax(1), np.eye(4)[samples["kind"]]
    is_ripe, values = samples["is_ripe"][:, 0] > 0, samples["grams"]
    assert {name: value for name, value in found.items() if name != "loss"} == pytest.approx(
        {
            "f1_kinds": metrics.f1_score(truth, guess, average="macro"),
            "f1_micro_kinds": metrics.f1_score(truth, guess, average="micro"),
            "f1_weighted_kinds": metrics.f1_score(truth, guess, average="weighted"),
            "auroc_kinds": metrics.roc_auc_score(truth, probabilities, multi_class="ovr"),
            "average_precision_kinds": metrics.average_precision_score(one_hot, probabilities, average="macro"),
            "top_2": metrics.top_k_accuracy_score(truth, probabilities, k=2),
            "log_loss_kinds": metrics.log_loss(truth, probabilities),
            "perplexity": np.exp(metrics.log_loss(truth, probabilities)),
            "balanced_accuracy_kinds": metrics.balanced_accuracy_score(truth, guess),
            "recall_kinds": metrics.recall_score(truth, guess, average="macro"),
            "precision_kinds": metrics.precision_score(truth, guess, average="macro", zero_division=0),
            "accuracy_ripe": metrics.accuracy_score(is_ripe, ripeness >= 0.5),
            "f1_ripe": metrics.f1_score(is_ripe, ripeness >= 0.5),
            "auroc_ripe": metrics.roc_auc_score(is_ripe, ripeness),
            "average_precision_ripe": metrics.average_precision_score(is_ripe, ripeness),
            "log_loss_ripe": metrics.log_loss(is_ripe, ripeness),
            "mae": metrics.mean_absolute_error(values, grams),
            "rmse": metrics.root_mean_squared_error(values, grams),
            "r2": metrics.r2_score(values, grams),
        },
        rel=1e-5,
        abs=1e-6,
    )


def test_samples_of_small_probabilities_are_ranked() -> None:
    """Rounded to multiples of 1e-16, the probabilities of the scores below -38 would be equal."""
    scores, truth = np.array([-60.0, -55, -50, -41, -40]), np.array([0, 0, 1, 0, 1])
    output = OutputSignature("s", BINARY, "ripe")
    for kind, score in (("auroc", metrics.roc_auc_score), ("average_precision", metrics.average_precision_score)):
        rule = MeasureRule(kind, kind, output, 0, "macro", 5, Span(SourceFile("a.net", ""), 0, 0))
        assert compute_measure(rule, truth, scores) == pytest.approx(score(truth, scores))


def test_undefined_measures_are_nan(tmp_path: Path) -> None:
    samples = {name: array[:1] for name, array in make_samples(5, 1).items()}
    found = measure(tmp_path, "measure auroc output=kinds; measure auroc output=ripe; measure r2", samples)
    assert np.isnan([found["auroc_kinds"], found["auroc_ripe"], found["r2"]]).all()
    entries = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert entries[-1]["validation"]["r2"] is None


OWN_LOSS = "loss = -(scores -> log_softmax axis=1) * (target -> one_hot 3 -> cast float32) -> sum axis=1 -> mean"
STOPPING = SPEC.replace(OWN_LOSS, "loss = (scores, target) -> cross_entropy").replace("epochs 4", "epochs 40")
STOPPING = STOPPING.replace("keep best accuracy", "measure log_loss; measure f1; keep best f1; stop patience=3")


def test_keep_and_stop_watch_a_measure(tmp_path: Path) -> None:
    result = train(tmp_path / "whole", STOPPING)
    entries = map(json.loads, (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines())
    validations = [entry["validation"] for entry in entries if "validation" in entry]
    scores = [validation["f1"] for validation in validations]
    assert find_stop(scores, 3, 0, higher=True) == len(scores) < 40
    assert f"the highest f1 was {max(scores):.4g}, at step {5 * (scores.index(max(scores)) + 1)}" in result.remark
    # The loss is a mean over the same samples.
    assert [v["log_loss"] for v in validations] == pytest.approx([v["loss"] for v in validations], rel=1e-5)
    with pytest.raises(Interrupted):
        train(tmp_path / "run", STOPPING, on_report=stopping_at(12))
    resume(tmp_path / "run")
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_measures_need_validation_data(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="`measure` is computed from the validation samples, and there is no validation data"):
        train(tmp_path / "run", STOPPING.replace("validate 0.2", "").replace("stop patience=3", ""))
    with pytest.raises(CompileError, match="is not part of the training file"):
        netc.compile(STOPPING).training().source()


def test_every_measure_is_named_to_those_who_write_it_as_a_stage() -> None:
    for name in (*MEASURES, *FOREIGN_MEASURES):
        kind = FOREIGN_MEASURES.get(name, name)
        if name not in ("mae", "mse"):  # these are losses too, so `mse_loss` is the nearer answer
            assert f"`measure {kind}`" in advise_stage(name).help, name
