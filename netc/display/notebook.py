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
from ..cli.set_values import parse_constant
from ..inputs.argument_checks import checked_dims
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
        name, made = compiled(line, cell)
        shell.user_ns[name] = made
        return made

    shell.register_magic_function(net, magic_kind="cell", magic_name="net")
    if not os.environ.get("NETC_DEBUG"):
        shell.set_custom_exc((ValueError, TypeError, OSError), _show)


def compiled(line: str, cell: str) -> tuple[str, Model]:
    """The name of the variable, and the model of a cell; its warnings are printed. Raises `CompileError`, or `ValueError` for the line."""
    try:
        given = _Options().parse_args(shlex.split(line))
    except ValueError as error:
        raise ValueError(str(error)) from None  # without the frames of argparse
    if not given.name.isidentifier() or iskeyword(given.name):
        raise ValueError(f"`{given.name}` is not a name for a variable")
    params = {name: parse_constant(value) for name, value in map(_pair, given.set)}
    dims = checked_dims({name: _integer(name, value) for name, value in map(_pair, given.dim)})
    made = api.compile(cell, model=given.model, params=params, dims=dims)
    if made.diagnostics:
        sys.stderr.write(render_text(made.diagnostics, color=True))
    return given.name, made


def _show(shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, tb_offset: int | None = None) -> None:
    """Shows an error as IPython does, without the frames of netc that follow the last one of somebody else."""
    shell.showtraceback((kind, error, cut(trace)), tb_offset=tb_offset)


def cut(trace: TracebackType | None) -> TracebackType | None:
    """The traceback up to the last frame that is not netc's, if it ends in netc."""
    frames: list[TracebackType] = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    kept = len(frames)
    while kept and is_internal(frames[kept - 1].tb_frame.f_code.co_filename):
        kept -= 1
    made: TracebackType | None = None
    for frame in reversed(frames[:kept] if kept else frames):
        made = TracebackType(made, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return made


def is_internal(path: str) -> bool:
    """Whether a file is part of netc."""
    real = os.path.realpath(path)
    return real.startswith((HERE, *PARTS))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"`{text}` is not of the form NAME=VALUE")
    return name, value


def _integer(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"`{name}` is to be an integer, not `{value}`") from None
