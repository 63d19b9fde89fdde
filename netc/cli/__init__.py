"""The command line: `netc new`, `check`, `compile`, `train`, `run`, `summary`, `draw`, `ops`, `explain`, `format`, ...

Each command is a module of this package, and `Commands` imports it only when somebody calls it: `netc --help` takes a third of the time
that it takes to import all of them. A command writes its result to standard output, and everything else to standard error.

Exit codes: 0 for success, 1 for diagnostics or a file that netc cannot read, write or run, 2 for wrong usage, 70 for an error of netc
itself, 130 for an interruption, 141 if nobody reads the output any more.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from importlib import import_module
from inspect import cleandoc
from typing import Any, NoReturn

import click

from netc import __version__
from netc.compiler.backends.backend_names import ARTIFACTS

from .python_warnings import reformat_warnings

_FIRST = ("torch", "onnx")
"""The targets that the list of commands names. The list is 80 columns wide, so `netc compile --help` has the others."""
COMMANDS = {
    "new": "Start a project: a spec, data, a train section and a README.",
    "check": "Check specs: files, or all `*.net` files in a folder. `-` reads standard input.",
    "compile": f"Write {', '.join(map(ARTIFACTS.__getitem__, _FIRST))}, or {len(ARTIFACTS) - len(_FIRST)} other targets.",
    "import": "Write a spec for an existing model, and prove that both agree.",
    "train": "Train a network with the `train` section of its spec.",
    "tokenizer": "Train a tokenizer on texts.",
    "predict": "Predict new rows or images with a trained model.",
    "evaluate": "Compute metrics of a trained model on labeled data.",
    "serve": "Serve a trained model over HTTP.",
    "generate": "Generate text with a trained decoder, token by token.",
    "plan": "Plan a training: memory, largest batch, fastest possible step.",
    "plot": "Draw the losses and metrics of training runs.",
    "run": "Run a spec or an ONNX model, and show its outputs.",
    "bench": "Measure latency, throughput, memory and load time.",
    "summary": "Show stages, shapes, parameters, FLOPs and memory.",
    "diff": "Compare two models stage by stage, and their totals.",
    "sweep": "Compile or train a model for each combination of values.",
    "draw": "Draw a model: stages, blocks that open, and shapes.",
    "play": "Open the playground in a browser.",
    "zoo": "List the published networks that netc contains, or print one.",
    "ops": "List the operators, or show the page of one.",
    "explain": "Explain an error or warning by its code. Without CODE, list all codes and their meanings.",
    "format": "Format specs in place: files, or all `*.net` files in a folder. `-` formats standard input to standard output.",
    "lsp": "Run the language server, which an editor starts.",
}
"""The commands and the first paragraph of their help, in the order of `netc --help`, which imports none of them. A command is the attribute
`command` of the module with its name."""

_RUNS = "`netc predict RUN --data NEW.csv` predicts with a trained model"
_WRITES = "`netc compile FILE.net -o FILE.onnx` writes ONNX, and PyTorch with `FILE.py`"
_EVALUATES = "`netc evaluate RUN --data TEST.csv` computes the metrics of a trained model"
_GENERATES = "`netc generate RUN --prompt TEXT` continues a text"
FOREIGN_COMMANDS = {
    "build": _WRITES, "chat": _GENERATES, "convert": "`netc compile` writes ONNX and PyTorch, `netc import` reads them",
    "deploy": "`netc serve RUN` answers HTTP requests, and `netc compile` writes ONNX", "eval": _EVALUATES,
    "export": _WRITES, "fit": "`netc train FILE.net` trains", "fmt": "`netc format` formats files",
    "infer": _RUNS, "info": "`netc summary` shows the layers", "lint": "`netc check` checks files",
    "list": "`netc zoo` lists the published models, `netc ops` the operators",
    "ls": "`netc zoo` lists the published models, `netc ops` the operators",
    "models": "`netc zoo` lists the published models", "show": "`netc summary` shows the layers, `netc draw` a picture",
    "sample": _GENERATES, "score": _EVALUATES, "test": _EVALUATES,
    "validate": "`netc check` checks files, `netc evaluate` computes the metrics of a trained model",
    "view": "`netc draw` draws a picture", "visualize": "`netc draw` draws a picture",
}  # fmt: skip
"""Names that other tools have for commands, with the command of netc to use."""

_MODULES = {"import": "importing", "serve": "serving"}
"""The modules of commands whose names Python cannot import, or that a module of another package has."""


class Commands(click.Group):
    """A group that imports a command when it is called, and turns exceptions into a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f".{_MODULES.get(cmd_name, cmd_name)}", __name__).command
        summary, more = COMMANDS[cmd_name], command.help or ""
        # click may ask for a command twice, and the module keeps the help of the first time
        if not more.startswith(summary):
            command.help = "\n\n".join((summary, cleandoc(more)))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands as click does, but without importing them."""
        # the width that click itself leaves for a help: the line without its indent, the names and the space after them
        limit = formatter.width - 6 - max(map(len, COMMANDS))
        with formatter.section("Commands"):
            formatter.write_dl([(name, click.Command(name, help=text).get_short_help_str(limit)) for name, text in COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        # click's own message proposes no command of another tool, and does not notice that the name is a file
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            self._refuse_name(ctx, args[0])
        return super().resolve_command(ctx, args)

    def _refuse_name(self, ctx: click.Context, name: str) -> NoReturn:
        from netc.dsl.diagnostics.suggest import find_similar_names

        names = find_similar_names(name, COMMANDS)
        if name == "help":
            raise click.UsageError("there is no command `help`; `netc --help` lists the commands, `netc check --help` explains one", ctx)
        hint = f"; did you mean {' or '.join(f'`{n}`' for n in names)}?" if names else ""
        if name in FOREIGN_COMMANDS:
            hint = f"; {FOREIGN_COMMANDS[name]}"
        elif not names and os.path.exists(name):
            from shlex import quote

            hint = f"; to check the file: `netc check {quote(name)}`"
        raise click.UsageError(f"there is no command `{name}`{hint}", ctx)

    def invoke(self, ctx: click.Context) -> Any:
        previous = signal.getsignal(signal.SIGINT)
        try:
            if ctx.obj is not None:
                signal.signal(signal.SIGINT, ctx.obj)
            with reformat_warnings():
                return self._invoke_and_flush(ctx)
        # click ends the process with the exit code of these itself
        except (click.exceptions.Exit, click.Abort):
            raise
        except BaseException as error:
            from .exit_codes import report_exception

            ctx.exit(report_exception(error))
        finally:
            if ctx.obj is not None:  # the output is complete, and nobody catches an interruption after this
                signal.signal(signal.SIGINT, previous)

    def _invoke_and_flush(self, ctx: click.Context) -> Any:
        """Run the command and flush its output, so that a full disk or a closed pipe is an error that `invoke` reports."""
        try:
            result = super().invoke(ctx)
        except click.exceptions.Exit:
            sys.stdout.flush()  # `netc check` leaves by `Exit` too, and its diagnostics may not fit on the disk
            raise
        sys.stdout.flush()
        return result


EPILOG = """Exit codes: 0 for success, 1 for errors in the spec or the files, 2 for wrong usage.

To complete commands, files, operators, codes and models in bash, run `eval "$(_NETC_COMPLETE=bash_source netc)"`. In zsh and fish, use
zsh_source and fish_source."""


@click.group(epilog=EPILOG, cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="netc %(version)s")
def cli() -> None:
    """A declarative language for neural networks, and its compiler to PyTorch and ONNX."""


def main(interrupt: Any = None) -> NoReturn:
    """Run the command line. `interrupt` handles SIGINT once a command can catch it; with None, the handler stays as it is."""
    _open_closed_streams()
    gc.freeze()  # all imported modules live to the end, so no collection needs to look at them
    gc.enable()
    gc.set_threshold(100_000)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # the name of a file may have characters that the terminal's encoding lacks
            reconfigure(errors="backslashreplace")
    cli(prog_name="netc", obj=interrupt)
    raise AssertionError("click exits")


def _open_closed_streams() -> None:
    """Open the standard streams that were closed before Python started, as in `netc ops >&-`: Python sets them to None."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:  # opened for reading, so that writing to it is an error rather than silence
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
