"""Builds the classes of a program.

In: the main graph of a program, ready to be written, and the backend's framework and emitters. Out: its classes, called ones first and the
main one last, all with names: for a ResNet `Bottleneck`, then `ResNet50`. Always: graphs are processed by height, so that the arguments of
a class are decided before any code that uses it is written.

    >>> import netc
    >>> text = "block layer(width) { dense width relu -> dense 8 }; input 3 -> layer 64 as a -> layer 128 as b"
    >>> [line.strip() for line in netc.compile(text).source().splitlines() if "Layer(" in line]
    ['class Layer(nn.Module):', 'self.a = Layer(3, 64)', 'self.b = Layer(8, 128)']
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Literal

from netc.dsl.trees import walk_tree

from ...dims import Facts, SymDim
from ...ir.graph import CallNode, Graph, OpNode
from ...ir.walk import collect_graphs
from ...structure.block_levels import sort_into_levels
from .class_bodies import Context, build_body
from .classes import classnames
from .classes.class_symbols import ClassSymbols
from .classes.class_variants import merge_variants
from .classes.shared_modules import Sharing, get_source_key
from .classes.unify import Unifier, make_instance_call
from .code.class_tree import NameCode
from .code.classes import ClassBody, ClassDef, ClassRef
from .code.framework import Framework
from .code.python_expressions import CallCode, Lit
from .code.simplify import simplify_code
from .emitters import Emitters
from .forward.roles import TensorRoles
from .identifiers import singularize, to_camel_case
from .modules.containers import DEEPEST, LARGEST, Construction, Constructions, ContainerForms, are_positional
from .modules.idle import drop_idle_modules
from .modules.lifting import lift_functions
from .modules.probabilities import mark_probabilities
from .modules.recursion import RecursiveClasses, WrongAssumption
from .operator_calls import OperatorForms
from .unsupported_python import MissingSize

# Labels that netc made itself say nothing, so a class with such a label is called `Layer` or `Layers`.
_AUTOMATIC = re.compile(r"(repeat|each|group|sequence|)\d*")


def build_classes(main: Graph, facts: Facts, name: str, framework: Framework, emitters: Emitters) -> list[ClassDef]:
    """Build all classes. `name` is the name of the main one if its graph has none."""
    pinned: list[Graph] = []
    fixed: set[str] = set()
    recursion = RecursiveClasses()
    while True:
        build = _ClassBuilder(main, OperatorForms(facts, emitters, framework), framework, pinned, fixed, recursion)
        try:
            classes = build.run(name)
        # A recursive class was called with other arguments than it takes; the next build assumes the right ones.
        except WrongAssumption:
            continue
        # Only merging shows which symbols and counts cannot be arguments. Both collections grow with each build, so this ends.
        if not build.unrolled and build.fixed_symbols <= fixed:
            return classes
        pinned += build.unrolled
        fixed |= build.fixed_symbols


def find_used_definitions(classes: Sequence[ClassDef], framework: Framework) -> list[str]:
    """Return the names of the definitions that the classes use, and of those that these call, in their order."""
    codes = (code for cls in classes for code in (*cls.body.list_constructor_code(), *(step.code for step in cls.body.steps)))
    parts = [p for code in codes for p in walk_tree(code)]
    called = {p.function for p in parts if isinstance(p, CallCode)} | {p.text for p in parts if isinstance(p, NameCode)}
    called |= {name for cls in classes for name in cls.body.decorators}
    texts = framework.definitions
    used = [name for name in texts if name in called]
    for name in used:
        others = (other for other in texts if other not in used)
        used += [other for other in others if re.search(rf"(?<![\w.]){other}(?:\.apply)?\(|(?:\(|, ){other}\)", texts[name])]
    return [name for name in texts if name in used]


class _ClassBuilder:
    def __init__(
        self, main: Graph, operators: OperatorForms, framework: Framework, pinned: list[Graph], fixed: set[str], recursion: RecursiveClasses
    ) -> None:
        """`pinned`: loops whose number of iterations is no argument. `fixed`: symbols of the model that are no arguments."""
        self.main, self.framework = main, framework
        self.pinned = pinned
        self.fixed_symbols: set[str] = set()
        """The symbols of the model that turned out to be no arguments."""
        self.unrolled: list[Graph] = []
        """The loops whose number of iterations should be an argument, but that are written out."""
        self.recursion = recursion
        self.stand_ins = {
            get_source_key(g): ClassDef("", [ClassBody(g, framework)]) for g in recursion.find_outermost(collect_graphs(main))
        }
        """For each block whose class makes itself, a placeholder for that class until its arguments are known."""
        self.order = collect_graphs(self.main)
        self.layers = sort_into_levels(self.order, get_source_key, self.stand_ins)
        self.operators = operators
        self.operators.prepare_graphs(self.order)
        self.sharing = Sharing(self.order)
        self.symbols = ClassSymbols(self.main, self.order, pinned, fixed)
        self.constructions: Constructions = {}
        self.context = Context(framework, self.constructions, self.operators, self.sharing, TensorRoles())
        self.classes: dict[int, ClassDef] = {}
        """By the id of the graph."""

    def run(self, name: str) -> list[ClassDef]:
        alone = self._lift_functions()
        for layer in self.layers:
            self._build_layer(layer)
        main = self.classes[id(self.main)]
        unread = [code.value for _, code in main.body.passed if isinstance(code, Lit) and isinstance(code.value, SymDim)]
        if unread:
            raise MissingSize(unread[0], self.main, self.framework.title)
        assert not main.body.passed, "a model has a tensor"
        classes = list({id(c): c for g in self.order if (c := self.classes.get(id(g))) is not None}.values())
        classes = _sort_callees_first([*_keep_instantiated_classes(alone, classes), *(c for c in classes if c is not main), main])
        # Last of the passes over code: only here are the arguments of all classes known that end as the argument of a dropout.
        mark_probabilities(classes, self.operators.dropouts)
        main.body.rules = self.operators.initialization.rules
        main.base = to_camel_case(self.main.name or name)
        main.name = classnames.choose_main_name(self.main.name or name, self.framework)
        classnames.name_classes(
            classes, main, self._first_labels, self.framework.imported | set(find_used_definitions(classes, self.framework))
        )
        return classes

    def _lift_functions(self) -> list[ClassDef]:
        """Build classes for functions that are modules in a row of modules."""
        pairs = lift_functions(self.order, self.operators)
        bodies = [build_body(graph, self.context) for _, graph in pairs]
        for group in _group_bodies(bodies, self.symbols):
            self._build_class(group)
        self.constructions.update((id(node), self.constructions[id(graph)]) for node, graph in pairs)
        return list({id(c): c for _, graph in pairs for c in (self.classes[id(graph)],)}.values())

    def _build_layer(self, layer: list[Graph]) -> None:
        """Build the constructions of graphs of one height."""
        containers = ContainerForms(self.constructions, self.operators, self.framework)
        recursive = {
            id(g): self.recursion.make_call(g, self.stand_ins[get_source_key(g)]) for g in layer if get_source_key(g) in self.stand_ins
        }
        self.constructions.update(recursive)
        constructions = {id(g): containers.build_construction(g) for g in layer if g is not self.main and id(g) not in recursive}
        for united in self.sharing.group_graphs_of_one_module(layer):
            classes = {constructions[id(g)] for g in united}
            # A shared stage is one module, so all its graphs need the same construction: they become one class.
            if len(classes) > 1:
                constructions.update({id(g): None for g in united})
        branched = {get_source_key(g) for g in layer if g is not self.main and constructions.get(id(g), ...) is None}
        for graph in layer:
            # In one use of a block, an `if` makes the body of a loop a class, in another a row of modules: both become one class.
            if get_source_key(graph) in branched and constructions.get(id(graph)) is not None and not are_positional(graph.nodes):
                constructions[id(graph)] = None
        pending: list[Graph] = []
        chains: list[ClassBody] = []
        for graph in layer:
            if graph.kind == "scan":  # a loop in the class of the graph around it
                continue
            construction = constructions.get(id(graph))
            if graph.count is not None and not (construction and construction.is_counted) and graph not in self.pinned:
                self.unrolled.append(graph)
            # Large rows and layers that a block names get a class; other containers are written where they are used.
            if construction is None:
                pending.append(graph)
            elif self._is_large(construction, graph) or _is_layer(graph):
                chains.append(_make_chain_body(graph, construction, self.framework))
            else:
                self.constructions[id(graph)] = construction
        groups = _group_bodies([*chains, *self._build_bodies(pending)], self.symbols)
        for block, count in Counter(get_source_key(group[0].graph) for group in groups).items():
            # Levels that did not become one class cannot construct each other by one name.
            if count > 1 and block in self.stand_ins:
                self.recursion.split_levels(block)
        for group in groups:
            self._build_class(group)

    def _is_large(self, construction: Construction, graph: Graph) -> bool:
        """Whether a sequence is too large for an expression."""
        return construction.kind == "sequential" and (
            construction.depth > DEEPEST or (construction.size > LARGEST and self._use_counts[id(graph)] > 1)
        )

    def _build_bodies(self, pending: list[Graph]) -> list[ClassBody]:
        """Build the bodies of the graphs. If graphs of one shared stage read their sizes in different ways, all get the sizes as
        arguments."""
        bodies = {id(g): build_body(g, self.context) for g in pending}
        for several in self.sharing.group_graphs_of_one_module(pending):
            if len({bodies[id(g)].make_shape_key() for g in several}) > 1:
                bodies.update({id(g): build_body(g, self.context, passing=True) for g in several})
        return list(bodies.values())

    def _build_class(self, bodies: list[ClassBody]) -> None:
        same = [self.sharing.find_representative(b.graph) for b in bodies]
        unifier = Unifier(self._choose_base_name(bodies[0].graph), bodies, same, self.symbols)
        cls = unifier.run()
        if (stand_in := self.stand_ins.get(get_source_key(bodies[0].graph))) is not None:
            self.recursion.close_recursion(unifier, stand_in)
        if bodies[0].graph is self.main:
            self.fixed_symbols = unifier.relations.fixed_symbols
        # After merging, so that a number that differs between uses is an argument already and is not simplified away.
        cls.body.rewrite_code(simplify_code)
        drop_idle_modules(cls.body, self.operators.dropouts)
        for index, body in enumerate(bodies):
            self.classes[id(body.graph)] = cls
            code = make_instance_call(cls, index)
            kind: Literal["class", "sequential"] = "class" if body.chain is None else "sequential"
            passed = tuple(values[index] for values in unifier.passed)
            self.constructions[id(body.graph)] = Construction(kind, code, body.keyed, body.is_list, passed=passed)

    def _choose_base_name(self, graph: Graph) -> str:
        """Choose the name that the class should have."""
        if graph.kind in ("block", "model"):
            return to_camel_case(graph.name)
        is_number = self._first_labels.get(id(graph), "").isdigit()
        if _AUTOMATIC.fullmatch(graph.name):
            return {"branches": "Branches"}.get(graph.kind, "Layer" if is_number else "Layers")
        alone = singularize(graph.name)
        return to_camel_case(graph.name if not is_number else alone if alone != graph.name else f"{graph.name}_layer")

    @cached_property
    def _use_counts(self) -> Counter[int]:
        """By the id of the graph, the number of its uses. Uses in a row count as one."""
        uses: Counter[int] = Counter()
        for caller in self.order:
            before: object = None
            for node in caller.nodes:
                called = node.graph if isinstance(node, CallNode) else None
                if called is not None and called is not before:
                    uses[id(called)] += 1
                before = called
        return uses

    @cached_property
    def _first_labels(self) -> dict[int, str]:
        """By the id of the graph, the label of its first use."""
        labels: dict[int, str] = {}
        for caller in self.order:
            for node in caller.nodes:
                if isinstance(node, CallNode):
                    labels.setdefault(id(node.graph), node.label)
        return labels


def _is_layer(graph: Graph) -> bool:
    """Whether a sequence is a layer that its block names, rather than a row of other layers."""
    return graph.kind == "block" and any(isinstance(n, OpNode) for n in graph.nodes)


def _keep_instantiated_classes(alone: list[ClassDef], others: list[ClassDef]) -> list[ClassDef]:
    """Keep the classes of `alone` that another class instantiates."""
    # A function that turned out to be at the idle end of a row is not instantiated anywhere.
    if not alone:
        return []
    instantiated = {id(called) for c in others for called in _find_instantiated_classes(c)}
    return [c for c in alone if id(c) in instantiated]


def _sort_callees_first(classes: list[ClassDef]) -> list[ClassDef]:
    """Return the classes in their order, except that the classes that one instantiates come before it."""
    ordered: dict[int, ClassDef] = {}
    stack = classes[::-1]
    while stack:
        waiting = [c for c in _find_instantiated_classes(stack[-1]) if id(c) not in ordered]
        if waiting:
            stack += waiting[::-1]
        else:
            cls = stack.pop()
            ordered.setdefault(id(cls), cls)
    return list(ordered.values())


def _find_instantiated_classes(cls: ClassDef) -> list[ClassDef]:
    """Return the other classes that a class instantiates."""
    return [p.cls for code in cls.body.list_constructor_code() for p in walk_tree(code) if isinstance(p, ClassRef) and p.cls is not cls]


def _make_chain_body(graph: Graph, construction: Construction, framework: Framework) -> ClassBody:
    """Make the body of a class that is a sequence."""
    body = ClassBody(graph, framework)
    body.names = [v.name for v in graph.inputs]
    assert isinstance(construction.code, CallCode)
    body.chain = construction.code
    return body


def _group_bodies(bodies: list[ClassBody], program: ClassSymbols) -> list[list[ClassBody]]:
    """Group the bodies of one block that have equal keys. A body that is alone needs no key."""
    blocks: dict[object, list[ClassBody]] = {}
    for body in bodies:
        blocks.setdefault(get_source_key(body.graph), []).append(body)
    groups: list[list[ClassBody]] = []
    for members in blocks.values():
        if len(members) == 1:
            groups.append(members)
            continue
        keyed: dict[object, list[ClassBody]] = {}
        for body in members:
            keyed.setdefault(body.make_shape_key(), []).append(body)
        groups += merge_variants(list(keyed.values()), program)
    return groups
