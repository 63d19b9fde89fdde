"""What `netc train` and `netc.train` do: a run from its beginning, or from its checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from shlex import quote
from typing import Any

from netc.compiler.analysis.state_dict import count, parameters
from netc.compiler.errors.data_errors import CannotReadData
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.errors.run_errors import NoDevice, RunDiffers, RunError
from netc.compiler.errors.training_errors import NotMean
from netc.compiler.ir.training_program import Training
from netc.compiler.types.tensor_types import BATCH
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.record import Record
from netc.dsl.source import SourceFile

from ..analysis import Choice, analyze_training
from ..errors import CompileError
from ..files.file_problems import diagnostic
from ..files.source_files import Unreadable, read_file
from ..files.spec_hash import spec_hash
from ..inputs.checkpoint import checked_weights
from .configuration import SETTINGS, Arguments, as_json, check_contents, from_json
from .data.data_columns import ColumnSpec
from .data.data_source import DataError
from .data.fingerprint import DataFingerprint, fingerprint_data
from .engine import Engine
from .loop import Report, Trainer
from .objective import Objective
from .open_data import Asked
from .part_sizes import check_part_sizes
from .ranks import Ranks, joined
from .recipe import SEEDS, Recipe
from .run_files import CONFIG
from .run_folder import RunFolder
from .run_lock import lock_folder
from .shardable_layers import checked_splits
from .training_session import Prepared, Wishes, prepare, versions


class Result(Record):
    """How a run ended. `results` are from the last validation, or without one the means over the last epoch of training. `spec` is
    quoted for a shell, `parameters` is the number of learned parameters, and `remark` is a note on the results."""

    folder: str
    results: dict[str, float]
    steps: int
    spec: str
    model: str
    diagnostics: tuple[Diagnostic, ...] = ()
    failed: bool = False
    parameters: int = 0
    remark: str = ""

    def summary(self) -> str:
        """What was reached, and the command to go on with."""
        shown = ", ".join(f"{name} {value:.4g}" for name, value in self.results.items())
        command = f"netc compile {self.spec} --weights {quote(self.folder)} -o {quote(f'{self.model}.onnx')}"
        remark = f" ({self.remark})" if self.remark else ""
        return f"{self.steps} step{'s' if self.steps != 1 else ''}: {shown}{remark}\n{command}"


def train_file(
    path: str | None,
    text: str | None,
    choice: Choice,
    section: str | None,
    folder: str,
    resume: bool,
    on_report: Callable[[Report], None],
    *,
    data: Any = None,
    validation: Any = None,
    columns: Mapping[str, ColumnSpec] | None = None,
    data_options: Mapping[str, str] | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    batch: int | None = None,
    seed: int | None = None,
    weights: Any = None,
    note: Callable[[str], None] = lambda text: None,
    **engine: Any,
) -> Result:
    """Trains, or goes on: then all that is not given is what the run was started with. `engine` has the fields of an `Engine`, None for
    the usual. `note` gets what of it is not possible.

    Raises `CompileError` for what is wrong with the spec or its data, `RunError` for the folder or the machine, and `Interrupted` after a
    signal.
    """
    asked = Asked(data, _share(validation), columns or {}, data_options or {}, path, choice.allow_paths)
    wishes = Wishes(asked, epochs, steps, batch, seed)
    _check_wishes(wishes, choice)
    computing = {name: value for name, value in engine.items() if value is not None}
    run = RunFolder(folder)
    if resume:
        share = asked.validation if isinstance(asked.validation, (int, float)) else None
        if any(v is not None for v in (columns, data_options, epochs, steps, batch, seed, weights, share)):
            raise ValueError("a run is continued with the settings that it was started with")
        before = run.config()
        arguments = from_json(before, folder, computing, data, asked.validation)
        if path is not None or text is not None:
            _check_same(_source(path, text), arguments, folder)
    else:
        before = None
        arguments = Arguments(_source(path, text).text, path, section, choice, wishes, Engine(**computing))
    ready = _ready(arguments, before, folder)
    described = None if resume else ready.described | _began_with(weights)
    results, made, remark = _run(ready.prepared, arguments.engine, run, described, weights, on_report, note)
    training = ready.prepared.training
    spec, learned = _chosen(training, arguments.path or "FILE"), count(parameters(training.program))
    return Result(folder, results, made, spec, training.model, ready.diagnostics, parameters=learned, remark=remark)


def train_or_continue(
    path: str | None, text: str | None, choice: Choice, section: str | None, folder: str, on_report: Callable[[Report], None], **rest: Any
) -> Result:
    """`train_file` for a new run; where the folder has one that was started with the same arguments, that one goes on. Raises `RunError`
    if it was started with others."""
    engine = {name: rest[name] for name in Engine.__match_args__ if name in rest}
    own = {name: value for name, value in rest.items() if name not in engine}
    run = RunFolder(folder)
    if not (run.path / CONFIG).exists():
        return train_file(path, text, choice, section, folder, False, on_report, **rest)
    now = _as_started(path, text, choice, section, **own)
    before = run.config()
    different = _different(now, before)
    if different is not None:
        raise RunError(RunDiffers(folder, f"it was started with another `{different}`", "take another folder, or remove this one"))
    if not any(one.name.startswith("checkpoint") for one in run.path.iterdir()):
        with lock_folder(run.path):  # another process may still be training up to its first checkpoint
            run.forget()
        return train_file(path, text, choice, section, folder, False, on_report, **rest)
    return train_file(None, None, Choice(), None, folder, True, on_report, note=rest.get("note", lambda text: None), **engine)


def _different(now: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    """The first argument that is not what it was; how it is computed may be another."""
    for name, value in now.items():
        was = before.get(name)
        if name != "engine" and value != was:
            return _different(value, was) if isinstance(value, dict) and isinstance(was, dict) else name
    return None


def _as_started(path: str | None, text: str | None, choice: Choice, section: str | None, **own: Any) -> dict[str, Any]:
    """What `config.json` says of a run with these arguments."""
    columns, options = own.get("columns") or {}, own.get("data_options") or {}
    asked = Asked(own.get("data"), _share(own.get("validation")), columns, options, path, choice.allow_paths)
    wishes = Wishes(asked, *(own.get(name) for name in SETTINGS))
    arguments = as_json(Arguments(_source(path, text).text, path, section, choice, wishes, Engine()))
    found: dict[str, Any] = json.loads(json.dumps(arguments | _began_with(own.get("weights"))))
    return found


def _began_with(weights: Any) -> dict[str, str | None]:
    """What `config.json` says of the weights that a run began with: the numbers, not where they are, as a file may be written anew."""
    checkpoint = checked_weights(weights)
    return {"weights": None if checkpoint is None else checkpoint.digest()}


def _check_wishes(wishes: Wishes, choice: Choice) -> None:
    """Numbers that contradict each other, or are none of their kind. Raises `ValueError`."""
    if wishes.epochs is not None and wishes.steps is not None:
        raise ValueError("a run has a number of epochs or of steps, not both")
    if wishes.seed is not None and not 0 <= wishes.seed < SEEDS:
        raise ValueError(f"a seed is an integer of at least 0 and below 2**63, not {wishes.seed}")
    if BATCH in choice.dims:
        raise ValueError(f"`{BATCH}` is the size of a batch, which `batch` sets")


class _Ready(Record):
    """A run whose spec and data are right. `described` is its `config.json`."""

    prepared: Prepared
    described: dict[str, Any]
    diagnostics: tuple[Diagnostic, ...]


def _ready(arguments: Arguments, before: Mapping[str, Any] | None, folder: str) -> _Ready:
    """Checks spec and data; `before` is the `config.json` of a run that goes on, with which they must agree."""
    analysis = analyze_training(arguments.source, arguments.choice, arguments.path, arguments.section)
    if analysis.training is None:
        raise CompileError(analysis.diagnostics)
    spec = spec_hash(analysis, arguments.choice)
    if before is not None and before.get("hash") != spec:
        raise RunError(RunDiffers(folder, "the spec, or a file that it uses, is not what it was"))
    prepared = prepare(analysis.training, arguments.wishes)
    contents = _contents(prepared)
    if before is not None:
        check_contents(contents, before, folder)
    content = {name: one.as_json() for name, one in contents.items()}
    described = {**as_json(arguments), "hash": spec, "data": prepared.described, "content": content, "versions": versions()}
    return _Ready(prepared, described, analysis.diagnostics)


def _contents(prepared: Prepared) -> dict[str, DataFingerprint]:
    """What the data are, and those for validation where they are others. Raises `CompileError`."""
    parts = {"training": prepared.data[0]}
    if prepared.validation is not None and prepared.validation[0] is not prepared.data[0]:
        parts["validation"] = prepared.validation[0]
    try:
        return {name: fingerprint_data(columns) for name, columns in parts.items()}
    except DataError as error:
        problem = error.problem or CannotReadData(prepared.described, str(error), error.remedy)
        raise CompileError((diagnostic(problem, prepared.training.span),)) from None


def _run(
    prepared: Prepared,
    engine: Engine,
    run: RunFolder,
    described: dict[str, Any] | None,
    weights: Any,
    on_report: Callable[[Report], None],
    note: Callable[[str], None],
) -> tuple[dict[str, float], int, str]:
    """The results of the last validation, the number of steps, and the remark on the results. `described` is the description that a new run
    writes into its folder; None for a run that is resumed."""
    with joined(engine.device, engine.strategy, engine.tp) as ranks, ExitStack() as held:
        _check_parts(prepared, ranks)
        _check_splits(prepared, engine)
        _check_capturable(prepared.recipe, ranks)
        check_part_sizes(prepared.training, prepared.recipe, len(prepared.data[1]), ranks.replicas)
        # The first process takes the lock, for all processes of the run, and holds it until training ends.
        ranks.once(run.check_new if described is not None else lambda: held.enter_context(lock_folder(run.path)))
        objective = Objective(prepared.training, prepared.means, weights, prepared.recipe.seed, prepared.recipe)
        if described is not None:  # weights that do not fit leave no folder
            ranks.once(lambda: held.enter_context(run.create_locked(described)))
        trainer = Trainer(objective, prepared.recipe, prepared.data, prepared.validation, run, on_report, engine, ranks)
        for line in (*prepared.notes, *trainer.notes) if ranks.first else ():
            note(line)
        try:
            if described is None:
                trainer.resume()
            return trainer.run(), trainer.step, trainer.remark
        finally:
            trainer.close()
            if ranks.first:
                run.draw()


def _chosen(training: Training, path: str) -> str:
    """The spec with the options that choose what was trained, quoted for the shell."""
    options = [f"--model {training.model}"] if training.several else []
    simple = {name: value for name, value in training.params.items() if isinstance(value, (int, float, str))}
    words = {name: str(value).lower() if isinstance(value, bool) else value for name, value in simple.items()}
    options += [f"--set {quote(f'{name}={word}')}" for name, word in words.items()]
    return " ".join([quote(path), *options])


def _check_same(source: SourceFile, arguments: Arguments, folder: str) -> None:
    """A spec that is given again is that of the run."""
    if source.text != arguments.text:
        raise RunError(RunDiffers(folder, f"`{source.name}` is not the spec that it was started with"))


def _check_parts(prepared: Prepared, ranks: Ranks) -> None:
    """A batch on several processes needs a loss that is the sum of those of its parts. Raises `CompileError`."""
    if prepared.means.whole and ranks.replicas > 1:
        raise CompileError((diagnostic(NotMean(prepared.means.whole), prepared.training.loss_span),))


def _check_splits(prepared: Prepared, engine: Engine) -> None:
    """Whether several processes can share the layers. Raises `CompileError`, and `RunError` for what does not go together."""
    if engine.tp == 1:
        return
    checked_splits(prepared.training, engine.tp)
    if engine.compile:
        raise RunError(NoDevice("`--compile` cannot compile layers that `--tp` divides", "leave out one of the two"))


def _check_capturable(recipe: Recipe, ranks: Ranks) -> None:
    """PyTorch's optimizers refuse in their first step to be `capturable` on the CPU. Raises `CompileError`."""
    options = [o for some in (recipe.optimizer.options, *(rule.options for rule in recipe.groups)) for o in some]
    found = [diagnostic(WrongSetting("capturable", "is for a GPU"), o.span) for o in options if o.name == "capturable" and o.value]
    if found and ranks.device.type == "cpu":
        raise CompileError(tuple(found))


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
