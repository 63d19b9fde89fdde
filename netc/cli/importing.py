"""`netc import`: write a spec for a PyTorch module, an exported program, an ONNX file or a model folder, and prove that both agree."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from netc.compiler.frontends.imported_model import ImportFailed

from ..files.atomic_writing import check_writable, is_stream, write_bytes, write_files
from ..files.safetensors_arrays import SUFFIX
from ..importing.input_declarations import WrongInput, parse_inputs
from ..inputs.set_values import NotAValue, parse_constant
from .command_failure import CommandFailed, missing_file
from .completion import FileName
from .import_folders import import_model_folder
from .shared_options import module_argument_option, module_input_option, parse_pairs, refuse_overwriting
from .spec_sources import get_suffix
from .terminal import write_note, write_status

if TYPE_CHECKING:
    from ..importing.origin import Origin
    from ..importing.run_import import ImportedSpec

WEIGHTS = ".safetensors"
_MODULE, _FOLDER = "a PyTorch module", "the folder of a model"
_FILES = {".onnx": "an ONNX file", ".pt2": "an exported program"}
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    _MODULE: ("input", "example", "args", "call", "train"),
    _FOLDER: ("input", "example", "call"),
    _FILES[".onnx"]: ("set", "output-name", "dequantize"),
    _FILES[".pt2"]: (),
}
"""The options that each kind of source has, in addition to the options of the output."""


@click.command("import")
@click.argument("source", metavar="SOURCE")
@click.option("-o", "--output", metavar="OUT.net", required=True, type=FileName(), help="Write the spec here; `-` is standard output.")
@module_input_option("Declare an input as in a spec: `3x224x224`, `[T] int64`.")
@click.option("--example", "examples", metavar="H=224,W=320", help="Trace the module with these sizes of its symbolic axes.")
@module_argument_option("Pass an argument to the class or function.")
@click.option(
    "--call", "fixed", multiple=True, metavar="K=V", callback=parse_pairs, help="Pass another argument to the module's `forward`."
)
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", callback=parse_pairs, help="Fix an input or an axis of an ONNX file.")
@click.option(
    "--output-name",
    "outputs",
    multiple=True,
    metavar="NAME",
    help="Output this tensor of an ONNX file instead of the file's outputs.",
)
@click.option("--train", is_flag=True, help="Also import what a PyTorch module does in training.")
@click.option("--dequantize", is_flag=True, help="Import quantized weights of an ONNX file as the floats that they represent.")
@click.option(
    "--weights", metavar="OUT.safetensors", type=FileName(), help="Write the weights too. The weights of an ONNX file are always written."
)
@click.option("--no-verify", is_flag=True, help="Do not compare the spec with the model.")
@click.option("--force", is_flag=True, help="Overwrite OUT.net and the weights file.")
def command(
    source: str,
    output: str,
    inputs: tuple[str, ...],
    examples: str | None,
    arguments: dict[str, str],
    fixed: dict[str, str],
    values: dict[str, str],
    outputs: tuple[str, ...],
    train: bool,
    dequantize: bool,
    weights: str | None,
    no_verify: bool,
    force: bool,
) -> None:
    """SOURCE is an ONNX file, an exported program (.pt2), a PyTorch module (`torchvision.models:resnet50`, `model.py:Net`), or the folder
    of a model of transformers, with its config.json and weights.

    netc runs the code of a module that you name, and PyTorch unpickles an exported program, which can run code too. Name only files
    that you trust. It runs no code of a folder.
    """
    onnx = get_suffix(source) == ".onnx"
    weights_path = weights or (os.path.splitext(output)[0] + WEIGHTS if onnx and not is_stream(output) else None)
    _check_output(output, weights_path, force)
    refuse_overwriting(weights_path, source, output)
    given = {
        "input": inputs,
        "example": examples,
        "args": arguments,
        "call": fixed,
        "set": values,
        "output-name": outputs,
        "train": train,
        "dequantize": dequantize,
    }
    _refuse_options_of_others(source, given)

    # a folder that is named like a model file has a message of its own: it is not a file
    if _classify_source(source) == _FOLDER:
        check_writable(output)
        forward = {name: parse_argument(text) for name, text in fixed.items()}
        import_model_folder(
            source, output, weights, inputs, forward, partial(_parse_sizes, examples or ""), verify=not no_verify, force=force
        )
        return
    for path in (output, *([weights_path] if weights_path is not None else [])):
        check_writable(path)  # before the import, which takes minutes for a large model
    read_origin = partial(_read_origin, source, inputs, examples, arguments, fixed, values, outputs, train, dequantize)
    origin, spec = _import_and_prove(source, read_origin, "" if is_stream(output) else os.path.basename(output), verify=not no_verify)
    _write_spec(origin, spec, output, weights_path, force)


def _write_spec(origin: Origin, spec: ImportedSpec, output: str, weights_path: str | None, force: bool) -> None:
    """Write the spec and the weights, and print the report."""
    if spec.arrays and is_stream(output):
        raise CommandFailed(
            "the spec has constants without a formula, which are kept in a file next to it", "give it a name: `-o NAME.net`"
        )
    if spec.arrays:
        _check_arrays_file(output + SUFFIX, weights_path, force)
    if weights_path is not None and origin.imported.weights:
        _write_weights(origin, weights_path)
    if is_stream(output):
        write_bytes(output, spec.text.encode())
    else:
        spec.save(output)
    write_status(spec.format_report())
    for text in spec.notes:
        write_note(text)


def _import_and_prove(source: str, read_origin: Callable[[], Origin], name: str, *, verify: bool) -> tuple[Origin, ImportedSpec]:
    """Return the original and its spec. Raises `CommandFailed` if a part has no counterpart, or if the two differ."""
    from ..importing.further_proofs import prove_in_further_targets
    from ..importing.output_judge import NotProved
    from ..importing.run_import import import_spec

    try:
        origin = read_origin()
        return origin, prove_in_further_targets(import_spec(origin, verify=verify, name=name), origin)
    except ImportFailed as error:
        raise CommandFailed("\n  ".join((f"cannot import `{source}`:", *error.format_lines()))) from None
    except NotProved as error:
        raise CommandFailed(f"`{source}` was read, but the spec is not the same: {error.what}", "nothing was written") from None


def _classify_source(source: str) -> str:
    """Return the kind of SOURCE, which its ending says, or that it is a folder."""
    suffix = get_suffix(source)
    if suffix in _FILES:
        return _FILES[suffix]
    return _FOLDER if os.path.isdir(source) else _MODULE


def _refuse_options_of_others(source: str, given: Mapping[str, object]) -> None:
    """Refuse the options that mean nothing for this kind of source: nothing that the user asks for is ignored."""
    kind = _classify_source(source)
    if kind in _FILES.values() and given["train"]:
        raise click.UsageError(f"--train is for modules: `{source}` has what was exported, not what the module does in training")
    for name, value in given.items():
        if value and name not in _OPTIONS[kind]:
            raise click.UsageError(f"--{name} is not for {kind}")


def _check_output(output: str, weights_path: str | None, force: bool) -> None:
    if output != "-" and os.path.splitext(output)[1].lower() != ".net":
        raise click.UsageError(f"a spec is kept as .net, and `{output}` does not end so")
    for path in (output, weights_path):
        if path is not None and os.path.isfile(path) and not force:
            raise click.UsageError(f"`{path}` exists; say --force to overwrite it")
    if weights_path is not None and not is_stream(output) and os.path.realpath(weights_path) == os.path.realpath(output):
        raise click.UsageError(f"-o and --weights name the same file, `{weights_path}`")


def _check_arrays_file(path: str, weights_path: str | None, force: bool) -> None:
    """Refuse to overwrite a file with the arrays of a spec. Only the import shows whether a spec has arrays."""
    if weights_path is not None and os.path.realpath(weights_path) == os.path.realpath(path):
        raise CommandFailed(f"`{path}` gets the constants of the spec", "give the weights another name: `--weights NAME.safetensors`")
    if os.path.lexists(path) and not force:
        raise CommandFailed(f"`{path}` exists, and the constants of the spec are written there", "say --force to overwrite it")


def _read_origin(
    source: str,
    inputs: tuple[str, ...],
    examples: str | None,
    arguments: dict[str, str],
    fixed: dict[str, str],
    values: dict[str, str],
    outputs: tuple[str, ...],
    train: bool,
    dequantize: bool,
) -> Origin:
    """Read SOURCE, which its ending classifies: an ONNX file, an exported program, or else the name of a PyTorch module."""
    from ..importing.exported_program import make_exported_origin

    match get_suffix(source):
        case ".onnx" | ".pt2" if not os.path.isfile(source):
            raise missing_file(source)
        case ".onnx":
            return _read_onnx(source, values, outputs, dequantize)
        case ".pt2":
            return make_exported_origin(source)
    return _read_module(source, inputs, examples, arguments, fixed, train)


def _read_onnx(path: str, values: dict[str, str], outputs: tuple[str, ...], dequantize: bool) -> Origin:
    from ..importing.onnx_origin import make_onnx_origin

    return make_onnx_origin(path, {name: parse_argument(text) for name, text in values.items()}, dequantize=dequantize, outputs=outputs)


def _read_module(
    source: str, inputs: tuple[str, ...], examples: str | None, arguments: dict[str, str], fixed: dict[str, str], train: bool
) -> Origin:
    from ..importing.module_origin import NoModule, load_named_module, make_declared_origin

    if ":" not in source:
        raise click.UsageError(f"`{source}` is neither an .onnx file, nor a folder, nor the name of a module, `package.module:name`")
    if not inputs:
        raise click.UsageError('declare the inputs of the module: `--input 3x224x224`, `--input "tokens=[T] int64"`')
    try:
        declared = parse_inputs(inputs)
        if (twice := next((name for name in declared.names if name in fixed), None)) is not None:
            raise WrongInput(f"`{twice}` is an argument of `--call` too")
        sizes = _parse_sizes(examples or "", declared.symbols)
        module = load_named_module(source, {name: parse_argument(text) for name, text in arguments.items()})
        forward = {name: parse_argument(text) for name, text in fixed.items()}
        return make_declared_origin(module, declared, source, forward, train=train, sizes=sizes)
    except WrongInput as error:
        raise click.BadParameter(str(error), param_hint="--input") from None
    except NoModule as error:
        raise CommandFailed(str(error)) from None


def _parse_sizes(text: str, names: Sequence[str]) -> dict[str, int]:
    """Return the sizes of `--example` by name: `H=224,W=320`. Raises `click.BadParameter`."""
    sizes: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        name, _, size = (word.strip() for word in part.partition("="))
        if name not in names or not size.isdecimal() or not int(size):
            known = " or ".join(f"`{axis}=224`" for axis in names) or "nothing, since no axis is symbolic"
            raise click.BadParameter(f"`{part.strip()}` is not the size of a symbolic axis; expected {known}", param_hint="--example")
        sizes[name] = int(size)
    return sizes


def parse_argument(text: str) -> Any:
    """Return the value of an argument that is written as in a spec. PyTorch gets a list where the spec has one, not a tuple."""
    if text in ("none", "None", "null"):
        return None
    try:
        value = parse_constant(text)
    except NotAValue as error:
        raise click.UsageError(str(error)) from None
    return list(value) if isinstance(value, tuple) else value


def _write_weights(origin: Origin, path: str) -> None:
    from netc.compiler.weights.lazy_tensors import stored_tensor

    from ..files.write_safetensors import write_safetensors

    tensors = {key: stored_tensor(array) for key, array in origin.imported.weights.items()}
    write_files(path, lambda temporary: write_safetensors(temporary, tensors))
