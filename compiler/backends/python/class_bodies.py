"""Makes one graph the body of a class: the members that its constructor makes, and the steps of `forward`.

In: a graph whose callees have their constructions. Out: a `ClassBody`: for `dense(8); relu` a member `Linear(4, 8)` and the steps
`self.dense(x)` and `relu(...)`. Always: linear in the number of nodes. Every tensor, module and run-time size in the code of the body is
resolved to a number or a label of this body.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netc.dsl.record import Record, replace
from netc.dsl.trees import rewrite_downward, walk_tree

from ...analysis.dependent_parameters import ParameterReference, find_source_parameters
from ...ir.choices import iterate_choices, joined_tuples
from ...ir.graph import CallNode, Graph, Node, OpNode, Scan, SharedModule, has_operator
from ...ir.graph_values import Parts, Value, ValueTuple, flatten_parts
from ...ir.walk import collect_graphs
from ...ops.mode import ByMode
from .classes.forward_sizes import ForwardSizes
from .classes.shared_modules import Sharing
from .code.class_tree import (
    ListComp,
    MemberRef,
    NameCode,
    ParameterRef,
    SharedModuleArg,
    Starred,
    ValueRef,
    strip_code_formulas,
    substitute_call_arguments,
)
from .code.classes import ClassBody, Loop, Member, ScanCode, Step, StepInfo
from .code.framework import Framework
from .code.python_expressions import AnyInput, CallCode, Code, Lit, Ref, SelfMember, Subscript, TupleCode
from .forward.forward_steps import JOIN, RETURN, make_result
from .forward.roles import TensorRoles, choose_tensor_name
from .identifiers import singularize
from .mode_order import order_by_mode
from .modules.containers import ELEMENT, Construction, Constructions
from .modules.nested_labels import nest_labels
from .modules.tie import ParameterAccess, make_tie
from .operator_calls import OperatorForms, call_with_all_inputs, freeze_module
from .tensors import TensorCodes
from .unsupported_python import UnsupportedInPython, different_modules


class Context(Record):
    """State that the bodies of one program share."""

    framework: Framework
    constructions: Constructions
    operators: OperatorForms
    sharing: Sharing
    roles: TensorRoles


def build_body(graph: Graph, context: Context, *, passing: bool = False) -> ClassBody:
    """Build the body of a graph that becomes a class. `passing`: sizes stay literals, which become arguments of `forward` where they
    differ."""
    return _BodyBuilder(graph, context, passing).run()


class _BodyBuilder:
    def __init__(self, graph: Graph, context: Context, passing: bool) -> None:
        self.graph, self.passing, self.framework = graph, passing, context.framework
        self.constructions, self.operators, self.sharing = context.constructions, context.operators, context.sharing
        self.roles = context.roles.find_roles(graph)
        self.body = ClassBody(graph, context.framework)
        self.sizes = ForwardSizes(self.body)
        self.tensors = TensorCodes(ValueRef)
        self.mode: bool | None = None
        """The mode for which steps are being written now."""
        self.mode_results: dict[int, int] = {}
        """The numbers of tensors that the mode decides, by their ids."""
        self.visited_nodes: list[Node] = []
        """The nodes so far, including those in loops."""
        self.all_roles = context.roles
        self.pending_tuples = list(joined_tuples(graph.choices))
        """The tuples that `if`s give and that are not made yet."""
        self.labels: set[str] = set()
        self.module_codes: dict[int, Code] = {}
        self.source_parameters: dict[int, ParameterReference] = {}
        self._enter_graph(graph)
        self.module_codes |= {id(m): SharedModuleArg(i) for i, m in enumerate(graph.modules) if id(m) not in self.module_codes}
        self.ways = ParameterAccess(graph, self.constructions, self.module_codes, self.framework)

    def _enter_graph(self, graph: Graph) -> None:
        """Add the labels and shared stages of the graph, or of a loop in it."""
        self.labels |= {m.label for m in (*graph.nodes, *graph.declares, *graph.modules)}
        self.module_codes |= {id(m): MemberRef(m.label) for m in graph.declares}
        self.source_parameters |= find_source_parameters(graph)

    def run(self) -> ClassBody:
        body, graph = self.body, self.graph
        body.shared_labels = [m.label for m in graph.modules]
        for grouped_input in graph.grouped_inputs:
            self._add_tensor(grouped_input)
        self._make_joined_tuples()
        self._add_nodes(graph)
        body.outputs = tuple(map(self.tensors.get_code, graph.single_outputs))
        for tail in graph.tails:
            code = self.tensors.get_tuple_code(tail.parts)
            if tail.listed or graph.kind != "model":
                body.outputs += (code,)
            # A model returns plain tensors, so the tensors of a tuple are spread among its results.
            else:
                body.outputs += code.items if isinstance(code, TupleCode) else (Starred(code),)
        for choice in iterate_choices(graph.choices):
            body.ends[choice.key] = self._list_codes(choice.inputs), self._list_codes(choice.results)
        body.ties = [make_tie(node, self.ways) for node in self.visited_nodes if isinstance(node, OpNode) and node.tie]
        body.starts, body.norms = self._list_starts(modules=True), self._list_starts(modules=False)
        # After all members are known, because a container is made with all of its members at once.
        if any("." in m.label for m in body.members):
            self._nest_members()
        # Without inputs there is no tensor to read the device from, so the caller passes one.
        if not graph.grouped_inputs and any(isinstance(p, AnyInput) for step in body.steps for p in walk_tree(step.code)):
            body.passed.append(("like", AnyInput()))
        body.keyed = any(m.kind == "module" and not m.label.isidentifier() and "." not in m.label for m in body.members)
        return body

    def _list_codes(self, parts: Parts) -> list[Code]:
        return [self.tensors.get_code(part) if isinstance(part, Value) else self.tensors.get_tuple_code((part,)) for part in parts]

    def _make_joined_tuples(self) -> None:
        """Make the tuples that `if`s give, each as soon as all its parts exist."""
        while self.pending_tuples and self.tensors.has_parts(self.pending_tuples[0].parts):
            joined = self.pending_tuples.pop(0)
            self._add_step(self.tensors.get_tuple_code(joined.parts), JOIN, [joined])
            self.body.steps[-1] = replace(self.body.steps[-1], end=joined.key)

    def _add_nodes(self, graph: Graph) -> None:
        undeclared = {id(m): m for m in graph.declares}
        around = self.mode
        indices = {id(node): index for index, node in enumerate(graph.nodes)}
        for node, mode in order_by_mode(graph):
            self.mode = mode
            if node is None:
                self._add_training_return()
                continue
            passed = node.modules if isinstance(node, CallNode) else ()
            for module in (node.shared, *passed):
                if module is not None and undeclared.pop(id(module), None) is not None:
                    self._add_shared_member(graph, module)
            before = len(self.body.members), len(self.body.steps)
            self.visited_nodes.append(node)
            self._add_node(node)
            # Nodes in loops belong to the node of the loop, whose index they get with it.
            if graph is self.graph:
                self._mark_with_node(indices[id(node)], *before)
                self._make_joined_tuples()
        self.mode = around

    def _mark_with_node(self, index: int, members: int, steps: int) -> None:
        """Mark the members and steps that the node has added with its index."""
        if self.graph.choices:
            self.body.members[members:] = [replace(m, node=index) for m in self.body.members[members:]]
            self.body.steps[steps:] = [replace(s, node=index) for s in self.body.steps[steps:]]

    def _add_training_return(self) -> None:
        """Return the results in training, if evaluation has other ones."""
        outputs = tuple(map(self.tensors.get_code, self.graph.training_outputs or ()))
        self.body.steps.append(Step(make_result(outputs), (), RETURN, mode=True))

    def _add_mode_step(self, node: OpNode) -> None:
        """Add one side of an `if training`, under its mode."""
        value = self.tensors.get_code(node.inputs[0 if self.mode else 1])
        traits = StepInfo("either", either=True)
        (result,) = node.outputs
        # The second side sets the same tensor as the first.
        number = self._add_tensor(result) if id(result) not in self.mode_results else self.mode_results[id(result)]
        self.mode_results[id(result)] = number
        self.body.steps.append(Step(value, (number,), traits, mode=self.mode))

    def _nest_members(self) -> None:
        """Move members whose labels have levels into nested containers, and refer to them there."""
        body = self.body
        nodes = {n.shared.label if n.shared is not None else n.label: n for n in self.visited_nodes}
        body.members, reached = nest_labels(body.members, nodes, self.framework)

        def change(part: Code) -> Code | None:
            return reached.get(part.label) if isinstance(part, MemberRef) else None

        body.steps = [_rewrite_step(step, change) for step in body.steps]
        body.ties = [(rewrite_downward(target, change), rewrite_downward(source, change)) for target, source in body.ties]
        body.starts = [(rewrite_downward(module, change), rewrite_downward(source, change)) for module, source in body.starts]
        body.norms = [(rewrite_downward(parameter, change), rewrite_downward(source, change)) for parameter, source in body.norms]

    def _list_starts(self, *, modules: bool) -> list[tuple[Code, Code]]:
        """List the modules of this body that start from a parameter, or the parameters that do, each once, with that parameter."""
        source_parameters = self.source_parameters
        passed = {id(m) for m in self.graph.modules}
        # A shared stage that the caller passes is initialized by the class that declares it.
        starting = [n for n in self.visited_nodes if id(n) in source_parameters and (n.shared is None or id(n.shared) not in passed)]
        starting = [n for n in starting if isinstance(n, OpNode) and bool(n.specs[0].name) is modules]
        sources = {self.ways.access_stage(n): source_parameters[id(n)] for n in starting}
        return [(stage, self.ways.access_parameter(where.path, where.name)) for stage, where in sources.items()]

    def _add_tensor(self, result: Value | ValueTuple) -> int:
        self.body.names.append(choose_tensor_name(result, self.roles))
        self.body.roles.append(self.roles.get(id(result), ""))
        return self.tensors.add_tensor(result)

    def _add_scan(self, node: CallNode, scan: Scan) -> None:
        """Add a loop, whose steps become steps of this body, and its members members of this body."""
        graph = node.graph
        inputs = [self.tensors.get_code(v) for v in node.inputs]
        # Captured tensors need no variables of their own: in the loop, they are the tensors around it.
        for inner, code in zip(graph.inputs[scan.own_count :], inputs[scan.own_count :], strict=True):
            self.tensors.add_alias(inner, code)
        for inner_tuple, passed in zip(graph.tuples, node.tuples, strict=True):
            self.tensors.add_alias(inner_tuple, self.tensors.get_tuple_code(passed))
        self.roles = {**self.roles, **self.all_roles.find_roles(graph)}
        self._enter_graph(graph)
        places = [self._add_tensor(v) for v in graph.inputs[: scan.own_count]]
        outer, self.body.steps = self.body.steps, []
        self._add_nodes(graph)
        result = Step(TupleCode(tuple(map(self.tensors.get_code, graph.outputs))), (), RETURN)
        steps, self.body.steps = (*self.body.steps, result), outer
        states, parts_ = tuple(places[: scan.states]), tuple(places[scan.states :])
        starts, scanned = tuple(inputs[: scan.states]), tuple(inputs[scan.states : scan.own_count])
        code = ScanCode(starts, scanned, steps, states, parts_, scan.axes, scan.stacked, scan.reverse, self._is_pure(graph))
        self._add_step(code, StepInfo("scan", parametric=True, call=True), node.outputs)

    def _is_pure(self, graph: Graph) -> bool:
        """Whether the framework has a function for scans, and no module in the graph changes when it is called."""
        nodes = (node for inner in collect_graphs(graph) for node in inner.nodes if isinstance(node, OpNode))
        return bool(self.framework.scan) and not any(self.framework.changes_state(node.op) for node in nodes)

    # --- members ---------------------------------------------------------------------------------------------------------

    def _add_shared_member(self, graph: Graph, module: SharedModule) -> None:
        """Add the one member for all uses of a shared stage, before the first member that uses it."""
        members: list[Member] = []
        for node, places in self.sharing.find_uses(graph, module):
            member = self._make_member(node, module.label)
            if member is None:
                continue
            members.append(replace(member, code=substitute_call_arguments(member.code, places)))
            # The uses may compute a number by different formulas; only different values need different modules.
            if strip_code_formulas(members[-1].code) != strip_code_formulas(members[0].code):
                raise UnsupportedInPython(different_modules(f"`{module.label}`", self.framework.title), node)
        self.body.members += members[:1]

    def _make_member(self, node: Node, label: str) -> Member | None:
        if isinstance(node, CallNode):
            return Member(label, "module", freeze_module(node, _substitute_for_caller(self.constructions[id(node.graph)].code, node)))
        return (
            Member(label, self.operators.get_member_kind(node), self.operators.build_constructor_code(node))
            if self.operators.is_member(node)
            else None
        )

    def _resolve_module(self, node: Node) -> Code:
        """Return the node's module in `forward`. It becomes a member unless it is shared."""
        if node.shared is not None:
            return self.module_codes[id(node.shared)]
        label = self._choose_label(node)
        member = self._make_member(node, label)
        if member is not None:
            self.body.members.append(member)
        return MemberRef(label)

    def _choose_label(self, node: Node) -> str:
        """Choose the node's label. A constant that is in no state dict has the tensor's name in the spec, if that is free."""
        if isinstance(node, CallNode) or not self.operators.is_constant(node):
            return node.label
        name = node.outputs[0].name
        if not self.framework.is_attribute_name(name) or name in self.framework.container_attributes or name in self.labels:
            return node.label
        self.labels.add(name)
        return name

    # --- steps -----------------------------------------------------------------------------------------------------------

    def _add_node(self, node: Node) -> None:
        if has_operator(node, ByMode):
            self._add_mode_step(node)
            return
        if isinstance(node, CallNode) and node.scan is not None:
            self._add_scan(node, node.scan)
            return
        module = self._resolve_module(node)
        if isinstance(node, OpNode):
            code = self.operators.build_expression(node)
            traits = self.operators.describe_step(node, code)
            self._add_step(
                self._resolve_references(self._restore_tuples(code, node.parts), tuple(map(self.tensors.get_code, node.inputs)), module),
                traits,
                node.outputs,
            )
            return
        construction = self.constructions[id(node.graph)]
        modules = tuple(self.module_codes[id(m)] for m in node.modules)
        traits = StepInfo(node.graph.name, parametric=True, module=True, call=True)
        inputs = self.tensors.list_call_inputs(node)
        if construction.element_call is not None:
            self._add_element_calls(node, construction, inputs, module, modules)
            return
        args = (*(Ref(i) for i in range(len(inputs))), *modules, *(_substitute_for_caller(p, node) for p in construction.passed))
        self._add_step(self._resolve_references(CallCode(SelfMember(), args), inputs, module), traits, node.grouped_outputs)

    def _restore_tuples(self, code: Code, parts: Parts) -> Code:
        """Return the code of an operator that takes any number of tensors, with the tuples that contained the tensors."""
        if not parts:
            return code
        all_inputs = TupleCode(tuple(Ref(i) for i in range(len(flatten_parts(parts)))))
        return rewrite_downward(code, lambda part: self.tensors.get_tuple_code(parts) if part == all_inputs else None)

    def _add_step(self, code: Code, traits: StepInfo, results: Sequence[Value | ValueTuple], loop: Loop | None = None) -> None:
        self.body.steps.append(Step(code, tuple(map(self._add_tensor, results)), traits, loop, self.mode))

    def _add_element_calls(
        self, node: CallNode, construction: Construction, inputs: tuple[Code, ...], module: Code, modules: tuple[Code, ...]
    ) -> None:
        """Add the calls of a list of modules, in sequence or in parallel."""
        assert construction.element_call is not None
        label = node.shared.label if node.shared is not None else node.label
        variable = self._choose_element_name(label, "branch" if node.graph.kind == "branches" else "layer")
        # a single branch needs no list
        alone = node.graph.kind == "branches" and len(node.outputs) == 1
        member: Code = Subscript(module, (Lit(0),)) if alone else NameCode(variable)
        call = rewrite_downward(
            _substitute_for_caller(construction.element_call, node), lambda c: member if c == NameCode(ELEMENT) else None
        )
        call = rewrite_downward(call, lambda c: modules[c.index] if isinstance(c, SharedModuleArg) else None)
        call = self._resolve_references(call, inputs, module)
        outputs = node.grouped_outputs
        if alone:
            self._add_step(call, StepInfo(node.graph.name, parametric=True, module=True, call=True), outputs)
            return
        if node.graph.kind == "branches":
            self._add_step(ListComp(call, variable, module), StepInfo(node.graph.name, parametric=True, module=True), outputs)
            return
        traits = StepInfo(node.graph.name, parametric=True, module=True, call=True)
        assert isinstance(call, CallCode)
        carried = [output for output in outputs if not (isinstance(output, ValueTuple) and output.listed)]
        states = tuple(
            self._number_state(*state) for state in zip(call.args, carried, _list_input_names(node.graph.nodes[0]), strict=False)
        )
        call = replace(call, args=(*map(ValueRef, states), *call.args[len(states) :]))
        self._add_step(call, traits, outputs, Loop(module, variable, states, construction.slots, construction.items))

    def _number_state(self, code: Code, result: Value | ValueTuple, role: str) -> int:
        """Return the number of the tensor that a loop starts with. A tuple made for the loop becomes a step of its own."""
        if isinstance(code, ValueRef):
            return code.index
        self._add_step(code, StepInfo("tuple"), [ValueTuple(result.name or role, (), 0)])
        self.body.roles[-1] = role
        return len(self.body.names) - 1

    def _choose_element_name(self, label: str, usual: str) -> str:
        """Choose the variable for one of the members under `label`."""
        label = label.rpartition(".")[2]
        singular = singularize(label)
        return singular if singular != label and self.framework.is_attribute_name(singular) else usual

    def _resolve_references(self, code: Code, inputs: tuple[Code, ...], shared_code: Code) -> Code:
        # The most common call is one shared object, so it need not be searched for references.
        if code is call_with_all_inputs(len(inputs)):
            return CallCode(shared_code, inputs)

        def change(part: Code) -> Code | None:
            match part:
                case Ref(index):
                    return inputs[index]
                case SelfMember():
                    return shared_code
                case ParameterRef(path, name):
                    return self.ways.access_parameter(path, name)
                case Lit(value) if not self.passing:
                    return self.sizes.resolve_sizes(value)
            return None

        return rewrite_downward(code, change)


def _substitute_for_caller(code: Code, node: Node) -> Code:
    """Rewrite code of a called graph for the graph of the call."""
    return substitute_call_arguments(code, node.arguments) if isinstance(node, CallNode) else code


def _rewrite_step(step: Step, change: Callable[[Code], Code | None]) -> Step:
    loop = step.loop and replace(step.loop, members=rewrite_downward(step.loop.members, change))
    return replace(step, code=rewrite_downward(step.code, change), loop=loop)


def _list_input_names(node: Node) -> list[str]:
    """Return the name of each input in the called graph; empty for the inputs of an operator."""
    return [tensor.name for tensor in node.graph.grouped_inputs] if isinstance(node, CallNode) else [""] * len(node.inputs)
