"""What a section computes, as functions: the sums of a batch, what they are divided by, and loss and metrics of both.

In: a section cut at its means. Out: the texts of `compute_totals(model, batch)`, `compute_counts(batch)` and
`compute_metrics(totals, counts)`, and of what these
call. Always: a batch is a dict of tensors `[N, ...]` by input; what needs a module, such as constants of the section, is a class with one
instance.
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.compiler.analysis.means import Means
from netc.compiler.backends.python.identifiers import local, unique
from netc.compiler.backends.python.unsupported_python import MissingSize
from netc.compiler.backends.torch.torch_source import Parts, function, parts
from netc.compiler.ir.graph import Graph, Node, Program
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import MODEL, Training
from netc.compiler.ir.walk import needed
from netc.compiler.types.tensor_types import BATCH
from netc.dsl.record import Record

from .batch_columns import column, dim_text, size_of
from .lines import call, listed, literal, quoted

RESERVED = ("model", "batch", "sums", "compute_sums", "prepare_inputs")
"""The names in `compute_totals` that are not values of the spec."""


class Functions(Record):
    """The texts in their order, the definitions that they use, the names of those that are instances of modules, and the
    modules of plugins that they need."""

    texts: tuple[str, ...]
    definitions: tuple[str, ...]
    modules: tuple[str, ...]
    outside: tuple[str, ...]


def functions(training: Training, means: Means) -> Functions:
    """All functions of a section."""
    made = _Functions(training, means)
    made.totals()
    made.counts()
    made.results()
    return Functions(tuple(made.texts), tuple(made.definitions), tuple(made.modules), tuple(made.outside))


class _Functions:
    def __init__(self, training: Training, means: Means) -> None:
        self.training, self.means = training, means
        self.main = training.program.main
        self.data = {id(v): v.name for v in self.main.inputs}
        self.texts: list[str] = []
        self.definitions: list[str] = []
        self.modules: list[str] = []
        self.outside: list[str] = []

    def totals(self) -> None:
        program = self.means.totals
        before = self._before_model()
        nodes = [n for n in program.main.nodes if n.label != MODEL and n not in before]
        known, prepared = self._prepared(before, nodes)
        named = listed(self.means.names)
        inputs = self._add(
            program,
            nodes,
            "compute_sums",
            f"Compute the sums that {named} average{'s' if len(self.means.names) == 1 else ''}.",
        )
        outputs, given = self._model_call(inputs, known)
        arguments = [outputs.get(id(v)) or known.get(id(v)) or column(v) for v in inputs]
        several = len(program.main.outputs) > 1
        head = ["def compute_totals(model: nn.Module, batch: Batch) -> tuple[Tensor, ...]:", '    """Compute the totals of a batch."""']
        lines = [*head, *prepared, *given]
        if not any(self.means.scaled):
            lines += call("    return " if several else "    return (", "compute_sums", arguments, "" if several else ",)")
        else:
            lines += call("    sums = " if several else "    sums = (", "compute_sums", arguments, "" if several else ",)")
            scaled = [f"sums[{i}] * {size_of(self.main.inputs, BATCH)}" if s else f"sums[{i}]" for i, s in enumerate(self.means.scaled)]
            lines.append(f"    return ({', '.join(scaled)},)" if not several else f"    return {', '.join(scaled)}")
        self.texts.append("\n".join(lines))

    def _before_model(self) -> list[Node]:
        """The nodes of the section that compute inputs of the model, such as a noisy image."""
        others = [n for n in self.means.totals.main.nodes if n.label != MODEL]
        return needed(others, list(self.training.call.inputs))

    def _prepared(self, before: list[Node], after: list[Node]) -> tuple[dict[int, str], list[str]]:
        """The variables that those nodes compute for the model and for what follows it, and the line that computes them."""
        if not before:
            return {}, []
        program, made = self.means.totals, {id(v) for n in before for v in n.outputs}
        used = [*self.training.call.inputs, *_inputs(after, program.main.outputs)]
        results = list({id(v): v for v in used if id(v) in made}.values())
        inputs = self._add(program, before, "prepare_inputs", "Compute the inputs of the model that are not in the data.", outputs=results)
        taken, names = set(RESERVED), dict[int, str]()
        for value in results:
            names[id(value)] = unique(local(value.name or "input"), taken)
            taken.add(names[id(value)])
        return names, call(f"    {', '.join(names.values())} = ", "prepare_inputs", [column(v) for v in inputs])

    def _model_call(self, inputs: Sequence[Value], known: dict[int, str]) -> tuple[dict[int, str], list[str]]:
        """The variables of the model's outputs that are used, and the lines that call it."""
        node = self.training.call
        used, taken, names = {id(v) for v in inputs}, {*RESERVED, *known.values()}, dict[int, str]()
        targets = []
        for value in node.outputs:
            name = unique(local(value.name or "output"), taken) if id(value) in used else "_"
            taken.add(name)
            names[id(value)] = name
            targets.append(name)
        if not any(id(v) in used for v in node.outputs):
            return {}, []
        return names, call(f"    {', '.join(targets)} = ", "model", [known.get(id(v)) or column(v) for v in node.inputs])

    def counts(self) -> None:
        means, lines = self.means, list[str]()
        counted: list[str] = []
        if means.counted is not None:
            inputs = self._add(means.counted, list(means.counted.main.nodes), "count_terms", "Count the terms of the means, as far as they depend on the data.")
            counted = [f"count{i}" if len(means.counted.main.outputs) > 1 else "count" for i in range(len(means.counted.main.outputs))]
            lines = call(f"    {', '.join(counted)} = ", "count_terms", [column(v) for v in inputs])
        each = [dim_text(self.main.inputs, c) if size else counted[int(c)] for c, size in zip(means.counts, means.is_size, strict=True)]  # type: ignore[arg-type]
        head = [
            "def compute_counts(batch: Batch) -> tuple[Tensor | int, ...]:",
            '    """Count what each total is divided by. The counts depend only on the data."""',
        ]
        self.texts.append("\n".join([*head, *lines, f"    return {', '.join(each)}" if len(each) > 1 else f"    return ({each[0]},)"]))

    def results(self) -> None:
        names, finish = self.means.names, self.means.finish
        quotients = "*(total / count for total, count in zip(totals, counts, strict=True))"
        if any(self.means.is_sum):  # a sum is divided by nothing
            quotients = ", ".join(f"totals[{i}]" if is_sum else f"totals[{i}] / counts[{i}]" for i, is_sum in enumerate(self.means.is_sum))
        head = [
            "def compute_metrics(totals: Iterable[Tensor], counts: Iterable[Tensor | int]) -> dict[str, Tensor]:",
            f'    """Compute {listed(names)} from the totals and counts of one batch, or of several added up."""',
        ]
        if finish is None:
            pairs = f"zip({literal(names)}, totals, counts, strict=True)"
            lines = [f"    return {{name: total / count for name, total, count in {pairs}}}"]
            if any(self.means.is_sum):
                lines = [f"    return dict(zip({literal(names)}, ({quotients},), strict=True))"]
        else:
            self._add(finish, list(finish.main.nodes), "combine_means", f"Compute {listed(names)} from the means.", keep=True)
            lines = [f"    {'values' if len(names) > 1 else 'value'} = combine_means({quotients})"]
            lines.append(
                f"    return dict(zip({literal(names)}, values, strict=True))"
                if len(names) > 1
                else f"    return {{{quoted(names[0])}: value}}"
            )
        if any(self.means.is_sum):
            lines.insert(0, "    totals, counts = list(totals), list(counts)")
        self.texts.append("\n".join([*head, *lines]))

    def _add(
        self, program: Program, nodes: list[Node], name: str, doc: str, keep: bool = False, outputs: Sequence[Value] | None = None
    ) -> Sequence[Value]:
        """Writes a part of a program as a function of this name; its inputs."""
        results = program.main.outputs if outputs is None else outputs
        inputs = list(program.main.inputs) if keep else _inputs(nodes, results)
        try:
            made, main = _written(_part(program, nodes, inputs, name, results), name, doc), inputs
        except MissingSize:  # it needs a size that only other inputs have
            main = [*inputs, *(v for v in program.main.inputs if all(v is not i for i in inputs))]
            made = _written(_part(program, nodes, main, name, results), name, doc)
        self.definitions += made.definitions
        self.outside += made.outside
        self.texts += made.texts
        if made.main != name:
            self.modules.append(name)
            self.texts.append(f"{name} = {made.main}().to(DEVICE)")
        return main


def _inputs(nodes: Sequence[Node], outputs: Sequence[Value]) -> list[Value]:
    """The values that nodes take and do not make, each once."""
    made = {id(v) for n in nodes for v in n.outputs}
    used = [v for n in nodes for v in n.inputs] + list(outputs)
    return list({id(v): v for v in used if id(v) not in made}.values())


def _part(program: Program, nodes: list[Node], inputs: list[Value], name: str, outputs: Sequence[Value]) -> Program:
    main = program.main
    graph = Graph(name, "model", main.span)
    graph.inputs, graph.nodes = inputs, nodes
    graph.outputs = list(outputs)
    graph.output_names = list(main.output_names) if outputs is main.outputs else [v.name or f"input{i}" for i, v in enumerate(outputs)]
    graph.size = main.size
    return Program(graph, program.facts, program.symbols, program.conditions, program.dims)


def _written(program: Program, name: str, doc: str) -> Parts:
    return function(program, name, doc) or parts(program, name)
