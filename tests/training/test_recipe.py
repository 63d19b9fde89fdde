"""Optimizers, groups and schedules of a section: PyTorch's own, with PyTorch as the judge."""

from __future__ import annotations

import inspect
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from netc.analysis import Choice, analyze_training
from netc.compiler.ir.training_program import Word
from netc.dsl.source import SourceFile
from netc.reference.foreign_names import UNUSABLE
from netc.training.optimizer_options import FUNCTION_SCHEDULES, check_options
from netc.training.optimizers import Schedule, list_optimizers, list_schedulers
from netc.training.optimizers import make_schedule as schedule_of
from netc.training.option_kinds import OptionKinds
from netc.training.recipe import Recipe, read_recipe
from netc.training.section_file import SectionFile
from netc.training.source import emit_settings_file
from netc.training.training_session import check_section
from tests.training.test_objective import section

MODEL = "x = input 5\ny = x -> dense 4 as stem -> layer_norm as norm -> dense 2 as head\n"


def make_optimizer(model: nn.Module, made: Recipe) -> torch.optim.Optimizer:
    optimizer: torch.optim.Optimizer = SectionFile(emit_settings_file(made)).make_optimizer(model)
    return optimizer


def make_schedule(optimizer: torch.optim.Optimizer, made: Recipe, steps: int) -> Schedule | None:
    return schedule_of(SectionFile(emit_settings_file(made)), optimizer, made, steps)


def recipe(*lines: str) -> Recipe:
    made, problems = read_recipe(section(f"{MODEL}train {{ loss = y -> mean; {'; '.join(lines)} }}"))
    assert problems == []
    return made


def network() -> nn.ModuleDict:
    return nn.ModuleDict({"stem": nn.Linear(5, 4), "norm": nn.LayerNorm(4), "head": nn.Linear(4, 2)})


def test_the_usual_settings() -> None:
    made = recipe()
    assert (made.optimizer.name, made.epochs, made.batch, made.accumulate, made.keep.metric) == ("adamw", 10, 32, 1, "loss")
    optimizer = make_optimizer(network(), made)
    assert type(optimizer) is torch.optim.AdamW
    assert optimizer.defaults["lr"] == 1e-3
    assert make_schedule(optimizer, made, 10) is None


@pytest.mark.parametrize("name", sorted(list_optimizers().keys() - UNUSABLE.keys() - {"muon"}))
def test_every_optimizer(name: str) -> None:
    made = recipe(f"optimizer {name} lr=0.01")
    assert check_options(made) == []
    model = network()
    optimizer = make_optimizer(model, made)
    assert type(optimizer) is list_optimizers()[name]
    before = model["stem"].weight.detach().clone()
    model["head"](model["norm"](model["stem"](torch.ones(3, 5)))).square().mean().backward()
    optimizer.step()
    assert not torch.equal(before, model["stem"].weight)


@pytest.mark.parametrize("name", sorted(list_schedulers().keys() - set(FUNCTION_SCHEDULES)))
def test_every_schedule(name: str) -> None:
    cls = list_schedulers()[name]
    required: dict[str, str] = {
        "step": "step_size=2", "multistep": "milestones=[2, 4]", "exponential": "gamma=0.9", "cyclic": "base_lr=0.01 max_lr=0.1",
        "cosineannealingwarmrestarts": "T_0=3", "onecycle": "max_lr=0.1",
    }  # fmt: skip
    word = f"{name}_lr" if name in ("linear", "constant") else name
    made = recipe("optimizer sgd lr=0.1 momentum=0.9", f"schedule {word} {required.get(name, '')}")
    assert check_options(made) == []
    assert type(make_schedule(make_optimizer(network(), made), made, 8)) is cls


def rates(made: Recipe, steps: int) -> list[float]:
    optimizer = make_optimizer(network(), made)
    schedule = make_schedule(optimizer, made, steps)
    assert schedule is not None
    found = []
    for _ in range(steps):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return found


def test_schedules_follow_each_other() -> None:
    found = rates(recipe("optimizer sgd lr=0.1", "schedule warmup 5 -> constant 3 -> cosine to=0.1"), 20)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    parts: list[Any] = [
        lr_scheduler.LinearLR(optimizer, 1 / 5, 1.0, 5), lr_scheduler.ConstantLR(optimizer, 1.0, 1),
        lr_scheduler.CosineAnnealingLR(optimizer, 12, 0.01),
    ]  # fmt: skip
    wanted_schedule = lr_scheduler.SequentialLR(optimizer, parts, [5, 8])
    wanted = []
    for _ in range(20):
        wanted.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        wanted_schedule.step()
    assert found == pytest.approx(wanted)
    assert found[0] == pytest.approx(0.02)
    assert found[5:9] == pytest.approx([0.1] * 4)


