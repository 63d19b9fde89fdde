"""The training file of Flax as one Python module, for `netc compile --target flax --train`: the clauses of a section in JAX and optax.

The tags are as in template.py, whose words this file uses: the same section has the same constants and the same order of samples. What a
file of Flax cannot say is listed in flax_file.py.
"""

# Values that one section has as arrays are numbers in another, and jax may not be installed.
# mypy: ignore-errors

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase as fnmatch
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors.flax import save_file

Batch = dict[str, Any]
STEPS: int
EPOCHS: int
BATCH: int
ACCUMULATE: int
EMA: float
FROZEN: tuple[str, ...]
LOSSES: dict[str, int]
TRAINED: dict[str, tuple[str, ...]]
FOLLOWED: tuple[tuple[str, str, float, int], ...]
CONSTANTS: tuple[str, ...]
WEIGHTS: tuple[float, ...]
PATIENCE: int
MIN_DELTA: float
GROUPS: list[tuple[str, dict[str, Any]]]
SEED: int
REPORT_EVERY: int
DATA: Any
VALIDATION: Any
INPUT: str
STRATIFY: str
METRIC: str
FILE: str
BEST_FILE: str
Model: Any
TERMS: Any
ZEROS: Any
rngs: tuple[Any, ...]
compute_totals: Callable[[nnx.Module, Batch], tuple[jax.Array, ...]]
compute_counts: Callable[[Batch], tuple[jax.Array | int, ...]]
compute_metrics: Callable[[Iterable[Any], Iterable[Any]], dict[str, jax.Array]]
balance_classes: Callable[[Batch, np.ndarray], Batch]
draw_inputs: Callable[[Batch, int], Batch]
vary_inputs: Callable[[int, int, int], Batch]
load_data: Callable[[str], Batch]
load_validation_data: Callable[[str], Batch]
make_optimizer: Callable[[nnx.Module, int], nnx.Optimizer]
make_schedule: Callable[[], Any]

# --- the file --------------------------------------------------------------------------------------------------------------


def name_parameters(parameters: Any) -> Any:
    """Return the names of parameters, such as `dense1.weight`, as a tree of the same structure."""

    def join(path: tuple[Any, ...], _: Any) -> str:
        return ".".join(str(key.key) for key in path if isinstance(key, jax.tree_util.DictKey))

    return jax.tree_util.tree_map_with_path(join, parameters)


def find_options(name: str) -> dict[str, Any]:
    """Return the options in GROUPS whose patterns match the name of a parameter. Later patterns win."""
    options: dict[str, Any] = {}
    for pattern, values in GROUPS:
        if fnmatch(name, pattern):
            options |= values
    return options


def list_turns() -> list[str]:
    """List the losses of the steps in a turn: each as often as LOSSES says."""
    return [loss for loss, count in LOSSES.items() for _ in range(count)]


def select_loss(step: int) -> str:
    """Select the loss that a step minimizes."""
    turns = list_turns()
    return turns[step % len(turns)]


def find_losses(name: str) -> list[str]:
    """Return the losses whose steps train a parameter, by the patterns in TRAINED."""
    return [loss for loss, patterns in TRAINED.items() if any(fnmatch(name, pattern) for pattern in patterns)]


def train_in_turns(transform: optax.GradientTransformation, losses: list[str]) -> optax.GradientTransformation:
    """Update only in the steps of some losses. Other steps leave the state of the optimizer as it is, too."""
    trains = [loss in losses for loss in list_turns()]
    return optax.transforms.conditionally_mask(transform, lambda step: jnp.array(trains)[step % len(trains)])


def label_losses(parameters: Any) -> Any:
    """Return the losses that train each parameter, and its options, as text. Parameters with the same text are one group."""
    return jax.tree.map(lambda name: repr((find_losses(name), find_options(name))), name_parameters(parameters))


def select_gradients(gradients: Any, loss: str) -> Any:
    """Return the gradients with zeros for the parameters that a loss does not train, so that they do not count in the norm."""
    return jax.tree.map(
        lambda name, gradient: gradient if loss in find_losses(name) else jnp.zeros_like(gradient), name_parameters(gradients), gradients
    )


