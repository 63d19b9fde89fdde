"""Writes the text of a spec for a graph, the reverse of elaboration. A program that was elaborated from a text keeps its definitions.

>>> import netc
>>> print(netc.compile("x = input 3;   y = x -> dense 2 -> sigmoid; y").source("net"), end="")
x = input 3
y = x -> dense 2 -> sigmoid
y
"""

from __future__ import annotations

from ..backend import Artifact, Backend, BackendInput


class NetBackend(Backend):
    """Writes a spec that depends on nothing else."""

    name = "net"
    title = "a spec"
    suffix = ".net"
    parts = r"\.safetensors"

    def text(self, given: BackendInput) -> str:
        from .artifact import write_spec

        return write_spec(given.program)

    def build(self, given: BackendInput) -> Artifact:
        from .artifact import SpecArtifact

        return SpecArtifact(given.program)


BACKEND = NetBackend()
