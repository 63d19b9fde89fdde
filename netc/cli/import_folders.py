"""`netc import FOLDER`: write a spec for a model folder of transformers or the Hugging Face hub."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from netc.compiler.errors.weight_errors import WeightsError
from netc.compiler.frontends.imported_model import ImportFailed

from ..files.atomic_writing import is_stream, write_bytes
from .command_failure import CommandFailed
from .terminal import write_note, write_status

if TYPE_CHECKING:
    from ..importing.folders.imported_folder import ImportedFolder

NOTHING_WRITTEN = "nothing was written"


def import_model_folder(
    source: str,
    output: str,
    weights: str | None,
    inputs: Sequence[str],
    fixed: Mapping[str, Any],
    parse_sizes: Any,
    *,
    verify: bool,
    force: bool,
) -> None:
    """Import a folder, write the spec and its weights, and print how to use them. `parse_sizes` reads the sizes of `--example`."""
    from ..importing.folders.import_folder import make_model_name
    from ..importing.folders.write_folder import FOLDER_ENDING, write_spec, write_weights, write_weights_folder

    stem = os.path.basename(os.path.normpath(source)) if is_stream(output) else os.path.splitext(os.path.basename(output))[0]
    result = _import_or_fail(source, make_model_name(stem), inputs, fixed, parse_sizes, verify)
    # the weights that the next command needs: from the folder, unless others are written
    used = source
    if weights is not None:
        used = weights
        write_weights(result.tensors if result.tensors is not None else _open_folder(source), weights)
    elif result.tensors is not None:
        if is_stream(output):
            raise CommandFailed("the weights need other names, so they are written next to the spec", "give it a name: `-o NAME.net`")
        used = os.path.splitext(output)[0] + FOLDER_ENDING
        if os.path.lexists(used) and not force:
            raise click.UsageError(f"`{used}` exists; say --force to write the weights there")
        write_weights_folder(result.tensors, source, used)
    if is_stream(output):
        write_bytes(output, result.text.encode())
        return
    write_spec(result, output)
    write_status(result.format_report())
    for text in result.notes:
        write_note(text)
    _print_next_step(result, output, used, source)


def _import_or_fail(
    source: str, name: str, inputs: Sequence[str], fixed: Mapping[str, Any], parse_sizes: Any, verify: bool
) -> ImportedFolder:
    from ..importing.folders.import_folder import import_folder
    from ..importing.folders.model_folder import FolderRefused
    from ..importing.input_declarations import WrongInput, parse_inputs
    from ..importing.output_judge import NotProved

    try:
        sizes = parse_sizes(parse_inputs(inputs).symbols if inputs else ())
        return import_folder(source, name, inputs=inputs, fixed=fixed, sizes=sizes, verify=verify)
    except FolderRefused as error:
        raise CommandFailed(f"cannot import `{source}`: {error}", *filter(None, (error.remedy,))) from None
    except WeightsError as error:
        message = "\n  ".join((error.problem.format_message(), *error.problem.format_notes()))
        # The helps of a mismatch are options of other commands.
        raise CommandFailed(f"cannot import `{source}`: {message}", NOTHING_WRITTEN) from None
    except ImportFailed as error:
        raise CommandFailed("\n  ".join((f"cannot import `{source}`:", *error.format_lines()))) from None
    except NotProved as error:
        raise CommandFailed(f"`{source}` was read, but the spec is not the same: {error.what}", NOTHING_WRITTEN) from None
    except WrongInput as error:
        raise click.BadParameter(str(error), param_hint="--input") from None


def _open_folder(source: str) -> Any:
    from netc.compiler.weights.match_weights import open_weights

    return open_weights([source])


def _print_next_step(result: ImportedFolder, output: str, weights: str, source: str) -> None:
    """Print the command that runs the model: a text, if it writes texts."""
    from ..prediction.decoder_steps import NoGenerator, find_decoder_ports
    from ..tokenizing.text_tokenizer import TOKENIZER

    options = f"{quote(output)} --weights {quote(weights)}"
    tokenizer = os.path.join(source, TOKENIZER)
    try:
        find_decoder_ports(result.model)
    except NoGenerator:
        write_status(f"netc compile {options} -o {quote(os.path.splitext(output)[0])}.onnx")
        return
    if not os.path.isfile(tokenizer):
        write_note(
            f"The folder has no `{TOKENIZER}`. Write it with transformers: "
            f'`AutoTokenizer.from_pretrained("{source}").save_pretrained("{source}")`.'
        )
    elif not os.path.isdir(weights):
        options += f" --tokenizer {quote(tokenizer)}"
    write_status(f'netc generate {options} --prompt "..."')
