"""Groups the nodes of an exported graph into a tree of module calls.

`Sequential(Linear, ReLU)` is a call of the model with two calls inside, `0` and `1`, of one node each.

In: the nodes, each with the stack of modules that were active (`nn_module_stack`). Out: a `ModuleCall` for the whole model, whose items are
nodes and further calls in the order of computation. Always: every node is in one call, and the nodes of a call follow each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from operator import getitem
from typing import Any

import torch.fx
from torch.fx import Node

Item = "Node | ModuleCall"


class ModuleCall:
    """One call of a module. `path` is the module's path in the model, empty for the model itself. `name` is the name of its class."""

    def __init__(self, path: str, name: str, parent: ModuleCall | None) -> None:
        self.path = path
        self.name = name
        self.parent = parent
        self.items: list[Node | ModuleCall] = []

    def __repr__(self) -> str:
        return f"<call of {self.path or 'the model'}: {self.name}>"

    def enclosing_calls(self) -> list[ModuleCall]:
        """List the calls around it, from the whole model to itself."""
        calls: list[ModuleCall] = []
        call: ModuleCall | None = self
        while call is not None:
            calls.append(call)
            call = call.parent
        return calls[::-1]

    def child_calls(self) -> Iterator[ModuleCall]:
        """Yield the calls directly inside."""
        return (item for item in self.items if isinstance(item, ModuleCall))

    def nested_calls(self) -> Iterator[ModuleCall]:
        """Yield all calls inside, in pre-order."""
        for call in self.child_calls():
            yield call
            yield from call.nested_calls()

    def is_sequence(self) -> bool:
        """Return whether it calls its members in order, each at most once. A user's class named Sequential may do something else."""
        members = [self.relative_key(item.path) if isinstance(item, ModuleCall) and self.owns_key(item.path) else "" for item in self.items]
        numbers = [int(member) if member.isdecimal() else -1 for member in members]
        return self.name == "Sequential" and -1 not in numbers and numbers == sorted(set(numbers))

    def all_nodes(self) -> Iterator[Node]:
        """Yield all nodes inside, in order."""
        for item in self.items:
            if isinstance(item, ModuleCall):
                yield from item.all_nodes()
            else:
                yield item

    def compute_signature(self, stored: Collection[Node]) -> tuple[Any, ...]:
        """Return a key that is equal for calls with the same operators and numbers on corresponding inputs. `stored` are the parameters."""
        places: dict[Node, Any] = {}
        keys: list[Any] = []

        def place(node: Node) -> Any:
            return node.name if node in stored else places.setdefault(node, ("input", len(places)))

        for number, node in enumerate(self.all_nodes()):
            keys.append((str(node.target), repr(torch.fx.node.map_arg((node.args, dict(node.kwargs)), place))))
            places[node] = ("node", number)
        return tuple(keys)

    def owns_key(self, key: str) -> bool:
        """Return whether the key of a parameter begins with the module's path."""
        return not self.path or key.startswith(f"{self.path}.")

    def relative_key(self, key: str) -> str:
        """Return a key or path relative to the module."""
        return key if not self.path else key[len(self.path) + 1 :]


