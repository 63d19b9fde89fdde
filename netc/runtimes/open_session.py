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

from .iree_session import IreeSession
from .openvino_session import OpenVinoSession
from .runtime_session import Check, RuntimeSession
from .tract_session import TractSession
from .tvm_session import TvmSession

if TYPE_CHECKING:
    from netc.compiler.backends.onnx.save import OnnxArtifact

SESSIONS: dict[str, type[RuntimeSession]] = {kind.profile.name: kind for kind in (OpenVinoSession, TractSession, IreeSession, TvmSession)}


def open_session(runtime: str, model: OnnxArtifact | str, check: Check | None = None, threads: int | None = None) -> RuntimeSession:
    """Open a session. Raises `RuntimeUnavailable` if the runtime is not installed, and `LoadFailed` if it cannot load the model."""
    kind = SESSIONS[runtime]
    if isinstance(model, str):
        return kind(model, check, threads)
    folder = TemporaryDirectory(prefix="netc-run-")
    path = str(Path(folder.name, "model.onnx"))
    model.save(path, lasting=False)
    return kind(path, check, threads, folder)
