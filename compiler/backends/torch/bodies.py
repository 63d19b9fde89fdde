"""One graph as the body of a class: what its constructor makes, and what `forward` does step by step.

In: a graph whose callees have their forms. Out: a `ClassBody`. Always: linear in the number of nodes; every tensor, module and run-time
size in the code of the body is resolved to a number or a label of this body.
"""

from __future__ import annotations

from collections.abc import Callable

from netc.dsl.record import replace

from ...ir.graph import CallNode, Graph, Node, OpNode, SharedModule
from .classes import ClassBody, Loop, Member, Step, StepInfo
from .code import CallCode, Code, Lit, Ref, SelfMember, Subscript
from .construction import MissingEmitter, Operators, called
from .containers import TURN, Construction, Forms
from .naming import CONTAINER_ATTRIBUTES, plain, singular
from .nested_labels import nest_labels
from .shared import Sharing
from .sizes import ForwardSizes
from .tie import tied
from .tree import ListComp, MemberRef, NameCode, SharedModuleArg, ValueRef, rewrite


def body_of(graph: Graph, forms: Forms, operators: Operators, sharing: Sharing, *, passing: bool = False) -> ClassBody:
    """The body of a graph that becomes a class. `passing`: sizes that vary stay literals, which then become arguments of `forward`."""
    return _Builder(graph, forms, operators, sharing, passing).run()


