"""The table of ONNX operators: the importer of each, and why some have none.

An importer is a function that takes an `OnnxSite` and returns the outputs of the node:

    @imports("Relu", to="relu")
    def import_relu(site: OnnxSite) -> Value:
        return site.apply_op("relu", site.input())
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .importer_site import OnnxSite
from .onnx_values import Item

OperatorImporter = Callable[[OnnxSite], "Item | Sequence[Item]"]
STANDARD = ("", "ai.onnx")

TABLE: dict[str, OperatorImporter] = {}
COUNTERPARTS: dict[str, str] = {}
"""The operators of netc that each of ONNX becomes, for the reference."""
REASONS: dict[str, str] = {}
"""The reasons why operators of ONNX have no counterpart. Each completes a sentence that begins with the operator."""


def imports(*names: str, to: str | Sequence[str]) -> Callable[[OperatorImporter], OperatorImporter]:
    """Register the importer of ONNX operators. Operators outside of the standard set are `domain:name`.

    `to` names the operators of netc that they become, one text for all of them or one for each. It is empty for operators that the import
    computes.
    """

    def register(importer: OperatorImporter) -> OperatorImporter:
        for name, counterpart in zip(names, [to] * len(names) if isinstance(to, str) else to, strict=True):
            if name in TABLE:
                raise ValueError(f"two importers for {name}")
            TABLE[name] = importer
            COUNTERPARTS[name] = counterpart
        return importer

    return register


def register_unsupported(why: str, *names: str) -> None:
    """Register operators that have no counterpart."""
    REASONS.update(dict.fromkeys(names, why))


def make_key(domain: str, op_type: str) -> str:
    return op_type if domain in STANDARD else f"{domain}:{op_type}"
