"""The loop: reading, batches, a step, validation, and `main`.

In: a section, its recipe, and the class of the model. Out: texts of functions. Always: the order of samples and the division of a batch are
those of `netc train`; what the section does not ask for is not there.
"""

from __future__ import annotations

import re

from netc.compiler.analysis.means import Means
from netc.compiler.ir.training import LOSS, Training
from netc.dsl.record import Record

from ..recipe import Recipe
from .draws import draws_text, given_inputs
from .lines import literal, quoted

SHUFFLED = '''def shuffled(samples: Tensor, epoch: int) -> Tensor:
    """The samples in the order of an epoch, which depends on it and the seed alone."""
    generator = np.random.Generator(np.random.Philox(key=np.array([SEED, epoch], np.uint64)))
    return samples[torch.from_numpy(generator.permutation(len(samples)))]'''
BATCHES = '''def batches(data: Batch, samples: Tensor) -> Iterator[Batch]:
    """The samples in batches, columns `[N, ...]`. To train on other data, replace this."""
    for chosen in samples.split(BATCH):
        yield {name: column[chosen].to(DEVICE) for name, column in data.items()}'''
BATCHES_WITH_DRAWS = '''def batches(data: Batch, samples: Tensor) -> Iterator[Batch]:
    """The samples in batches, columns `[N, ...]`. To train on other data, replace this."""
    for chosen in samples.split(BATCH):
        batch = {name: column[chosen].to(DEVICE) for name, column in data.items()}
        yield batch | drawn(batch)'''
IN_PARTS = '''def in_parts(batch: Batch) -> list[Batch]:
    """A batch in parts, each of which fits into memory."""
    count = min(ACCUMULATE, len(batch[{column}]))
    parts = zip(*(column.tensor_split(count) for column in batch.values()), strict=True)
    return [dict(zip(batch, part, strict=True)) for part in parts]'''
EVALUATE = '''@torch.no_grad()
def evaluate(model: nn.Module, data: Batch, samples: Tensor) -> dict[str, float]:
    """Loss and metrics over the samples, in evaluation mode."""
    model.eval()
    found = [(totals(model, {part}), counts({part})) for batch in batches(data, samples){parts}]
    model.train()
    summed = [[sum(several) for several in zip(*one, strict=True)] for one in zip(*found, strict=True)]
    return {name: value.item() for name, value in results(*summed).items()}'''
FOLLOW = '''@torch.no_grad()
def follow(average: nn.Module, model: nn.Module) -> None:
    """Moves the averaged parameters towards those of the model."""
    for kept, value in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(value, 1 - EMA)
        else:
            kept.copy_(value)'''
SHOWN = """def shown(found: dict[str, Tensor] | dict[str, float]) -> str:
    return ", ".join(f"{name} {float(value):.6g}" for name, value in found.items())"""


