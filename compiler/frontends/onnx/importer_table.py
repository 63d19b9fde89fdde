"""The table of ONNX's operators: what each becomes, and why some become nothing.

An importer is a function of a `Site` that gives what the node's outputs are:

    @imports("Relu", to="relu")
    def relu(site: Site) -> Value:
        return site.one("relu", site.x())
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .importer_site import Site
from .onnx_values import Item

Importer = Callable[[Site], "Item | Sequence[Item]"]
STANDARD = ("", "ai.onnx")

TABLE: dict[str, Importer] = {}
COUNTERPARTS: dict[str, str] = {}
"""The operators of netc that each of ONNX becomes, for the reference."""
REASONS: dict[str, str] = {}
"""Why an operator of ONNX has no counterpart; completes "... ": a sentence's end."""


def imports(*names: str, to: str | Sequence[str]) -> Callable[[Importer], Importer]:
    """Registers the importer of ONNX operators; those outside of the standard set as `domain:name`. `to`: the operators of netc that they
    become, for all of them or for each; nothing for what is computed at import."""

    def register(importer: Importer) -> Importer:
        for name, counterpart in zip(names, [to] * len(names) if isinstance(to, str) else to, strict=True):
            if name in TABLE:
                raise ValueError(f"two importers for {name}")
            TABLE[name] = importer
            COUNTERPARTS[name] = counterpart
        return importer

    return register


def without(why: str, *names: str) -> None:
    """Registers operators that have no counterpart."""
    REASONS.update(dict.fromkeys(names, why))


def key(domain: str, op_type: str) -> str:
    return op_type if domain in STANDARD else f"{domain}:{op_type}"
