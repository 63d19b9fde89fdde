"""The state of a run whose processes have different stages of the model: its checkpoint equals the checkpoint of one process.

In: the tensors of a stage. Out: a `PipelineState`. Always: the file has the tensors of all stages under the keys of the model, so any
number of processes can continue the run, with or without stages.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from netc.compiler.errors.run_errors import NoDevice, RunError

from .checkpoints import State, TrainingState, gather_tensors, reshape_like
from .pipeline_parallel import PipelineModel
from .tensor_parallel import place_tensor

Groups = tuple[tuple[str, ...], ...]
"""The names of the parameters in each group of an optimizer."""


def name_groups(model: nn.Module, optimizer: torch.optim.Optimizer) -> Groups:
    """Return the names of the parameters in each group."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return tuple(tuple(names[id(parameter)] for parameter in group["params"]) for group in optimizer.param_groups)


def align_groups(model: nn.Module, optimizer: torch.optim.Optimizer, pipeline: PipelineModel, groups: Groups) -> None:
    """Give the optimizer of a stage the groups of the whole model, some of them without parameters here: a scheduler counts them."""
    parameters = dict(model.named_parameters())
    local = {
        name: {key: value for key, value in group.items() if key != "params"}
        for group, names in zip(optimizer.param_groups, name_groups(model, optimizer), strict=True)
        for name in names
    }
    options = pipeline.merge_stages(local)
    # Several optimizers in one divide its groups by their number, so each of them needs all of its groups.
    is_short = len(optimizer.param_groups) != len(groups) and not type(optimizer).__module__.startswith("torch.optim")
    if any(pipeline.merge_stages({str(pipeline.ranks.stage): is_short}).values()):
        why = "a stage has no parameters for one of the section's optimizers or groups"
        raise RunError(NoDevice(why, "use one optimizer, or leave out `--pp`"))
    optimizer.param_groups[:] = [
        {**options[names[0]], "params": [parameters[name] for name in names if name in parameters]} for names in groups
    ]


class PipelineState(TrainingState):
    """The tensors of a stage. `groups` has the parameters of the whole model, in the groups and the order of an optimizer of one process;
    `shapes` are the shapes of the spec."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: dict[str, Tensor] | None,
        pipeline: PipelineModel,
        groups: Groups,
        shapes: Mapping[str, torch.Size],
    ) -> None:
        super().__init__(model, optimizer, average, is_whole=True)
        self.pipeline, self.groups, self.shapes = pipeline, groups, shapes
        self.parameters = dict(model.named_parameters())

    def to_plain_state(self) -> State:
        model = self.gather(self.model.state_dict())
        average = None if self.average is None else self.gather(self.average)
        named = {
            name: {key: self._to_full(name, value) for key, value in self.optimizer.state[parameter].items()}
            for name, parameter in self.parameters.items()
            if parameter in self.optimizer.state
        }
        state = self.pipeline.merge_stages(named)
        numbers = {name: number for number, name in enumerate(chain.from_iterable(self.groups))}
        groups = [
            {**group, "params": [numbers[name] for name in names]}
            for group, names in zip(self.optimizer.param_groups, self.groups, strict=True)
        ]
        optimizer = {"state": {numbers[name]: values for name, values in state.items()}, "param_groups": groups}
        return {"model": model, "optimizer": optimizer, "average": average}

    def gather(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the full tensors of all stages, in the order of the model."""
        local = {name: tensor.detach().cpu() for name, tensor in gather_tensors(tensors, self.shapes).items()}
        merged = self.pipeline.merge_stages(local)
        return {name: merged[name] for name in self.shapes}

    def load_plain_state(self, state: State) -> None:
        values = state["optimizer"]["state"]
        names = list(chain.from_iterable(self.groups))
        local = [name for name in names if name in self.parameters]
        numbers = {name: number for number, name in enumerate(names)}
        positions = {name: number for number, name in enumerate(local)}
        groups = [
            {**group, "params": [positions[name] for name in own if name in positions]}
            for group, own in zip(state["optimizer"]["param_groups"], self.groups, strict=True)
        ]
        placed = {positions[name]: self._place(name, values[numbers[name]]) for name in local if numbers[name] in values}
        self.optimizer.load_state_dict({"state": placed, "param_groups": groups})
        current = self.model.state_dict()
        if self.average is not None:
            for name, tensor in self.average.items():
                tensor.copy_(place_tensor(reshape_like(state["average"][name], tensor), tensor))
        for name, tensor in current.items():
            tensor.copy_(place_tensor(reshape_like(state["model"][name], tensor), tensor))

    def to_sharded_state(self) -> State:
        why = "the checkpoint was written by several processes without `--pp`"
        raise RunError(NoDevice(why, "continue the run with one process, or as before, to its next checkpoint, and then with `--pp`"))

    def _to_full(self, name: str, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        full = value.full_tensor() if isinstance(value, DTensor) else value
        return (full.view(self.shapes[name]) if full.shape == self.parameters[name].shape else full).detach().cpu()

    def _place(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        parameter = self.parameters[name]
        return {
            key: place_tensor(reshape_like(value, parameter), parameter)
            if isinstance(value, Tensor) and value.numel() == parameter.numel() and value.dim()
            else value
            for key, value in values.items()
        }
