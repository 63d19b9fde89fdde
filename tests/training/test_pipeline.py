"""A model in stages on several processes gives what one process gives; models that cannot be cut are refused."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from netc.analysis import Choice, analyze_training
from netc.compiler.backends.backend import BackendInput
from netc.compiler.backends.torch import BACKEND
from netc.compiler.errors.run_errors import RunError
from netc.compiler.ir.training_program import Training
from netc.dsl.source import SourceFile
from netc.training.cut_stages import cut_stages
from netc.training.engine import Engine
from netc.training.objective import Objective
from netc.training.pipeline_parallel import check_pipeline
from netc.training.recipe import read_recipe
from netc.training.run_training import train_file
from tests.training.test_ranks import SPEC, assert_close, begin, train, write_data

MASKED = """
block layer(x: [N, T, D], mask: [N, T, 1]) {
  x + (x * mask -> layer_norm -> dense (2 * D) gelu -> dense D)
}
tokens = input [T] int64
mask = tokens > 3 -> cast float32 -> unsqueeze 2
x = tokens -> embedding 50 16
y = x -> repeat 4 as layers { (in, mask) -> layer }
scores = y * mask -> layer_norm -> dense 50
"""
SECTION = """
train {
  target = input [T] int64
  loss = (scores -> transpose 1 2, target) -> cross_entropy
  optimizer sgd lr=0.1
  batch 12 accumulate=3
  epochs 1
}
"""
CHAIN = "tokens = input [T] int64\nscores = tokens -> embedding 50 16 -> {} -> dense 50\n"
LAYERS = "repeat 4 as layers {{ in + (in -> layer_norm -> dense 16 {}) }}"


def analyze(text: str) -> Training:
    analysis = analyze_training(SourceFile("<text>", text), Choice())
    assert analysis.training is not None, [d.message for d in analysis.diagnostics]
    return analysis.training


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize(
    "model",
    [SPEC.partition("train {")[0].replace("repeat 3", "repeat 5"), MASKED, CHAIN.format(LAYERS.format("relu"))],
    ids=["block", "mask", "plain"],
)
def test_the_stages_compute_the_model_with_its_parameters(model: str, count: int) -> None:
    training = analyze(model + SECTION)
    whole = Objective(training).model
    stages = cut_stages(training, count)
    tokens = torch.randint(0, 50, (4, 6))
    values: tuple[Tensor, ...] = ()
    keys: list[str] = []
    for stage in stages:
        module = BACKEND.module(BackendInput(stage.program, "Stage"))
        module.load_state_dict({name: whole.state_dict()[name] for name in module.state_dict()})
        keys += module.state_dict()
        outputs = module(*(tokens for _ in stage.inputs), *values)
        values = outputs if isinstance(outputs, tuple) else (outputs,)
        assert len(values) == 1
    assert sorted(keys) == sorted(whole.state_dict())
    assert torch.equal(values[0], whole(tokens))
    assert sum(stage.cost for stage in stages) == pytest.approx(1)


def test_the_stages_are_balanced_by_their_operations() -> None:
    training = analyze(CHAIN.format("repeat 12 as layers { dense 16 relu }") + SECTION)
    costs = [stage.cost for stage in cut_stages(training, 3)]
    # 12 layers of 2 * 16 * 16 operations for a token and a last one of 2 * 16 * 50, which is worth 3 of them: 5, 5 and 2 layers
    assert max(costs) == pytest.approx(5 / 15, abs=0.02)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (CHAIN.format("dense 16 relu"), "it has no `repeat` at its top level"),
        (CHAIN.format("repeat 2 as layers { dense 16 relu }"), "its `repeat` can be cut in 3 places"),
        (
            "tokens = input [T] int64\nx = tokens -> embedding 50 16\ny = x -> repeat 6 as layers { dense 16 relu }\n"
            "scores = x + y -> dense 50\n",
            "`x` is computed before the `repeat` and used after or inside of it",
        ),
        (
            "tokens = input [T] int64\nx = tokens -> embedding 50 16 as wte -> repeat 6 as layers { dense 16 relu }\n"
            "scores = x -> dense 50 bias=false tie=wte\n",
            "is tied to",
        ),
        (
            "tokens = input [T] int64\ni = tokens -> embedding 50 1 -> squeeze 2 -> cast int64\n"
            "scores = tokens -> embedding 50 16 -> repeat 6 as layers { dense 16 relu + (i -> cast float32 -> unsqueeze 2) } -> dense 50\n",
            "used after or inside of it",
        ),
    ],
)
def test_models_that_cannot_be_cut(model: str, why: str) -> None:
    with pytest.raises(RunError, match=why):
        cut_stages(analyze(model + SECTION), 5)


@pytest.mark.parametrize(
    ("settings", "engine", "why"),
    [
        ('freeze "embedding*" "layers.*"', Engine(pp=2), "freezes all parameters of stage 1, which begins with `embedding1`"),
        ("", Engine(pp=2, compile=True), "`--compile` is not available with `--pp 2`"),
        ("", Engine(pp=2, precision="bf16"), "`--precision bf16` is not available with `--pp 2`"),
        ('freeze "embedding*" "layers.0*"', Engine(pp=2), None),
    ],
)
def test_settings_that_stages_do_not_allow(settings: str, engine: Engine, why: str | None) -> None:
    training = analyze(CHAIN.format("repeat 4 as layers { dense 16 relu }") + SECTION.replace("batch 12", f"{settings}\n  batch 12"))
    with nullcontext() if why is None else pytest.raises(RunError, match=why):
        check_pipeline(training, read_recipe(training)[0], engine)


def test_a_process_alone_has_no_stages(tmp_path: Path) -> None:
    write_data(tmp_path)
    with pytest.raises(RunError, match="`--pp 2` is for several processes, and this is one"):
        train_file(
            str(tmp_path / "spec.net"), None, Choice(), None, str(tmp_path / "run"), False, print, data=str(tmp_path / "data.npz"), pp=2
        )
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stages")
    write_data(path)
    begin(path, 1, "one")
    return path


@pytest.mark.thorough(2)
@pytest.mark.long
@pytest.mark.parametrize(
    ("processes", "options"),
    [
        (2, "--pp 2"),
        (3, "--pp 3"),
        (4, "--pp 2"),
        (4, "--pp 2 --strategy fsdp"),
        (4, "--pp 2 --tp 2"),
        (8, "--pp 2 --tp 2 --strategy fsdp"),
    ],
)
def test_stages_give_what_one_process_gives(folder: Path, processes: int, options: str) -> None:
    run = begin(folder, processes, f"{processes}{options}".replace(" ", ""), *options.split())
    assert_close(folder / "one", run)


@pytest.mark.thorough(2)
@pytest.mark.long
@pytest.mark.parametrize(
    ("first", "then"),
    [((2, "--pp 2"), (1, "")), ((2, "--pp 2"), (3, "--pp 3")), ((1, ""), (2, "--pp 2")), ((4, "--pp 2 --tp 2"), (2, "--pp 2 --tp 1"))],
)
def test_a_run_is_continued_with_other_stages(folder: Path, tmp_path: Path, first: tuple[int, str], then: tuple[int, str]) -> None:
    shutil.copy(folder / "data.npz", tmp_path)
    shutil.copy(folder / "spec.net", tmp_path)
    train(tmp_path, first[0], "spec.net", "--data", "data.npz", "-o", "run", *first[1].split(), stopped_at=4)
    words = then[1].split() if then[1] else (["--pp", "1"] if first[1] else [])
    train(tmp_path, then[0], "--resume", "run", *words)
    assert_close(folder / "one", tmp_path / "run")


@pytest.mark.long
def test_statistics_of_batches_and_masks_are_those_of_one_process(tmp_path: Path) -> None:
    """`batch_norm` sees the same micro-batches, and a stage keeps the statistics of its own layers."""
    norm = MASKED.replace("-> layer_norm -> dense (2 * D)", "-> transpose 1 2 -> batch_norm -> transpose 1 2 -> dense (2 * D)")
    (tmp_path / "spec.net").write_text(norm + SECTION.replace("epochs 1", "epochs 3\n  validate 0.2"))
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", tokens=generator.integers(0, 50, (60, 6)), target=generator.integers(0, 50, (60, 6)))
    one = begin(tmp_path, 1, "one")
    assert_close(one, begin(tmp_path, 2, "two", "--pp", "2"))
    assert_close(one, begin(tmp_path, 4, "four", "--pp", "2"))


@pytest.mark.long
def test_groups_of_parameters_that_a_stage_lacks_have_their_learning_rates(tmp_path: Path) -> None:
    write_data(tmp_path)
    text = SPEC.replace("optimizer adamw lr=1e-2", 'optimizer adamw lr=1e-2 no_decay=["*norm*"]\n  group "embedding*" lr=1e-3')
    (tmp_path / "spec.net").write_text(text)
    one, two = begin(tmp_path, 1, "one"), begin(tmp_path, 2, "two", "--pp", "2")
    assert_close(one, two)
    rates = [[json.loads(line).get("lr") for line in (run / "metrics.jsonl").read_text().splitlines()] for run in (one, two)]
    assert rates[0] == rates[1]


@pytest.mark.long
@pytest.mark.parametrize("settings", ["", 'freeze "param1"'])
def test_a_parameter_of_two_stages_has_the_gradients_of_both(tmp_path: Path, settings: str) -> None:
    model = (
        "tokens = input [T] int64\nw = param [1, 16] init=normal\nh = (tokens -> cast float32 -> unsqueeze 2) / 50 @ w\n"
        "x = h -> repeat 4 as layers { dense 16 relu }\nscores = x * w -> dense 50\n"
    )
    (tmp_path / "spec.net").write_text(model + SECTION.replace("epochs 1", f"epochs 1\n  {settings}"))
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", tokens=generator.integers(0, 50, (60, 6)), target=generator.integers(0, 50, (60, 6)))
    assert_close(begin(tmp_path, 1, "one"), begin(tmp_path, 2, "two", "--pp", "2"))
