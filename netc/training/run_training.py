"""Run a training from its beginning or from a checkpoint, for `netc train` and `netc.train`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from shlex import quote
from typing import Any

from netc.compiler.analysis.state_dict import collect_parameters, count_parameters
from netc.compiler.elaborate import sections_of
from netc.compiler.errors.data_errors import CannotReadData
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.errors.run_errors import NoDevice, RunDiffers, RunError
from netc.compiler.errors.training_errors import NoSection
from netc.compiler.ir.training_program import Training
from netc.compiler.types.tensor_types import BATCH
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.parser import parse_source
from netc.dsl.record import Record, replace
from netc.dsl.source import SourceFile, Span

from ..analysis import Choice, analyze_training
from ..drawing.picture_files import render_picture
from ..errors import CompileError
from ..files.file_problems import make_diagnostic
from ..files.read_spec import PublishedSource, read_spec
from ..files.source_files import Unreadable
from ..files.spec_hash import hash_spec
from ..inputs.checkpoint import to_checkpoint
from ..prediction.make_signature import make_signature
from .configuration import SETTINGS, RunArguments, arguments_from_json, arguments_to_json, check_fingerprints
from .data.data_columns import ColumnSpec
from .data.data_source import DataError
from .data.fingerprint import DataFingerprint, fingerprint_data
from .data.text_windows import find_tokenizer
from .engine import Engine
from .locate_data import DataRequest
from .loop import Trainer
from .objective import Objective
from .part_sizes import check_equal_micro_batches, check_micro_batch_sizes
from .pipeline_parallel import check_pipeline
from .ranks import Ranks, is_first, join_ranks
from .recipe import SEEDS, Recipe
from .run_card import RunSummary, write_card
from .run_files import CONFIG, CURVES, PICTURE
from .run_folder import RunFolder
from .run_lock import lock_folder
from .shardable_layers import require_sharding_plan
from .source.file_assembly import extract_model_program
from .training_report import Report
from .training_session import PreparedTraining, RunRequest, check_parts, collect_versions, prepare_training


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
        """Return the results, and a command that compiles the model with the trained weights."""
        shown = ", ".join(f"{name} {value:.4g}" for name, value in self.results.items())
        remark = f" ({self.remark})" if self.remark else ""
        return f"{self.steps} step{'s' if self.steps != 1 else ''}: {shown}{remark}\n{self.compile_command}"

    @property
    def compile_command(self) -> str:
        """The command that compiles the model with the trained weights."""
        return f"netc compile {self.spec} --weights {quote(self.folder)} -o {quote(f'{self.model}.onnx')}"


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
    """Train, or resume a run with the arguments that it was started with. `engine` has the fields of an `Engine`; None means the default.
    `note` receives notes on options that could not be applied.

    Raises `CompileError` for problems with the spec or its data, `RunError` for problems with the folder or the machine, and `Interrupted`
    after a signal.
    """
    data_request = DataRequest(data, _parse_share(validation), columns or {}, data_options or {}, path, choice.allow_paths)
    run_request = RunRequest(data_request, epochs, steps, batch, seed)
    _check_request(run_request, choice)
    engine_options = {name: value for name, value in engine.items() if value is not None}
    run = RunFolder(folder)
    if resume:
        share = data_request.validation if isinstance(data_request.validation, (int, float)) else None
        if any(v is not None for v in (columns, data_options, epochs, steps, batch, seed, weights, share)):
            raise ValueError("a run is continued with the settings that it was started with")
        before = run.read_config()
        arguments = arguments_from_json(before, folder, engine_options, data, data_request.validation)
        if path is not None or text is not None:
            _check_same(_read_source(path, text)[0], arguments, folder)
    else:
        before = None
        arguments = _read_arguments(path, text, section, choice, run_request, Engine(**engine_options))
    ready = _check_run(arguments, before, folder)
    described = None if resume else ready.described | _describe_weights(weights)
    results, steps_made, remark = _execute_run(ready.prepared, arguments.engine, run, described, weights, on_report, note)
    training = ready.prepared.training
    spec, learned = _format_spec_options(training, arguments.path or "FILE"), count_parameters(collect_parameters(training.program))
    result = Result(folder, results, steps_made, spec, training.model, ready.diagnostics, parameters=learned, remark=remark)
    _save_card(run, result, ready.prepared)
    return result


def _save_card(run: RunFolder, result: Result, prepared: PreparedTraining) -> None:
    """Write the card of a run that has ended, in one of its processes."""
    if not is_first():
        return
    summary = RunSummary(
        result.folder,
        result.model,
        result.steps,
        result.results,
        result.remark,
        result.parameters,
        len(prepared.data[1]),
        result.compile_command,
        (run.path / CURVES).exists(),
    )
    picture = render_picture(extract_model_program(prepared.training), PICTURE, depth=None)
    run.save_card(write_card(summary, run.read_config()), picture)


def train_or_continue(
    path: str | None,
    text: str | None,
    choice: Choice,
    section: str | None,
    folder: str,
    on_report: Callable[[Report], None],
    **options: Any,
) -> Result:
    """Train as `train_file` does, or resume the run in the folder if it was started with the same arguments. Raises `RunError` if it was
    started with other arguments."""
    engine = {name: options[name] for name in Engine.__match_args__ if name in options}
    others = {name: value for name, value in options.items() if name not in engine}
    run = RunFolder(folder)
    if not (run.path / CONFIG).exists():
        return train_file(path, text, choice, section, folder, False, on_report, **options)
    now = _describe_start(path, text, choice, section, **others)
    before = run.read_config()
    different = _find_difference(now, before)
    if different is not None:
        raise RunError(RunDiffers(folder, f"it was started with another `{different}`", "take another folder, or remove this one"))
    if not any(entry.name.startswith("checkpoint") for entry in run.path.iterdir()):
        with lock_folder(run.path):  # another process may still be training up to its first checkpoint
            run.remove_unfinished_run()
        return train_file(path, text, choice, section, folder, False, on_report, **options)
    return train_file(None, None, Choice(), None, folder, True, on_report, note=options.get("note", lambda text: None), **engine)


def _find_difference(now: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    """Return the first argument that differs. The `engine` may differ, because it does not change the results."""
    for name, value in now.items():
        old_value = before.get(name)
        if name != "engine" and value != old_value:
            return _find_difference(value, old_value) if isinstance(value, dict) and isinstance(old_value, dict) else name
    return None


def _describe_start(path: str | None, text: str | None, choice: Choice, section: str | None, **settings: Any) -> dict[str, Any]:
    """Return the `config.json` of a run with these arguments."""
    columns, options = settings.get("columns") or {}, settings.get("data_options") or {}
    data_request = DataRequest(settings.get("data"), _parse_share(settings.get("validation")), columns, options, path, choice.allow_paths)
    run_request = RunRequest(data_request, *(settings.get(name) for name in SETTINGS))
    arguments = arguments_to_json(_read_arguments(path, text, section, choice, run_request, Engine()))
    # as the file has it: tuples become lists
    config: dict[str, Any] = json.loads(json.dumps(arguments | _describe_weights(settings.get("weights"))))
    return config


def _describe_weights(weights: Any) -> dict[str, str | None]:
    """Return the entry of `config.json` for the weights that a run starts from: a hash, not a path, because the file may change."""
    checkpoint = to_checkpoint(weights)
    return {"weights": None if checkpoint is None else checkpoint.digest()}


def _check_request(run_request: RunRequest, choice: Choice) -> None:
    """Raise `ValueError` for numbers that contradict each other or are out of range."""
    if run_request.epochs is not None and run_request.steps is not None:
        raise ValueError("a run has a number of epochs or of steps, not both")
    if run_request.seed is not None and not 0 <= run_request.seed < SEEDS:
        raise ValueError(f"a seed is an integer of at least 0 and below 2**63, not {run_request.seed}")
    if BATCH in choice.dims:
        raise ValueError(f"`{BATCH}` is the size of a batch, which `batch` sets")


class _CheckedRun(Record):
    """A run whose spec and data have been checked. `described` is its `config.json`."""

    prepared: PreparedTraining
    described: dict[str, Any]
    diagnostics: tuple[Diagnostic, ...]


def _check_run(arguments: RunArguments, before: Mapping[str, Any] | None, folder: str) -> _CheckedRun:
    """Check spec and data. `before` is the `config.json` of a run to resume, with which they must agree."""
    analysis = analyze_training(arguments.source, arguments.choice, arguments.path, arguments.section)
    if analysis.training is None:
        raise CompileError(analysis.diagnostics)
    spec = hash_spec(analysis, arguments.choice)
    if before is not None and before.get("hash") != spec:
        raise RunError(RunDiffers(folder, "the spec, or a file that it uses, is not what it was"))
    prepared = prepare_training(analysis.training, arguments.run_request)
    contents = _fingerprint_data(prepared)
    if before is not None:
        check_fingerprints(contents, before, folder)
    content = {name: fingerprint.as_json() for name, fingerprint in contents.items()}
    described = {
        **arguments_to_json(arguments),
        "hash": spec,
        "data": prepared.described,
        "content": content,
        "signature": make_signature(analysis.training, prepared.data[0], prepared.format, prepared.options).to_json(),
        "versions": collect_versions(),
        "class_weights": {name: array.astype(float).tolist() for name, array in prepared.data[0].constants.items()},
    }
    return _CheckedRun(prepared, described, analysis.diagnostics)


def _fingerprint_data(prepared: PreparedTraining) -> dict[str, DataFingerprint]:
    """Fingerprint the data, and the validation data if it is separate. Raises `CompileError`."""
    parts = {"training": prepared.data[0]}
    if prepared.validation is not None and prepared.validation[0] is not prepared.data[0]:
        parts["validation"] = prepared.validation[0]
    try:
        return {name: fingerprint_data(columns) for name, columns in parts.items()}
    except DataError as error:
        problem = error.problem or CannotReadData(prepared.described, str(error), error.remedy)
        raise CompileError((make_diagnostic(problem, prepared.training.span),)) from None


def _execute_run(
    prepared: PreparedTraining,
    engine: Engine,
    run: RunFolder,
    described: dict[str, Any] | None,
    weights: Any,
    on_report: Callable[[Report], None],
    note: Callable[[str], None],
) -> tuple[dict[str, float], int, str]:
    """Run the steps. Return the results of the last validation, the number of steps, and a remark on the results. `described` is the
    `config.json` of a new run; None for a run that is resumed."""
    with join_ranks(engine.device, engine.strategy, engine.tp, engine.pp) as ranks, ExitStack() as contexts:
        _check_parts(prepared, ranks)
        _check_splits(prepared, engine)
        _check_capturable(prepared.recipe, ranks)
        check_micro_batch_sizes(prepared.training, prepared.recipe, len(prepared.data[1]), 1 if ranks.tensor == 1 else ranks.replicas)
        if ranks.pipeline > 1:
            check_equal_micro_batches(prepared.training, prepared.recipe, len(prepared.data[1]), ranks.pipeline)
        # The first process takes the lock, for all processes of the run, and holds it until training ends.
        ranks.run_once(run.check_new if described is not None else lambda: contexts.enter_context(lock_folder(run.path)))
        objective = Objective(prepared.training, prepared.means, weights, prepared.recipe.seed, prepared.recipe)
        if described is not None:  # weights that do not fit leave no folder
            tokenizer = find_tokenizer(prepared.data[0].source)
            content = None if tokenizer is None else tokenizer.content
            ranks.run_once(lambda: contexts.enter_context(run.create_locked(described, content)))
        trainer = Trainer(
            objective, prepared.recipe, prepared.data, prepared.validation, run, on_report, engine, ranks, described is not None
        )
        for line in (*prepared.notes, *trainer.notes) if ranks.is_first else ():
            note(line)
        try:
            if described is None:
                trainer.resume_run()
            return trainer.run_training(), trainer.step, trainer.remark
        finally:
            trainer.close()
            if ranks.is_first:
                run.draw_curves()


def _format_spec_options(training: Training, path: str) -> str:
    """Format the spec with the options that select the trained model, quoted for the shell."""
    options = [f"--model {training.model}"] if training.several else []
    simple = {name: value for name, value in training.params.items() if isinstance(value, (int, float, str))}
    # a spec writes `true`, not `True`
    words = {name: str(value).lower() if isinstance(value, bool) else value for name, value in simple.items()}
    options += [f"--set {quote(f'{name}={word}')}" for name, word in words.items()]
    return " ".join([quote(path), *options])


def _check_same(source: SourceFile, arguments: RunArguments, folder: str) -> None:
    """Check that a spec that is passed again is the spec of the run."""
    if source.text != arguments.text:
        raise RunError(RunDiffers(folder, f"`{source.name}` is not the spec that it was started with"))


def _check_parts(prepared: PreparedTraining, ranks: Ranks) -> None:
    """Raise `CompileError` if the loss or a metric of a batch cannot be computed from its shares on several processes."""
    problems = tuple(check_parts(prepared.training, prepared.means)) if ranks.replicas > 1 else ()
    if problems:
        raise CompileError(problems)


def _check_splits(prepared: PreparedTraining, engine: Engine) -> None:
    """Check that several processes can share the layers. Raises `CompileError`, and `RunError` for options that exclude each other."""
    if engine.pp > 1:
        check_pipeline(prepared.training, prepared.recipe, engine)
    if engine.tp == 1:
        return
    require_sharding_plan(prepared.training, engine.tp)
    if engine.compile:
        raise RunError(NoDevice("`--compile` cannot compile layers that `--tp` divides", "leave out one of the two"))


def _check_capturable(recipe: Recipe, ranks: Ranks) -> None:
    """Raise `CompileError` for `capturable` on the CPU, which PyTorch's optimizers refuse only in their first step."""
    options = [o for arguments in (recipe.optimizer.options, *(rule.options for rule in recipe.groups)) for o in arguments]
    problems = [make_diagnostic(WrongSetting("capturable", "is for a GPU"), o.span) for o in options if o.name == "capturable" and o.value]
    if problems and ranks.device.type == "cpu":
        raise CompileError(tuple(problems))


def _read_arguments(
    path: str | None, text: str | None, section: str | None, choice: Choice, run_request: RunRequest, engine: Engine
) -> RunArguments:
    """Read the spec of a new run. The name of a published spec also selects its model."""
    source, path = _read_source(path, text)
    if isinstance(source, PublishedSource):
        choice = choice if choice.model is not None else replace(choice, model=source.model)
        if not sections_of(parse_source(source)[0]):
            raise CompileError((make_diagnostic(NoSection("", (), use=(source.name, source.name_model())), Span(source, 0, 0)),))
    return RunArguments(source.text, path, section, choice, run_request, engine)


def _read_source(path: str | None, text: str | None) -> tuple[SourceFile, str | None]:
    """Return the text, and the path of its file."""
    if path is None:
        return SourceFile("<text>", text or ""), None
    try:
        return read_spec(path)
    except Unreadable as error:
        raise CompileError((error.diagnostic,)) from None


def _parse_share(validation: Any) -> Any:
    """Convert a share that is written as text, `--validation 0.2`; other values stay."""
    if isinstance(validation, str):
        try:
            return float(validation)
        except ValueError:
            return validation
    return validation