@pytest.mark.parametrize(
    ("stages", "names"),
    [("warmup 5 -> constant 3 -> cosine", "[warmup, constant, cosine]"), ("warmup 5 -> cosine 3 -> cosine", "[warmup1, cosine2, cosine3]")],
)
def test_schedules_have_the_names_of_their_stages(stages: str, names: str) -> None:
    """With numbers only where two would have the same name."""
    assert names in emit_settings_file(recipe("optimizer sgd lr=0.1", f"schedule {stages}"))


@pytest.mark.parametrize("shape", ["cosine", "linear"])
@pytest.mark.parametrize("to", [None, 0.0, 0.1, 1.0])
def test_the_end_of_a_schedule_is_a_factor_of_each_groups_rate(shape: str, to: float | None) -> None:
    """Whatever the rate is, it begins there, never rises, and ends at the factor, where it stays if the run goes on."""
    for length in ("", " 10"):
        made = recipe("optimizer sgd lr=0.02", 'group "head.*" lr=3.0', f"schedule {shape}{length}{'' if to is None else f' to={to}'}")
        optimizer = make_optimizer(network(), made)
        schedule = make_schedule(optimizer, made, 15 if length else 10)
        assert schedule is not None
        rates = [[group["lr"] for group in optimizer.param_groups]]
        for _ in range(15 if length else 10):
            optimizer.step()
            schedule.step()
            rates.append([group["lr"] for group in optimizer.param_groups])
        factor = to or 0.0
        for base, column in zip(rates[0], zip(*rates, strict=True), strict=True):
            assert base in (0.02, 3.0)
            assert column[5] == pytest.approx(base * (factor + (1 - factor) / 2))
            assert column[10:] == pytest.approx([base * factor] * len(column[10:]), abs=1e-9)
            assert all(after <= before + 1e-9 for before, after in pairwise(column))


def test_groups_and_frozen_parameters() -> None:
    made = recipe(
        'optimizer adamw lr=1e-3 weight_decay=0.1 no_decay=["*.bias", "norm.*"]', 'group "head.*" lr=0.01', 'group "h*" lr=0.5 eps=1e-6',
        'freeze "stem.bias"',
    )  # fmt: skip
    model = network()
    optimizer = make_optimizer(model, made)
    names = {id(p): name for name, p in model.named_parameters()}
    found = {names[id(p)]: group for group in optimizer.param_groups for p in group["params"]}
    assert "stem.bias" not in found
    assert not model["stem"].bias.requires_grad
    assert {name: (group["lr"], group["weight_decay"], group["eps"]) for name, group in found.items()} == {
        "stem.weight": (1e-3, 0.1, 1e-8), "norm.weight": (1e-3, 0.0, 1e-8), "norm.bias": (1e-3, 0.0, 1e-8),
        "head.weight": (0.01, 0.1, 1e-6), "head.bias": (0.01, 0.0, 1e-6),
    }  # fmt: skip


def test_which_metric_is_kept() -> None:
    text = f"{MODEL}train {{{{ loss = y -> mean; metric accuracy = y -> mean; metric error = y -> mean; {{}} }}}}"
    for line, wanted in {
        "epochs 1": ("loss", False), "keep best": ("loss", False), "keep best accuracy": ("accuracy", True),
        "keep best error": ("error", False), "keep best error max": ("error", True), "keep accuracy min": ("accuracy", False),
    }.items():  # fmt: skip
        kept = read_recipe(section(text.format(line)))[0].keep
        assert (kept.metric, kept.higher) == wanted


