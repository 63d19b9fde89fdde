"""Make one step of the optimizer, in micro-batches or as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor, nn

from .batched_samples import split_batch
from .declared_names import (
    CLIP_NORM,
    CLIP_VALUE,
    COMPUTED,
    DEVICE,
    EMA,
    SEED,
    TERMS,
    TOTALS,
    ZEROS,
    Batch,
    compute_counts,
    compute_metrics,
    compute_totals,
    run,
)
from .parameter_groups import Follower, require_gradients, select_loss, update_followers

# --- the file --------------------------------------------------------------------------------------------------------------


def sum_rows(rows: Iterable[Iterable[Any]]) -> list[Any]:
    """Add up rows of numbers, column by column."""
    return [sum(column) for column in zip(*rows, strict=True)]


def seed_step(step: int) -> None:
    """Seed the random numbers of a step by its number, so that a run can be resumed."""
    number = int.from_bytes(blake2b(f"{SEED} {step}".encode(), digest_size=8).digest(), "little") >> 1
    torch.default_generator.manual_seed(number)
    if DEVICE == "cuda":
        torch.cuda.manual_seed(number)


def clip_gradients(model: nn.Module) -> None:  # if: clip_value or clip_norm
    """Clip the gradients in place."""
    nn.utils.clip_grad_value_(model.parameters(), CLIP_VALUE)  # if: clip_value
    nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)  # if: clip_norm


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module) -> None:
    """Update the exponential moving average of the parameters and buffers."""
    for averaged, current in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if averaged.is_floating_point():
            averaged.lerp_(current, 1 - EMA)
        else:  # counters, such as the number of batches in batch norm
            averaged.copy_(current)


StepSums = tuple[Iterable[Tensor], Iterable[Tensor | int]]
"""The totals of a batch and their counts. The totals of results that the step does not compute are 0: see COMPUTED."""  # if: divided


def summarize_steps(history: Sequence[tuple[str, StepSums]]) -> dict[str, Tensor]:  # if: divided
    """Compute each loss and metric over the steps that compute it, and leave out the others. A step is a loss, and its sums."""
    results = {}
    for name, losses in COMPUTED.items():
        own = [sums for loss, sums in history if loss in losses]
        if own:
            totals, counts = map(sum_rows, zip(*own, strict=True))
            results[name] = compute_metrics(totals, counts)[name]
    return results


def compute_loss_share(totals: Sequence[Tensor], counts: Iterable[Tensor | int], micro_batches: list[Batch]) -> Tensor:  # if: pipeline
    """Compute the share of a micro-batch in the loss of its batch."""
    loss = compute_metrics(TERMS, counts)["loss"]
    return loss - compute_metrics(ZEROS, counts)["loss"] * (1 - 1 / len(micro_batches))  # if: repeated
    return loss  # if: not repeated


def train_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,  # if: schedule or run
    average: nn.Module,  # if: ema or run
    batch: Batch,  # if: not parts or not run
    micro_batches: list[Batch],  # if: parts and run
    step: int,  # if: random or losses or followed or run
    trained: dict[str, list[nn.Parameter]],  # if: losses
    followers: list[Follower],  # if: followed
) -> StepSums:
    """Make one optimizer step. Return the totals and counts of the batch."""
    seed_step(step)  # if: random
    minimized = select_loss(step)  # if: losses
    require_gradients(trained, minimized)  # if: losses
    micro_batches = split_batch(batch)  # if: parts and not run
    counts = compute_counts(batch)  # if: not parts
    counts = sum_rows(map(compute_counts, micro_batches))  # if: parts
    counts = run.all_reduce_counts(counts)  # if: processes
    optimizer.zero_grad()  # if: not run
    run.zero_grad(optimizer)  # if: run
    batch_totals = []  # if: parts and not pipeline
    for micro_batch in micro_batches:  # if: not pipeline  # if: parts else batch
        run.begin_micro_batch(micro_batch is micro_batches[-1])  # if: run and parts
        totals = TOTALS[minimized](model, micro_batch)  # if: divided
        totals = compute_totals(model, micro_batch)  # if: not divided
        # Divided by the counts of the whole batch, so that the gradients add up to the gradient of the batch.  # if: parts
        loss = compute_metrics(TERMS, counts)["loss"]
        # Terms that do not depend on the samples count once.  # if: repeated
        loss = loss - compute_metrics(ZEROS, counts)["loss"] * (1 - 1 / len(micro_batches))  # if: repeated
        loss.backward()  # if: not run
        run.backward("loss", loss)  # if: run
        batch_totals.append([total.detach() for total in totals])  # if: parts
    batch_totals = run.run_pipeline(  # if: pipeline
        model,
        compute_totals,
        micro_batches,
        lambda totals: compute_loss_share(totals, counts, micro_batches),
    )
    totals = sum_rows(batch_totals)  # if: parts
    totals = [total.detach().clone() for total in totals]  # if: not parts and not run
    run.synchronize(model, trained[minimized])  # if: losses and processes
    totals = run.check_loss(optimizer, totals, counts, "loss", loss)  # if: run and not parts
    totals = run.check_loss(optimizer, totals, counts, "loss")  # if: run and parts
    clip_gradients(model)  # if: clip_value or clip_norm
    optimizer.step()  # if: not run
    run.step_optimizer(optimizer)  # if: run
    schedule.step()  # if: schedule
    update_followers(followers, step)  # if: followed
    update_average(average, model)  # if: ema
    return totals, counts
