"""What `netc import`, `netc.from_torch` and `netc.from_onnx` do: from an origin to a text that was proved.

In: an origin. Out: an `ImportedSpec`. Raises `ImportFailed` for what has no counterpart, `NotProved` if the text is not the model.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from netc.compiler.analysis.state_dict import count_parameters
from netc.compiler.backends.net.array_storage import serialize_arrays
from netc.compiler.backends.net.artifact import name_stored_arrays
from netc.compiler.backends.net.spec_source import write_program
from netc.compiler.dims import WhereCondition
from netc.compiler.errors.target_errors import UnsupportedByTarget
from netc.compiler.frontends.imported_model import ImportFailed, Obstacle
from netc.compiler.frontends.masked_attention import NOTHING_LEFT, masked_attentions
from netc.compiler.frontends.tidying import tidy_program
from netc.compiler.frontends.tidying.time_loops import fold_time_loops
from netc.compiler.ir.graph import Program
from netc.compiler.ops.stored_tables import LIMIT, TableArray
from netc.dsl.escapes import escape_controls
from netc.dsl.record import Record, replace

from ..analysis import Choice, analyze
from ..api import model_of
from ..files.atomic_writing import write_files
from ..files.safetensors_arrays import SUFFIX, TextWithArrays
from ..inputs.random_inputs import choose_varied_shapes, replace_size
from .domain import Domain, domain_of
from .proof import NotProved, Proof, Sizes, prove

if TYPE_CHECKING:
    from ..model import Model
    from .origin import Origin


class ImportedSpec(Record):
    """A spec that was imported. `proof` is None if none was asked for; `seconds` are those of reading, of writing and compiling, and of the
    proof. `arrays` are the tables that no formula gives: the file next to the text has them."""

    text: str
    model: Model
    proof: Proof | None
    seconds: tuple[float, float, float]
    arrays: tuple[TableArray, ...] = ()
    notes: tuple[str, ...] = ()
    """Notes for the user, in whole sentences."""

    @property
    def files(self) -> dict[str, dict[str, TableArray]]:
        """The file with the arrays, by its path in the text."""
        return {self.arrays[0].path: {array.name: array for array in self.arrays}} if self.arrays else {}

    def save(self, path: str) -> None:
        """Writes the text, and the file with its arrays if it has any, both or neither."""

        def write(temporary: str) -> None:
            with open(temporary, "wb") as file:
                file.write(self.text.encode())
            if self.arrays:
                with open(temporary + SUFFIX, "wb") as file:
                    file.write(serialize_arrays(self.arrays))

        write_files(path, write, re.escape(SUFFIX))

    def report(self) -> str:
        """What was made, in two lines."""
        learned, tensors = count_parameters(self.model.parameters), len(self.model.parameters)
        lines = f"{len(self.text.splitlines())} lines, {learned:,} parameters in {tensors} tensors"
        if self.arrays:
            lines += f"; {len(self.arrays)} constants without a formula, in a file next to the spec"
        took = f"{sum(self.seconds):.1f} s"
        if self.proof is None:
            return f"{lines}; not compared with the original\nin {took}"
        sizes = "; ".join(", ".join(f"{n}={s}" for n, s in sizes.items()) for sizes in self.proof.sizes if sizes)
        proved = f"proved for {sizes}" if sizes else "proved"
        differences = ", ".join(f"{target} {value:.1g}" for target, value in self.proof.differences.items())
        if self.proof.training is not None:
            differences += f", in training {self.proof.training:.1g}"
        if self.proof.rounded is not None:
            differences += f"; the quantized file differs by {self.proof.rounded:.1g}"
        if self.proof.inexact:
            differences += f", compared in float64, from which the original itself differs by {self.proof.inexact:.1g}"
        if self.proof.skipped:
            differences += f"; not compared in ONNX Runtime: {self.proof.skipped}"
        if self.proof.judge:
            differences += f"; {self.proof.judge}"
        return f"{lines}\n{proved}: largest difference in {differences}\nin {took}"


def spec_of(origin: Origin, *, verify: bool = True, seed: int = 0, name: str = "") -> ImportedSpec:
    """The spec of a model, proved unless `verify` is false. `name` is what its file is called. Raises `ImportFailed` for constants that are
    larger than the tables of a spec may be."""
    try:
        return _spec_as_read(origin, verify=verify, seed=seed, name=name)
    except NotProved:
        if origin.imported.otherwise is None:
            raise
        again = replace(origin, imported=origin.imported.otherwise())
        try:
            return _spec_as_read(again, verify=verify, seed=seed, name=name)
        except NotProved:
            pass
        raise


def _spec_as_read(origin: Origin, *, verify: bool, seed: int, name: str) -> ImportedSpec:
    begun = time.monotonic()
    written = masked_attentions(origin.imported.program.main)
    tidy_program(origin.imported.program)
    if masked_attentions(origin.imported.program.main) > written and NOTHING_LEFT not in origin.imported.notes:
        origin = replace(origin, imported=replace(origin.imported, notes=(*origin.imported.notes, NOTHING_LEFT)))
    unroll = fold_time_loops(origin.imported.program)
    try:
        return _written(origin, begun, verify=verify, seed=seed, name=name)
    except (NotProved, UnsupportedByTarget):
        if unroll is None:
            raise
    unroll()
    return _written(origin, begun, verify=verify, seed=seed, name=name)


def _written(origin: Origin, begun: float, *, verify: bool, seed: int, name: str) -> ImportedSpec:
    """The spec of a model that has been tidied."""
    writer = _Writer(origin, name, verify=verify)
    made = writer.compiled(origin.imported.program.conditions)
    domain = None
    if verify and origin.imported.widened and origin.imported.program.conditions:
        domain = domain_of(origin, made.model, lambda conditions: writer.compiled(conditions).model, seed)
        made = writer.compiled(domain.conditions, domain.notes)
    compiled = time.monotonic()
    proof = None
    if verify:
        try:
            proof = prove(made.model, origin, seed, at=_proved_sizes(made.model, origin, domain))
        except NotProved:
            if domain is None or not domain.is_wider:
                raise
            made = writer.compiled(origin.imported.program.conditions, domain.all_notes)
            proof = prove(made.model, origin, seed)
    made.model.weights = origin.imported.weights
    seconds = (origin.seconds, compiled - begun, time.monotonic() - compiled)
    return ImportedSpec(made.text, made.model, proof, seconds, writer.arrays, made.notes)


def _proved_sizes(model: Model, origin: Origin, domain: Domain | None) -> list[Sizes]:
    """The sizes for the proof: those of the domain or usual ones, and what the import asks for."""
    usual: list[Sizes] = list(choose_varied_shapes(model.program, 2) if domain is None else domain.sizes)
    further = [replace_size(model.program, usual[0][0], name, size) for name, size in origin.imported.further]
    return [*usual, *(sizes for sizes in further if sizes is not None)]


class _Made(Record):
    """A text, the model that it compiles to, and the notes for the user."""

    text: str
    model: Model
    notes: tuple[str, ...]


class _Writer:
    """Writes the text of an origin. Raises `ImportFailed` for constants that are larger than the tables of a spec may be."""

    def __init__(self, origin: Origin, name: str, *, verify: bool) -> None:
        self.origin, self.verify = origin, verify
        program = origin.imported.program
        self.name = name or f"{program.main.name}.net"
        self.stored = name_stored_arrays(program, self.name)
        if sum(len(array.data) for array in self.stored.arrays) > LIMIT:
            raise ImportFailed((Obstacle("constants", f"are larger than {LIMIT >> 20} MiB together", origin.what),))

    @property
    def arrays(self) -> tuple[TableArray, ...]:
        return tuple(self.stored.arrays)

    def compiled(self, conditions: Sequence[tuple[WhereCondition, str]], notes: Sequence[str] = ()) -> _Made:
        """The text with these conditions in its `where`. Raises `NotProved` if it does not compile."""
        read = self.origin.imported.program
        program = Program(read.main, read.facts, read.symbols, tuple(conditions), read.dims)
        known = (*self.origin.imported.notes, *notes)
        comments = [f"Imported by netc from {_in_one_line(self.origin.what)}" + ("." if self.verify else ", and not compared with it.")]
        text = write_program(program, [*comments, *map(_in_one_line, known)], self.stored)
        arrays = {self.stored.file: {array.name: array for array in self.stored.arrays}}
        analysis = analyze(TextWithArrays(self.name, text, arrays), Choice())
        errors = [d for d in analysis.diagnostics if d.severity == "error"]
        if errors:
            raise NotProved(f"the text that was made does not compile: {errors[0].message}: `{errors[0].span.text[:80]}`")
        return _Made(text, model_of(analysis, Choice()), known)


def _in_one_line(text: str) -> str:
    """The text for a comment."""
    return escape_controls(" ".join(text.split()))
