"""Decomposes operators that have no reader into operators that do, by PyTorch's own table of decompositions.

`aten.logit(x)`, for example, becomes `log(x / (1 - x))`.

In: the module of an exported program, without regions. Out: its nodes, with such operators replaced by what they are defined by. Always: an
operator is replaced only if all operators of its definition can be read. The new nodes keep the module and the source line of the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, log
from typing import Any, cast

import torch
from torch._decomp import decomposition_table
from torch._decomp.decompositions import isin_sorting
from torch._guards import detect_fake_mode
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_flatten, tree_unflatten

from .added_calls import OF_MODULE, add_call, find_functional
from .aten_table import READERS
from .node_targets import is_operator, operator_name
from .views import is_in_place


def decompose_operators(module: GraphModule) -> list[Node]:
    """Replace operators without a reader by their definitions, in place, and return the nodes of the graph."""
    unread = [node for node in module.graph.nodes if node.op == "call_function" and is_operator(node) and not _has_reader(node)]
    for node in unread:
        if is_in_place(node):
            _replace_change(module, node)
        else:
            _replace_by_definition(module, node)
    return list(module.graph.nodes)


def _replace_by_definition(module: GraphModule, node: Node) -> bool:
    """Replace an operator by its definition, and return whether that can be read."""
    definition = _trace_definition(node)
    if definition is None or not all(map(_has_reader, definition.graph.nodes)):
        return False
    _inline_definition(module, node, definition)
    return True


def _replace_change(module: GraphModule, node: Node) -> None:
    """Replace an operator that works in place by a definition and a copy: others may view the tensor, which a definition does not show."""
    functional, changed = find_functional(node), cast(Node, node.args[0])
    if functional is None:
        return
    with module.graph.inserting_before(node):
        result = add_call(module.graph, node, functional, *node.args, **node.kwargs)
        # `resize_` and its kind give the tensor another shape.
        keeps = result.meta["val"].shape == changed.meta["val"].shape
        copied = add_call(module.graph, node, torch.ops.aten.copy_.default, changed, result) if keeps else None
    if copied is None or not _replace_by_definition(module, result):
        for added in (copied, result):
            if added is not None:
                module.graph.erase_node(added)
        return
    _replace_node(module, node, copied)


def _has_reader(node: Node) -> bool:
    return not is_operator(node) or operator_name(node) in READERS or "sym_size" in str(node.target)


def _trace_definition(node: Node) -> GraphModule | None:
    """Trace the definition of an operator, as a graph of its tensors and sizes. None if PyTorch has none, or it depends on data."""
    target: Any = node.target
    flat, spec = tree_flatten((node.args, dict(node.kwargs)))
    fakes = [value.meta.get("val") for value in flat if isinstance(value, Node)]

    def run(*values: Any) -> Any:
        remaining = iter(values)
        arguments, named = tree_unflatten([next(remaining) if isinstance(leaf, Node) else leaf for leaf in flat], spec)
        return target(*arguments, **named)

    mode = detect_fake_mode(fakes)
    # Without tensors among the arguments there is nothing to trace.
    if mode is None:
        return None
    try:
        with mode:
            return make_fx(run, decomposition_table=_select_decompositions())(*fakes)
    except Exception:  # a definition in Python raises whatever it does
        return None


def _is_in(elements: torch.Tensor, test_elements: torch.Tensor, *, assume_unique: bool = False, invert: bool = False) -> torch.Tensor:
    """Define `torch.isin` for any number of elements.

    Large sets of integers are sorted, as in PyTorch's own definition. It also sorts floating-point numbers, among which NaN has no place.
    """
    count, has_floats = test_elements.numel(), elements.is_floating_point() or test_elements.is_floating_point()
    if isinstance(count, int) and count > _MOST_COMPARED and not has_floats:
        result: torch.Tensor = isin_sorting(elements, test_elements, assume_unique=assume_unique, invert=invert)  # type: ignore[no-untyped-call]
        return result
    found = (elements[..., None] == test_elements.reshape(-1)).any(-1)
    return ~found if invert else found


_MOST_COMPARED = 256
"""The largest set of integers that each element is compared with."""


def _compute_sinc(x: torch.Tensor) -> torch.Tensor:
    is_zero = x == 0
    angle = torch.pi * torch.where(is_zero, 1, x)
    return torch.where(is_zero, 1, torch.sin(angle) / angle)


def _compute_x_log_y(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return x * torch.log(torch.where((x == 0) & ((y <= 0) | (y == inf)), 1, y))


def _multiply_by_log(x: torch.Tensor, number: float) -> torch.Tensor:
    if 0 < number < inf:
        return x * log(number)
    result: torch.Tensor = decomposition_table[torch.ops.aten.xlogy.Scalar_Other](x, number)
    return result


def _compute_safe_softmax(x: torch.Tensor, dim: int, dtype: torch.dtype | None = None) -> torch.Tensor:
    is_hidden = (x == -inf).all(dim, keepdim=True)
    return torch.where(is_hidden, 0, torch.softmax(torch.where(is_hidden, 0, x), dim, dtype=dtype))


def _choose_greater(x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return torch.where((x >= other) | other.isnan(), x, other)


def _choose_less(x: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return torch.where((x <= other) | other.isnan(), x, other)


_OWN: dict[Any, Callable[..., Any]] = {
    torch.ops.aten.isin.Tensor_Tensor: _is_in,
    torch.ops.aten.sinc.default: _compute_sinc,
    torch.ops.aten.fmax.default: _choose_greater,
    torch.ops.aten.fmin.default: _choose_less,
    torch.ops.aten._safe_softmax.default: _compute_safe_softmax,
    torch.ops.aten.xlogy.Tensor: _compute_x_log_y,
    torch.ops.aten.xlogy.Scalar_Other: _multiply_by_log,
}
"""Definitions where PyTorch's own differ from its operators, have another gradient at zero or infinity, or name primitives."""


def _select_decompositions() -> Mapping[Any, Callable[..., Any]]:
    return {
        operator: definition
        for operator, definition in (decomposition_table | _OWN).items()
        # An operator that has a reader must stay: `layer_norm` would become its arithmetic.
        if isinstance(operator, torch._ops.OpOverload) and operator._schema.name.partition("::")[2] not in READERS
    }


def _inline_definition(module: GraphModule, node: Node, definition: GraphModule) -> None:
    places: dict[Node, Any] = {}
    operands = iter([value for value in tree_flatten((node.args, dict(node.kwargs)))[0] if isinstance(value, Node)])
    with module.graph.inserting_before(node):
        for inner in definition.graph.nodes:
            match inner.op:
                case "placeholder":
                    places[inner] = next(operands)
                case "get_attr":
                    setattr(module, f"{node.name}_{inner.target}", getattr(definition, inner.target))
                    places[inner] = module.graph.get_attr(f"{node.name}_{inner.target}")
                case "output":
                    _replace_node(module, node, torch.fx.node.map_arg(inner.args[0], lambda n: places[n]))
                case _:
                    places[inner] = module.graph.node_copy(inner, lambda n: places[n])
                    places[inner].meta |= {key: node.meta[key] for key in OF_MODULE if key in node.meta}


def _replace_node(module: GraphModule, node: Node, result: Any) -> None:
    if isinstance(result, Node):
        node.replace_all_uses_with(result)
    else:
        for user in list(node.users):
            # Users of an operator with several results are getitem nodes.
            user.replace_all_uses_with(result[user.args[1]])
            module.graph.erase_node(user)
    module.graph.erase_node(node)
