"""Turns an origin into a proved text, for `netc import`, `netc.from_torch` and `netc.from_onnx`.

The steps: tidy the graph, fold loops, write and compile the text, leave out conditions on sizes that are not needed, and prove the text. If
a shorter text is not proved, a longer one is tried: loops are written out, or the source is read in another way.

In: an origin. Out: an `ImportedSpec`. Raises `ImportFailed` for parts without a counterpart, and `NotProved` if text and model differ.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from netc.compiler.analysis.state_dict import count_parameters
from netc.compiler.backends.net.array_storage import serialize_arrays
from netc.compiler.backends.net.artifact import name_stored_arrays
from netc.compiler.backends.net.node_stages import get_label
from netc.compiler.backends.net.spec_source import write_program
from netc.compiler.dims import WhereCondition
from netc.compiler.errors.target_errors import UnsupportedByTarget
from netc.compiler.frontends.imported_model import ImportFailed, Obstacle
from netc.compiler.frontends.masked_attention import HIDDEN_ROW_NOTE, count_masked_attentions
from netc.compiler.frontends.tidying import tidy_program
from netc.compiler.frontends.tidying.time_loops import fold_time_loops
from netc.compiler.frontends.tidying.unread_results import add_unread_results
from netc.compiler.ir.graph import OpNode, Program
from netc.compiler.ops.stored_tables import LIMIT, TableArray
from netc.dsl.escapes import escape_controls
from netc.dsl.record import Record, replace

from ..analysis import Choice, analyze
from ..api import make_model
from ..files.atomic_writing import write_files
from ..files.safetensors_arrays import SUFFIX, TextWithArrays
from ..inputs.random_inputs import choose_varied_shapes, replace_size
from .domain import Domain, find_domain
from .output_judge import NotProved
from .proof import Proof, Sizes, prove_import

if TYPE_CHECKING:
    from ..model import Model
    from .origin import Origin


class ImportedSpec(Record):
    """An imported spec. `proof` is None without verification. `seconds` are the times of reading, of writing and compiling, and of the
    proof. `arrays` are constants without a formula, which are in a file next to the text."""

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
        """Write the text, and the file with its arrays if it has any: both or neither."""

        def write(temporary: str) -> None:
            with open(temporary, "wb") as file:
                file.write(self.text.encode())
            if self.arrays:
                with open(temporary + SUFFIX, "wb") as file:
                    file.write(serialize_arrays(self.arrays))

        write_files(path, write, re.escape(SUFFIX))

    def format_report(self) -> str:
        """Describe the import in two lines."""
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
        for target, reason in self.proof.not_compared.items():
            differences += f"; not compared in {target}: {reason}"
        if self.proof.judge:
            differences += f"; {self.proof.judge}"
        return f"{lines}\n{proved}: largest difference in {differences}\nin {took}"


def import_spec(origin: Origin, *, verify: bool = True, seed: int = 0, name: str = "") -> ImportedSpec:
    """Import a model as a spec, and prove it unless `verify` is false.

    `name` is the name of the spec's file. Raises `ImportFailed` for constants that are larger than the tables of a spec may be.
    """
    try:
        return _import_as_read(origin, verify=verify, seed=seed, name=name)
    except NotProved:
        if origin.imported.otherwise is None:
            raise
        # For example, the other reading shares the layers of a module instead of the module.
        again = replace(origin, imported=origin.imported.otherwise())
        try:
            return _import_as_read(again, verify=verify, seed=seed, name=name)
        except NotProved:
            pass
        raise


def _import_as_read(origin: Origin, *, verify: bool, seed: int, name: str) -> ImportedSpec:
    begun = time.monotonic()
    written = count_masked_attentions(origin.imported.program.main)
    tidy_program(origin.imported.program)
    if count_masked_attentions(origin.imported.program.main) > written and HIDDEN_ROW_NOTE not in origin.imported.notes:
        origin = replace(origin, imported=replace(origin.imported, notes=(*origin.imported.notes, HIDDEN_ROW_NOTE)))
    # A folded loop is shorter, but a target may lack it, or its proof may fail. Then `unroll` restores the steps.
    unroll = fold_time_loops(origin.imported.program)
    try:
        return _write_and_prove(origin, begun, verify=verify, seed=seed, name=name)
    except (NotProved, UnsupportedByTarget):
        if unroll is None:
            raise
    unroll()
    return _write_and_prove(origin, begun, verify=verify, seed=seed, name=name)


def _write_and_prove(origin: Origin, begun: float, *, verify: bool, seed: int, name: str) -> ImportedSpec:
    """Write and prove the spec of a tidied model."""
    _share_results(origin.imported.program)
    writer = _SpecWriter(origin, name, verify=verify)
    compiled_text = writer.compile_text(origin.imported.program.conditions)
    domain = None
    if verify and origin.imported.widened:
        domain = find_domain(origin, compiled_text.model, lambda conditions: writer.compile_text(conditions).model, seed)
        if domain.conditions != origin.imported.program.conditions or domain.notes:
            compiled_text = writer.compile_text(domain.conditions, domain.notes)
    compiled = time.monotonic()
    proof = None
    if verify:
        try:
            proof = prove_import(compiled_text.model, origin, seed, points=_list_proof_sizes(compiled_text.model, origin, domain))
        except NotProved:
            # A condition that was left out may be needed after all.
            if domain is None or not domain.is_wider:
                raise
            compiled_text = writer.compile_text(domain.all_conditions, domain.all_notes)
            proof = prove_import(compiled_text.model, origin, seed)
    compiled_text.model.weights = origin.imported.weights
    seconds = (origin.seconds, compiled - begun, time.monotonic() - compiled)
    return ImportedSpec(compiled_text.text, compiled_text.model, proof, seconds, writer.arrays, compiled_text.notes)


def _share_results(program: Program) -> None:
    """Let calls of a class return the same results if that makes the text shorter: one block then does for several."""
    restore = add_unread_results(program.main)
    if restore is None:
        return
    longer = write_program(program)
    restore()
    # A loop of layers of which only the last one returns more is shorter with two blocks.
    if len(longer.splitlines()) < len(write_program(program).splitlines()):
        add_unread_results(program.main)


def _list_proof_sizes(model: Model, origin: Origin, domain: Domain | None) -> list[Sizes]:
    """List the sizes for the proof: the domain's or usual ones, and further ones that the import asks for."""
    usual: list[Sizes] = list(choose_varied_shapes(model.program, 2) if domain is None else domain.sizes)
    further = [replace_size(model.program, usual[0][0], name, size) for name, size in origin.imported.further]
    return [*usual, *(sizes for sizes in further if sizes is not None)]


