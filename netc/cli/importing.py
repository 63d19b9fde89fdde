"""`netc import`: a PyTorch module or an ONNX file to a spec."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from netc.compiler.frontends.imported_model import ImportFailed

from ..files.atomic_writing import check_place, is_stream, write_bytes, write_files
from ..importing.input_declarations import WrongInput, declared_inputs
from .command_failure import Failed, no_file
from .completion import FileName
from .set_values import NotAValue, parse_constant
from .shared_options import module_argument_option, module_input_option, named_words, refuse_overwriting
from .spec_sources import suffix
from .terminal import note

if TYPE_CHECKING:
    from ..importing.origin import Origin

WEIGHTS = ".safetensors"


@click.command("import")
@click.argument("source", metavar="SOURCE")
@click.option("-o", "--output", metavar="OUT.net", required=True, type=FileName(), help="Write the spec here; `-` is standard output.")
@module_input_option("Declare an input as in a spec: `3x224x224`, `[T] int64`.")
@click.option("--example", "examples", metavar="H=224,W=320", help="Trace the module with these sizes of its symbolic axes.")
@module_argument_option("Pass an argument to the class or function.")
@click.option(
    "--call", "fixed", multiple=True, metavar="K=V", callback=named_words, help="Pass another argument to the module's `forward`."
)
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", callback=named_words, help="Fix an input or an axis of an ONNX file.")
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
    """SOURCE is an ONNX file, an exported program (.pt2), or a PyTorch module: `torchvision.models:resnet50`, `model.py:Net`.

    netc runs the code of a module that you name, and PyTorch unpickles an exported program, which can run code too. Name only files
    that you trust.
    """
    onnx = source.lower().endswith(".onnx")
    kept = weights or (os.path.splitext(output)[0] + WEIGHTS if onnx and not is_stream(output) else None)
    _check_output(output, kept, force)
    refuse_overwriting(kept, source, output)

    from ..importing.proof import NotProved
    from ..importing.run_import import spec_of

    for path in (output, *([kept] if kept is not None else [])):
        check_place(path)
    try:
        origin = _origin(source, inputs, examples, arguments, fixed, values, outputs, train, dequantize)
        made = spec_of(origin, verify=not no_verify, name="" if is_stream(output) else os.path.basename(output))
    except ImportFailed as error:
        raise Failed("\n  ".join((f"cannot import `{source}`:", *error.format_lines()))) from None
    except NotProved as error:
        raise Failed(f"`{source}` was read, but the spec is not the same: {error.what}", "nothing was written") from None
    if made.arrays and is_stream(output):
        raise Failed("the spec has constants without a formula, which are kept in a file next to it", "give it a name: `-o NAME.net`")
    if kept is not None and origin.imported.weights:
        _keep(origin, kept)
    if is_stream(output):
        write_bytes(output, made.text.encode())
    else:
        made.save(output)
    note(made.report())
    for one in made.notes:
        note(f"note: {one}")


def _check_output(output: str, kept: str | None, force: bool) -> None:
    if output != "-" and os.path.splitext(output)[1].lower() != ".net":
        raise click.UsageError(f"a spec is kept as .net, and `{output}` does not end so")
    for path in (output, kept):
        if path is not None and os.path.isfile(path) and not force:
            raise click.UsageError(f"`{path}` exists; say --force to overwrite it")


def _origin(
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
    """What SOURCE is."""
    from ..importing.exported_program import exported_origin

    match suffix(source):
        case ".onnx" | ".pt2" if not os.path.isfile(source):
            raise no_file(source)
        case ".onnx" | ".pt2" if train:
            raise click.UsageError(f"--train is for modules: `{source}` has what was exported, not what the module does in training")
        case ".onnx":
            return _onnx(source, values, outputs, dequantize)
        case ".pt2":
            return exported_origin(source)
    return _module(source, inputs, examples, arguments, fixed, train)


def _onnx(path: str, values: dict[str, str], outputs: tuple[str, ...], dequantize: bool) -> Origin:
    from ..importing.onnx_origin import onnx_origin

    return onnx_origin(path, {name: value_of(text) for name, text in values.items()}, dequantize=dequantize, outputs=outputs)


def _module(
    source: str, inputs: tuple[str, ...], examples: str | None, arguments: dict[str, str], fixed: dict[str, str], train: bool
) -> Origin:
    from ..importing.module_origin import NoModule, declared_origin, named_module

    if ":" not in source:
        raise click.UsageError(f"`{source}` is neither an .onnx file nor the name of a module, `package.module:name`")
    if not inputs:
        raise click.UsageError('say what the module takes: `--input 3x224x224`, `--input "tokens=[T] int64"`')
    try:
        declared = declared_inputs(inputs)
        sizes = _parse_sizes(examples or "", declared.symbols)
        module = named_module(source, {name: value_of(text) for name, text in arguments.items()})
        forward = {name: value_of(text) for name, text in fixed.items()}
        return declared_origin(module, declared, source, forward, train=train, sizes=sizes)
    except WrongInput as error:
        raise click.BadParameter(str(error), param_hint="--input") from None
    except NoModule as error:
        raise Failed(str(error)) from None


def _parse_sizes(text: str, names: Sequence[str]) -> dict[str, int]:
    """The sizes of `--example` by name. Raises `click.BadParameter`."""
    found: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        name, _, size = (one.strip() for one in part.partition("="))
        if name not in names or not size.isdecimal() or not int(size):
            known = " or ".join(f"`{one}=224`" for one in names) or "nothing, since no axis is symbolic"
            raise click.BadParameter(f"`{part.strip()}` is not the size of a symbolic axis; expected {known}", param_hint="--example")
        found[name] = int(size)
    return found


def value_of(text: str) -> Any:
    """A value as a spec writes it; a list of the API is a list here."""
    if text in ("none", "None", "null"):
        return None
    try:
        found = parse_constant(text)
    except NotAValue as error:
        raise click.UsageError(str(error)) from None
    return list(found) if isinstance(found, tuple) else found


def _keep(origin: Origin, path: str) -> None:
    from safetensors.numpy import save_file

    arrays = {key: array.copy() for key, array in origin.imported.weights.items()}
    write_files(path, lambda temporary: save_file(arrays, temporary))