class CallTree:
    """The calls of an exported graph. `home` has the call that each node is in."""

    def __init__(self, nodes: Iterable[Node], name: str, aliases: Mapping[str, tuple[str, ...]] | None = None) -> None:
        nodes = list(nodes)
        self.root = ModuleCall("", name, None)
        self.home: dict[Node, ModuleCall] = {}
        names = _choose_alias_labels(nodes, aliases or {})
        active: list[tuple[str, ModuleCall]] = [("", self.root)]
        late: list[Node] = []
        for node in nodes:
            # A getitem takes part of a tuple, so it belongs to the call that made the tuple, wherever the code unpacks it.
            if node.target is getitem:
                late.append(node)
                continue
            stack = _read_module_stack(node, names)
            # A node without a stack belongs to the call that is active.
            active = active if stack is None else self._enter_modules(active, stack)
            active[-1][1].items.append(node)
            self.home[node] = active[-1][1]
        for node in late:
            self.home[node] = self._find_source_call(node)

    def is_read_outside(self, node: Node, call: ModuleCall) -> bool:
        """Return whether something outside of a call reads the node."""
        return any(user.op == "output" or (user in self.home and call not in self.home[user].enclosing_calls()) for user in node.users)

    def _find_source_call(self, node: Node) -> ModuleCall:
        """Return the call that made the tuple from which the node takes an element."""
        source: Any = node.args[0]
        return self.home.get(source, self.root)

    def _enter_modules(self, active: list[tuple[str, ModuleCall]], stack: list[tuple[str, str, str]]) -> list[tuple[str, ModuleCall]]:
        # The calls that both stacks begin with go on. A further call of a module has another key, so it starts anew.
        kept = 1
        while kept < len(active) and kept <= len(stack) and active[kept][0] == stack[kept - 1][0]:
            kept += 1
        active = active[:kept]
        for key, path, name in stack[kept - 1 :]:
            call = ModuleCall(path, name, active[-1][1])
            active[-1][1].items.append(call)
            active.append((key, call))
        return active


def find_aliases(module: Any) -> dict[str, tuple[str, ...]]:
    """Map each path of a module with several paths to all of them.

    Modules without parameters and buffers are left out: one ReLU that is two members of a Sequential is two stages, because it shares no
    weights.
    """
    paths: dict[int, list[str]] = {}
    for path, inner in module.named_modules(remove_duplicate=False):
        if _has_state(inner):
            paths.setdefault(id(inner), []).append(path)
    return {path: tuple(names) for names in paths.values() if len(names) > 1 for path in names}


def _has_state(module: Any) -> bool:
    return any(True for tensors in (module.parameters(), module.buffers()) for _ in tensors)


def _choose_alias_labels(nodes: Iterable[Node], aliases: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Map each path of a module that is called by several of its paths to the path whose label it gets."""
    called: dict[tuple[str, ...], dict[str, None]] = {}
    around: dict[tuple[str, ...], set[str]] = {}
    active: set[str] = set()
    for node in nodes:
        stack = [path for _, path, _ in _read_module_stack(node, {}) or ()]
        active.update(stack)
        for path in stack:
            if path in aliases:
                names = aliases[path]
                called.setdefault(names, {})[path] = None
                around[names] = around.get(names, set(stack)) & set(stack)
    several = {names: paths for names, paths in called.items() if len(paths) > 1}
    known = {names: _choose_path(names, paths, active - around[names]) for names, paths in several.items()}
    return {path: name for names, name in known.items() for path in names}


def _choose_path(names: Iterable[str], called: Iterable[str], elsewhere: Collection[str]) -> str:
    """Choose the shortest path on which all calls reach the module: no module on it is `elsewhere`, active in only some of the calls.

    If every path has such a module, choose the shortest path that is called, because the parameters are declared there.
    """
    reached = [name for name in names if not any(name.startswith(f"{path}.") for path in elsewhere)]
    return min(reached or called, key=lambda name: name.count("."))


def _read_module_stack(node: Node, names: Mapping[str, str]) -> list[tuple[str, str, str]] | None:
    """Return the key, path and class of each module that was active, without the model itself. None if PyTorch does not know."""
    entries = node.meta.get("nn_module_stack") or {}
    if not entries or any(key.startswith("_empty_nn_module_stack") for key in entries):
        return None
    # torch.export marks the further calls of a module: the second call of `layer` is `layer@1`.
    modules = [(key, path.partition("@")[0], _class_name(cls)) for key, (path, cls) in entries.items() if path]
    return [(key, names.get(path, path), cls) for key, path, cls in modules]


def _class_name(cls: Any) -> str:
    return str(cls if isinstance(cls, str) else cls.__name__).rpartition(".")[2]


def find_common_call(calls: Iterable[ModuleCall]) -> ModuleCall:
    """Return the innermost call that contains all of the calls."""
    chains = [call.enclosing_calls() for call in calls]
    last = chains[0][0]
    for level in zip(*chains, strict=False):
        if any(call is not level[0] for call in level):
            break
        last = level[0]
    return last
