"""Open a session of a runtime.

In: the name of a runtime, and an ONNX model in a file, in memory, or not yet written. Out: a `RuntimeSession`. Always: a model that is
written for the session is a temporary file, which the session keeps as long as it lives, because runtimes map weights from it.

    >>> list(SESSIONS)
    ['openvino', 'tract', 'iree', 'tvm']
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import onnx

from netc.compiler.backends.onnx.model_ports import read_ports
from netc.compiler.backends.onnx.runtime_profiles import RuntimeProfile
from netc.compiler.backends.onnx.runtime_profiles.require_sizes import explain_sizes

from .iree_session import IreeSession
from .openvino_session import OpenVinoSession
from .runtime_session import Check, LoadFailed, RuntimeSession
from .tract_session import TractSession
from .tvm_session import TvmSession

if TYPE_CHECKING:
    from netc.compiler.backends.onnx.save import OnnxArtifact

SESSIONS: dict[str, type[RuntimeSession]] = {kind.profile.name: kind for kind in (OpenVinoSession, TractSession, IreeSession, TvmSession)}


def open_session(runtime: str, model: OnnxArtifact | str, check: Check | None = None, threads: int | None = None) -> RuntimeSession:
    """Open a session. Raises `RuntimeUnavailable` if the runtime is not installed, and `LoadFailed` if it cannot load or run the model."""
    kind = SESSIONS[runtime]
    if isinstance(model, str):
        kind.require_modules()
        try:
            _refuse_limits(model, kind.profile)
        except onnx.shape_inference.InferenceError as error:
            raise LoadFailed(f"{kind.profile.title} cannot load `{model}`: {kind.shorten_message(str(error))}") from None
        return kind(model, check, threads)
    folder = TemporaryDirectory(prefix="netc-run-")
    path = str(Path(folder.name, "model.onnx"))
    model.save(path, lasting=False)
    return kind(path, check, threads, folder)


def _refuse_limits(path: str, profile: RuntimeProfile) -> None:
    """Raise `LoadFailed` for a file with an input, an output or a node that the runtime cannot run. A graph that netc writes for a runtime
    has been checked."""
    from netc.compiler.backends.onnx.runtime_profiles.find_limits import find_limits

    try:
        model = onnx.load(path, load_external_data=False)
    except OSError:
        raise
    except Exception:  # protobuf's own class of error has no name that is public
        raise LoadFailed(f"{profile.title} cannot load `{path}`: it is no ONNX model, its content has another format") from None
    names = [value.name for value in model.graph.output]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise LoadFailed(f"{profile.title} cannot run the model, which returns `{repeated}` twice: give each output a name of its own")
    inputs, outputs = read_ports(path)
    for port in (*inputs.values(), *outputs.values()):
        if port.dtype.name in profile.lacking:
            raise LoadFailed(
                f"{profile.title} cannot run the model, in which `{port.name}` is {port.dtype}: {profile.lacking[port.dtype.name]}"
            )
    symbols = tuple(dict.fromkeys(axis for port in inputs.values() for axis in port.shape if isinstance(axis, str)))
    if profile.needs_sizes and symbols:
        reason, advice = explain_sizes(symbols)
        raise LoadFailed(f"{profile.title} cannot run the model: {reason}; compile it anew, and {advice}")
    found = next(find_limits(model, profile), None)
    if found is not None:
        raise LoadFailed(f"{profile.title} cannot run `{found.name or found.op_type}`, a node of {found.op_type}: {found.reason}")
