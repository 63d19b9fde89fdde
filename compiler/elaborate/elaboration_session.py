"""The state of one elaboration: the dimensions and what is known about them, the diagnostics, the caches, and the counts of resources."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from netc.dsl import ast
from netc.dsl.diagnostics import CallSite, Diagnostic, Edit, Mark
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile, Span

from ..dims import Dim, Facts, WhereCondition
from ..errors.limit_errors import EndlessRecursion, TooManyNodes, TooMuchNesting, TooMuchRecursion
from ..errors.problem import Advice, Problem
from ..ir.graph import CallNode, Graph, Node
from ..ops.operator import Operator, strict_key
from ..ops.stored_tables import TableArray
from ..types.tensor_types import FLOAT32, DType
from .body_cache import BodyCache
from .decisions import DecidingFacts, Decisions
from .index import IndexRecorder, Recorder
from .inferences import InferenceCache
from .memoized_bodies import BodyRecorder
from .model_precision import FULL, Precision
from .resource_limits import (
    CHECKS,
    ITEMS,
    ITERATIONS,
    LETTERS,
    MAX_ERRORS,
    MAX_NESTING,
    MAX_NODES,
    RECURSIONS,
    STAGES,
    STEPS,
    Budget,
    Resource,
)
from .scopes.compile_time_values import Flow
from .scopes.early_exits import AlreadyReported, Failure, LimitExceeded, Marks, edits_for
from .scopes.memo import Memo
from .scopes.scope import Binding, GraphFrame, Scope

Loader = Callable[[str, SourceFile], SourceFile]
"""Reads the file that `use "path"` in a file means, or raises `CannotLoad`."""
ArrayLoader = Callable[[str, str, SourceFile], TableArray]
"""Reads the array of this name in the file that a path in a text means, or raises `CannotLoad`."""
Parse = Callable[[SourceFile], tuple[ast.File, list[Diagnostic]]]
"""The tree of a text and its syntax errors."""


class ForeignNames(Protocol):
    """Help for names of other libraries, empty if there is none. Backends know those names; the elaborator does not."""

    def advise_stage(self, name: str) -> Advice:
        """Return the advice for a stage with this name in another library."""
        ...

    def advise_argument(self, operator: type[Operator], name: str) -> Advice:
        """Return the advice for an argument with this name in another library."""
        ...

    def get_argument_order(self, operator: str) -> tuple[str, ...]:
        """The operator's arguments in the order in which they are taken elsewhere without names."""
        ...

    def get_input_size_axes(self, operator: str) -> tuple[int, ...]:
        """The sizes of inputs that are written elsewhere, before the other arguments: the axis of each."""
        ...


LoadForeign = Callable[[], ForeignNames]
"""Called for the first name that needs help: most texts need none, and the names take long to import."""


