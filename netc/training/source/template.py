"""The training file, as one Python module: every clause of a train section that computes something is here, and nowhere else.

`netc compile --target train` prints the part below the marker, and `netc train` and `objective` execute it. A tag keeps a line, and
the block below it, for some sections only:

    clip(model)  # if: clip_norm or clip_value
    for part in parts:  # if: parts else batch

With `else`, the block stays without its loop, for that one value. clauses.py says which tags a section has. `run` lines are those of a
run of `netc train`, which may have several processes, another precision and checkpoints: `run` is a `Run` of ../step.py. A file has only
the functions that it uses. `# generated: NAME` stands for a function that depends on the model or the data.
"""

# Values that one section has as tensors are numbers in another; only some sections have some arguments.
# mypy: disable-error-code="assignment, call-arg, no-untyped-call, union-attr"

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase as fnmatch
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Batch = dict[str, Tensor]
Trained = nn.Module | None
STEPS: int
EPOCHS: int
BATCH: int
ACCUMULATE: int
CLIP_VALUE: float
CLIP_NORM: float
EMA: float
FROZEN: tuple[str, ...]
GROUPS: list[tuple[str, dict[str, Any]]]
SEED: int
REPORT_EVERY: int
DATA: str
VALIDATION: Any
DEVICE: str
INPUT: str
METRIC: str
FILE: str
BEST_FILE: str
TERMS: Sequence[Tensor]
ZEROS: Sequence[Tensor]
Model: type[nn.Module]
run: Any
sums: nn.Module
totals: Callable[[nn.Module, Batch], tuple[Tensor, ...]]
counts: Callable[[Batch], tuple[Tensor | int, ...]]
results: Callable[[Iterable[Tensor], Iterable[Tensor | int]], dict[str, Tensor]]
drawn: Callable[[Batch, int], Batch]
load: Callable[[str], Batch]
load_validation: Callable[[str], Batch]
make_optimizer: Callable[[nn.Module], torch.optim.Optimizer]
make_schedule: Callable[..., Any]

# --- the file --------------------------------------------------------------------------------------------------------------


def parameter_groups(model: nn.Module) -> list[dict[str, Any]]:
    """The parameters by the options in GROUPS whose patterns match their names; later ones win."""
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        options: dict[str, Any] = {}
        for pattern, values in GROUPS:
            if fnmatch(name, pattern):
                options |= values
        group = groups.setdefault(tuple(sorted(options.items())), {"params": [], **options})
        group["params"].append(parameter)
    return list(groups.values())


def freeze(model: nn.Module) -> None:
    """Parameters whose names match a pattern are not trained."""
    for name, parameter in model.named_parameters():
        if any(fnmatch(name, pattern) for pattern in FROZEN):
            parameter.requires_grad_(False)


# generated: make_optimizer


# generated: make_schedule


# generated: load


def shuffled(samples: Tensor, epoch: int) -> Tensor:
    """The samples in the order of an epoch, which depends on it and the seed alone."""
    generator = np.random.Generator(np.random.Philox(key=np.array([SEED, epoch], np.uint64)))
    return samples[torch.from_numpy(generator.permutation(len(samples)))]


def split(count: int) -> tuple[Tensor, Tensor]:
    """The samples to train on, and a share of all to validate on."""
    number = min(max(1, round(count * VALIDATION)), count - 1)
    mixed = shuffled(torch.arange(count), 2**63)
    return mixed[number:].sort().values, mixed[:number].sort().values


# generated: drawn


def batches(
    data: Batch,
    samples: Tensor,
    first: int = 0,  # if: draws
) -> Iterator[Batch]:
    """The samples in batches, columns `[N, ...]`. To train on other data, replace this."""
    for number, chosen in enumerate(samples.split(BATCH), first):  # if: draws
        batch = {name: column[chosen] for name, column in data.items()}
        yield {name: column.to(DEVICE) for name, column in (batch | drawn(batch, number)).items()}
    for chosen in samples.split(BATCH):  # if: not draws
        yield {name: column[chosen].to(DEVICE) for name, column in data.items()}


def in_parts(batch: Batch) -> list[Batch]:
    """A batch in parts, each of which fits into memory."""
    count = min(ACCUMULATE, len(batch[INPUT]))
    parts = zip(*(column.tensor_split(count) for column in batch.values()), strict=True)
    return [dict(zip(batch, part, strict=True)) for part in parts]


def add_up(several: Iterable[Iterable[Any]]) -> list[Any]:
    """The sums of what the parts have, place by place."""
    return [sum(values) for values in zip(*several, strict=True)]


def seed_step(step: int) -> None:
    """What a step draws depends on its number and the seed alone."""
    number = int.from_bytes(blake2b(f"{SEED} {step}".encode(), digest_size=8).digest(), "little") >> 1
    torch.default_generator.manual_seed(number)
    if DEVICE == "cuda":
        torch.cuda.manual_seed(number)


def clip(model: nn.Module) -> None:  # if: clip_value or clip_norm
    """Limits the gradients."""
    nn.utils.clip_grad_value_(model.parameters(), CLIP_VALUE)  # if: clip_value
    nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)  # if: clip_norm


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module) -> None:
    """Moves the averaged parameters towards those of the model."""
    for kept, value in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(value, 1 - EMA)
        else:
            kept.copy_(value)


