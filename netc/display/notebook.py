"""`%load_ext netc`: a cell that begins with `%%net` is a spec, and errors are shown without what netc does inside.

In: IPython's shell. Out: nothing; the shell has one more magic command. Always: what a cell is compiled to is bound in the notebook's
namespace and displayed; a frame of the notebook's own code is never hidden.
"""

from __future__ import annotations

import os
import shlex
import sys
from argparse import ArgumentParser
from keyword import iskeyword
from types import TracebackType
from typing import Any, NoReturn

from netc.dsl.diagnostics.render import render_text

from .. import api
from ..inputs.argument_checks import check_dims
from ..inputs.set_values import parse_constant
from ..model import Model

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
PARTS = tuple(os.path.realpath(HERE + part) + os.sep for part in ("dsl", "compiler"))
"""Where the code of netc is; in a checkout, some of it is elsewhere."""


class _Options(ArgumentParser):
    """The words after `%%net`. What makes no sense is a `ValueError`: a notebook has no process to end."""

    def __init__(self) -> None:
        super().__init__("%%net", description="Compile the cell, bind the model, and show it.", add_help=False, allow_abbrev=False)
        self.add_argument("name", nargs="?", default="model")
        self.add_argument("--model")
        self.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
        self.add_argument("--dim", action="append", default=[], metavar="T=128")

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; {' '.join(self.format_usage().split())}")


def load_ipython_extension(shell: Any) -> None:
    """Registers `%%net`, and hides netc's own frames in errors."""

    def net(line: str, cell: str) -> Model:
        """Compile the cell, bind the model to a variable, `model` if none is named, and show it.

        %%net [NAME] [--model MODEL] [--set NAME=VALUE] [--dim T=128]
        """
        name, made = compile_cell(line, cell)
        shell.user_ns[name] = made
        return made

    shell.register_magic_function(net, magic_kind="cell", magic_name="net")
    if not os.environ.get("NETC_DEBUG"):
        shell.set_custom_exc((ValueError, TypeError, OSError), _show_error)


def compile_cell(line: str, cell: str) -> tuple[str, Model]:
    """The name of the variable, and the model of a cell; its warnings are printed. Raises `CompileError`, or `ValueError` for the line."""
    try:
        options = _Options().parse_args(shlex.split(line))
    except ValueError as error:
        raise ValueError(str(error)) from None  # without the frames of argparse
    if not options.name.isidentifier() or iskeyword(options.name):
        raise ValueError(f"`{options.name}` is not a name for a variable")
    params = {name: parse_constant(value) for name, value in map(_parse_pair, options.set)}
    dims = check_dims({name: _parse_integer(name, value) for name, value in map(_parse_pair, options.dim)})
    model = api.compile(cell, model=options.model, params=params, dims=dims)
    if model.diagnostics:
        sys.stderr.write(render_text(model.diagnostics, color=True))
    return options.name, model


def _show_error(shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, tb_offset: int | None = None) -> None:
    """Shows an error as IPython does, without the frames of netc that follow the last one of somebody else."""
    shell.showtraceback((kind, error, cut_traceback(trace)), tb_offset=tb_offset)


def cut_traceback(trace: TracebackType | None) -> TracebackType | None:
    """The traceback up to the last frame that is not netc's, if it ends in netc."""
    frames: list[TracebackType] = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    kept = len(frames)
    while kept and is_internal(frames[kept - 1].tb_frame.f_code.co_filename):
        kept -= 1
    shortened: TracebackType | None = None
    for frame in reversed(frames[:kept] if kept else frames):
        shortened = TracebackType(shortened, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return shortened


def is_internal(path: str) -> bool:
    """Whether a file is part of netc."""
    real = os.path.realpath(path)
    return real.startswith((HERE, *PARTS))


def _parse_pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"`{text}` is not of the form NAME=VALUE")
    return name, value


def _parse_integer(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"`{name}` is to be an integer, not `{value}`") from None
