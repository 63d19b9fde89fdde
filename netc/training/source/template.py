"""The training file as one Python module. Every clause of a train section that computes something is here, and nowhere else.

`netc compile --target train` prints the part below the marker, and `netc train` and `objective` execute it. A tag keeps a line, and
the block below it, only for sections that have the tag:

    clip_gradients(model)  # if: clip_norm or clip_value
    for micro_batch in micro_batches:  # if: parts else batch

With `else`, a section without the tag gets the block without its loop, for the single value. The first of two tags decides first.
clauses.py decides which tags a section has. Lines with the tag `run` are for `netc train`, which may have several processes, another
precision and checkpoints: `run` is the `StepHooks` of ../step.py. A file contains only the functions that it uses. `# generated: NAME`
stands for a function that depends on the model or the data.
"""

# Values that one section has as tensors are numbers in another; only some sections have some arguments.
# mypy: disable-error-code="arg-type, assignment, call-arg, no-untyped-call, union-attr"

from __future__ import annotations

import copy
import itertools
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
PATIENCE: int
MIN_DELTA: float
FROZEN: tuple[str, ...]
LOSSES: dict[str, int]
TRAINED: dict[str, tuple[str, ...]]
FOLLOWED: tuple[tuple[str, str, float, int], ...]
GROUPS: list[tuple[str, dict[str, Any]]]
SEED: int
WEIGHTS: tuple[float, ...]
REPORT_EVERY: int
DATA: str
VALIDATION: Any
DEVICE: str
INPUT: str
STRATIFY: str
METRIC: str
FILE: str
BEST_FILE: str
TERMS: Sequence[Tensor]
ZEROS: Sequence[Tensor]
Model: type[nn.Module]
run: Any
compute_sums: nn.Module
compute_totals: Callable[[nn.Module, Batch], tuple[Tensor, ...]]
TOTALS: dict[str, Callable[[nn.Module, Batch], tuple[Tensor, ...]]]
COMPUTED: dict[str, tuple[str, ...]]
compute_counts: Callable[[Batch], tuple[Tensor | int, ...]]
compute_metrics: Callable[[Iterable[Tensor], Iterable[Tensor | int]], dict[str, Tensor]]
AUGMENTATIONS: Sequence[tuple[dict[str, Any], Any]]
AUGMENTED: tuple[str, ...]
CONSTANTS: tuple[str, ...]
balance_classes: Callable[[Batch, Tensor], Batch]
STANDARDIZED: tuple[str, ...]
draw_inputs: Callable[[Batch, int], Batch]
vary_inputs: Callable[[int, int, int], Batch]
load_data: Callable[[str], Batch]
load_validation_data: Callable[[str], Batch]
make_optimizer: Callable[[nn.Module], torch.optim.Optimizer]
make_schedule: Callable[..., Any]

# --- the file --------------------------------------------------------------------------------------------------------------


def make_parameter_groups(model: nn.Module) -> list[dict[str, Any]]:
    """Group the parameters by the options in GROUPS whose patterns match their names. Later patterns win."""
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


def freeze_parameters(model: nn.Module) -> None:
    """Exclude the parameters whose names match a pattern in FROZEN from training."""
    for name, parameter in model.named_parameters():
        if any(fnmatch(name, pattern) for pattern in FROZEN):
            parameter.requires_grad_(False)


def select_loss(step: int) -> str:
    """Select the loss that a step minimizes: each in turn, as often as LOSSES says."""
    turns = [loss for loss, count in LOSSES.items() for _ in range(count)]
    return turns[step % len(turns)]


def select_trained(model: nn.Module) -> dict[str, list[nn.Parameter]]:  # if: losses
    """Select the parameters that each loss trains, by the patterns in TRAINED."""
    parameters = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    return {
        loss: [parameter for name, parameter in parameters if any(fnmatch(name, pattern) for pattern in patterns)]
        for loss, patterns in TRAINED.items()
    }


