"""Emit the functions that compute an objective: the totals of a batch, the counts that divide them, and the loss and metrics of both.

In: a section cut at its means. Out: the texts of `compute_totals(model, batch)`, `compute_counts(batch)` and
`compute_metrics(totals, counts)`, and of the functions that these call. Always: a batch is a dict of tensors `[N, ...]` by input. A
function that needs a module, such as for constants of the section, is a class with one instance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from netc.compiler.backends.python.identifiers import make_unique, make_variable_name
from netc.compiler.backends.python.printing.line_layout import WIDTH
from netc.compiler.backends.python.python_source import Parts
from netc.compiler.backends.python.unsupported_python import MissingSize
from netc.compiler.ir.differentiated_values import has_gradients
from netc.compiler.ir.graph import Graph, Node, Program
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import MODEL, Training
from netc.compiler.ir.walk import find_needed_nodes
from netc.compiler.objectives.means import MeanDecomposition
from netc.compiler.types.tensor_types import BATCH
from netc.dsl.record import Record

from .batch_columns import emit_column, emit_dim, emit_size
from .file_assembly import RESERVED_NAMES, extract_model_program
from .function_gradients import GradientEmitter, find_differentiated, inline_gradients, name_differentiated
from .gradient_paths import Statement, divide_stages
from .lines import format_call, join_names, quote_string, to_literal
from .loss_needs import LossNeeds, differentiates, find_loss_needs
from .named_numbers import name_numbers
from .section_words import TORCH_WORDS, SectionWords

RESERVED = ("model", "batch", "sums", "compute_sums", "prepare_inputs")
"""The names in `compute_totals` that are not values of the spec."""


class SectionFunctions(Record):
    """The texts of the functions in order, the definitions that they use, the names that are instances of modules, and the plugin modules
    that they need. `numbers` are the constants for parameters of the section that the file reads, with their values. `arguments` are the
    constants that the class of the model takes, as keywords. `divided`: `TOTALS` has a function for each of several losses, which computes
    only the stages that this loss needs, and `COMPUTED` has, for each loss and metric, the losses whose functions compute all of its
    totals."""

    texts: tuple[str, ...]
    definitions: tuple[str, ...]
    modules: tuple[str, ...]
    outside: tuple[str, ...]
    numbers: dict[str, int | float]
    arguments: tuple[str, ...] = ()
    divided: bool = False


def emit_functions(
    training: Training, means: MeanDecomposition, words: SectionWords = TORCH_WORDS, model: Parts | None = None
) -> SectionFunctions:
    """Emit all functions of a section, in the words of a framework. `model` are the classes of the model, if the file has them."""
    emitter = _FunctionEmitter(training, means, words, () if model is None else model.classes)
    arguments = () if model is None else emitter.pass_model_constants(model)
    emitter.emit_totals()
    divided = words.divides_passes and emitter.emit_loss_totals()
    emitter.emit_counts()
    emitter.emit_metrics()
    return SectionFunctions(
        tuple(emitter.texts),
        tuple(emitter.definitions),
        tuple(emitter.modules),
        tuple(emitter.outside),
        emitter.numbers,
        arguments,
        divided,
    )


class _FunctionEmitter:
    def __init__(self, training: Training, means: MeanDecomposition, words: SectionWords, classes: Sequence[str]) -> None:
        self.training, self.means, self.words = training, means, words
        self.main = training.program.main
        self.data = {id(v): v.name for v in self.main.inputs}
        self.texts: list[str] = []
        self.definitions: list[str] = []
        self.modules: list[str] = []
        self.outside: list[str] = []
        self.reserved = {*RESERVED, words.gradient_module}
        self.preparation: list[Statement] = []
        self.prepare_functions: list[str] = []
        framework = words.writer.framework
        self.named = name_numbers(training, {*framework.imported, *framework.definitions, *classes})
        self.used_names = {*RESERVED_NAMES, *classes, *(constant for constant, _ in self.named.values())}
        self.numbers: dict[str, int | float] = {}

    def emit_totals(self) -> None:
        program = self.means.totals
        if self.words.gradient:
            inline_gradients(program.main)
        self.before = before = self._find_preparation()
        nodes = [n for n in program.main.nodes if n.label != MODEL and n not in before]
        by_function = bool(self.words.gradient) and any(map(differentiates, nodes))
        columns = name_differentiated(nodes, self.data, self.reserved) if by_function else {}
        self.known, self.prepared = known, prepared = self._emit_preparation(before, nodes, columns)
        named = join_names(self.means.names)
        self._name_sums()
        if by_function:
            nodes, outputs, call_lines = self._emit_gradients(nodes)
        inputs = self._add_function(
            program,
            nodes,
            "compute_sums",
            f"Compute the sums that {named} average{'s' if len(self.means.names) == 1 else ''}.",
        )
        if not by_function:
            outputs, call_lines = self._emit_model_call(inputs, known)
        arguments = [outputs.get(id(v)) or known.get(id(v)) or emit_column(v) for v in inputs]
        several = len(program.main.outputs) > 1
        types = f"(model: {self.words.module}, batch: Batch) -> tuple[{self.words.tensor}, ...]"
        head = [f"def compute_totals{types}:", '    """Compute the totals of a batch."""']
        read = [f"    {name} = batch[{quote_string(self.data[key])}]" for key, name in columns.items()]
        lines = [*self._emit_enabling(), *head, *self._emit_required_gradients(), *read, *prepared, *call_lines]
        if not any(self.means.is_scaled):
            lines += format_call("    return " if several else "    return (", "compute_sums", arguments, "" if several else ",)")
        else:
            lines += format_call("    sums = " if several else "    sums = (", "compute_sums", arguments, "" if several else ",)")
            scaled = [
                f"sums[{i}] * {emit_size(self.main.inputs, BATCH)}" if s else f"sums[{i}]" for i, s in enumerate(self.means.is_scaled)
            ]
            lines.append(f"    return ({', '.join(scaled)},)" if not several else f"    return {', '.join(scaled)}")
        self.texts.append("\n".join(lines))

    def _name_sums(self) -> None:
        """Give each sum the name of its mean in the spec, instead of `x` or `sum_`."""
        finish = self.means.finish
        names = self.means.names if finish is None else [value.name for value in finish.main.inputs]
        for value, name in zip(self.means.totals.main.outputs, names, strict=True):
            value.name = value.name or re.sub(r"^mean(?=\d+$)", "sum", name)  # `mean0` is a mean without a name in the spec

    def _find_preparation(self) -> list[Node]:
        """Return the nodes of the section that compute inputs of the model, such as a noisy image."""
        others = [n for n in self.means.totals.main.nodes if n.label != MODEL]
        return find_needed_nodes(others, list(self.training.model_call.inputs))

    def _emit_gradients(self, nodes: list[Node]) -> tuple[list[Node], dict[int, str], list[str]]:
        """Emit the call of the model and the gradients. Return the nodes that are left, the variables by value, and the lines."""
        results = self.means.totals.main.outputs
        outputs, call_lines = self._emit_model_call(_find_inputs(nodes, results), self.known)
        call, stages = self.training.model_call, self.means.totals.main.nodes
        statements = [*self.preparation, Statement(tuple(call_lines), tuple(call.inputs), tuple(call.outputs), call.graph)]
        before = len(statements)
        emitter = GradientEmitter(self.training, self.words, stages, {**self.known, **outputs}, statements, self.reserved)

        def add_stages(stages: list[Node], left: list[Node], name: str, doc: str) -> tuple[Sequence[Value], list[Value]]:
            used = {id(v) for v in _find_inputs(left, results)}
            values = [v for n in stages for v in n.outputs if id(v) in used]
            return self._add_function(self.means.totals, stages, name, doc, outputs=values), values

        left = emitter.emit_gradients(nodes, add_stages)
        for part in emitter.parts:
            self._add_parts(part)
        return left, emitter.names, [*call_lines, *(line for statement in statements[before:] for line in statement.lines)]

    def _emit_enabling(self) -> list[str]:
        """Emit the decorator that a section with `gradient` needs in a validation, which computes without gradients."""
        is_needed = not self.words.gradient and has_gradients(self.means.totals.main, self.training.model_call.graph)
        return ["@torch.enable_grad()"] if is_needed else []

    def _emit_required_gradients(self) -> list[str]:
        """Emit the line that lets the inputs by which the section differentiates require gradients."""
        names = () if self.words.gradient else self.training.differentiated
        entries = ", ".join(f"{quote_string(name)}: batch[{quote_string(name)}].detach().requires_grad_()" for name in names)
        return [f"    batch = batch | {{{entries}}}"] if names else []

    def _emit_preparation(self, before: list[Node], after: list[Node], columns: Mapping[int, str]) -> tuple[dict[int, str], list[str]]:
        """Emit the call that computes inputs of the model. Return the variables by value, and the lines. `columns` has the variables of
        inputs by which the section differentiates."""
        if not before:
            return dict(columns), []
        names, lines = dict(columns), list[str]()
        left = [*before, *after]
        for part in divide_stages(before, find_differentiated(after) if self.words.gradient else ()):
            left = [node for node in left if node not in part]
            statement = self._emit_prepared_part(part, left, names)
            self.preparation.append(statement)
            lines += statement.lines
        return names, lines

    def _emit_prepared_part(self, part: list[Node], left: list[Node], names: dict[int, str]) -> Statement:
        """Emit a function that computes inputs of the model, and its call. Add the variables of what the stages that are left use."""
        program, computed = self.means.totals, {id(v) for n in part for v in n.outputs}
        used = [*self.training.model_call.inputs, *_find_inputs(left, program.main.outputs)]
        results = list({id(v): v for v in used if id(v) in computed}.values())
        function = make_unique("prepare_inputs", {*self.prepare_functions, *names.values()})
        self.prepare_functions.append(function)
        self.reserved.add(function)
        inputs = self._add_function(program, part, function, "Compute the inputs of the model that are not in the data.", outputs=results)
        for value in results:
            names[id(value)] = make_unique(make_variable_name(value.name or "input"), {*self.reserved, *names.values()})
        arguments = [names.get(id(v)) or emit_column(v) for v in inputs]
        lines = format_call(f"    {', '.join(names[id(v)] for v in results)} = ", function, arguments)
        return Statement(tuple(lines), tuple(inputs), tuple(results))

    def _emit_model_call(self, inputs: Sequence[Value], known: dict[int, str]) -> tuple[dict[int, str], list[str]]:
        """Emit the call of the model. Return the variables of the outputs that are used, and the lines."""
        node = self.training.model_call
        used, taken_names, names = {id(v) for v in inputs}, {*self.reserved, *known.values()}, dict[int, str]()
        targets = []
        for value in node.outputs:
            name = make_unique(make_variable_name(value.name or "output"), taken_names) if id(value) in used else "_"
            taken_names.add(name)
            names[id(value)] = name
            targets.append(name)
        if not any(id(v) in used for v in node.outputs):
            return {}, []
        return names, format_call(f"    {', '.join(targets)} = ", "model", [known.get(id(v)) or emit_column(v) for v in node.inputs])

    def emit_loss_totals(self) -> bool:
        """Emit a function for each of several losses that does not need the whole model. Return whether there is one."""
        needs = [need for need in find_loss_needs(self.training, self.means) if self._emit_loss_function(need)]
        if not needs:
            return False
        functions = dict.fromkeys(self.training.losses, "compute_totals") | {n.loss: f"compute_{n.loss}_totals" for n in needs}
        results = dict.fromkeys(self.training.losses, self.means.names) | {n.loss: n.results for n in needs}
        computed = {name: tuple(loss for loss, names in results.items() if name in names) for name in self.means.names}
        self.texts.append(_emit_table("TOTALS", functions))
        self.texts.append(_emit_table("COMPUTED", {name: to_literal(losses) for name, losses in computed.items()}))
        return True

    def _emit_loss_function(self, need: LossNeeds) -> bool:
        """Emit the function for a loss. Return False, and emit nothing, if the model cannot be computed in part."""
        part = self._write_part(need)
        if part is None:
            return False
        self._add_parts(part)
        prefix, (call,) = f"compute_{need.loss}", [n for n in self.means.totals.main.nodes if n.label == MODEL]
        outputs, totals = [call.outputs[i] for i in need.outputs], [self.means.totals.main.outputs[i] for i in need.totals]
        nodes = [n for n in need.nodes if n not in self.before]
        inputs = self._add_function(
            self.means.totals, nodes, f"{prefix}_sums", f"Compute the sums for a step of {need.loss}.", outputs=totals
        )
        passed = dict(zip(map(id, self.training.model_call.graph.inputs), call.inputs, strict=True))
        arguments = [passed[id(v)] for v in need.part.main.inputs]
        names = self._name_values([*outputs, *totals])
        columns = {id(v): self.known.get(id(v)) or emit_column(v) for v in [*arguments, *inputs]} | names
        lines = [
            f"def {prefix}_totals(model: {self.words.module}, batch: Batch) -> tuple[{self.words.tensor}, ...]:",
            f'    """Compute the totals of a batch that {need.loss} needs. The others are 0."""',
        ]
        if any(differentiates(node) for node in need.nodes):
            lines += self._emit_required_gradients()
        if any(id(v) in self.known for v in [*arguments, *inputs]):
            lines += self.prepared
        for values, function, given in (
            (outputs, "outputs", ["model", *(columns[id(v)] for v in arguments)]),
            (totals, "sums", [columns[id(v)] for v in inputs]),
        ):
            lines += format_call(f"    {', '.join(names[id(v)] for v in values)} = ", f"{prefix}_{function}", given)
        self.texts.append("\n".join([*lines, *self._emit_returned_totals(need, [names[id(v)] for v in totals])]))
        return True

    def _write_part(self, need: LossNeeds) -> Parts | None:
        """Write the function that computes a part of the model; None if the model cannot be computed in part."""
        doc = f"Compute the outputs of the model that {need.loss} needs."
        try:
            return self.words.writer.write_part(extract_model_program(self.training), need.part, f"compute_{need.loss}_outputs", doc)
        except MissingSize:  # an input that the part does not need has the size of an axis
            return None

    def _name_values(self, values: Sequence[Value]) -> dict[int, str]:
        """Name the variables of the function for a loss by their values."""
        taken_names, names = {*RESERVED, *self.known.values(), "zero"}, dict[int, str]()
        for value in values:
            names.setdefault(id(value), make_unique(make_variable_name(value.name or "output"), taken_names))
            taken_names.add(names[id(value)])
        return names

    def _emit_returned_totals(self, need: LossNeeds, names: Sequence[str]) -> list[str]:
        """Emit the lines that return the totals of these names, and 0 for those that the loss does not need."""
        scales = [f" * {emit_size(self.main.inputs, BATCH)}" if is_scaled else "" for is_scaled in self.means.is_scaled]
        results = dict(zip(need.totals, names, strict=True))
        returned = [results[i] + scale if i in results else "zero" for i, scale in enumerate(scales)]
        line = f"    return {', '.join(returned)}"
        lines = [line] if len(line) <= WIDTH else format_call("    return ", "", returned)
        return [f"    zero = {names[0]}.new_zeros(())", *lines]

    def emit_counts(self) -> None:
        means, lines = self.means, list[str]()
        counted: list[str] = []
        if means.counts_program is not None:
            inputs = self._add_function(
                means.counts_program,
                list(means.counts_program.main.nodes),
                "count_terms",
                "Count the terms of the means, as far as they depend on the data.",
            )
            counted = [
                f"count{i}" if len(means.counts_program.main.outputs) > 1 else "count"
                for i in range(len(means.counts_program.main.outputs))
            ]
            lines = format_call(f"    {', '.join(counted)} = ", "count_terms", [emit_column(v) for v in inputs])
        divisors = []
        for count, is_size in zip(means.counts, means.is_size, strict=True):
            divisors.append(emit_dim(self.main.inputs, count) if is_size else counted[int(count)])  # type: ignore[arg-type]
        head = [
            f"def compute_counts(batch: Batch) -> tuple[{self.words.tensor} | int, ...]:",
            '    """Count what each total is divided by. The counts depend only on the data."""',
        ]
        # Most means of a section are over the same samples.
        repeated = [size for size in dict.fromkeys(divisors) if divisors.count(size) > 1 and not size.isidentifier()]
        sizes = {size: f"size{i}" if len(repeated) > 1 else "size" for i, size in enumerate(repeated)}
        lines += [f"    {name} = {size}" for size, name in sizes.items()]
        divisors = [sizes.get(size, size) for size in divisors]
        self.texts.append(
            "\n".join([*head, *lines, f"    return {', '.join(divisors)}" if len(divisors) > 1 else f"    return ({divisors[0]},)"])
        )

    def emit_metrics(self) -> None:
        names, finish = self.means.names, self.means.finish
        quotients = "*(total / count for total, count in zip(totals, counts, strict=True))"
        if any(self.means.is_sum):  # a sum is divided by nothing
            quotients = ", ".join(f"totals[{i}]" if is_sum else f"totals[{i}] / counts[{i}]" for i, is_sum in enumerate(self.means.is_sum))
        doc = f'    """Compute {join_names(names)} from the totals and counts of one batch, or of several added up."""'
        if len(doc) > WIDTH:
            doc = doc.replace(join_names(names), "losses and metrics")
        tensor = self.words.tensor
        types = f"(totals: Iterable[{tensor}], counts: Iterable[{tensor} | int]) -> dict[str, {tensor}]"
        head = [f"def compute_metrics{types}:", doc]
        if finish is None:
            lines = [f"    return {{name: total / count for name, total, count in zip({to_literal(names)}, totals, counts, strict=True)}}"]
            if len(lines[0]) > WIDTH:
                pairs = "zip(names, totals, counts, strict=True)"
                lines = [f"    names = {to_literal(names)}", f"    return {{name: total / count for name, total, count in {pairs}}}"]
            if any(self.means.is_sum):
                lines = [f"    return dict(zip({to_literal(names)}, ({quotients},), strict=True))"]
        else:
            self._add_function(finish, list(finish.main.nodes), "combine_means", f"Compute {join_names(names)} from the means.", keep=True)
            lines = [f"    {'values' if len(names) > 1 else 'value'} = combine_means({quotients})"]
            lines.append(
                f"    return dict(zip({to_literal(names)}, values, strict=True))"
                if len(names) > 1
                else f"    return {{{quote_string(names[0])}: value}}"
            )
        if any(self.means.is_sum):
            lines.insert(0, "    totals, counts = list(totals), list(counts)")
        self.texts.append("\n".join([*head, *lines]))

    def _add_function(
        self, program: Program, nodes: list[Node], name: str, doc: str, keep: bool = False, outputs: Sequence[Value] | None = None
    ) -> Sequence[Value]:
        """Emit some nodes of a program as a function, and return its inputs."""
        results = program.main.outputs if outputs is None else outputs
        inputs = list(program.main.inputs) if keep else _find_inputs(nodes, results)
        try:
            emitted, main = self._emit_program(_cut_program(program, nodes, inputs, name, results), name, doc), inputs
        except MissingSize:  # the nodes need a size that can only be read off other inputs of the program
            main = [*inputs, *(v for v in program.main.inputs if all(v is not i for i in inputs))]
            emitted = self._emit_program(_cut_program(program, nodes, main, name, results), name, doc)
        self._add_parts(emitted)
        if emitted.main != name:
            self.modules.append(name)
            made = f"{emitted.main}({', '.join(self._pass_constants(emitted))})"
            self.texts.append(f"{name} = {self.words.instance.format(made)}")
        return main

    def pass_model_constants(self, model: Parts) -> tuple[str, ...]:
        """Return the arguments of the model's class that are constants of the file, and keep the constants."""
        self._keep_constants(model)
        return tuple(self._pass_constants(model))

    def _pass_constants(self, parts: Parts) -> list[str]:
        """Return the arguments of a module that are constants of the file."""
        return [f"{argument}={self.named[argument][0]}" for argument in parts.arguments if argument in self.named]

    def _keep_constants(self, parts: Parts) -> None:
        self.numbers |= dict(self.named[argument] for argument in parts.arguments if argument in self.named)

    def _add_parts(self, parts: Parts) -> None:
        self._keep_constants(parts)
        self.used_names.update(parts.classes)
        self.definitions += parts.definitions
        self.outside += parts.outside
        self.texts += parts.texts

    def _emit_program(self, program: Program, name: str, doc: str) -> Parts:
        writer = self.words.writer
        constants = {argument: constant for argument, (constant, _) in self.named.items()}
        return writer.write_function(program, name, doc, constants) or writer.write_parts(program, name, frozenset(self.used_names))


def _emit_table(name: str, entries: Mapping[str, str]) -> str:
    """Emit a dict with a line for each key."""
    return "\n".join([f"{name} = {{", *(f"    {quote_string(key)}: {entry}," for key, entry in entries.items()), "}"])


def _find_inputs(nodes: Sequence[Node], outputs: Sequence[Value]) -> list[Value]:
    """Return the values that nodes take and do not compute, each once."""
    computed = {id(v) for n in nodes for v in n.outputs}
    used = [v for n in nodes for v in n.inputs] + list(outputs)
    return list({id(v): v for v in used if id(v) not in computed}.values())


def _cut_program(program: Program, nodes: list[Node], inputs: list[Value], name: str, outputs: Sequence[Value]) -> Program:
    main = program.main
    graph = Graph(name, "model", main.span)
    graph.origins, graph.decisions = main.origins, main.decisions
    graph.inputs, graph.nodes = inputs, nodes
    graph.outputs = list(outputs)
    graph.output_names = list(main.output_names) if outputs is main.outputs else [v.name or f"input{i}" for i, v in enumerate(outputs)]
    graph.size = main.size
    return Program(graph, program.facts, program.symbols, program.conditions, program.dims)
