"""The extension for IPython, `%load_ext netc`: a cell that begins with `%%net` is a spec, and tracebacks hide netc's own frames.

In: IPython's shell, which gets one more magic command. Always: the compiled model is bound in the notebook's namespace, and displayed or
trained. A frame of the notebook's own code is never hidden.

    >>> options = read_options("small --dim T=128")
    >>> options.name, options.dim
    ('small', ['T=128'])
"""

from __future__ import annotations

import os
import shlex
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from keyword import iskeyword
from types import TracebackType
from typing import Any, NoReturn

from netc.dsl.diagnostics.render import render_text

from .. import api
from ..inputs.argument_checks import check_dims
from ..inputs.set_values import parse_constant
from ..model import Model
from .live_curve import LiveCurve

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
PARTS = tuple(os.path.realpath(HERE + part) + os.sep for part in ("dsl", "compiler"))
"""The folders of netc's code. In a checkout, `netc/dsl` and `netc/compiler` are links to folders next to `netc`."""


class _Options(ArgumentParser):
    """The parser of the words after `%%net`. It raises `ValueError` where argparse would end the process: the notebook's kernel."""

    def __init__(self) -> None:
        super().__init__("%%net", description="Compile the cell, bind the model, and show or train it.", add_help=False, allow_abbrev=False)
        self.add_argument("name", nargs="?", default="model")
        self.add_argument("--model")
        self.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
        self.add_argument("--dim", action="append", default=[], metavar="T=128")
        self.add_argument("--train", metavar="RUN")
        self.add_argument("--data", metavar="DATA")

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; {' '.join(self.format_usage().split())}")


def load_ipython_extension(shell: Any) -> None:
    """Register `%%net`, and hide netc's own frames in tracebacks unless `NETC_DEBUG` is set."""

    def net(line: str, cell: str) -> Model | None:
        """Compile the cell, bind the model to a variable, `model` if none is named, and show it. With `--train`, train it instead.

        %%net [NAME] [--model MODEL] [--set NAME=VALUE] [--dim T=128] [--train RUN [--data DATA]]
        """
        options = read_options(line)
        model = compile_cell(options, cell)
        shell.user_ns[options.name] = model
        if options.train is None:
            return model
        train_cell(model, options, shell.user_ns)
        return None

    shell.register_magic_function(net, magic_kind="cell", magic_name="net")
    if not os.environ.get("NETC_DEBUG"):
        shell.set_custom_exc((ValueError, TypeError, OSError), _show_error)


def read_options(line: str) -> Namespace:
    """Read the words after `%%net`. Raises `ValueError`."""
    try:
        options = _Options().parse_args(shlex.split(line))
    except ValueError as error:
        raise ValueError(str(error)) from None  # without the frames of argparse
    if not options.name.isidentifier() or iskeyword(options.name):
        raise ValueError(f"`{options.name}` is not a name for a variable")
    if options.data is not None and options.train is None:
        raise ValueError("`--data` is for a training: add `--train RUN`, the folder of the run")
    return options


def compile_cell(options: Namespace, cell: str) -> Model:
    """Compile a cell and print its warnings. Raises `CompileError`, or `ValueError` for a wrong option."""
    params = {name: parse_constant(value) for name, value in map(_parse_pair, options.set)}
    dims = check_dims({name: _parse_integer(name, value) for name, value in map(_parse_pair, options.dim)})
    model = api.compile(cell, model=options.model, params=params, dims=dims)
    if model.diagnostics:
        sys.stderr.write(render_text(model.diagnostics, color=True))
    return model


def train_cell(model: Model, options: Namespace, variables: Mapping[str, object]) -> None:
    """Train the model with its train section, and draw the curve meanwhile. `--data` names a variable of the notebook, or data as on the
    command line. Raises what `netc.train` raises."""
    data = options.data
    if data is not None and data.isidentifier() and data in variables:
        data = variables[data]
    from ..training.stop_signals import Interrupted

    curve = LiveCurve()
    try:
        result = api.train(model, data=data, output=options.train, report=curve)
    except Interrupted as stopped:  # the kernel's stop button
        sys.stdout.write(f"stopped at step {stopped.step}; netc.train(resume={stopped.folder!r}) continues\n")
        return
    finally:
        curve.draw()
    figures = result.summary().partition("\n")[0]  # the second line is a command for a spec that is a file
    sys.stdout.write(f"{figures}\nnetc.load({result.folder!r}) predicts with it\n")


def _show_error(shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, tb_offset: int | None = None) -> None:
    """Show an error as IPython does, without netc's frames after the last frame of other code."""
    shell.showtraceback((kind, error, cut_traceback(trace)), tb_offset=tb_offset)


def cut_traceback(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback up to the last frame that is not netc's. A traceback in netc alone stays as it is."""
    frames: list[TracebackType] = []
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    count = len(frames)
    while count and is_internal(frames[count - 1].tb_frame.f_code.co_filename):
        count -= 1
    shortened: TracebackType | None = None
    # a traceback cannot be cut in place: its links are made from the last frame to the first
    for frame in reversed(frames[:count] if count else frames):
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