class _Builder:
    def __init__(self, graph: Graph, forms: Forms, operators: Operators, sharing: Sharing, passing: bool) -> None:
        self.graph, self.forms, self.operators, self.sharing, self.passing = graph, forms, operators, sharing, passing
        self.body = ClassBody(graph)
        self.sizes = ForwardSizes(self.body)
        self.places: dict[int, int] = {}
        self.labels = {m.label for m in (*graph.nodes, *graph.declares, *graph.modules)}
        self.own: dict[int, Code] = {id(m): MemberRef(m.label) for m in graph.declares}
        self.own |= {id(m): SharedModuleArg(i) for i, m in enumerate(graph.modules) if id(m) not in self.own}

    def run(self) -> ClassBody:
        body, graph = self.body, self.graph
        body.handed = [m.label for m in graph.modules]
        for value in graph.inputs:
            self._place(value)
        undeclared = {id(m): m for m in graph.declares}
        for node in graph.nodes:
            handed = node.modules if isinstance(node, CallNode) else ()
            for module in (node.shared, *handed):
                if module is not None and undeclared.pop(id(module), None) is not None:
                    self._declare(module)
            self._node(node)
        body.outputs = tuple(self.places[id(v)] for v in graph.outputs)
        body.ties = [tied(node, graph, self.forms, self.own) for node in graph.nodes if isinstance(node, OpNode) and node.tie]
        if any("." in m.label for m in body.members):
            self._fold()
        body.keyed = any(m.how == "module" and not m.label.isidentifier() and "." not in m.label for m in body.members)
        return body

    def _fold(self) -> None:
        """Puts members whose labels have levels into holders, and reaches them there."""
        body = self.body
        nodes = {n.shared.label if n.shared is not None else n.label: n for n in self.graph.nodes}
        body.members, reached = nest_labels(body.members, nodes)

        def change(part: Code) -> Code | None:
            return reached.get(part.label) if isinstance(part, MemberRef) else None

        body.steps = [_reaching(step, change) for step in body.steps]
        body.ties = [(rewrite(target, change), rewrite(source, change)) for target, source in body.ties]

    def _place(self, value: object) -> int:
        self.places[id(value)] = len(self.body.names)
        self.body.names.append(getattr(value, "name", ""))
        return len(self.body.names) - 1

    # --- members ---------------------------------------------------------------------------------------------------------

    def _declare(self, module: SharedModule) -> None:
        """The one member that all uses of a shared stage share: it stands before what uses it first."""
        made: list[Member] = []
        for node in self.sharing.uses(self.graph, module):
            member = self._member(node, module.label)
            if member is not None and member not in made:
                made.append(member)
        if len(made) > 1:
            raise MissingEmitter(module.label, "it is used in ways that need different modules")
        self.body.members += made

    def _member(self, node: Node, label: str) -> Member | None:
        form = self._form(node)
        if form is not None:
            return Member(label, "module", form.code)
        if isinstance(node, CallNode) or not self.operators.is_member(node):
            return None
        return Member(label, self.operators.how(node), self.operators.constructor(node))

    def _form(self, node: Node) -> Construction | None:
        """How what the node calls is made, be it an operator in a class of its own."""
        if isinstance(node, CallNode):
            return self.forms[id(node.graph)]
        return self.forms.get(id(node)) if self.operators.is_alone(node) else None

    def _owned(self, node: Node) -> Code:
        """The node's module in `forward`; it becomes a member unless it is shared."""
        if node.shared is not None:
            return self.own[id(node.shared)]
        label = self._label(node)
        member = self._member(node, label)
        if member is not None:
            self.body.members.append(member)
        return MemberRef(label)

    def _label(self, node: Node) -> str:
        """The node's label. A constant that is in no state dict goes by what the spec calls the tensor, if nothing else does."""
        if isinstance(node, CallNode) or self.operators.how(node) != "transient":
            return node.label
        name = node.outputs[0].name
        if not plain(name) or name in CONTAINER_ATTRIBUTES or name in self.labels:
            return node.label
        self.labels.add(name)
        return name

    # --- steps -----------------------------------------------------------------------------------------------------------

    def _node(self, node: Node) -> None:
        own = self._owned(node)
        inputs = tuple(self.places[id(v)] for v in node.inputs)
        form = self._form(node)
        if isinstance(node, OpNode):
            code = self.operators.expression(node) if form is None else called(len(inputs))
            traits = self.operators.traits(node, code)
            traits = traits if form is None else replace(traits, module=True)
            self._step(self._bound(code, inputs, own), traits, node)
            return
        assert form is not None
        modules = tuple(self.own[id(m)] for m in node.modules)
        traits = StepInfo(node.graph.name, parametric=True, module=True, call=True)
        if form.turn is not None:
            self._turns(node, form, inputs, own, modules)
            return
        args = (*(Ref(i) for i in range(len(inputs))), *modules, *form.passed)
        self._step(self._bound(CallCode(SelfMember(), args), inputs, own), traits, node)

    def _step(self, code: Code, traits: StepInfo, node: Node, loop: Loop | None = None) -> None:
        self.body.steps.append(Step(code, tuple(self._place(v) for v in node.outputs), traits, loop))

    def _turns(self, node: CallNode, form: Construction, inputs: tuple[int, ...], own: Code, modules: tuple[Code, ...]) -> None:
        """A list of modules: one after the other, or side by side."""
        assert form.turn is not None
        label = node.shared.label if node.shared is not None else node.label
        variable = _member_name(label, "branch" if node.graph.kind == "branches" else "layer")
        # Of one branch alone there is no list to make.
        alone = node.graph.kind == "branches" and len(node.outputs) == 1
        member: Code = Subscript(own, (Lit(0),)) if alone else NameCode(variable)
        turn = rewrite(form.turn, lambda c: member if c == NameCode(TURN) else None)
        turn = rewrite(turn, lambda c: modules[c.index] if isinstance(c, SharedModuleArg) else None)
        turn = self._bound(turn, inputs, own)
        if alone:
            self._step(turn, StepInfo(node.graph.name, parametric=True, module=True, call=True), node)
            return
        if node.graph.kind == "branches":
            self._step(ListComp(turn, variable, own), StepInfo(node.graph.name, parametric=True, module=True), node)
            return
        traits = StepInfo(node.graph.name, parametric=True, module=True, call=True)
        assert isinstance(turn, CallCode)
        states = tuple(a.index for a in turn.args[: len(node.outputs)] if isinstance(a, ValueRef))
        self._step(turn, traits, node, Loop(own, variable, states))

    def _bound(self, code: Code, inputs: tuple[int, ...], own: Code) -> Code:
        if code is called(len(inputs)):
            return CallCode(own, tuple(ValueRef(i) for i in inputs))

        def change(part: Code) -> Code | None:
            match part:
                case Ref(index):
                    return ValueRef(inputs[index])
                case SelfMember():
                    return own
                case Lit(value) if not self.passing:
                    return self.sizes.resolve(value)
            return None

        return rewrite(code, change)


def _reaching(step: Step, change: Callable[[Code], Code | None]) -> Step:
    loop = step.loop and replace(step.loop, members=rewrite(step.loop.members, change))
    return replace(step, code=rewrite(step.code, change), loop=loop)


def _member_name(label: str, usual: str) -> str:
    """What one of the members under `label` is called."""
    label = label.rpartition(".")[2]
    one = singular(label)
    return one if one != label and plain(one) else usual