StepSums = tuple[Iterable[Tensor], Iterable[Tensor | int]]


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,  # if: schedule or run
    average: nn.Module,  # if: ema or run
    batch: Batch,  # if: not parts or not run
    parts: list[Batch],  # if: parts and run
    step: int,  # if: random or run
) -> StepSums:
    """One step of the optimizer; the sums of the batch, and what they are divided by."""
    seed_step(step)  # if: random or run
    parts = in_parts(batch)  # if: parts and not run
    divisors = counts(batch)  # if: not parts
    divisors = add_up(map(counts, parts))  # if: parts
    divisors = run.sum_counts(divisors)  # if: processes
    optimizer.zero_grad()  # if: not run
    run.clear(optimizer)  # if: run
    found = []  # if: parts
    for part in parts:  # if: parts else batch
        run.begin(part is parts[-1])  # if: run and parts
        made = totals(model, part)
        loss = results(TERMS, divisors)["loss"]
        # Terms that do not depend on the samples count once.  # if: repeated
        loss = loss - results(ZEROS, divisors)["loss"] * (1 - 1 / len(parts))  # if: repeated
        loss.backward()  # if: not run
        run.backward(loss)  # if: run
        found.append([total.detach() for total in made])  # if: parts
    made = add_up(found)  # if: parts
    made = [total.detach().clone() for total in made]  # if: not parts and not run
    made = run.check(optimizer, made, divisors, loss)  # if: run and not parts
    made = run.check(optimizer, made, divisors)  # if: run and parts
    clip(model)  # if: clip_value or clip_norm
    optimizer.step()  # if: not run
    run.update(optimizer)  # if: run
    schedule.step()  # if: schedule
    follow(average, model)  # if: ema
    return made, divisors


@torch.no_grad()
def evaluate(
    model: nn.Module,
    data: Batch,  # if: not run
    samples: Tensor,  # if: not run
    parts: Iterable[Batch],  # if: run
) -> dict[str, float]:
    """Loss and metrics over the samples, in evaluation mode."""
    parts = batches(  # if: not run
        data,
        samples,
        2**61,  # if: draws
    )
    parts = (part for batch in parts for part in in_parts(batch))  # if: parts and not run
    model.eval()
    sums.eval()  # if: modes
    found = [([total.double() for total in totals(model, part)], counts(part)) for part in parts]
    model.train()
    sums.train()  # if: modes
    made, divisors = (add_up(several) for several in zip(*found, strict=True))
    made, divisors = run.sum(made), run.sum(divisors)  # if: processes
    return {name: value.item() for name, value in results(made, divisors).items()}


def end_epoch(schedule: torch.optim.lr_scheduler.ReduceLROnPlateau, scores: dict[str, Tensor] | dict[str, float]) -> None:  # if: plateau
    """The learning rate follows the scores of each epoch."""
    schedule.step(scores[METRIC])


def shown(found: dict[str, Tensor] | dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.6g}" for name, value in found.items())


def train(model: nn.Module, data: Batch) -> Trained:
    """Trains the model; the result has the averages of its parameters."""  # if: ema
    """Trains the model."""  # if: not ema
    samples = torch.arange(len(data[INPUT]))  # if: not share
    samples, validation = split(len(data[INPUT]))  # if: share
    held = load_validation(VALIDATION)  # if: held
    validation = torch.arange(len(held[INPUT]))  # if: held
    epochs = -(-STEPS // -(-len(samples) // BATCH))  # if: steps
    steps = EPOCHS * -(-len(samples) // BATCH)  # if: schedule and not steps
    optimizer = make_optimizer(model)
    schedule = make_schedule(optimizer, steps)  # if: schedule
    schedule = make_schedule(optimizer)  # if: plateau
    average = copy.deepcopy(model)  # if: ema
    best = -math.inf  # if: validates
    step = 0
    for epoch in range(epochs):
        history = []  # if: history
        for batch in batches(
            data,
            shuffled(samples, epoch),
            step,  # if: draws
        ):
            found = train_step(
                model,
                optimizer,
                schedule,  # if: schedule
                average,  # if: ema
                batch,
                step,  # if: random
            )
            history.append(found)  # if: history
            step += 1
            if step % REPORT_EVERY == 0:
                print(f"step {step}: {shown(results(*found))}")
            if step == STEPS:  # if: steps
                break
        made, divisors = (add_up(several) for several in zip(*history, strict=True))  # if: history
        end_epoch(schedule, results(made, divisors))  # if: history
        scores = evaluate(average, held, validation)  # if: validates
        print(f"epoch {epoch + 1}: {shown(scores)}")  # if: validates
        end_epoch(schedule, scores)  # if: plateau and validates
        if scores[METRIC] > best:  # if: validates
            best = scores[METRIC]
            torch.save(average.state_dict(), BEST_FILE)
    return average  # if: ema


def main() -> None:
    torch.manual_seed(SEED)
    model = Model().to(DEVICE)
    average = train(model, load(DATA))  # if: ema
    train(model, load(DATA))  # if: not ema
    torch.save(average.state_dict(), FILE)


if __name__ == "__main__":
    main()
