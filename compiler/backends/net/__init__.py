"""Graph to the text of a spec: what elaboration does, backwards."""

from __future__ import annotations

from ..backend import Artefact, Backend, BackendInput


class NetBackend(Backend):
    """Writes a spec that depends on nothing else."""

    name = "net"
    title = "a spec"
    suffix = ".net"
    parts = r"\.safetensors"

    def text(self, given: BackendInput) -> str:
        from .spec_source import text_of

        return text_of(given.program)

    def build(self, given: BackendInput) -> Artefact:
        from .artefact import SpecArtefact

        return SpecArtefact(given.program)


BACKEND = NetBackend()
