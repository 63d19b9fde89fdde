"""Writes equal layers as one module whose tensors are stacked, in place of a list or a row: `Containers.scanned` of a framework.

In: the classes of a file. Out: the same classes, changed in place, and a note for each list of layers that stays a loop. Always: layers are
scanned only if their constructors are equal, each returns what it takes, and nothing but the loop uses them.

    >>> import netc
    >>> text = "block layer { in + (in -> dense 4) }; input 4 -> repeat 8 as layers { layer }"
    >>> source = netc.compile(text).source("flax", scan_layers=True)
    >>> [line.strip() for line in source.splitlines() if "self.layers" in line]
    ['self.layers = ScannedLayers(Layer(rngs=rngs) for _ in range(8))', 'return self.layers(input)']
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netc.dsl.record import replace
from netc.dsl.trees import rewrite_downward, walk_tree

from ....ir.graph import CallNode, Graph, Node
from ..code.class_tree import DictCode, FrozenCode, ListCode, MemberRef, RepeatStar
from ..code.classes import ClassBody, ClassDef, ClassRef, Member, ScanCode, Step
from ..code.framework import Framework
from ..code.python_expressions import AttributeCode, CallCode, Code, Lit, MembersCall, Subscript
from ..printing.repeats import unroll_repeats


def scan_equal_layers(classes: Sequence[ClassDef]) -> tuple[str, ...]:
    """Scan the layers of all classes. Return a sentence for each list of layers of one class that stays a loop."""
    notes: list[str] = []
    paths = _collect_paths(classes)
    for cls in classes:
        body = cls.body
        if body.is_list or body.chain is not None:
            members = [member.code for member in body.members] or list(getattr(body.chain, "args", ()))
            if len(unroll_repeats(members)) > 1 and _has_one_class(members, body.framework):
                notes.append(f"the layers in `{cls.name}` stay a loop: they are members of a class of their own")
        for member in body.members:
            layers = _find_layers(member.code, body.framework)
            if layers is None or not _has_one_class(_list_items(layers), body.framework):
                continue
            obstacle = _find_obstacle(cls, member, layers, paths)
            if obstacle:
                notes.append(f"`{member.label}` of `{cls.name}` stays a loop: {obstacle}")
            else:
                _scan_member(body, member, layers)
    return tuple(notes)


def _find_layers(code: Code, framework: Framework) -> CallCode | None:
    """Return the list or row of several layers that makes a member, or None."""
    if isinstance(code, FrozenCode):
        return _find_layers(code.module, framework)
    classes = (framework.containers.list_class, framework.containers.row)
    if not isinstance(code, CallCode) or code.function not in classes:
        return None
    items = unroll_repeats(_list_items(code))
    return code if len(items) > 1 or any(isinstance(item, RepeatStar) for item in items) else None


def _list_items(layers: CallCode) -> list[Code]:
    """List the members of a list or a row, in which a `RepeatStar` stands for several."""
    match layers:
        case CallCode(_, (ListCode(items),)):
            return list(items)
        case CallCode(_, (DictCode(pairs),)):
            return [item for _, item in pairs]
    return [*layers.args, *(keyword.value for keyword in layers.kwargs)]


def _get_layer(item: Code) -> Code:
    return item.item if isinstance(item, RepeatStar) else item


def _has_one_class(items: Iterable[Code], framework: Framework) -> bool:
    """Whether all items make modules of one class of the file."""
    functions = [layer.function if isinstance(layer := _get_layer(item), CallCode) else None for item in items]
    first = functions[0]
    is_class = isinstance(first, ClassRef) or (isinstance(first, str) and framework.definitions.get(first, "").startswith("class "))
    return is_class and all(function == first for function in functions)


def _find_obstacle(cls: ClassDef, member: Member, layers: CallCode, paths: frozenset[str]) -> str:
    """Return why the layers cannot be scanned. Empty if they can."""
    first, *others = map(_get_layer, _list_items(layers))
    if any(layer != first for layer in others):
        return "its layers differ"
    nodes = [node for graph in cls.graphs for node in _find_layer_nodes(graph, member.label)]
    if any(isinstance(node, CallNode) and node.modules for node in nodes):
        return "its layers use a stage from outside of it"
    if any(len(node.outputs) != 1 or node.inputs[0].type != node.outputs[0].type for node in nodes):
        return "its layers return another type than they take, or several results"
    if member.label in paths:
        return "a parameter of its layers is used outside of it"
    if not _is_only_called(cls.body, member.label):
        return "its layers are also used one by one"
    return ""


def _find_layer_nodes(graph: Graph, label: str) -> Iterator[Node]:
    """Iterate over the nodes that call the layers under a label."""
    for node in graph.nodes:
        if isinstance(node, CallNode) and label == (node.label if node.shared is None else node.shared.label):
            yield from node.graph.nodes


def _collect_paths(classes: Sequence[ClassDef]) -> frozenset[str]:
    """Collect the labels through which code reaches into a member: `layers` of `self.model.layers[0].weight`."""
    names: set[str] = set()
    for part in (part for cls in classes for code in _list_code(cls.body) for part in walk_tree(code)):
        match part:
            case AttributeCode(_, name) | Subscript(_, (Lit(str() as name),)):
                names.add(name)
    return frozenset(names)


def _list_code(body: ClassBody) -> list[Code]:
    """List all code of a body but the containers of its loops."""
    pairs = [code for pair in (*body.ties, *body.starts, *body.norms) for code in pair]
    return [*(step.code for step in _iterate_steps(body.steps)), *body.list_constructor_code(), *pairs, *body.outputs]


def _iterate_steps(steps: Iterable[Step]) -> Iterator[Step]:
    """Iterate over the steps and the steps of scans in them."""
    for step in steps:
        yield step
        if isinstance(step.code, ScanCode):
            yield from _iterate_steps(step.code.steps)


def _is_only_called(body: ClassBody, label: str) -> bool:
    """Whether loops with one state, or calls of the row as one module, are all uses of a member."""
    member = MemberRef(label)
    loops = [step.loop for step in _iterate_steps(body.steps) if step.loop is not None and step.loop.members == member]
    parts = [part for step in body.steps for part in walk_tree(step.code)]
    calls = sum(isinstance(part, CallCode) and part.function == member for part in parts)
    uses = sum(part == member for code in _list_code(body) for part in walk_tree(code))
    nested = [step for step in body.steps if isinstance(step.code, ScanCode)]
    return not nested and uses == calls and all(len(loop.states) == 1 and not loop.slots for loop in loops)


def _scan_member(body: ClassBody, member: Member, layers: CallCode) -> None:
    # A row of members without names becomes a list, which is written as a generator.
    args = (ListCode(layers.args),) if isinstance(layers, MembersCall) else layers.args
    scanned = CallCode(body.framework.containers.scanned, args, layers.kwargs)
    code = rewrite_downward(member.code, lambda part: scanned if part is layers else None)
    body.members = [replace(other, code=code) if other is member else other for other in body.members]
    body.steps = [_call_at_once(step, MemberRef(member.label)) for step in body.steps]


def _call_at_once(step: Step, member: MemberRef) -> Step:
    """Write a loop over the layers as one call."""
    if step.loop is None or step.loop.members != member or not isinstance(step.code, CallCode):
        return step
    return replace(step, code=CallCode(member, step.code.args), loop=None)