def wrong(*lines: str, model: str = MODEL, loss: str = "y -> mean") -> list[str]:
    """What is wrong with a section, each with its code."""
    made = section(f"{model}train {{ loss = {loss}; {'; '.join(lines)} }}")
    return [f"{problem.code}: {problem.message}" for problem in check_section(made)]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("optimizer muon", "`muon` is refused by PyTorch: muon only supports 2D parameters"),
        ("optimizer adam betas=[0.9]", "`betas` must be 2 numbers, such as `[0.9, 0.999]`"),
        ("optimizer adam betas=[0.9, 0.99, 0.999]", "`betas` must be 2 numbers, such as `[0.9, 0.999]`"),
        ("optimizer adam betas=[]", "`betas` must be 2 numbers, such as `[0.9, 0.999]`"),
        ("optimizer adafactor eps=[1]", "`eps` must be 2 numbers, such as `[none, 0.001]`"),
        ("schedule step step_size=0", "`step_size` is refused by PyTorch: it divides by zero"),
        ('schedule exponential gamma="x"', "`gamma` must be a number, found `x`"),
        ("optimizer sgd lr=0.1 momentum=0.5 nesterov=maybe", "`nesterov` must be `true` or `false`, and `maybe` is not defined"),
        ("optimizer adamw maximize=0", "`maximize` must be `true` or `false`, found `0`"),
        ("optimizer adamw foreach=3", "`foreach` must be `true`, `false` or `none`, found `3`"),
        ("optimizer adamw lr=true", "`lr` must be a number, found `true`"),
        ("optimizer adamw weight_decay=none", "`weight_decay` must be a number, found `none`"),
        ("optimizer adamw lr=[0.1]", "`lr` must be a number, found `[0.1]`"),
        ("optimizer adam betas=[none, 0.9]", "`betas` must be 2 numbers, such as `[0.9, 0.999]`, found `[none, 0.9]`"),
        ("schedule step step_size=2.5", "`step_size` must be an integer, found `2.5`"),
        ("schedule multi_step milestones=[2, 3.5]", "`milestones` must be a list of integers, found `[2, 3.5]`"),
        ("schedule one_cycle max_lr=1 anneal_strategy=cubic", "`anneal_strategy` must be `cos` or `linear`, and `cubic` is not defined"),
        ("schedule one_cycle max_lr=0.1 total_steps=1; steps 5", "`one_cycle` is 1 steps long, and there are 5"),
        ("schedule cosine to=1.5", "`to` must be a factor of the rate, from 0 to 1, found `1.5`"),
        ("schedule linear to=true", "`to` must be a factor of the rate, from 0 to 1, found `true`"),
        ("schedule cosine eta_min=1e-5", "`cosine` has no argument `eta_min`"),
        ("optimizer sgd lr=-1.0 momentum=-1.0", "`lr` is refused by PyTorch: invalid learning rate: -1.0"),
        ("optimizer adagrad; schedule cyclic base_lr=0.1 max_lr=1", "optimizer must support momentum"),
        ("optimizer adamw foreach=true differentiable=true maximize=true", "_foreach ops don't support autograd"),
        ("seed 18446744073709551616", "`seed` must be an integer of at least 0 and below 2**63"),
    ],
)
def test_what_would_fail_in_a_step_is_found_before(lines: str, why: str) -> None:
    (found,) = wrong(lines)
    assert found.startswith("wrong-setting: ")
    assert why in found


def culprits(line: str) -> list[str]:
    return [message.removeprefix("wrong-setting: ").split(" is refused", 1)[0].strip("`") for message in wrong(line)]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sgd", {"momentum": 0.9, "dampening": 0.5, "nesterov": True}),  # accepted without `dampening`, and without `nesterov`
        ("sgd", {"lr": -1.0, "momentum": 0.5}),
        ("sgd", {"momentum": 0.5, "weight_decay": -1.0, "lr": 0.1}),
        ("adamw", {"lr": 0.1, "betas": (0.9, 1.5), "amsgrad": True}),
    ],
)
def test_the_option_that_is_named_is_one_without_which_pytorch_accepts_the_others(name: str, options: dict[str, object]) -> None:
    cls = list_optimizers()[name]
    line = " ".join([f"optimizer {name}", *(f"{key}={_written(value)}" for key, value in options.items())])
    (culprit,) = culprits(line)
    weights = [torch.nn.Parameter(torch.zeros(2, 2))]
    with pytest.raises(ValueError, match=r"(?i)invalid|requires"):
        cls(weights, **options)
    cls(weights, **{key: value for key, value in options.items() if key != culprit})


def _written(value: object) -> str:
    return str(list(value) if isinstance(value, tuple) else value).lower()


def test_no_option_is_named_where_one_is_missing() -> None:
    """`gamma` alone is refused for the same reason, but changing it would mend nothing."""
    assert culprits("schedule step gamma=0.5") == culprits("schedule step") == ["step"]
    assert culprits("schedule one_cycle pct_start=0.5 div_factor=5.0") == ["one_cycle"]


@pytest.mark.parametrize("cls", list_optimizers().values(), ids=lambda cls: cls.__name__)
def test_flags_of_every_optimizer_are_flags(cls: type) -> None:
    """PyTorch takes anything for them, and fails in some of its implementations of a step."""
    flags = [p for p in inspect.signature(cls).parameters.values() if isinstance(p.default, bool)]
    for flag in flags:
        assert OptionKinds.from_parameter(flag).describe_mismatch(flag.default) == ""
        assert (
            OptionKinds.from_parameter(flag).describe_mismatch(1)
            == OptionKinds.from_parameter(flag).describe_mismatch(Word("yes"))
            == "must be `true` or `false`"
        )
    for option in inspect.signature(cls).parameters.values():
        if option.default is not option.empty:
            assert OptionKinds.from_parameter(option).describe_mismatch(option.default) == ""