def require_gradients(trained: dict[str, list[nn.Parameter]], loss: str) -> None:
    """Let only the parameters that a loss trains require gradients."""
    for parameter in itertools.chain(*trained.values()):
        parameter.requires_grad_(False)
    for parameter in trained[loss]:
        parameter.requires_grad_(True)


Follower = tuple[nn.Parameter, nn.Parameter, float, int]


def pair_followers(model: nn.Module) -> list[Follower]:  # if: followed
    """Pair the parameters that follow others with these, and add the decay and the interval of the updates."""
    parameters = dict(model.named_parameters())
    pairs = []
    for follower, followed, decay, every in FOLLOWED:
        for name in [name for name in parameters if fnmatch(name, follower)]:
            rest = name.removeprefix(follower.removesuffix("*"))
            pairs.append((parameters[name], parameters[followed.removesuffix("*") + rest], decay, every))
    return pairs


@torch.no_grad()  # if: followed
def start_followers(followers: list[Follower]) -> None:  # if: followed
    """Set the parameters that follow others equal to these, before the first step."""
    for follower, followed, _, _ in followers:
        follower.copy_(followed)


@torch.no_grad()
def update_followers(followers: list[Follower], step: int) -> None:
    """Move the parameters that follow others towards these."""
    for follower, followed, decay, every in followers:
        if (step + 1) % every == 0:
            follower.lerp_(followed, 1 - decay)


class CombinedOptimizer(torch.optim.Optimizer):
    """Several optimizers as one. Each updates its own groups of parameters."""

    def __init__(self, optimizers: list[torch.optim.Optimizer]) -> None:
        super().__init__([group for optimizer in optimizers for group in optimizer.param_groups], {})
        self.optimizers = optimizers
        self.share_state()

    def share_state(self) -> None:
        """Give the optimizers the groups of this one, whose learning rates a schedule changes, and its state, which a checkpoint has."""
        groups = iter(self.param_groups)
        for optimizer in self.optimizers:
            optimizer.state = self.state
            optimizer.param_groups = [next(groups) for _ in optimizer.param_groups]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.share_state()

    def step(self, closure: Any = None) -> Any:
        for optimizer in self.optimizers:
            optimizer.step()


# generated: make_optimizer


# generated: make_schedule


# generated: load_data


def shuffle_samples(samples: Tensor, epoch: int) -> Tensor:
    """Shuffle the samples. The order depends only on the seed and the epoch, so a run can be resumed."""
    generator = np.random.Generator(np.random.Philox(key=np.array([SEED, epoch], np.uint64)))
    return samples[torch.from_numpy(generator.permutation(len(samples)))]


