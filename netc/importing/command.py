"""What `netc import`, `netc.from_torch` and `netc.from_onnx` do: from an origin to a text that was proved.

In: an origin. Out: an `ImportedSpec`. Raises `ImportFailed` for what has no counterpart, `NotProved` if the text is not the model.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netc.compiler.analysis.parameters import count
from netc.compiler.backends.net.emit import text_of
from netc.dsl.record import Record
from netc.dsl.source import SourceFile

from ..analysis import Choice, analyse
from ..api import model_of
from .proof import NotProved, Proof, prove

if TYPE_CHECKING:
    from ..model import Model
    from .origin import Origin


class ImportedSpec(Record):
    """A spec that was imported. `proof` is None if none was asked for; `seconds` are those of reading, of writing and compiling, and of the
    proof."""

    text: str
    model: Model
    proof: Proof | None
    seconds: tuple[float, float, float]

    def report(self) -> str:
        """What was made, in two lines."""
        lines = f"{len(self.text.splitlines())} lines, {count(self.model.parameters):,} parameters in {len(self.model.parameters)} tensors"
        took = f"{sum(self.seconds):.1f} s"
        if self.proof is None:
            return f"{lines}; not compared with the original\nin {took}"
        sizes = "; ".join(", ".join(f"{n}={s}" for n, s in sizes.items()) for sizes in self.proof.sizes)
        differences = ", ".join(f"{target} {value:.1g}" for target, value in self.proof.differences.items())
        return f"{lines}\nproved for {sizes}: largest difference in {differences}\nin {took}"


def spec_of(origin: Origin, *, verify: bool = True, seed: int = 0) -> ImportedSpec:
    """The spec of a model, proved unless `verify` is false."""
    begun = time.monotonic()
    comments = [f"Imported by netc from {printable(origin.what)}" + ("." if verify else ", and not compared with it.")]
    comments += [printable(note) for note in origin.imported.notes]
    text = text_of(origin.imported.program, comments)
    analysis = analyse(SourceFile(f"{origin.imported.program.main.name}.net", text), Choice())
    errors = [d for d in analysis.diagnostics if d.severity == "error"]
    if errors:
        raise NotProved(f"the text that was made does not compile: {errors[0].message}: `{errors[0].span.text[:80]}`")
    model = model_of(analysis, Choice())
    model.weights = origin.imported.weights
    compiled = time.monotonic()
    proof = prove(model, origin, seed) if verify else None
    return ImportedSpec(text, model, proof, (origin.seconds, compiled - begun, time.monotonic() - compiled))


def printable(text: str) -> str:
    """The text in one line, for a comment."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
