"""Save the artifacts of backends to files. The ending of the name chooses the backend.

>>> require_backend("model.onnx").title
'ONNX'
>>> require_backend("model.txt")
Traceback (most recent call last):
netc.compiler.backends.backend.WrongOutput: the name of the output, `model.txt`, has the ending of no target:
`.py`, `.onnx`, `.net`, `.pte`, `.tflite`, `.mlpackage`
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from netc.compiler.backends.backend import Backend, BackendInput, WrongOutput
from netc.compiler.backends.backend_registry import find_backend, list_backends

from ..errors import raise_as_compile_error
from ..inputs.backend_input import warn_about_signature, warn_about_weights
from .atomic_writing import is_stream, write_bytes, write_files, write_folder


def require_backend(path: str) -> Backend:
    """Return the backend that the ending of a path names. Raises `WrongOutput` if there is none."""
    backend = find_backend(path)
    if backend is None:
        known = ", ".join(dict.fromkeys(f"`{known_backend.suffix}`" for known_backend in list_backends()))
        raise WrongOutput(f"the name of the output, `{path}`, has the ending of no target: {known}")
    return backend


def refuse_weights(backend: Backend, what: str) -> None:
    """Raise `WrongOutput` if the artifact cannot contain weights. `what` names the caller's arguments: `--weights and --seed are`."""
    if not backend.holds_weights:
        others = " or ".join(f"`{other.suffix}`" for other in list_backends() if other.holds_weights)
        raise WrongOutput(f"{backend.artifact} holds no weights: {what} for {others}")


def refuse_options(backend: Backend, options: Iterable[str]) -> None:
    """Raise `WrongOutput` if the artifact is not an ONNX graph. `options` are the user's options of `GraphOptions`, as users write them."""
    asked = [f"`{option}`" for option in options]
    if asked and not backend.takes_options:
        others = " or ".join(f"`{other.suffix}`" for other in list_backends() if other.takes_options)
        raise WrongOutput(f"{backend.artifact} is no graph of ONNX: {', '.join(asked)} {'is' if len(asked) == 1 else 'are'} for {others}")


def refuse_source_options(backend: Backend, options: Iterable[str]) -> None:
    """Raise `WrongOutput` if the backend takes no `SourceOptions`. `options` are the user's, as users write them."""
    asked = [f"`{option}`" for option in options]
    if asked and not backend.takes_source_options:
        others = " or ".join(f"`{other.name}`" for other in list_backends() if other.takes_source_options)
        raise WrongOutput(f"{', '.join(asked)} {'is' if len(asked) == 1 else 'are'} for the target {others}, not for {backend.artifact}")


def refuse_all(*checks: Callable[[], None]) -> None:
    """Raise `WrongOutput` with the messages of all failing checks, so that users see all mistakes at once."""
    messages = []
    for check in checks:
        try:
            check()
        except ValueError as error:
            messages.append(str(error))
    if messages:
        raise WrongOutput("; ".join(messages))


def save_artifact(inputs: BackendInput, backend: Backend, path: str) -> None:
    """Write the artifact completely, or not at all. An artifact without weights ignores the weights of an imported model."""
    warn_about_signature(inputs, backend)
    with warn_about_weights(inputs):
        with raise_as_compile_error(inputs.program):
            artifact = backend.build(inputs)
        if is_stream(path):
            write_bytes(path, artifact.to_bytes())
        elif backend.folder_marker is not None:
            write_folder(path, artifact.save, backend.folder_marker)
        else:
            write_files(path, artifact.save, backend.parts)