def mix_samples(samples: Tensor, epoch: int, sizes: Sequence[int]) -> Tensor:  # if: weights
    """Choose as many samples as there are, with the share of each file that WEIGHTS says, and shuffle them. `sizes` are the numbers of
    samples in each file. A file continues in each epoch where it stopped in the one before, so that all of its samples are used equally."""
    files = torch.bucketize(samples, torch.tensor(sizes).cumsum(0), right=True)
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    counts = round_shares(weights / weights.sum() * len(samples), len(samples))
    chosen = []
    for file, count in enumerate(counts.tolist()):
        own, start = samples[files == file], epoch * count
        if not len(own):
            raise ValueError(f"file {file + 1} has no samples for training")
        rounds = range(start // len(own), -(-(start + count) // len(own)))
        order = torch.cat([own[:0], *(shuffle_samples(own, number) for number in rounds)])
        chosen.append(order[start % len(own) :][:count])
    return shuffle_samples(torch.cat(chosen), epoch)


def split_samples(count: int) -> tuple[Tensor, Tensor]:
    """Split the samples into training and validation samples, at random."""
    validation_count = min(max(1, round(count * VALIDATION)), count - 1)
    shuffled = shuffle_samples(torch.arange(count), 2**63)  # no epoch has this number
    return shuffled[validation_count:].sort().values, shuffled[:validation_count].sort().values


def round_shares(shares: Tensor, total: int) -> Tensor:
    """Round shares to integers with this sum: the shares with the largest fractions up, and the others down."""
    counts = shares.long()
    counts[(counts - shares).argsort(stable=True)[: total - int(counts.sum())]] += 1
    return counts


def split_samples_by_class(classes: Tensor) -> tuple[Tensor, Tensor]:  # if: stratify
    """Split the samples into training and validation samples, at random, with the same share of each class."""
    count = len(classes)
    validation_count = min(max(1, round(count * VALIDATION)), count - 1)
    shuffled = shuffle_samples(torch.arange(count), 2**63)  # no epoch has this number
    numbers = classes[shuffled].unique(return_inverse=True)[1]
    sizes = numbers.bincount()
    validation_sizes = round_shares(sizes.double() * validation_count / count, validation_count)
    pairs = list(zip(shuffled[numbers.argsort(stable=True)].split(sizes.tolist()), validation_sizes.tolist(), strict=True))
    train_samples = torch.cat([samples[size:] for samples, size in pairs])
    validation_samples = torch.cat([samples[:size] for samples, size in pairs])
    return train_samples.sort().values, validation_samples.sort().values


# generated: augmentations


def make_sample_seed(step: int, sample: int) -> int:  # if: augment
    """Return the seed of a sample's augmentation in a step."""
    return int.from_bytes(blake2b(f"{SEED} augment {step} {sample}".encode(), digest_size=8).digest(), "little") >> 1


def augment_sample(sample: Batch) -> Batch:  # if: augment
    """Apply the transforms to one sample, whose tensors have no axis of the batch."""
    for kinds, transform in AUGMENTATIONS:
        results = transform({name: kind(sample[name]) for name, kind in kinds.items()})
        sample = sample | {name: result.as_subclass(Tensor) for name, result in results.items()}
    return sample


def augment_batch(batch: Batch, samples: Tensor, step: int) -> Batch:  # if: augment
    """Augment the samples of a batch. Their random numbers depend only on the seed, the step and the sample."""
    rows = []
    for row, sample in enumerate(samples.tolist()):
        torch.default_generator.manual_seed(make_sample_seed(step, sample))
        rows.append(augment_sample({name: batch[name][row] for name in AUGMENTED}))
    return batch | {name: torch.stack([row[name] for row in rows]) for name in AUGMENTED}


# generated: draw_inputs


def weigh_classes(labels: Tensor, classes: int, ignored: int = -100) -> Tensor:
    """Weigh the classes so that each has the same sum of weights, and the mean weight of a label is 1."""
    counts = labels[labels != ignored].bincount(minlength=classes).double()
    is_class = torch.arange(classes) != ignored
    if not counts[is_class].all():
        raise ValueError("a class has no training samples")
    return torch.where(is_class, counts.sum() / (is_class.sum() * counts), 0)


def weigh_positives(labels: Tensor, shape: tuple[int, ...] = ()) -> Tensor:
    """Count the negative labels for each positive one, for weights of this shape."""
    positives = labels.double().sum_to_size(shape)
    negatives = (1 - labels.double()).sum_to_size(shape)
    if not (positives.all() and negatives.all()):
        raise ValueError("a class has no training samples")
    return negatives / positives


# generated: balance_classes


# generated: vary_inputs


def iterate_batches(
    data: Batch,
    samples: Tensor,
    weights: Batch,  # if: balance
    start: int = 0,  # if: draws or augment
    augment: Callable[[Batch, Tensor, int], Batch] | None = None,  # if: augment
) -> Iterator[Batch]:
    """Yield the samples in batches of tensors `[N, ...]`. To train on other data, replace this function."""
    for number, indices in enumerate(samples.split(BATCH), start):  # if: draws or augment
        batch = {name: column[indices] for name, column in data.items()}
        if augment is not None:  # if: augment
            batch = augment(batch, indices, number)
        batch = batch | draw_inputs(batch, number)  # if: draws
        batch = batch | weights  # if: balance
        yield {name: column.to(DEVICE) for name, column in batch.items()}
    for indices in samples.split(BATCH):  # if: not draws and not augment
        batch = {name: column[indices] for name, column in data.items()} | weights  # if: balance
        yield {name: column.to(DEVICE) for name, column in batch.items()}  # if: balance
        yield {name: column[indices].to(DEVICE) for name, column in data.items()}  # if: not balance


def split_batch(batch: Batch) -> list[Batch]:
    """Split a batch into micro-batches, which are computed one after the other to save memory."""
    count = min(ACCUMULATE, len(batch[INPUT]))
    # Copies, because the results of matrix products on CPUs depend on the alignment of the memory.
    samples = {name: column for name, column in batch.items() if name not in CONSTANTS}  # if: constants
    micro_batches = zip(*(map(torch.clone, column.tensor_split(count)) for column in samples.values()), strict=True)  # if: constants
    return [{**batch, **dict(zip(samples, micro_batch, strict=True))} for micro_batch in micro_batches]  # if: constants
    micro_batches = zip(*(map(torch.clone, column.tensor_split(count)) for column in batch.values()), strict=True)  # if: not constants
    return [dict(zip(batch, micro_batch, strict=True)) for micro_batch in micro_batches]  # if: not constants


# generated: standardized


def iterate_stage_inputs(model: nn.Module, stage: Any, batches: Iterable[Batch]) -> Iterator[Tensor]:
    """Yield what a stage of the model is called with, as `[features, values]`."""
    inputs: list[Tensor] = []
    hook = stage.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    for batch in batches:
        compute_totals(model, batch | vary_inputs(0, 1, 1))  # if: varied
        compute_totals(model, batch)  # if: not varied
        for x in inputs:
            yield x.double().movedim(stage.axis, 0).flatten(1) if stage.mean.dim() else x.double().reshape(1, -1)
        inputs.clear()
    hook.remove()


def measure_features(inputs: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Compute the mean and the deviation of each feature, without NaN and infinities. The deviation of a constant is 1."""
    first = count = total = squares = torch.zeros(1, dtype=torch.float64)
    for values in inputs:
        is_known = values.isfinite()
        candidates = values.gather(1, is_known.int().argmax(1, keepdim=True)).squeeze(1).nan_to_num(0, 0, 0)
        count = count.to(values.device)
        # Differences to a value of the data are exactly 0 for a constant, and precise for large means.
        first = torch.where(count == 0, candidates, first.to(values.device))
        difference = torch.where(is_known, values - first[:, None], 0)
        count = count + is_known.sum(1)
        total = total.to(values.device) + difference.sum(1)
        squares = squares.to(values.device) + difference.square().sum(1)
    mean = total / count.clamp(min=1)
    deviation = (squares / count.clamp(min=1) - mean.square()).clamp(min=0).sqrt()
    return first + mean, torch.where(deviation == 0, 1, deviation)


@torch.no_grad()  # if: standardize
def fit_standardize(model: nn.Module, make_batches: Callable[[], Iterable[Batch]]) -> None:  # if: standardize
    """Measure the means and deviations of `standardize` on the training samples, unless loaded weights have some."""
    model.eval()
    for name in STANDARDIZED:
        stage: Any = model.get_submodule(name)
        if not stage.mean.any() and (stage.std == 1).all():
            mean, deviation = measure_features(iterate_stage_inputs(model, stage, make_batches()))
            stage.mean.copy_(mean.reshape(stage.mean.shape))
            stage.std.copy_(deviation.reshape(stage.std.shape))
    model.train()


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
    seed_step(step)  # if: random or run
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
            print(f"stopped early: {PATIENCE} validations without a better result")
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
