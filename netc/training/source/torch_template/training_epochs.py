"""Train in epochs, validate, and save the weights: the loop of the file, and its `main`."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .batched_samples import augment_batch, iterate_batches, split_batch
from .declared_names import (
    BATCH,
    BEST_FILE,
    DATA,
    DEVICE,
    EPOCHS,
    FILE,
    INPUT,
    LOSSES,
    METRIC,
    MIN_DELTA,
    PATIENCE,
    REPORT_EVERY,
    SEED,
    STEPS,
    STRATIFY,
    VALIDATION,
    Batch,
    Model,
    Trained,
    balance_classes,
    compute_counts,
    compute_metrics,
    compute_sums,
    compute_totals,
    load_data,
    load_validation_data,
    make_optimizer,
    make_schedule,
    run,
    vary_inputs,
)
from .measured_features import fit_standardize
from .optimizer_step import StepSums, sum_rows, summarize_steps, train_step
from .parameter_groups import pair_followers, select_loss, select_trained, start_followers
from .sample_splits import mix_samples, shuffle_samples, split_samples, split_samples_by_class

# --- the file --------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def evaluate(
    model: nn.Module,
    data: Batch,  # if: not run
    samples: Tensor,  # if: not run
    weights: Batch,  # if: balance and not run
    varied: Batch,  # if: varied and not run
    batches: Iterable[Batch],  # if: run
) -> dict[str, float]:
    """Compute loss and metrics over the samples in evaluation mode."""
    batches = iterate_batches(  # if: not run
        data,
        samples,
        weights,  # if: balance
        2**61,  # if: draws
    )
    batches = (batch | varied for batch in batches)  # if: varied and not run
    batches = (micro_batch for batch in batches for micro_batch in split_batch(batch))  # if: parts and not run
    model.eval()
    compute_sums.eval()  # if: modes
    rows = [([total.double() for total in compute_totals(model, batch)], compute_counts(batch)) for batch in batches]
    model.train()
    compute_sums.train()  # if: modes
    totals, counts = map(sum_rows, zip(*rows, strict=True))
    totals, counts = run.all_reduce(totals), run.all_reduce(counts)  # if: processes
    return {name: value.item() for name, value in compute_metrics(totals, counts).items()}


def end_epoch(schedule: torch.optim.lr_scheduler.ReduceLROnPlateau, metrics: dict[str, Tensor] | dict[str, float]) -> None:  # if: plateau
    """Reduce the learning rate if the metric has stopped improving."""
    schedule.step(metrics[METRIC])


def update_patience(metric: float, watched: float, waited: int) -> tuple[float, int]:  # if: patience
    """Return the metric to improve on, and the number of validations in a row that did not improve it."""
    return (metric, 0) if metric - MIN_DELTA > watched else (watched, waited + 1)  # if: min_delta
    return (metric, 0) if metric > watched else (watched, waited + 1)  # if: not min_delta


def format_metrics(metrics: dict[str, Tensor] | dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.6g}" for name, value in metrics.items())


def load_files(paths: Iterable[str]) -> tuple[Batch, list[int]]:
    """Load files. Return their samples, one file after the other, and the number of samples in each."""
    parts = [load_data(path) for path in paths]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}, [len(part[INPUT]) for part in parts]


def train(
    model: nn.Module,
    data: Batch,
    sizes: list[int],  # if: weights
) -> Trained:
    """Train the model. Return a model with the moving averages of its parameters."""  # if: ema
    """Train the model."""  # if: not ema
    train_samples = torch.arange(len(data[INPUT]))  # if: not share
    train_samples, validation_samples = split_samples(len(data[INPUT]))  # if: share and not stratify
    train_samples, validation_samples = split_samples_by_class(data[STRATIFY])  # if: share and stratify
    validation_data = load_validation_data(VALIDATION)  # if: held
    validation_samples = torch.arange(len(validation_data[INPUT]))  # if: held
    steps_per_epoch = -(-len(train_samples) // BATCH)  # if: steps or schedule or varied
    epochs = -(-STEPS // steps_per_epoch)  # if: steps
    steps = EPOCHS * steps_per_epoch  # if: schedule and not steps or varied and not steps
    weights = balance_classes(data, train_samples)  # if: balance
    fit_standardize(  # if: standardize
        model,
        lambda: iterate_batches(data, train_samples),  # if: not balance and not draws
        lambda: iterate_batches(data, train_samples, 2**61),  # if: not balance and draws
        lambda: iterate_batches(data, train_samples, weights),  # if: balance and not draws
        lambda: iterate_batches(data, train_samples, weights, 2**61),  # if: balance and draws
    )
    optimizer = make_optimizer(model)
    schedule = make_schedule(optimizer, steps)  # if: schedule
    schedule = make_schedule(optimizer)  # if: plateau
    trained = select_trained(model)  # if: losses
    followers = pair_followers(model)  # if: followed
    start_followers(followers)  # if: followed
    average = copy.deepcopy(model)  # if: ema
    best = -math.inf  # if: validates and not last
    watched, waited = -math.inf, 0  # if: patience
    turn: list[tuple[str, StepSums]] = []  # if: divided
    step = 0
    for epoch in range(epochs):
        history = []  # if: history
        for batch in iterate_batches(
            data,
            shuffle_samples(train_samples, epoch),  # if: not weights
            mix_samples(train_samples, epoch, sizes),  # if: weights
            weights,  # if: balance
            step,  # if: draws or augment
            augment_batch,  # if: augment
        ):
            varied = vary_inputs(step, steps, steps_per_epoch)  # if: varied
            step_sums = train_step(
                model,
                optimizer,
                schedule,  # if: schedule
                average,  # if: ema
                batch,  # if: not varied
                batch | varied,  # if: varied
                step,  # if: random or losses or followed
                trained,  # if: losses
                followers,  # if: followed
            )
            history.append(step_sums)  # if: history and not divided
            history.append((select_loss(step), step_sums))  # if: history and divided
            # Each step computes what its loss needs, so a report is about a turn of all losses.  # if: divided
            turn = [*turn, (select_loss(step), step_sums)][-sum(LOSSES.values()) :]  # if: divided
            step += 1
            if step % REPORT_EVERY == 0:
                print(f"step {step}: {format_metrics(summarize_steps(turn))}")  # if: divided
                print(f"step {step}: {format_metrics(compute_metrics(*step_sums))}")  # if: not divided
            if step == STEPS:  # if: steps
                break
        totals, counts = map(sum_rows, zip(*history, strict=True))  # if: history and not divided
        end_epoch(schedule, compute_metrics(totals, counts))  # if: history and not divided
        results = summarize_steps(history)  # if: history and divided
        if METRIC in results:  # if: history and divided
            end_epoch(schedule, results)  # if: history and divided
        metrics = evaluate(  # if: validates
            average,
            validation_data,
            validation_samples,
            weights,  # if: balance
            vary_inputs(step, steps, steps_per_epoch),  # if: varied
        )
        print(f"epoch {epoch + 1}: {format_metrics(metrics)}")  # if: validates
        end_epoch(schedule, metrics)  # if: plateau and validates
        if metrics[METRIC] > best:  # if: validates and not last
            best = metrics[METRIC]
            torch.save(average.state_dict(), BEST_FILE)
        watched, waited = update_patience(metrics[METRIC], watched, waited)  # if: patience
        if waited == PATIENCE:  # if: patience
            print(f"stopped early: validations without a better result: {PATIENCE}")
            break
    return average  # if: ema


def main() -> None:
    torch.manual_seed(SEED)
    model = Model().to(DEVICE)
    data, sizes = load_files(DATA)  # if: weights
    data, _ = load_files(DATA)  # if: sources and not weights
    average = train(  # if: ema
        model,
        load_data(DATA),  # if: not sources
        data,  # if: sources
        sizes,  # if: weights
    )
    train(  # if: not ema
        model,
        load_data(DATA),  # if: not sources
        data,  # if: sources
        sizes,  # if: weights
    )
    torch.save(average.state_dict(), FILE)


if __name__ == "__main__":
    main()
