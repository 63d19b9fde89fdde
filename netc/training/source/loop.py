"""The loop: the order of samples, batches, validation, and `main`.

In: a section, its recipe, and the class of the model. Out: texts of functions. Always: the order of samples and the division of a batch are
those of `netc train`; what the section does not ask for is not there.
"""

from __future__ import annotations

import re

from netc.compiler.analysis.means import Means
from netc.compiler.ir.training import Training
from netc.dsl.record import Record

from ..optimizers import follows_metric
from ..recipe import Recipe
from .draws import draws_text, given_inputs
from .lines import quoted
from .reading import load_texts, load_validation
from .step import StepText, gives_sums

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
    return ", ".join(f"{name} {value:.6g}" for name, value in found.items())"""


class LoopText(Record):
    """`cls`: the name of the model's class."""

    training: Training
    recipe: Recipe
    means: Means
    cls: str

    def texts(self) -> list[str]:
        """The functions in their order, and the lines that run them."""
        drawn = [draws_text(self.training, self.recipe)] if self.recipe.draws else []
        made = [*load_texts(self.training, self.recipe), SHUFFLED, *drawn, BATCHES if not drawn else BATCHES_WITH_DRAWS]
        made += StepText(self.recipe, self.means, self._column).texts()
        made += [self._evaluate()] if self.recipe.validates else []
        made += [FOLLOW] if self.recipe.ema is not None else []
        return [*made, SHOWN, self._train(), self._main(), 'if __name__ == "__main__":\n    main()']

    @property
    def _column(self) -> str:
        """An input, as a literal."""
        return quoted(given_inputs(self.training, self.recipe)[0].name)

    def _evaluate(self) -> str:
        part, parts = ("part", " for part in in_parts(batch)") if self.recipe.accumulate > 1 else ("batch", "")
        return EVALUATE.replace("{part}", part).replace("{parts}", parts)

    def _train(self) -> str:
        recipe = self.recipe
        doc = "Trains the model; the result has the averages of its parameters." if recipe.ema is not None else "Trains the model."
        lines = [
            f"def train(model: nn.Module, data: Batch) -> {'nn.Module' if recipe.ema is not None else 'None'}:",
            f'    """{doc}"""',
            *self._samples(),
            *self._made(),
            "    step = 0",
            f"    for epoch in range({'EPOCHS' if recipe.steps is None else 'epochs'}):",
            *(["        sums = []"] if gives_sums(recipe) else []),
            "        for batch in batches(data, shuffled(samples, epoch)):",
            *self._inner(),
            *self._end_of_epoch(),
            *(["    return average"] if recipe.ema is not None else []),
        ]
        return "\n".join(lines)

    def _made(self) -> list[str]:
        """The lines between the samples and the loop."""
        recipe, lines = self.recipe, list[str]()
        counted = bool(recipe.schedule) and not follows_metric(recipe)
        if recipe.steps is not None:
            lines.append("    epochs = -(-STEPS // -(-len(samples) // BATCH))")
        elif counted:
            lines.append("    steps = EPOCHS * -(-len(samples) // BATCH)")
        lines.append("    optimizer = make_optimizer(model)")
        if recipe.schedule:
            steps = "" if not counted else ", steps" if recipe.steps is None else ", STEPS"
            lines.append(f"    schedule = make_schedule(optimizer{steps})")
        lines += ["    average = copy.deepcopy(model)"] if recipe.ema is not None else []
        return [*lines, *([f"    best = {'-' if recipe.keep.higher else ''}math.inf"] if recipe.validates else [])]

    def _kept(self) -> str:
        return "average" if self.recipe.ema is not None else "model"

    def _samples(self) -> list[str]:
        """The lines that say which samples are trained on, and which are held back."""
        column = self._column
        if self.recipe.validate is not None:
            return [
                f"    samples = torch.arange(len(data[{column}]))",
                f"    held = {load_validation(self.recipe)}(VALIDATION)",
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
        lines += ["sums.append(found)"] if gives_sums(recipe) else []
        lines += ["schedule.step()"] if recipe.schedule and not follows_metric(recipe) else []
        lines += ["follow(average, model)"] if recipe.ema is not None else []
        shown = "results(*found)" if gives_sums(recipe) else "found"
        lines += ["step += 1", "if step % REPORT_EVERY == 0:", f'    print(f"step {{step}}: {{shown({shown})}}")']
        lines += ["if step == STEPS:", "    break"] if recipe.steps is not None else []
        return [f"            {line}" for line in lines]

    def _end_of_epoch(self) -> list[str]:
        keep, lines = self.recipe.keep, list[str]()
        kept, data = self._kept(), "held" if self.recipe.validate is not None else "data"
        if self.recipe.validates:
            lines += [f"scores = evaluate({kept}, {data}, validation)", 'print(f"epoch {epoch + 1}: {shown(scores)}")']
        if gives_sums(self.recipe):
            lines += ["summed = [[sum(several) for several in zip(*one, strict=True)] for one in zip(*sums, strict=True)]"]
            lines += [f"schedule.step(results(*summed)[{quoted(keep.metric)}].item())"]
        elif follows_metric(self.recipe):
            lines += [f"schedule.step(scores[{quoted(keep.metric)}])"]
        if self.recipe.validates:
            lines += [
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
