"""Fit the signature of a run to the model that is written with its weights.

In: the folder of a run, and the program that gets its weights, with its spec if it has one. Out: the `ModelSignature` of the program, and
otherwise the reason why it has none. Always: a signature never says something about an output that the train section does not say. The
weights of a run fit other models too, such as an edited spec whose `scores` are probabilities now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netc.compiler.errors.run_errors import RunError
from netc.compiler.ir.graph import Program
from netc.compiler.ir.program_equality import is_same_program
from netc.dsl.record import Record, replace

from ..analysis import Spec, analyze, analyze_training
from ..errors import CompileError
from ..training.run_files import CONFIG
from .model_signature import METADATA_KEY, VALUE, ModelSignature, OutputSignature, SignatureDamaged, signature_from_json
from .output_tasks import find_output_tasks

if TYPE_CHECKING:
    from ..training.configuration import RunArguments


class FittedSignature(Record):
    """The signature of a model, or the reason why it has none. Both are empty if the weights are from no run."""

    signature: ModelSignature | None = None
    why_not: str = ""

    def format_metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the entry of the signature in the metadata of an ONNX file, if there is one."""
        return () if self.signature is None else ((METADATA_KEY, json.dumps(self.signature.to_json(), ensure_ascii=False)),)


def fit_signature(folder: str, program: Program, spec: Spec | None, spec_hash: str) -> FittedSignature:
    """Fit the signature of the run in a folder to a program with its weights."""
    try:
        config = json.loads(Path(folder, CONFIG).read_text(encoding="utf-8"))
        signature = signature_from_json(config["signature"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError, SignatureDamaged):
        return FittedSignature()
    # with the same hash, the text and its parameters are the run's, and so is the meaning of the outputs
    if spec_hash != config.get("hash"):
        fitted = _fit_to_program(signature, _read_arguments(config, folder), program, spec)
        if fitted is None:
            return FittedSignature(None, "it is another model than the one of the run")
        signature = fitted
    if not {value.name for value in program.main.inputs} >= {item.name for item in signature.inputs}:
        return FittedSignature(None, "its inputs are not the inputs of the run")
    outputs = {name: value.type for name, value in zip(program.main.output_names, program.main.outputs, strict=True)}
    if not signature.fits_outputs(outputs):
        return FittedSignature(None, "it has fewer scores than the run has classes")
    return FittedSignature(signature)


def _read_arguments(config: dict[str, Any], folder: str) -> RunArguments | None:
    """Read the arguments of a run; None if they are damaged."""
    from ..training.configuration import arguments_from_json  # imports PyTorch, and only an edited spec needs it

    try:
        # any data but None, which would look up the recorded data: nothing is trained here
        return arguments_from_json(config, folder, {}, data="", validation=0.0)
    except RunError:
        return None


def _fit_to_program(
    signature: ModelSignature, arguments: RunArguments | None, program: Program, spec: Spec | None
) -> ModelSignature | None:
    """Return the signature of a program whose spec is not the text of the run; None if nothing says what its outputs mean."""
    if arguments is None:
        return None
    trained = analyze_training(arguments.source, arguments.choice, arguments.path, arguments.section).training
    if trained is None:
        return None
    precision = arguments.choice.precision if spec is None else spec.choice.precision
    params = {**arguments.choice.params, **trained.params}
    # with the sizes of this program: other sizes do not change what the outputs mean
    choice = replace(arguments.choice, model=trained.model, params=params, dims=dict(program.dims), precision=precision)
    run_program = analyze(arguments.source, choice, arguments.path).program
    if run_program is not None and is_same_program(run_program, program):
        return signature
    try:
        edited = None if spec is None else spec.elaborate_training(arguments.section)
    except CompileError:
        return None
    if edited is None or edited.model != program.main.name:
        return None
    targets = {output.target: _find_output(signature, output.name) for output in find_output_tasks(trained)}
    outputs = tuple(new for output in find_output_tasks(edited) if (new := _describe_output(output, targets)) is not None)
    return replace(signature, outputs=outputs) if outputs else None


def _find_output(signature: ModelSignature, name: str) -> OutputSignature | None:
    return next((output for output in signature.outputs if output.name == name), None)


def _describe_output(output: OutputSignature, targets: Mapping[str, OutputSignature | None]) -> OutputSignature | None:
    """Describe an output of the edited spec with the column and the classes that the run knows of its target."""
    known = targets.get(output.target)
    # class names say nothing about an output of numbers, nor a unit about classes
    if known is None or (known.task == VALUE) != (output.task == VALUE):
        return None
    kept: dict[str, Any] = {"target": known.target, "classes": known.classes, "columns": known.columns}
    return replace(output, **kept)
