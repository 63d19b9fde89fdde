"""Artifacts to files: the ending of the name chooses the backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from netc.compiler.backends.backend import Backend, BackendInput, WrongOutput
from netc.compiler.backends.backend_registry import find_backend, list_backends

from ..errors import raise_as_compile_error
from ..inputs.backend_input import warn_about_weights
from .atomic_writing import is_stream, write_bytes, write_files


def require_backend(path: str) -> Backend:
    """The backend that a path asks for."""
    backend = find_backend(path)
    if backend is None:
        known = " nor in ".join(f"`{one.suffix}`" for one in list_backends())
        raise WrongOutput(f"the name of the output, `{path}`, ends neither in {known}")
    return backend


def refuse_weights(backend: Backend, what: str) -> None:
    """Raises `WrongOutput` if the artifact cannot contain weights; `what` is how the caller gave them."""
    if not backend.holds_weights:
        others = " or ".join(f"`{one.suffix}`" for one in list_backends() if one.holds_weights)
        raise WrongOutput(f"{backend.artifact} holds no weights: {what} for {others}")


def refuse_options(backend: Backend, options: Iterable[str]) -> None:
    """Raises `WrongOutput` if the artifact is no graph; `options` are what the caller gave of `GraphOptions`, as people write them."""
    asked = [f"`{option}`" for option in options]
    if asked and not backend.takes_options:
        others = " or ".join(f"`{one.suffix}`" for one in list_backends() if one.takes_options)
        raise WrongOutput(f"{backend.artifact} is no graph of ONNX: {', '.join(asked)} {'is' if len(asked) == 1 else 'are'} for {others}")


def refuse_all(*checks: Callable[[], None]) -> None:
    """Raises `WrongOutput` with the messages of all checks that do, so that people mend them at once."""
    messages = []
    for check in checks:
        try:
            check()
        except ValueError as error:
            messages.append(str(error))
    if messages:
        raise WrongOutput("; ".join(messages))


def save_artifact(inputs: BackendInput, backend: Backend, path: str) -> None:
    """Writes the artifact whole, or not at all. One that holds no weights leaves out those that the model came with."""
    with warn_about_weights(inputs):
        with raise_as_compile_error(inputs.program):
            artifact = backend.build(inputs)
        if is_stream(path):
            write_bytes(path, artifact.to_bytes())
        else:
            write_files(path, artifact.save, backend.parts)