class LoopText(Record):
    """`cls`: the name of the model's class."""

    training: Training
    recipe: Recipe
    means: Means
    cls: str

    @property
    def validates(self) -> bool:
        return bool(self.recipe.validation) or self.recipe.validate is not None

    def texts(self) -> list[str]:
        """The functions in their order, and the lines that run them."""
        drawn = [draws_text(self.training, self.recipe)] if self.recipe.draws else []
        made = [self._load(), SHUFFLED, *drawn, BATCHES if not drawn else BATCHES_WITH_DRAWS]
        made += [IN_PARTS.replace("{column}", self._column)] if self.recipe.accumulate > 1 else []
        made.append(self._step())
        made += [self._evaluate()] if self.validates else []
        made += [FOLLOW] if self.recipe.ema is not None else []
        return [*made, SHOWN, self._train(), self._main(), 'if __name__ == "__main__":\n    main()']

    @property
    def _column(self) -> str:
        """An input, as a literal."""
        return quoted(given_inputs(self.training, self.recipe)[0].name)

    def _evaluate(self) -> str:
        part, parts = ("part", " for part in in_parts(batch)") if self.recipe.accumulate > 1 else ("batch", "")
        return EVALUATE.replace("{part}", part).replace("{parts}", parts)

    def _load(self) -> str:
        rules = [r for r in (self.recipe.data, self.recipe.validate) if r is not None and r.columns]
        columns = {} if not rules else rules[0].columns
        lines = [
            "def load(path: str) -> Batch:",
            '    """The columns of an npz file, `[samples, ...]`."""',
            "    arrays = np.load(path)",
            "    return {",
        ]
        for value in given_inputs(self.training, self.recipe):
            column = columns.get(value.name, value.name)
            array = f"arrays[{quoted(column)}]" if isinstance(column, str) else f"np.stack([arrays[name] for name in {literal(column)}], 1)"
            lines.append(f"        {quoted(value.name)}: torch.from_numpy({array}).to(torch.{value.type.dtype.name}),")
        return "\n".join([*lines, "    }"])

    def _step(self) -> str:
        head = [
            "def train_step(model: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> dict[str, Tensor]:",
            '    """One step of the optimizer; loss and metrics of the batch."""',
        ]
        if self.recipe.accumulate == 1:
            lines = [
                "    made = results(totals(model, batch), counts(batch))",
                "    optimizer.zero_grad()",
                f'    made["{LOSS}"].backward()',
            ]
            return "\n".join([*head, *lines, *self._clip(), "    optimizer.step()", "    return made"])
        lines = [
            "    parts = in_parts(batch)",
            "    divisors = [sum(several) for several in zip(*map(counts, parts), strict=True)]",
            "    optimizer.zero_grad()",
            "    found = []",
            "    for part in parts:",
            "        made = totals(model, part)",
            *self._backward(),
            "        found.append([total.detach() for total in made])",
        ]
        end = ["    optimizer.step()", "    return results([sum(several) for several in zip(*found, strict=True)], divisors)"]
        return "\n".join([*head, *lines, *self._clip(), *end])

    def _backward(self) -> list[str]:
        """What a part adds to the loss: terms that are the same for all samples are added once."""
        if self.means.finish is None:
            return [f'        results(made, divisors)["{LOSS}"].backward()']
        return [
            "        # Terms that do not depend on the samples count once.",
            f'        constant = results([torch.zeros_like(total) for total in made], divisors)["{LOSS}"]',
            f'        (results(made, divisors)["{LOSS}"] - constant * (1 - 1 / len(parts))).backward()',
        ]

    def _clip(self) -> list[str]:
        made = []
        if self.recipe.clip_value is not None:
            made.append(f"    nn.utils.clip_grad_value_(model.parameters(), {literal(self.recipe.clip_value)})")
        if self.recipe.clip_norm is not None:
            made.append(f"    nn.utils.clip_grad_norm_(model.parameters(), {literal(self.recipe.clip_norm)})")
        return made

    def _train(self) -> str:
        recipe = self.recipe
        last = "STEPS" if recipe.steps is not None else "steps"
        averages = recipe.ema is not None
        doc = "Trains the model; the result has the averages of its parameters." if averages else "Trains the model."
        lines = [
            f"def train(model: nn.Module, data: Batch) -> {'nn.Module' if averages else 'None'}:",
            f'    """{doc}"""',
            *self._samples(),
        ]
        epochs = "EPOCHS"
        if recipe.steps is not None:
            lines.append("    epochs = -(-STEPS // -(-len(samples) // BATCH))")
            epochs = "epochs"
        elif recipe.schedule:
            lines.append("    steps = EPOCHS * -(-len(samples) // BATCH)")
        lines.append("    optimizer = make_optimizer(model)")
        lines += [f"    schedule = make_schedule(optimizer, {last})"] if recipe.schedule else []
        lines += ["    average = copy.deepcopy(model)"] if recipe.ema is not None else []
        lines += [f"    best = {'-' if recipe.keep.higher else ''}math.inf"] if self.validates else []
        lines += ["    step = 0", f"    for epoch in range({epochs}):", "        for batch in batches(data, shuffled(samples, epoch)):"]
        lines += self._inner()
        lines += self._end_of_epoch() if self.validates else []
        lines += ["    return average"] if averages else []
        return "\n".join(lines)

    def _kept(self) -> str:
        return "average" if self.recipe.ema is not None else "model"

    def _samples(self) -> list[str]:
        """The lines that say which samples are trained on, and which are held back."""
        column = self._column
        if self.recipe.validate is not None:
            return [
                f"    samples = torch.arange(len(data[{column}]))",
                "    held = load(VALIDATION)",
                f"    validation = torch.arange(len(held[{column}]))",
            ]
        if self.recipe.validation:
            return [
                f"    count = len(data[{column}])",
                "    number = min(max(1, round(count * VALIDATION)), count - 1)",
                "    mixed = shuffled(torch.arange(count), 2**63)",
                "    validation, samples = mixed[:number].sort().values, mixed[number:].sort().values",
            ]
        return [f"    samples = torch.arange(len(data[{column}]))"]

    def _inner(self) -> list[str]:
        recipe = self.recipe
        lines = ["found = train_step(model, optimizer, batch)"]
        lines += ["schedule.step()"] if recipe.schedule else []
        lines += ["follow(average, model)"] if recipe.ema is not None else []
        lines += ["step += 1", "if step % REPORT_EVERY == 0:", '    print(f"step {step}: {shown(found)}")']
        lines += ["if step == STEPS:", "    break"] if recipe.steps is not None else []
        return [f"            {line}" for line in lines]

    def _end_of_epoch(self) -> list[str]:
        keep = self.recipe.keep
        kept, data = self._kept(), "held" if self.recipe.validate is not None else "data"
        lines = [
            f"scores = evaluate({kept}, {data}, validation)",
            'print(f"epoch {epoch + 1}: {shown(scores)}")',
            f"if scores[{quoted(keep.metric)}] {'>' if keep.higher else '<'} best:",
            f"    best = scores[{quoted(keep.metric)}]",
            f"    torch.save({kept}.state_dict(), {quoted(f'{self._file()}_best.pt')})",
        ]
        return [f"        {line}" for line in lines]

    def _file(self) -> str:
        return re.sub(r"\W", "_", self.training.model or self.training.name)

    def _main(self) -> str:
        averages = self.recipe.ema is not None
        lines = ["def main() -> None:", "    torch.manual_seed(SEED)", f"    model = {self.cls}().to(DEVICE)"]
        lines.append("    average = train(model, load(DATA))" if averages else "    train(model, load(DATA))")
        return "\n".join([*lines, f"    torch.save({self._kept()}.state_dict(), {quoted(f'{self._file()}.pt')})"])
