"""The registry of backends.

In: the name of a target, or the path of an output: `get_or_raise("torch")`. Out: its backend. Always: no backend is imported before it is
needed. The order is the order in help and documentation.

A backend is a folder here, whose package has a `BACKEND`, and its line in backend_names.py.

    >>> get_or_raise("torch").title, find_backend("model.onnx").name
    ('PyTorch', 'onnx')
    >>> get_or_raise("onx")
    Traceback (most recent call last):
    netc.compiler.backends.backend_registry.UnknownTarget: there is no target `onx`: did you mean `onnx`?
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from netc.dsl.diagnostics.suggest import find_similar_names

from .backend import Backend, has_suffix
from .backend_names import ARTIFACTS

NAMES = tuple(ARTIFACTS)


class UnknownTarget(ValueError):
    """There is no backend with this name."""


def get_or_raise(name: str) -> Backend:
    """Return the backend called `name`. Raise `UnknownTarget`, which suggests the nearest name, if there is none."""
    if name not in NAMES:
        meant, known = find_similar_names(name, NAMES), ", ".join(f"`{n}`" for n in NAMES)
        raise UnknownTarget(f"there is no target `{name}`: " + (f"did you mean `{meant[0]}`?" if meant else f"the targets are {known}"))
    return _load_backend(name)


def list_backends() -> list[Backend]:
    """Return all backends, in the order of help and documentation."""
    return [_load_backend(name) for name in NAMES]


def find_backend(path: str) -> Backend | None:
    """Return the backend for the ending of a path; of several with this ending, the first."""
    return next((backend for backend in list_backends() if has_suffix(backend, path)), None)


@cache
def _load_backend(name: str) -> Backend:
    backend: Backend = import_module(f".{name}", __package__).BACKEND
    return backend
