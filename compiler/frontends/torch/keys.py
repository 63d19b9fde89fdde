"""Decides where the parameters and buffers of a model belong in its graph.

The weight of an `nn.Linear` belongs to its `dense` stage. If other code reads it too, `fc.weight` is also a tensor of the graph around.

In: the calls of the modules, and the nodes that read each parameter. Out: for a layer, whether its parameters are its own and under which
label; for any other use, the graph that declares the parameter. Always: a parameter keeps one of the keys that it has in the original.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.fx import Node

from netc.dsl.record import Record

from ...ir.walk import join_labels
from .module_calls import CallTree, ModuleCall, find_common_call


class StoredTensor(Record):
    """A parameter or buffer of the state dict. `keys` are all its names, the one that torch.export uses first."""

    keys: tuple[str, ...]
    tensor: Any
    trainable: bool
    is_buffer: bool

    @property
    def is_frozen(self) -> bool:
        return not (self.trainable or self.is_buffer)


class OwnParameters(Record):
    """The decision that an operator owns the parameters below `prefix`, a full path. `tied` is a parameter that another stage owns, and its
    key there."""

    prefix: str
    tied: tuple[str, str] | None = None


class KeyPlacement:
    """Decides for each use of a parameter who owns it. `owned` maps parameters to the call of the operator that owns them, and the key."""

    def __init__(self, tree: CallTree, stored: Mapping[Node, StoredTensor], *, apart: bool = False) -> None:
        """`apart`: if the calls of a module compute differently, share its layers instead of the module."""
        self.tree = tree
        self.stored = stored
        self.differing = self._find_differing()
        """The calls of modules whose calls may not be uses of one stage."""
        self.apart = self.differing if apart else frozenset()
        """The calls of modules that are not shared. They have no label: their layers are declared in a graph around them."""
        self.owned: dict[Node, tuple[ModuleCall, str]] = {}
        self.claimed: dict[tuple[ModuleCall, ModuleCall, str], Node] = {}
        """The operators that have the parameters below a prefix as their own, by the graph in which they are."""
        self.shared: dict[ModuleCall, ModuleCall] = {}
        """For each call of a shared module, the call that declares the module."""
        self._find_shared(tree.root)
        self.readers = {node: self._find_reading_calls(node) for node in stored}
        self.held: dict[Node, str] = {}
        """The path of the shared module for each parameter that is read within its calls first, and around them later."""
        self.mixed = self._find_mixed()
        self.users: dict[ModuleCall, set[Node]] = {call: set() for call in (tree.root, *tree.root.nested_calls())}
        """The nodes within each call that read parameters."""
        for readers in self.readers.values():
            for user, call in readers:
                for around in call.enclosing_calls():
                    self.users[around].add(user)

    # --- modules that are called several times -------------------------------------------------------------------------------

    def _find_differing(self) -> frozenset[ModuleCall]:
        groups = _group_by_path(self.tree.root)
        entered = set().union(*(self._find_partly_entered_modules(node) for node in self.stored))
        several = [path for path, calls in groups.items() if len(calls) > 1 and self._has_parameters(path) and self._calls_differ(calls)]
        return frozenset(call for path in (*several, *entered) for call in groups[path])

    def _find_partly_entered_modules(self, node: Node) -> set[str]:
        """Find the paths of modules with a parameter that is used both inside and outside of them."""
        keys = self.stored[node].keys
        chains = [call.enclosing_calls() for _, call in self._find_reading_calls(node)]
        paths = [{around.path for around in chain if around.path and any(map(around.owns_key, keys))} for chain in chains]
        return {path for some in paths for path in some if not all(path in others for others in paths)}

    def _calls_differ(self, calls: Sequence[ModuleCall]) -> bool:
        """Return whether calls of a module should not share one stage: they compute differently, or call layers of modules around them."""
        foreign = any(not call.owns_key(inner.path) and self._has_parameters(inner.path) for call in calls for inner in call.nested_calls())
        return foreign or len({call.compute_signature(self.stored) for call in calls}) > 1

    def _find_shared(self, root: ModuleCall) -> None:
        claimed: set[ModuleCall] = set()
        # Outer modules first: the layers of a shared module are shared with it, and need no declaration of their own.
        for path, calls in sorted(_group_by_path(root).items(), key=lambda group: group[0].count(".")):
            free = [call for call in calls if claimed.isdisjoint(call.enclosing_calls())]
            elsewhere = any(call.parent is not None and self._find_labeled_owner(call.parent, path) is not call.parent for call in free)
            # Calls inside other shared modules that do not own the module count too: it is declared around all of them.
            if not free or not (len(calls) > 1 or elsewhere) or not self._has_parameters(path):
                continue
            home = self._find_labeled_owner(find_common_call(call.parent or root for call in free), path)
            # A label cannot be both a stage and a level above one.
            others = [call for call in home.child_calls() if home.owns_key(call.path) and call not in self.apart]
            if any(home.relative_key(path).startswith(f"{home.relative_key(other.path)}.") for other in others):
                continue
            if not self.apart.isdisjoint(free):
                continue
            self.shared.update(dict.fromkeys(free, home))
            claimed.update(free)
            for call in free:
                self._find_shared(call)

    def _find_labeled_owner(self, call: ModuleCall, key: str) -> ModuleCall:
        """Return the innermost call that has a label and whose module owns the key: the given call or one around it."""
        while call.parent is not None and (call in self.apart or not call.owns_key(key)):
            call = call.parent
        return call

    def _has_parameters(self, path: str) -> bool:
        return any(key.startswith(f"{path}.") for tensor in self.stored.values() for key in tensor.keys)

    def find_instance(self, call: ModuleCall) -> ModuleCall:
        """Return the innermost call of a shared module around a call, or the whole model."""
        return next((around for around in reversed(call.enclosing_calls()) if around in self.shared), self.tree.root)

    def find_shared_results(self) -> dict[Node, ModuleCall]:
        """Map the nodes of a shared module that some call's readers need to the call, so that all calls have the same results.

        Modules whose calls compute differently are left out.
        """
        result: dict[Node, ModuleCall] = {}
        bodies: dict[ModuleCall, list[Node]] = {call: [] for call in self.shared}
        for node, at in self.tree.home.items():
            for call in at.enclosing_calls():
                if call in bodies:
                    bodies[call].append(node)
        paths: dict[str, dict[ModuleCall, list[Node]]] = {}
        for call, body in bodies.items():
            paths.setdefault(call.path, {})[call] = body
        for calls in paths.values():
            if len({tuple(str(node.target) for node in body) for body in calls.values()}) == 1:
                read = {at for call, body in calls.items() for at, node in enumerate(body) if self.tree.is_read_outside(node, call)}
                result.update({body[at]: call for call, body in calls.items() for at in read})
        return result

    # --- the uses of a parameter ---------------------------------------------------------------------------------------------

    def _find_reading_calls(self, node: Node) -> list[tuple[Node, ModuleCall]]:
        return [(user, self.tree.home[user]) for user in node.users if user in self.tree.home]

    def _find_mixed(self) -> set[Node]:
        """Find the parameters that are read both within calls of a shared module and outside of it, where the module cannot hold them."""
        result: set[Node] = set()
        for node, readers in self.readers.items():
            paths = {self.find_instance(call).path for _, call in readers}
            if len(paths) > 1 and not self._is_held(node):
                result.add(node)
        return result

    def _is_held(self, node: Node) -> bool:
        """Return whether the calls of the shared module come first, and all others are in the graphs that declare it."""
        _, first = self.readers[node][0]
        path = self.find_instance(first).path
        homes = [home for call, home in self.shared.items() if call.path == path]
        if not homes or not all(any(home in call.enclosing_calls() for home in homes) for _, call in self.readers[node]):
            return False
        self.held[node] = path
        return True

    def find_home(self, node: Node, asking: ModuleCall) -> tuple[ModuleCall, str]:
        """Return the call whose graph declares the parameter for this use, and the parameter's label there.

        A parameter that an operator owns is read in the graph around both the operator and this use: a graph cannot get as an input what it
        contains.
        """
        keys = self.stored[node].keys
        within = self.find_instance(asking)
        owner = self.owned.get(node)
        if owner is not None and node not in self.mixed:
            home = _find_owner(find_common_call([owner[0], asking]), owner[1])
            return home, home.relative_key(owner[1])
        uses = [call for _, call in self.readers[node] if node in self.mixed or self.find_instance(call) is within]
        home = find_common_call(uses or [asking])
        key = max(keys, key=lambda key: len(_find_owner(home, key).path))
        home = self._find_labeled_owner(home, key)
        return home, home.relative_key(key)

    def claim_own(self, user: Node, slots: Mapping[str, Node], statistics: bool) -> OwnParameters | None:
        """Decide whether the operator for `user` owns these parameters. `slots` has them by PyTorch's names in modules.

        `statistics`: the operator changes some of them, so they cannot be inputs.
        """
        call = self.tree.home[user]
        if not slots or call in self.apart or any(node not in self.stored for node in slots.values()):
            return None
        for prefix in self._find_prefixes(next(iter(slots.items()))):
            named = all(join_labels(prefix, name) in self.stored[node].keys for name, node in slots.items())
            if named and (call.owns_key(f"{prefix}.") or prefix == call.path):
                direct = prefix == call.path and not (statistics or self._is_alone(user, call))
                return None if direct else self._claim_prefix(prefix, user, call, slots)
        return None

    def _is_alone(self, user: Node, call: ModuleCall) -> bool:
        """Return whether no other operator of the call has parameters: a label is a level of names or a stage, but not both.

        The model itself has no label.
        """
        return self.users[call] == {user} and call.parent is not None

    def find_graph_call(self, call: ModuleCall) -> ModuleCall:
        """Return the call whose graph has the operators of a call: a module that is one operator needs no graph."""
        return call.parent if call.parent is not None and len(call.items) == 1 and isinstance(call.items[0], Node) else call

    def _find_prefixes(self, slot: tuple[str, Node]) -> list[str]:
        name, node = slot
        return [key[: -len(name)].rstrip(".") for key in self.stored[node].keys if key == name or key.endswith(f".{name}")]

    def _claim_prefix(self, prefix: str, user: Node, call: ModuleCall, slots: Mapping[str, Node]) -> OwnParameters | None:
        tied: tuple[str, str] | None = None
        for name, node in slots.items():
            if self._is_first_reader(node, user, call):
                continue
            before = self.owned.get(node)
            # A spec ties one parameter, the weight, to a stage that comes before.
            if tied or name != "weight" or before is None or before[1] == join_labels(prefix, name) or node in self.mixed:
                return None
            if not self.find_graph_call(call).owns_key(before[1]):
                return None
            if self.find_instance(before[0]) is not self.find_instance(call):
                return None
            tied = (name, before[1])
        if self.claimed.setdefault((self.find_instance(call), self.find_graph_call(call), prefix), user) is not user:
            return None
        for name, node in slots.items():
            if tied is None or tied[0] != name:
                self.owned[node] = (call, join_labels(prefix, name))
        return OwnParameters(prefix, tied)

    def _is_first_reader(self, node: Node, user: Node, call: ModuleCall) -> bool:
        """Return whether no other operator in the same call of a shared module reads the parameter before."""
        within = self.find_instance(call)
        if node in self.mixed or within.path != self.held.get(node, within.path):
            return False
        for reader, reading_call in self.readers[node]:
            if self.find_instance(reading_call) is within:
                return reader is user
        return False


def _find_owner(call: ModuleCall, key: str) -> ModuleCall:
    """Return the innermost call whose module has the key: the call itself or one around it."""
    while not call.owns_key(key) and call.parent is not None:
        call = call.parent
    return call


def _group_by_path(root: ModuleCall) -> dict[str, list[ModuleCall]]:
    """Group the calls inside by the paths of their modules."""
    groups: dict[str, list[ModuleCall]] = {}
    for call in root.nested_calls():
        groups.setdefault(call.path, []).append(call)
    return groups


def split_relative_path(call: ModuleCall, key: str) -> tuple[str, str]:
    """Split a key into the label of a stage within the call's graph, and the name of its parameter."""
    stage, _, name = call.relative_key(key).rpartition(".")
    return stage, name


def find_all_keys(names: Sequence[str], tensors: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Map each name to all names of the same tensor, that name first."""
    groups: dict[object, list[str]] = {}
    for name, tensor in tensors.items():
        # The state dict may have a tensor object for each key of tied weights. They share their memory.
        groups.setdefault(_tensor_identity(tensor), []).append(name)
    return {name: (name, *(other for other in groups[_tensor_identity(tensors[name])] if other != name)) for name in names}


def _tensor_identity(tensor: Any) -> object:
    if not tensor.numel():
        # All tensors without elements have the same data pointer.
        return id(tensor)
    return tensor.data_ptr(), tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype
