"""What `netc train` and `netc.train` do: a run from its beginning, or from its checkpoint."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from netc.dsl.diagnostics import Diagnostic
from netc.dsl.record import Record
from netc.dsl.source import SourceFile

from ..analysis import Choice, analyse_training
from ..arguments import checked_weights
from ..errors import CompileError
from ..files import Unreadable, read_file
from .data.columns import Chosen
from .loop import Report, Trainer
from .objective import Objective
from .opening import Asked
from .run_folder import BEST, RunFolder
from .session import Wishes, prepare, versions


class Result(Record):
    """How a run ended. `results` are those of the last validation, or of training without one."""

    folder: str
    results: dict[str, float]
    steps: int
    spec: str
    model: str
    diagnostics: tuple[Diagnostic, ...] = ()
    failed: bool = False

    def summary(self) -> str:
        """What was reached, and the command to go on with."""
        shown = ", ".join(f"{name} {value:.4g}" for name, value in self.results.items())
        weights = os.path.join(self.folder, BEST)
        return f"{self.steps} steps: {shown}\nnetc compile {self.spec} --weights {weights} -o {self.model}.onnx"


def train_file(
    path: str | None,
    text: str | None,
    choice: Choice,
    section: str | None,
    folder: str,
    resume: bool,
    told: Callable[[Report], None],
    *,
    data: Any = None,
    validation: Any = None,
    columns: Mapping[str, Chosen] | None = None,
    data_options: Mapping[str, str] | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    batch: int | None = None,
    seed: int | None = None,
    weights: Any = None,
    device: str = "cpu",
) -> Result:
    """Trains, or goes on. Raises `CompileError` for what is wrong with the spec or its data."""
    source = _source(path, text)
    analysis = analyse_training(source, choice, path, section)
    if analysis.training is None:
        raise CompileError(analysis.diagnostics)
    asked = Asked(data, _share(validation), columns or {}, data_options or {}, path, choice.allow_paths)
    wishes = Wishes(asked, epochs, steps, batch, seed)
    prepared = prepare(analysis.training, wishes)
    run = RunFolder(folder)
    state = run.checkpoint() if resume else None
    if not resume:
        run.create({"spec": source.text, "path": path, "section": section, **prepared.described, "versions": versions()})
    checked_weights(weights)
    objective = Objective(prepared.training, prepared.means, weights, prepared.recipe.seed)
    trainer = Trainer(objective, prepared.recipe, prepared.data, prepared.validation, run, device, told)
    if state is not None:
        trainer.resume(state)
    results = trainer.run()
    return Result(folder, results, trainer.step, path or "FILE", prepared.training.model, analysis.diagnostics)


def _source(path: str | None, text: str | None) -> SourceFile:
    if path is None:
        return SourceFile("<text>", text or "")
    try:
        return read_file(path)
    except Unreadable as error:
        raise CompileError((error.diagnostic,)) from None


def _share(validation: Any) -> Any:
    """A share that is written as text."""
    if isinstance(validation, str):
        try:
            return float(validation)
        except ValueError:
            return validation
    return validation
