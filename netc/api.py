"""The Python API: texts and paths come in, a `Model` goes out, or a `CompileError` with everything that is wrong.

What is asked for in a wrong way, such as a seed that is no integer, is a `TypeError` or `ValueError`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from netc.dsl.source import SourceFile

from .analysis import Analysis, Choice, analyse
from .arguments import checked_dims, checked_name, checked_params, checked_path, checked_paths, checked_text
from .errors import CompileError
from .files import Unreadable, read_file
from .hashing import spec_hash
from .model import Model

TEXT = "<text>"


def compile(
    text: str,
    *,
    model: str | None = None,
    params: Mapping[str, object] | None = None,
    dims: Mapping[str, int] | None = None,
    allow_paths: Iterable[str | os.PathLike[str]] = (),
) -> Model:
    """Compiles the text of a spec.

    `model` names one of several models, `params` override its parameters, `dims` fix symbolic dimensions. Files that it uses are found
    relative to the current directory, and must be in it: at any depth, named `.net`. `allow_paths` are folders that they may be in too.
    """
    choice = _choice(model, params, dims, allow_paths)
    return model_of(analyse(SourceFile(TEXT, checked_text(text)), choice), choice)


def compile_file(
    path: str | os.PathLike[str],
    *,
    model: str | None = None,
    params: Mapping[str, object] | None = None,
    dims: Mapping[str, int] | None = None,
    allow_paths: Iterable[str | os.PathLike[str]] = (),
) -> Model:
    """Compiles a file; the rest is as for `compile`. A file that cannot be read is a `CompileError` too."""
    where = checked_path(path)
    choice = _choice(model, params, dims, allow_paths)
    try:
        source = read_file(where)
    except Unreadable as error:
        raise CompileError((error.diagnostic,)) from None
    return model_of(analyse(source, choice, where), choice)


def _choice(model: object, params: object, dims: object, allow_paths: object) -> Choice:
    return Choice(checked_name(model, "model"), checked_params(params), checked_dims(dims), checked_paths(allow_paths))


def model_of(analysis: Analysis, choice: Choice) -> Model:
    """The model that an analysis found."""
    if analysis.program is None:
        raise CompileError(analysis.with_model().diagnostics)
    return Model(analysis.program, analysis.diagnostics, spec_hash(analysis, choice))