_NO_NAME = "has its parameters in the model itself, and not in a module with a name"
_WRAP = "make it a layer of another module: a stage of a spec has a name, with which its keys begin"


def _list_bare_layers(program: Program, keys: Iterable[str]) -> list[OpNode]:
    """List the layers whose keys have no level: the module itself is the layer. Any other key begins with the label of a stage."""
    nodes = program.main.nodes
    if {key for key in keys if "." not in key} <= {node.label for node in nodes}:
        return []
    return [node for node in nodes if isinstance(node, OpNode) and not node.label and get_label(node) is not None]


class _CompiledText(Record):
    """A text, the model that it compiles to, and the notes for the user."""

    text: str
    model: Model
    notes: tuple[str, ...]


class _SpecWriter:
    """Writes the text of an origin. Raises `ImportFailed` for constants that are larger than the tables of a spec may be."""

    def __init__(self, origin: Origin, name: str, *, verify: bool) -> None:
        self.origin, self.verify = origin, verify
        program = origin.imported.program
        self.name = name or f"{program.main.name}.net"
        self.stored = name_stored_arrays(program, self.name)
        if sum(len(array.data) for array in self.stored.arrays) > LIMIT:
            raise ImportFailed((Obstacle("constants", f"are larger than {LIMIT >> 20} MiB together", origin.what),))
        bare = _list_bare_layers(program, origin.imported.weights)
        if bare:
            raise ImportFailed(tuple(Obstacle(node.op.name, _NO_NAME, origin.what, _WRAP) for node in bare))

    @property
    def arrays(self) -> tuple[TableArray, ...]:
        return tuple(self.stored.arrays)

    def compile_text(self, conditions: Sequence[tuple[WhereCondition, str]], notes: Sequence[str] = ()) -> _CompiledText:
        """Write and compile the text with these conditions in its `where`. Raises `NotProved` if it does not compile."""
        read = self.origin.imported.program
        program = Program(read.main, read.facts, read.symbols, tuple(conditions), read.dims)
        known = (*self.origin.imported.notes, *notes)
        comments = [f"Imported by netc from {_to_one_line(self.origin.what)}" + ("." if self.verify else ", and not compared with it.")]
        text = write_program(program, [*comments, *map(_to_one_line, known)], self.stored)
        arrays = {self.stored.file: {array.name: array for array in self.stored.arrays}}
        analysis = analyze(TextWithArrays(self.name, text, arrays), Choice())
        errors = [d for d in analysis.diagnostics if d.severity == "error"]
        if errors:
            raise NotProved(f"the text that was made does not compile: {errors[0].message}: `{errors[0].span.text[:80]}`")
        return _CompiledText(text, make_model(analysis, Choice()), known)


def _to_one_line(text: str) -> str:
    """Return a text for a comment: a line break would end the comment."""
    return escape_controls(" ".join(text.split()))
