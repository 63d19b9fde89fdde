"""Reads recurrent layers and cells: `nn.GRU(8, 16, batch_first=True)` becomes `gru 16`."""

from __future__ import annotations

from typing import Any

from torch.fx import Node

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads

_OPERATORS = {"lstm": ("lstm", {}), "gru": ("gru", {}), "rnn_tanh": ("rnn", {}), "rnn_relu": ("rnn", {"nonlinearity": "relu"})}


@reads(*_OPERATORS)
def read_recurrent(site: AtenSite) -> tuple[Value, ...]:
    if "batch_sizes" in site.args:
        raise ImportRefused("works on packed sequences")
    operator, more = _OPERATORS[site.name]
    initial = site.args["hx"]
    states = list(initial) if isinstance(initial, list | tuple) else [initial]
    x = site.tensor("input")
    if not site.args["batch_first"] and x.type.rank == 3:
        # netc's recurrent layers have the batch first.
        x = site.apply_op("transpose", x, a=0, b=1)
    # Without states from the caller, PyTorch starts from zeros, as netc's layers do.
    inputs = [] if all(site.scope.model.is_zero(state) for state in states) else [site.tensor_of(state) for state in states]
    slots = _name_parameters(site)
    hidden, projected = _hidden_sizes(site, slots)
    arguments: dict[str, Any] = dict(more)
    if projected:
        arguments["proj_size"] = projected
    result = site.try_layer_with_slots(
        operator,
        x,
        *inputs,
        slots=slots,
        statistics=True,
        hidden=hidden,
        layers=site.integer("num_layers"),
        bias=bool(site.args["has_biases"]),
        dropout=float(site.args["dropout"]),
        bidirectional=bool(site.args["bidirectional"]),
        **arguments,
    )
    if result is None:
        raise ImportRefused("has weights that are no parameters of its own")
    if not site.args["batch_first"] and x.type.rank == 3:
        result = (site.apply_op("transpose", result[0], a=0, b=1), *result[1:])
    return result


def _name_parameters(site: AtenSite) -> dict[str, Any]:
    """Map PyTorch's names of the parameters to their nodes, which are in the order of layers and directions."""
    names = ["weight_ih", "weight_hh"] + (["bias_ih", "bias_hh"] if site.args["has_biases"] else [])
    params = site.args["params"]
    cells = site.integer("num_layers") * (2 if site.args["bidirectional"] else 1)
    # An LSTM with a projection has one weight more in each cell.
    if len(params) == cells * (len(names) + 1):
        names.append("weight_hr")
    ends = [
        f"_l{layer}{end}" for layer in range(site.integer("num_layers")) for end in ("", "_reverse")[: 1 + bool(site.args["bidirectional"])]
    ]
    return dict(zip([name + end for end in ends for name in names], params, strict=True))


def _hidden_sizes(site: AtenSite, slots: dict[str, Any]) -> tuple[int, int]:
    """Return the number of hidden units, and the size to which they are projected, or 0."""
    weight = slots["weight_hh_l0"]
    if not isinstance(weight, Node):
        raise ImportRefused("has weights that are no tensors of the model")
    gates = {"lstm": 4, "gru": 3}.get(site.name, 1)
    projection = slots.get("weight_hr_l0")
    return int(weight.meta["val"].shape[0]) // gates, 0 if projection is None else int(projection.meta["val"].shape[0])


_CELLS = {
    "rnn_tanh_cell": ("rnn_cell", "tanh"),
    "rnn_relu_cell": ("rnn_cell", "relu"),
    "gru_cell": ("gru_cell", ""),
    "lstm_cell": ("lstm_cell", ""),
}
_OF_CELLS = {"w_ih": "weight_ih", "w_hh": "weight_hh", "b_ih": "bias_ih", "b_hh": "bias_hh"}


@reads(*_CELLS)
def read_cell(site: AtenSite) -> Value | tuple[Value, ...]:
    """Read one step of a recurrence."""
    operator, nonlinearity = _CELLS[site.name]
    slots = {name: site.args[argument] for argument, name in _OF_CELLS.items() if site.has_argument(argument)}
    initial = site.args["hx"]
    results = site.try_layer_with_slots(
        operator,
        site.tensor("input"),
        *map(site.tensor_of, initial if isinstance(initial, list | tuple) else [initial]),
        slots=slots,
        statistics=True,
        hidden=int(slots["weight_hh"].meta["val"].shape[1]),
        bias="bias_ih" in slots,
        **({"nonlinearity": nonlinearity} if nonlinearity else {}),
    )
    if results is None:
        raise ImportRefused("has weights that are no parameters of its own")
    return results if len(results) > 1 else results[0]
