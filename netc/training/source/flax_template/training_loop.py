"""Train, validate and save: the loop of the file, and its `main`."""

# mypy: ignore-errors

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from flax import nnx
from safetensors.flax import save_file

# --- the file --------------------------------------------------------------------------------------------------------------


def evaluate(
    model: nnx.Module,
    data: Batch,
    samples: np.ndarray,
    weights: Batch,  # if: balance
    varied: Batch,  # if: varied
) -> dict[str, float]:
    """Compute loss and metrics over the samples in evaluation mode."""
    model.eval()
    batches = iterate_batches(
        data,
        samples,
        weights,  # if: balance
        2**61,  # if: draws
    )
    batches = (batch | varied for batch in batches)  # if: varied
    batches = (micro_batch for batch in batches for micro_batch in split_batch(batch))  # if: parts
    rows = [compute_sums_of_batch(model, batch) for batch in batches]
    model.train()
    totals, counts = ([np.asarray(value, np.float64) for value in sum_rows(column)] for column in zip(*rows, strict=True))
    return {name: float(value) for name, value in compute_metrics(totals, counts).items()}


def update_patience(metric: float, watched: float, waited: int) -> tuple[float, int]:
    """Return the metric to improve on, and the number of validations in a row that did not improve it."""
    return (metric, 0) if metric - MIN_DELTA > watched else (watched, waited + 1)  # if: min_delta
    return (metric, 0) if metric > watched else (watched, waited + 1)  # if: not min_delta


def format_metrics(metrics: dict[str, Any]) -> str:
    return ", ".join(f"{name} {float(value):.6g}" for name, value in metrics.items())


def save(model: nnx.Module, path: str) -> None:
    """Write the parameters and buffers of a model under their names into a safetensors file."""
    tensors = {}
    for names, module in nnx.iter_modules(model):
        for name, value in vars(module).items():
            if isinstance(value, nnx.Variable) and not isinstance(value, nnx.RngState):
                tensors[".".join(map(str, (*names, name)))] = value[...]
    save_file(tensors, path)


def load_files(paths: Iterable[str]) -> tuple[Batch, list[int]]:
    """Load files. Return their samples, one file after the other, and the number of samples in each."""
    parts = [load_data(path) for path in paths]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, [len(part[INPUT]) for part in parts]


def train(
    model: nnx.Module,
    data: Batch,
    sizes: list[int],  # if: weights
) -> nnx.Module:
    """Train the model. Return a model with the moving averages of its parameters."""  # if: ema
    """Train the model."""  # if: not ema
    train_samples = np.arange(len(data[INPUT]))  # if: not share
    train_samples, validation_samples = split_samples(len(data[INPUT]))  # if: share and not stratify
    train_samples, validation_samples = split_samples_by_class(data[STRATIFY])  # if: share and stratify
    validation_data = load_validation_data(VALIDATION)  # if: held
    validation_samples = np.arange(len(validation_data[INPUT]))  # if: held
    steps_per_epoch = -(-len(train_samples) // BATCH)
    epochs = -(-STEPS // steps_per_epoch)  # if: steps
    steps = EPOCHS * steps_per_epoch  # if: not steps
    weights = balance_classes(data, train_samples)  # if: balance
    fit_standardize(  # if: standardize
        model,
        lambda: iterate_batches(data, train_samples),  # if: not balance and not draws
        lambda: iterate_batches(data, train_samples, 2**61),  # if: not balance and draws
        lambda: iterate_batches(data, train_samples, weights),  # if: balance and not draws
        lambda: iterate_batches(data, train_samples, weights, 2**61),  # if: balance and draws
    )
    optimizer = make_optimizer(model, steps)
    schedule = make_schedule()  # if: plateau
    start_followers(model)  # if: followed
    average = nnx.clone(model)  # if: ema
    model.train()
    best = -math.inf  # if: validates and not last
    watched, waited = -math.inf, 0  # if: patience
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
            step_sums = train_step(
                model,
                optimizer,
                select_loss(step),  # if: losses
                batch,  # if: not varied
                batch | vary_inputs(step, steps, steps_per_epoch),  # if: varied
                schedule.scale,  # if: plateau
            )
            history.append(step_sums)  # if: history
            update_followers(model, step)  # if: followed
            update_average(average, model)  # if: ema
            step += 1
            if step % REPORT_EVERY == 0:
                print(f"step {step}: {format_metrics(compute_metrics(*step_sums))}")
            if step == STEPS:  # if: steps
                break
        totals, counts = map(sum_rows, zip(*history, strict=True))  # if: history
        schedule.step(compute_metrics(totals, counts)[METRIC])  # if: history
        metrics = evaluate(  # if: validates
            average,
            validation_data,
            validation_samples,
            weights,  # if: balance
            vary_inputs(step, steps, steps_per_epoch),  # if: varied
        )
        print(f"epoch {epoch + 1}: {format_metrics(metrics)}")  # if: validates
        schedule.step(metrics[METRIC])  # if: plateau and validates
        if metrics[METRIC] > best:  # if: validates and not last
            best = metrics[METRIC]
            save(average, BEST_FILE)
        watched, waited = update_patience(metrics[METRIC], watched, waited)  # if: patience
        if waited == PATIENCE:  # if: patience
            print(f"stopped early: validations without a better result: {PATIENCE}")
            break
    return average


def main() -> None:
    model = Model(*rngs)
    data, sizes = load_files(DATA)  # if: weights
    data, _ = load_files(DATA)  # if: sources and not weights
    average = train(
        model,
        load_data(DATA),  # if: not sources
        data,  # if: sources
        sizes,  # if: weights
    )
    save(average, FILE)


if __name__ == "__main__":
    main()
