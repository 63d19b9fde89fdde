"""Compute the gradients of a batch, in micro-batches or as a whole, and update the parameters."""

# mypy: ignore-errors

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

# --- the file --------------------------------------------------------------------------------------------------------------


def sum_rows(rows: Iterable[Iterable[Any]]) -> list[Any]:
    """Add up rows of numbers, column by column."""
    return [sum(column) for column in zip(*rows, strict=True)]


StepSums = tuple[Any, Any]


def split_batch(batch: Batch) -> list[Batch]:
    """Split a batch into micro-batches, which are computed one after the other to save memory."""
    count = min(ACCUMULATE, len(batch[INPUT]))
    samples = {name: column for name, column in batch.items() if name not in CONSTANTS}  # if: constants
    micro_batches = zip(*(np.array_split(column, count) for column in samples.values()), strict=True)  # if: constants
    return [{**batch, **dict(zip(samples, micro_batch, strict=True))} for micro_batch in micro_batches]  # if: constants
    micro_batches = zip(*(np.array_split(column, count) for column in batch.values()), strict=True)  # if: not constants
    return [dict(zip(batch, micro_batch, strict=True)) for micro_batch in micro_batches]  # if: not constants


@nnx.jit  # if: not losses
@partial(nnx.jit, static_argnums=1)  # if: losses
def compute_gradients(
    model: nnx.Module,
    minimized: str,  # if: losses
    batch: Batch,
    counts: Any,
    parts: int,  # if: repeated
) -> tuple[Any, Any]:
    """Compute the gradients of the loss, and the totals of the batch."""

    def compute_loss(model: nnx.Module) -> tuple[jax.Array, Any]:
        totals = compute_totals(model, batch)
        # Divided by the counts of the whole batch, so that the gradients of micro-batches add up.  # if: parts
        loss = compute_metrics(TERMS, counts)["loss"]
        # Terms that do not depend on the samples count once.  # if: repeated
        loss = loss - compute_metrics(ZEROS, counts)["loss"] * (1 - 1 / parts)  # if: repeated
        return loss, totals

    return nnx.grad(compute_loss, has_aux=True)(model)  # if: not losses or not clip_norm
    gradients, totals = nnx.grad(compute_loss, has_aux=True)(model)  # if: losses and clip_norm
    return select_gradients(gradients, minimized), totals  # if: losses and clip_norm


@nnx.jit
def update_model(
    model: nnx.Module,
    optimizer: nnx.Optimizer,
    gradients: Any,
    scale: float,  # if: plateau
) -> None:
    """Update the parameters."""
    optimizer.update(model, gradients)  # if: not plateau
    optimizer.update(model, gradients, scale=scale)  # if: plateau


@nnx.jit  # if: not parts and not losses
@partial(nnx.jit, static_argnums=2)  # if: not parts and losses
def train_step(
    model: nnx.Module,
    optimizer: nnx.Optimizer,
    minimized: str,  # if: losses
    batch: Batch,
    scale: float,  # if: plateau
) -> StepSums:
    """Make one optimizer step. Return the totals and counts of the batch."""
    counts = compute_counts(batch)  # if: not parts
    gradients, totals = compute_gradients(model, batch, counts)  # if: not parts and not losses
    gradients, totals = compute_gradients(model, minimized, batch, counts)  # if: not parts and losses
    optimizer.update(model, gradients)  # if: not parts and not plateau
    optimizer.update(model, gradients, scale=scale)  # if: not parts and plateau
    micro_batches = split_batch(batch)  # if: parts
    counts = sum_rows(map(compute_counts, micro_batches))  # if: parts
    gradients, batch_totals = None, []  # if: parts
    for micro_batch in micro_batches:  # if: parts
        part, totals = compute_gradients(
            model,
            minimized,  # if: losses
            micro_batch,
            counts,
            len(micro_batches),  # if: repeated
        )
        gradients = part if gradients is None else jax.tree.map(jnp.add, gradients, part)
        batch_totals.append(totals)
    update_model(  # if: parts
        model,
        optimizer,
        gradients,
        scale,  # if: plateau
    )
    totals = sum_rows(batch_totals)  # if: parts
    return totals, counts


@nnx.jit
def compute_sums_of_batch(model: nnx.Module, batch: Batch) -> StepSums:
    """Compute the totals and counts of a batch, without a step."""
    return compute_totals(model, batch), compute_counts(batch)


@nnx.jit
def update_average(average: nnx.Module, model: nnx.Module) -> None:
    """Update the exponential moving average of the parameters and running statistics."""

    def blend(averaged: jax.Array, current: jax.Array) -> jax.Array:
        return averaged + (1 - EMA) * (current - averaged) if jnp.issubdtype(current.dtype, jnp.floating) else current

    kinds = (nnx.Param, nnx.BatchStat)
    nnx.update(average, jax.tree.map(blend, nnx.state(average, kinds), nnx.state(model, kinds)))
