"""`netc generate`: text that a trained decoder writes, token by token.

For example, `netc generate RUN --prompt "Once upon"` writes the text that follows.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from shlex import quote
from typing import TYPE_CHECKING

import click

from .command_failure import CommandFailed
from .completion import FileName
from .program import compile_spec, note_random_parameters, raise_as_usage_error
from .shared_options import checkpoint_options, device_option, make_choice, require_one_source, seed_option, source_options, spec_options
from .spec_sources import make_reader
from .terminal import escape_control_characters, write_note, write_status

if TYPE_CHECKING:
    from ..analysis import Choice
    from ..inputs.checkpoint import Checkpoint
    from ..prediction.text_generator import TextGenerator, Token

RUNTIMES = ("onnxruntime", "pytorch")


@click.command("generate")
@source_options
@click.argument("words", nargs=-1, metavar="")
@click.option("--prompt", default="", metavar="TEXT", help="Continue this text. [default: begin a new one]")
@click.option("--tokens", type=click.IntRange(0), default=200, show_default=True, metavar="N", help="Number of tokens.")
@click.option("--temperature", type=click.FloatRange(0), default=1.0, show_default=True, help="0 takes the most likely token.")
@click.option("--top-k", type=click.IntRange(1), metavar="N", help="Draw from the N most likely tokens.")
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), metavar="P", help="Draw from the best tokens up to probability P.")
@click.option("--tokenizer", metavar="FILE", type=FileName(), help="The tokenizer.json of the weights, or `bytes`. A run has its own.")
@click.option("--runtime", type=click.Choice(RUNTIMES), default=RUNTIMES[0], show_default=True, help="Library that computes.")
@device_option("Device to run on.")
@seed_option("Draw other tokens. [default: 0]")
@spec_options
@checkpoint_options
def command(
    file: str | None,
    text: str | None,
    words: tuple[str, ...],
    prompt: str,
    tokens: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    tokenizer: str | None,
    runtime: str,
    device: str,
    seed: int | None,
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
    weights: Checkpoint | None,
) -> None:
    """FILE is the folder of a training run, or a spec with --weights.

    The model takes tokens `[N, T]` and returns scores `[N, T, vocabulary]`, as a language model does. netc derives its cache.
    """
    if words:
        raise click.UsageError(f"the prompt is an option: `--prompt {quote(' '.join(words))}`")
    path = require_one_source(file, text)
    choice = make_choice(model, params, dims, allow_paths)
    from netc.compiler.backends.onnx.execution_providers import DeviceUnavailable

    from ..prediction.decoder_steps import NoGenerator
    from ..prediction.token_sampling import Sampling

    with raise_as_usage_error():
        Sampling(temperature, top_k, top_p).check()
    try:
        generator = _load_generator(path, text, choice, weights, tokenizer, runtime, device)
        notes = _HeldNotes()
        generated = generator.generate(
            prompt, tokens=tokens, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed or 0, note=notes.add
        )
        # from here on the text is printed, so further notes wait for its end
        notes.hold()
        try:
            _print_tokens(prompt, generated)
        finally:
            notes.release()
    except NoGenerator as error:
        raise CommandFailed(str(error), *filter(None, (error.remedy,))) from None
    except DeviceUnavailable as error:
        raise CommandFailed(str(error)) from None


def _load_generator(
    path: str | None, text: str | None, choice: Choice, weights: Checkpoint | None, tokenizer: str | None, runtime: str, device: str
) -> TextGenerator:
    from ..prediction.load_generator import make_generator, make_run_generator
    from ..prediction.load_run import load_run

    if path is not None and os.path.isdir(path):
        if choice.model is not None or choice.params or choice.dims or weights is not None:
            raise click.UsageError("a run has its model and weights: --model, --set, --dim and --weights are for specs")
        return make_run_generator(load_run(path), tokenizer, runtime, device)
    model = compile_spec(make_reader(path, text), choice)
    note_random_parameters(model, weights is not None)
    # `--seed` draws tokens, so random parameters have the seed 0 that the note names
    return make_generator(model, weights, 0 if weights is None else None, tokenizer, runtime, device)


class _HeldNotes:
    """Prints notes at once, and those that arrive while a text is printed after it, because they would be in the middle of a line."""

    def __init__(self) -> None:
        self._held: list[str] | None = None

    def add(self, text: str) -> None:
        if self._held is None:
            write_note(text)
        else:
            self._held.append(text)

    def hold(self) -> None:
        self._held = []

    def release(self) -> None:
        held, self._held = self._held or [], None
        for text in held:
            write_note(text)


def _print_tokens(prompt: str, generated: Iterable[Token]) -> None:
    """Print the prompt, and each token when it is there; then their number and speed to standard error."""
    count, start = 0, time.perf_counter()
    first = start
    sys.stdout.write(escape_control_characters(prompt))
    sys.stdout.flush()
    try:
        for token in generated:
            count += 1
            first = time.perf_counter() if count == 1 else first
            sys.stdout.write(escape_control_characters(token.text))
            sys.stdout.flush()
    except ValueError as error:
        raise CommandFailed(str(error)) from None
    finally:
        # after an error or Ctrl-C too, so that the next message begins on a line of its own
        sys.stdout.write("\n")
    seconds = time.perf_counter() - first
    # The first token also computes the prompt, so it says nothing about the speed of the others.
    speed = f", {(count - 1) / seconds:.0f} tokens per second" if count > 1 and seconds > 0 else ""
    write_status(f"{count} token{'' if count == 1 else 's'}{speed}")