def is_frozen(parameters: Any) -> Any:
    """Whether a pattern in FROZEN matches the name of each parameter."""
    return jax.tree.map(lambda name: any(fnmatch(name, pattern) for pattern in FROZEN), name_parameters(parameters))


def label_parameters(parameters: Any) -> Any:
    """Return the options of each parameter as text. Parameters with the same options are one group."""
    return jax.tree.map(lambda name: repr(find_options(name)), name_parameters(parameters))


def find_followed(name: str) -> tuple[str, float, int]:
    """Return the name of the parameter that a parameter follows, the decay, and the interval of the updates. A parameter
    that is trained follows itself."""
    for follower, followed, decay, every in FOLLOWED:
        if fnmatch(name, follower):
            return followed.removesuffix("*") + name.removeprefix(follower.removesuffix("*")), decay, every
    return name, 0.0, 1


@nnx.jit
def start_followers(model: nnx.Module) -> None:
    """Set the parameters that follow others equal to these, before the first step."""
    state = nnx.state(model, nnx.Param)
    names = name_parameters(state)
    values = dict(zip(jax.tree.leaves(names), jax.tree.leaves(state), strict=True))
    nnx.update(model, jax.tree.map(lambda name, value: values[find_followed(name)[0]], names, state))


@nnx.jit
def update_followers(model: nnx.Module, step: int) -> None:
    """Move the parameters that follow others towards these."""
    state = nnx.state(model, nnx.Param)
    names = name_parameters(state)
    values = dict(zip(jax.tree.leaves(names), jax.tree.leaves(state), strict=True))

    def move(name: str, value: jax.Array) -> jax.Array:
        followed, decay, every = find_followed(name)
        return jnp.where((step + 1) % every == 0, value + (1 - decay) * (values[followed] - value), value)

    nnx.update(model, jax.tree.map(move, names, state))