class CannotLoad(Exception):
    """A file that cannot be read. `why` completes "cannot use `path`: ..."; `near` are paths that exist; `remedy` is what would
    allow it."""

    def __init__(self, why: str, near: tuple[str, ...] = (), remedy: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.near = near
        self.remedy = remedy


class ArrayNotFound(CannotLoad):
    """A file without an array of the wanted name; `near` are names that it has."""


class ElaborationSession:
    """The state that all parts of the elaborator share."""

    def __init__(
        self,
        loader: Loader | None = None,
        index: bool = False,
        load_foreign: LoadForeign | None = None,
        precision: Precision = FULL,
        parse: Parse = parse_source,
        memory: BodyCache | None = None,
        arrays: ArrayLoader | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.budget = budget or Budget()
        self.loader = loader
        self.arrays = arrays
        self.parse = parse
        self.memory = memory
        self.load_foreign = load_foreign
        self.precision = precision
        self.is_full = precision.dtype == FLOAT32
        """Whether the model is of float32: then nothing is converted."""
        self.untyped: set[str] = set()
        """The names of the inputs without an element type."""
        self.memo = Memo()
        self.index: Recorder = Recorder() if not index else IndexRecorder() if memory is None else IndexRecorder(STAGES.limit)
        self.decisions = Decisions()
        self.set_facts(Facts.empty())
        self._owners: dict[tuple[int, int], str] = {}
        self.dims: dict[str, Dim] = {}
        self.conditions: list[tuple[WhereCondition, str]] = []
        self.declared: dict[str, Span] = {}
        """Where each dimension is declared."""
        self.diagnostics: list[Diagnostic] = []
        self.errors = 0
        self.files: dict[str, Scope] = {}
        self.used: dict[tuple[str, str], SourceFile] = {}
        """The files that others use, by the name of the file with the `use` and the path in it."""
        self.loading: list[str] = []
        """The files being read, each used by the one before it."""
        self.active: list[object] = []
        """The definitions being evaluated, outermost first: one that occurs twice is inside itself."""
        self.defaults: dict[str, dict[str, Any]] = {}
        """By operator, the arguments that the model's `default`s give it."""
        self.defaults_key: Hashable = ()
        """What the `default`s are, as a part of keys."""
        self.model_views: dict[int, Any] = {}
        """The models that are stages, by the identity of their nodes."""
        self.model_scope: Scope | None = None
        """The scope of the body of the model that is a stage, while its body is elaborated."""
        self._stage_inputs: Mapping[int, Flow] = {}
        """The tensors of the inputs of that model, by the identity of their declarations."""
        # The search for similar names compares an unknown name with all known ones. A file with thousands of unknown names would spend
        # its time there.
        self.suggestions = 100
        self.shared_uses: list[Span] = []
        # The first use of a shared stage decides the shapes of its parameters.
        self.shared_specs: dict[int, tuple[dict[str, Any], Span]] = {}
        self.depth = 0
        self.in_training = False
        """Whether the statements of a train section are being elaborated."""
        self.lazily_bound: list[tuple[Binding, Any]] = []
        """The bindings that were evaluated at their first use, with their earlier values."""
        self.checked: set[tuple[int, int]] = set()
        self.body_recorder = BodyRecorder(self, memory) if memory is not None else None

    def set_facts(self, facts: Facts) -> None:
        """Set the facts about dimensions: `facts` answers questions, and `deciding` also records which integers had to be equal."""
        self.facts = facts
        self.deciding = DecidingFacts(
            facts.zeros, facts.nonzeros, facts.nonnegatives, facts.multiples, facts.choices, self.decisions.record_relation
        )
        self.inferences = InferenceCache(self.deciding)

    def bind_lazily(self, binding: Binding, value: Any) -> None:
        """Binds a name to its value, for this elaboration alone: another model of the file may give it another value."""
        self.lazily_bound.append((binding, binding.value))
        binding.value = value

    def set_defaults(self, defaults: dict[str, dict[str, Any]]) -> None:
        """Set the arguments that operators have by default."""
        self.defaults = defaults
        self.defaults_key = tuple([(n, tuple([(k, strict_key(a[k])) for k in sorted(a)])) for n, a in sorted(defaults.items())])

    @contextmanager
    def open_model(self, scope: Scope, inputs: Mapping[int, Flow]) -> Iterator[None]:
        """While the body of a model that is a stage is elaborated in `scope`: it has only its own `default`s."""
        before = self.defaults, self.model_scope, self._stage_inputs
        self.set_defaults({})
        self.model_scope, self._stage_inputs = scope, inputs
        try:
            yield
        finally:
            self.set_defaults(before[0])
            self.model_scope, self._stage_inputs = before[1:]

    def find_stage_input(self, node: ast.InputDecl, frame: GraphFrame | None) -> Flow | None:
        """The tensor that a use of a model as a stage gives one of its inputs."""
        is_of_stage = self.model_scope is not None and frame is self.model_scope.frame
        return self._stage_inputs.get(id(node)) if is_of_stage else None

    def symbol_prefix(self, node: object, name: str) -> str:
        """The beginning of the symbols of a body: unique for each piece of text, and for each level of a definition within itself."""
        # A block inside itself is elaborated at several levels, whose symbols must not be confused.
        within = node if isinstance(node, ast.Block) else next((a for a in reversed(self.active) if isinstance(a, ast.Block)), None)
        place = (id(node), self.count_levels(within))
        if self.memory is not None:
            owners = self.memory.owners
            return owners.setdefault(place, (f"{name}#{len(owners)}", node))[0]
        return self._owners.setdefault(place, f"{name}#{len(self._owners)}")

    def count_levels(self, definition: object) -> int:
        """The number of times that a definition is being evaluated, inside itself from the second on."""
        return sum(a is definition for a in self.active)

    @property
    def dtype(self) -> DType:
        """The element type of tensors without one of their own: the model's. A train section computes in float32 at least."""
        model = self.precision.dtype
        # A mean over many samples loses its last digits, or overflows, in a 16-bit type.
        return FLOAT32 if self.in_training and model.size < FLOAT32.size else model

    @property
    def has_failed(self) -> bool:
        return any(d.severity == "error" for d in self.diagnostics)

    def similar_names(self, name: str, candidates: Iterable[str]) -> tuple[str, ...]:
        """Names that are similar to this one: for the first errors of a file, since the search takes time."""
        self.suggestions -= 1
        return tuple(find_similar_names(name, candidates)) if self.suggestions >= 0 else ()

    def foreign_stage(self, name: str) -> Advice:
        """Help for a stage by its name in other libraries, empty if none is known."""
        return self.load_foreign().advise_stage(name) if self.load_foreign is not None else Advice()

    def foreign_argument(self, operator: type[Operator], name: str) -> Advice:
        """Help for an argument by its name in other libraries, empty if none is known."""
        return self.load_foreign().advise_argument(operator, name) if self.load_foreign is not None else Advice()

    def sizes_first(self, operator: type[Operator]) -> tuple[int, ...]:
        """The sizes of inputs that other libraries write before the operator's other arguments: the axis of each."""
        return self.load_foreign().get_input_size_axes(operator.name) if self.load_foreign is not None else ()

    def foreign_order(self, operator: type[Operator]) -> tuple[str, ...]:
        """The operator's arguments in the order in which other libraries take them without names; empty if none is known."""
        return self.load_foreign().get_argument_order(operator.name) if self.load_foreign is not None else ()

    @contextmanager
    def limit_nesting(self, span: Span) -> Iterator[None]:
        """Limits the nesting of blocks and groups."""
        self.depth += 1
        try:
            if self.depth > MAX_NESTING:
                # Raised inside the `try`, so that the depth is counted back.
                raise self._too_deep(span)
            yield
        finally:
            self.depth -= 1

    def _too_deep(self, span: Span) -> Failure:
        block = max((a for a in self.active if isinstance(a, ast.Block)), key=self.count_levels, default=None)
        if block is None or self.count_levels(block) == 1:
            return Failure(TooMuchNesting(MAX_NESTING), span)
        return Failure(EndlessRecursion(block.name.name, "block", MAX_NESTING), span, ((block.name.span, "defined here"),), final=True)

    def count_recursion(self, block: ast.Block) -> None:
        """Counts the bodies of blocks that are inside themselves, and rejects an excessive number of them."""
        if self.count_levels(block) > 1 and not self.budget.try_spend(RECURSIONS, 1):
            raise Failure(TooMuchRecursion(block.name.name, RECURSIONS.limit), block.name.span, final=True)

    def append_node(self, graph: Graph, node: Node, span: Span, trace: tuple[CallSite, ...]) -> None:
        """Adds a node. Counts its operators and the characters of their names, and ends the elaboration when there are too many."""
        # The size of a graph counts the operators inside its calls, so that doubling blocks reach the limit without being expanded.
        graph.nodes.append(node)
        inside = node.graph if isinstance(node, CallNode) else None
        operators = 1 if inside is None else inside.size
        graph.size += operators
        # The label of a call is a part of the key of each operator inside it.
        graph.letters += len(node.label) * operators + (0 if inside is None else inside.letters)
        self.check_size(graph.size, span, trace)
        if graph.letters > LETTERS.limit:
            self.report_problem(TooManyNodes(graph.letters, LETTERS.limit, LETTERS.whole, LETTERS.parts), span, trace=trace)
            raise LimitExceeded

    def check_size(self, size: int, span: Span, trace: tuple[CallSite, ...]) -> None:
        if size > MAX_NODES:
            self.report_problem(TooManyNodes(size, MAX_NODES), span, trace=trace)
            raise LimitExceeded

    def count_iteration(self, span: Span, trace: tuple[CallSite, ...]) -> None:
        """Counts iterations, whose bodies may be empty, and ends the elaboration when there are too many."""
        self._count_resource(ITERATIONS, span, trace)

    def count_stage(self, span: Span, trace: tuple[CallSite, ...]) -> None:
        """Counts stages, and ends the elaboration when there are too many that are checked again with other types or arguments. The first
        check of each takes time as the text is long, which has a limit of its own."""
        self._count_resource(CHECKS, span, trace)
        # The first check of a stage takes time in proportion to the text, which has its own limit; only repeated checks can explode.
        place = (id(span.file), span.start)
        if place not in self.checked:
            self.checked.add(place)
            return
        self._count_resource(STAGES, span, trace)

    def _count_resource(self, resource: Resource, span: Span, trace: tuple[CallSite, ...]) -> None:
        if not self.budget.try_spend(resource, 1):
            self.report_problem(self.budget.limit_problem(resource), span, trace=trace)
            raise LimitExceeded

    def count_items(self, amount: int, span: Span) -> None:
        """Counts items and characters that are made, compared or passed on, and ends the elaboration when there are too many."""
        self.budget.spend_amount(ITEMS, amount, span)

    def count_step(self, span: Span) -> None:
        """Counts the evaluation of an expression, and ends the elaboration when there are too many."""
        self.budget.spend_amount(STEPS, 1, span)

    def report_problem(
        self,
        problem: Problem,
        span: Span,
        marks: Marks = (),
        trace: tuple[CallSite, ...] = (),
        label: str | None = None,
        edits: tuple[Edit, ...] = (),
    ) -> None:
        """Adds a diagnostic, and ends the elaboration if there are too many. Marks on the problem's own span add nothing and are left out.

        If a `where` would solve the problem, the declarations of its dimensions are marked too.
        """
        # One place may be marked for two reasons with the same text.
        marks = tuple(dict.fromkeys((*marks, *self._declaration_marks(problem, marks))))
        seconds = tuple(Mark(s, t) for s, t in marks if s != span)
        label = problem.format_label() if label is None else label
        if not label:
            label = next((t for s, t in marks if s == span), "")
        severity = "error" if self.in_training and problem.error_in_training else problem.severity
        edits = edits_for(problem, span, edits)
        diagnostic = Diagnostic(
            severity,
            problem.code,
            problem.format_message(),
            span,
            label,
            seconds,
            problem.format_notes(),
            problem.format_help(),
            edits,
            trace,
        )
        self.diagnostics.append(diagnostic)
        self.errors += diagnostic.severity == "error"
        # A text with a thousand errors is not a spec, and every further one takes time.
        if self.errors > MAX_ERRORS:
            raise LimitExceeded

    def report_failure(self, failure: Failure, trace: tuple[CallSite, ...]) -> None:
        self.report_problem(failure.problem, failure.span, failure.marks, trace, failure.label, failure.edits)
        if failure.final:
            raise LimitExceeded

    def _declaration_marks(self, problem: Problem, marks: Marks) -> Iterator[tuple[Span, str]]:
        # The advice is a `where`: the dimensions in it are declared at some input, which the reader has to find.
        for name in dict.fromkeys(re.findall(r"\w+", getattr(problem, "advice", ""))):
            place = self.declared.get(name)
            if place is not None and not any(s.file is place.file and s.start <= place.start and place.end <= s.end for s, _ in marks):
                yield place, f"`{name}` is declared here"

    @contextmanager
    def catch_failures(self, trace: tuple[CallSite, ...]) -> Iterator[None]:
        """Reports a failure within the `with` statement; execution continues after it."""
        try:
            yield
        except Failure as failure:
            self.report_failure(failure, trace)
        except AlreadyReported:
            pass