def test_none_is_a_value() -> None:
    assert recipe("optimizer adafactor eps=[none, 0.01]").optimizer.values == {"eps": (None, 0.01)}
    assert wrong("optimizer adafactor eps=[none, 0.01]") == []


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("schedule warmup 200 -> cosine; steps 2", "`warmup` takes 200 steps, and the run has 2: `cosine` never begins"),
        ("schedule warmup 2 -> cosine; steps 2", "`warmup` takes 2 steps, and the run has 2: `cosine` never begins"),
        (
            "schedule warmup 200; steps 199",
            "`warmup` takes 200 steps, and the run has 199: the learning rate does not reach its full value",
        ),
        (
            "schedule warmup 2 -> constant 9 -> linear; steps 10",
            "`constant` takes 9 steps after the first 2, and the run has 10: `linear` never begins",
        ),
    ],
)
def test_a_run_that_ends_within_its_schedule(lines: str, what: str) -> None:
    assert wrong(*lines.split("; ")) == [f"schedule-cut: {what}"]


@pytest.mark.parametrize("lines", ["schedule warmup 2 -> cosine; steps 3", "schedule cosine 200; steps 3", "schedule warmup 200 -> cosine"])
def test_a_schedule_that_may_be_meant(lines: str) -> None:
    assert wrong(*lines.split("; ")) == []


PASSED = """
model clf(width=1) { features = input 2; guess = features -> dense width -> dense 1 -> squeeze 1 }
train t(width=2) for clf width=(3 * width) { target = input []; loss = (guess, target) -> mse_loss; batch width }
"""


@pytest.mark.parametrize(("params", "batch", "width"), [({}, 2, 6), ({"width": 5}, 5, 15)])
def test_a_parameter_that_sets_that_of_the_model(params: dict[str, object], batch: int, width: int) -> None:
    found = analyze_training(SourceFile("t.net", PASSED), Choice(params=params), None, "t")
    assert found.training is not None, found.diagnostics
    assert read_recipe(found.training)[0].batch == batch
    assert found.training.params == {"width": width}


def test_nothing_to_train() -> None:
    of_input = "x = input 5\nz = x -> dense 4\ny = x -> relu\n"
    for found, why in {
        tuple(wrong('freeze "*"')): "all parameters are frozen",
        tuple(wrong('freeze "stem.*"', 'freeze "norm.*" "head.*"')): "all parameters are frozen",
        tuple(wrong(model="x = input 5\ny = x -> relu\n")): "the model has no parameters",
        tuple(wrong(loss="x -> mean")): "the loss depends on no parameter",
        tuple(wrong(model=of_input)): "the loss depends on no parameter",
    }.items():
        assert found == (f"nothing-to-train: there is nothing to train: {why}",)
    assert wrong('freeze "stem.*"') == wrong(model=of_input, loss="z -> mean") == []


DERIVED = """
model clf(width=1) { features = input 2; guess = features -> dense width -> squeeze 1 }
train clf(rate=1e-3) { target = input []; loss = (guess, target) -> mse_loss; optimizer sgd lr=rate; steps 7 }
train longer = clf rate=3e-3 { epochs 2 }
train twice(rate=1) = clf rate=(2 * rate)
"""


@pytest.mark.parametrize(
    ("name", "params", "rate"),
    [("longer", {}, 3e-3), ("longer", {"rate": 1e-2}, 1e-2), ("clf", {"rate": 5}, 5), ("twice", {}, 2), ("twice", {"rate": 3}, 6)],
)
def test_parameters_of_derived_sections(name: str, params: dict[str, object], rate: float) -> None:
    found = analyze_training(SourceFile("t.net", DERIVED), Choice(params=params), None, name)
    assert found.training is not None, found.diagnostics
    made, problems = read_recipe(found.training)
    assert problems == []
    assert made.optimizer.values == {"lr": rate}
    assert (made.steps, made.epochs) == ((None, 2) if name == "longer" else (7, 10))


def test_unknown_parameters_of_a_section() -> None:
    (problem,) = analyze_training(SourceFile("t.net", DERIVED), Choice(params={"rat": 1}), None, "longer").diagnostics
    assert (problem.code, problem.notes, problem.help) == (
        "unknown-parameter", ("the parameters are `width`, `rate`",), ("did you mean `rate`?",),
    )  # fmt: skip