class Plateau:
    """Reduces the learning rate if a metric has stopped improving, by the rules of PyTorch's ReduceLROnPlateau."""

    def __init__(
        self,
        lr: float,
        mode: str,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.lr, self.first_lr, self.factor, self.min_lr, self.eps = lr, lr, factor, min_lr, eps
        self.sign = -1 if mode == "max" else 1
        self.patience, self.cooldown, self.threshold = patience, cooldown, threshold
        self.is_relative = threshold_mode == "rel"
        self.best, self.waited, self.resting = math.inf, 0, 0

    @property
    def scale(self) -> float:
        """The factor of the optimizer's learning rate."""
        return self.lr / self.first_lr

    def step(self, metric: float) -> None:
        """Reduce the learning rate if the metric has not improved for long enough."""
        cost = self.sign * float(metric)
        limit = self.best * (1 - self.sign * self.threshold) if self.is_relative else self.best - self.threshold
        self.best, self.waited = (cost, 0) if cost < limit else (self.best, self.waited + 1)
        if self.resting:
            self.resting, self.waited = self.resting - 1, 0
        if self.waited > self.patience:
            lr = max(self.lr * self.factor, self.min_lr)
            self.lr = lr if self.lr - lr > self.eps else self.lr
            self.resting, self.waited = self.cooldown, 0


def scale_by_plateau() -> optax.GradientTransformationExtraArgs:
    """Multiply the updates by the `scale` that `update` is called with."""

    def update(updates: Any, state: Any, params: Any = None, *, scale: float, **_: Any) -> tuple[Any, Any]:
        return jax.tree.map(lambda update: scale * update, updates), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


# generated: make_optimizer


# generated: make_schedule


# generated: load_data


def shuffle_samples(samples: np.ndarray, epoch: int) -> np.ndarray:
    """Shuffle the samples. The order depends only on the seed and the epoch."""
    generator = np.random.Generator(np.random.Philox(key=np.array([SEED, epoch], np.uint64)))
    return samples[generator.permutation(len(samples))]


def mix_samples(samples: np.ndarray, epoch: int, sizes: list[int]) -> np.ndarray:  # if: weights
    """Choose as many samples as there are, with the share of each file that WEIGHTS says, and shuffle them. `sizes` are the numbers of
    samples in each file. A file continues in each epoch where it stopped in the one before, so that all of its samples are used equally."""
    files = np.searchsorted(np.cumsum(sizes), samples, side="right")
    weights = np.array(WEIGHTS)
    counts = round_shares(weights / weights.sum() * len(samples), len(samples))
    chosen = []
    for file, count in enumerate(counts.tolist()):
        own, start = samples[files == file], epoch * count
        if not len(own):
            raise ValueError(f"file {file + 1} has no samples for training")
        rounds = range(start // len(own), -(-(start + count) // len(own)))
        order = np.concatenate([own[:0], *(shuffle_samples(own, number) for number in rounds)])
        chosen.append(order[start % len(own) :][:count])
    return shuffle_samples(np.concatenate(chosen), epoch)


def round_shares(shares: np.ndarray, total: int) -> np.ndarray:
    """Round shares to integers with this sum: the shares with the largest fractions up, and the others down."""
    counts = shares.astype(int)
    counts[np.argsort(counts - shares, kind="stable")[: total - counts.sum()]] += 1
    return counts


def split_samples(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Split the samples into training and validation samples, at random."""
    validation_count = min(max(1, round(count * VALIDATION)), count - 1)
    shuffled = shuffle_samples(np.arange(count), 2**63)  # no epoch has this number
    return np.sort(shuffled[validation_count:]), np.sort(shuffled[:validation_count])


def split_samples_by_class(classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split the samples into training and validation samples, at random, with the same share of each class."""
    count = len(classes)
    validation_count = min(max(1, round(count * VALIDATION)), count - 1)
    shuffled = shuffle_samples(np.arange(count), 2**63)  # no epoch has this number
    numbers = np.unique(classes[shuffled], return_inverse=True)[1]
    sizes = round_shares(np.bincount(numbers) * validation_count / count, validation_count)
    parts = [shuffled[numbers == number] for number in range(len(sizes))]
    train_samples = np.concatenate([part[size:] for part, size in zip(parts, sizes, strict=True)])
    validation_samples = np.concatenate([part[:size] for part, size in zip(parts, sizes, strict=True)])
    return np.sort(train_samples), np.sort(validation_samples)


# generated: draw_inputs


def weigh_classes(labels: np.ndarray, classes: int, ignored: int = -100) -> np.ndarray:
    """Weigh the classes so that each has the same sum of weights, and the mean weight of a label is 1."""
    counts = np.bincount(labels[labels != ignored], minlength=classes)
    is_class = np.arange(classes) != ignored
    if not counts[is_class].all():
        raise ValueError("a class has no training samples")
    return np.where(is_class, counts.sum() / (is_class.sum() * np.maximum(counts, 1)), 0)


def weigh_positives(labels: np.ndarray, shape: tuple[int, ...] = ()) -> np.ndarray:
    """Count the negative labels for each positive one, for weights of this shape."""
    axes = tuple(axis for axis in range(labels.ndim) if axis < labels.ndim - len(shape) or shape[axis - labels.ndim] == 1)
    positives = labels.sum(axes, np.float64).reshape(shape)
    negatives = (1 - labels.astype(np.float64)).sum(axes).reshape(shape)
    if not (positives.all() and negatives.all()):
        raise ValueError("a class has no training samples")
    return negatives / positives


# generated: balance_classes


# generated: vary_inputs


def iterate_batches(
    data: Batch,
    samples: np.ndarray,
    weights: Batch,  # if: balance
    start: int = 0,  # if: draws
) -> Iterator[Batch]:
    """Yield the samples in batches of arrays `[N, ...]`. To train on other data, replace this function."""
    for first in range(0, len(samples), BATCH):
        batch = {name: column[samples[first : first + BATCH]] for name, column in data.items()}
        batch = batch | draw_inputs(batch, start + first // BATCH)  # if: draws
        yield batch | weights  # if: balance
        yield batch  # if: not balance


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
            step,  # if: draws
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
            print(f"stopped early: {PATIENCE} validations without a better result")
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
