"""`python -m tests.fuzz.train`: random train sections, whose values have names. A name and a literal give the same artifacts: the source,
the loss with its gradient, and every bit of a run. The loss is also the result of PyTorch's functions, of the same lines in a model, and of
a batch in parts.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from random import Random

import torch
from torch import Tensor

import netc
from netc.analysis import Choice, analyze_training
from netc.dsl.record import replace
from netc.dsl.source import SourceFile
from netc.training.data.data_source import ArraySource
from netc.training.objective import Objective, make_objective
from netc.training.recipe import read_recipe
from netc.training.run_training import train_file
from netc.training.section_file import SectionFile
from netc.training.source import TrainSection as SourceSection
from netc.training.source import emit_run_file
from netc.training.source.section_functions import emit_functions
from tests.fuzz.campaign import Found, main
from tests.fuzz.train_texts import EXPRESSIONS, USES, Bound, Section, Tensors, batch, bindings, literal, output, section, tensors_of

SEED = 3
Computed = tuple[dict[str, Tensor], list[Tensor]]
"""The loss and the metrics of a batch, and the gradient."""


def objective(made: Section) -> Objective:
    """The objective of the section `t`."""
    found = analyze_training(SourceFile("<text>", made.text), Choice(None, made.params), None, "t")
    assert found.training is not None, [d.message for d in found.diagnostics]
    return make_objective(found.training, None, SEED)


def computed(made: Objective, fed: Tensors) -> Computed:
    """What an objective computes of a batch as a whole."""
    loss, metrics = made({name: fed[name].to(getattr(torch, t.dtype.name)) for name, t in made.inputs.items()})
    return {"loss": loss.detach(), **metrics}, gradient(loss, made)


def gradient(loss: Tensor, made: Objective) -> list[Tensor]:
    """The gradient by all parameters; zeros where the loss does not depend on one."""
    parameters = list(made.model.parameters())
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def check_same(one: Objective, other: Objective, fed: Tensors) -> None:
    """Two objectives compute the same bits, and have the same source, unless a parameter of the section is a constant of its file."""
    if not one.training_section.program.main.origins:
        assert one.source() == other.source()
    first, second = computed(one, fed), computed(other, fed)
    assert first[0].keys() == second[0].keys()
    for a, b in zip((*first[0].values(), *first[1]), (*second[0].values(), *second[1]), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


def check_loss(made: Objective, bound: list[Bound], fed: Tensors) -> None:
    """The loss is what PyTorch's functions compute."""
    tensors = tensors_of(made.model, fed)
    wanted = torch.as_tensor(sum(use.loss(tensors, use.value) for use, _ in bound))
    found, gradients = computed(made, fed)
    torch.testing.assert_close(found["loss"], wanted.detach(), rtol=1e-5, atol=1e-6, equal_nan=True)
    for a, b in zip(gradients, gradient(wanted, made), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6, equal_nan=True)


def check_output(bound: Bound, fed: Tensors) -> None:
    """The same lines as a model's have the same output."""
    made, model = objective(section(bound)), netc.compile(output(bound[0]))
    module = model.module(weights=made.model.state_dict())
    with torch.no_grad():
        found = module(*(fed[name] for name in model.inputs))
    torch.testing.assert_close(found, computed(made, fed)[0]["loss"], rtol=1e-5, atol=1e-6, equal_nan=True)


def check_parts(made: Objective, fed: Tensors, count: int) -> None:
    """A step of a batch in parts has the loss, the gradient and the metrics of the whole."""
    if made.means.why_not_additive:
        return
    named = {name: fed[name].to(getattr(torch, t.dtype.name)) for name, t in made.inputs.items()}
    plain, _ = read_recipe(replace(made.training_section, settings=()))  # no clause, present or future, that changes gradients
    recipe = replace(plain, accumulate=count)
    computed_by = emit_functions(made.training_section, made.means)
    file = SectionFile(emit_run_file(SourceSection(made.training_section, recipe, made.means, computed_by, is_random=False), None))
    optimizer = torch.optim.SGD(made.model.parameters(), lr=0.0)
    results = file.compute_metrics(*file.train_step(made.model, optimizer, named))
    wanted, gradients = computed(made, fed)
    for parameter, expected in zip(made.model.parameters(), gradients, strict=True):
        found = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6, equal_nan=True)
    for name, value in wanted.items():
        torch.testing.assert_close(results[name].detach(), value.detach(), rtol=1e-4, atol=1e-6, equal_nan=True)


def run_of(made: Section, folder: Path) -> dict[str, bytes]:
    """The files of a short run."""
    fed = {name: value.numpy() for name, value in batch(22).items() if name in "xyz"}
    train_file(None, made.text, Choice(None, made.params), "t", str(folder), False, lambda report: None, data=ArraySource(fed), epochs=2)
    return {name: (folder / name).read_bytes() for name in ("metrics.jsonl", "last.safetensors")}


def check_runs(one: Section, other: Section) -> None:
    """Two sections train to the same bits."""
    with tempfile.TemporaryDirectory() as folder:
        assert run_of(one, Path(folder) / "one") == run_of(other, Path(folder) / "other")


def check(random: Random, stem: str) -> Found:
    """One to three values, each used and bound at random."""
    names = random.sample(list(EXPRESSIONS if random.random() < 0.8 else USES), 1)
    names += random.sample([n for n in EXPRESSIONS if n not in names], random.choice((0, 0, 1, 2)))
    if "parts" in names and "dividend" in names:
        names.remove("dividend")  # a number divided by a mean of the batch differs from its parts' numbers: netc refuses it
    uses = [USES[name] for name in names]
    own = random.random() < 0.1
    chosen = [random.choice([b for b in bindings(use).items() if b[1].own == own]) for use in uses]
    bound = list(zip(uses, (binding for _, binding in chosen), strict=True))
    kind = ", ".join(f"{name} by {how}" for name, (how, _) in zip(names, chosen, strict=True))
    fed = batch(random.randint(3, 12), random.randrange(1000))
    try:
        named, plain = section(*bound), section(*((use, literal(use, own)) for use in uses))
        made = objective(named)
        check_same(made, objective(plain), fed)
        check_loss(made, bound, fed)
        check_parts(made, fed, random.randint(2, len(fed["x"])))
        if len(bound) == 1 and names[0] in EXPRESSIONS:
            check_output((uses[0], literal(uses[0])), fed)
        if random.random() < 0.1:
            check_runs(named, plain)
    except Exception as error:
        Path(f"{stem}.net").write_text(section(*bound).text, encoding="utf-8")
        return Found(type(error).__name__, f"{kind}: {' '.join(str(error).split())[:300]} ({stem}.net)")
    return Found("the same")


if __name__ == "__main__":
    sys.exit(main(check, "train sections"))
