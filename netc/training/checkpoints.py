"""Checkpoints: everything that resuming needs, written atomically.

In: the progress of a run (numbers), its model, optimizer and averaged parameters. Out: `checkpoint.pt` if there is one process, else a
folder `checkpoint-NUMBER` in PyTorch's distributed format, to which each process writes its own shards. Always: any number of processes can
read either format; the newest checkpoint stays until the next one is complete. A section with several losses always has `checkpoint.pt`.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.tensor import DTensor

from netc.compiler.errors.run_errors import RunError, RunUnreadable

from ..files.atomic_writing import write_files
from ..files.source_files import format_reason
from .ranks import Ranks
from .read_checkpoint import SafePlanner, SafeReader, read_metadata
from .tensor_parallel import place_tensor

FILE = "checkpoint.pt"
PROGRESS = "progress.pt"
"""The file in a folder for everything that is not a tensor of the model or the optimizer."""
_FOLDER = re.compile(r"checkpoint-(\d{1,18})")
_DAMAGED = (
    OSError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    IndexError,
    EOFError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    CheckpointException,  # a BaseException, of folders
)
_FULL = StateDictOptions(full_state_dict=True)

State = dict[str, Any]


class Average(NamedTuple):
    """The averaged parameters, in the form that the file's `update_average` takes."""

    tensors: dict[str, Tensor]

    def state_dict(self) -> dict[str, Tensor]:
        return self.tensors


class TrainingState:
    """The tensors of a checkpoint. `average` has the averaged parameters under the keys of the model, or is None. `is_whole`: this process
    has all of them, so that one process can write them for all.

    A section with several losses needs a whole state: PyTorch's distributed format has no optimizer whose parameters only partly have a
    state, as before the first step of a loss.
    """

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, average: dict[str, Tensor] | None, is_whole: bool = True
    ) -> None:
        self.model, self.optimizer, self.average, self.is_whole = model, optimizer, average, is_whole

    @property
    def averaged_module(self) -> Average | None:
        """The averaged parameters, if there are any."""
        return None if self.average is None else Average(self.average)

    def to_plain_state(self) -> State:
        """Return plain tensors and numbers, for a run of one process."""
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "average": self.average}

    def to_sharded_state(self) -> State:
        """Return the shards of this process, with the optimizer's state by the names of parameters."""
        optimizer = get_optimizer_state_dict(self.model, self.optimizer)
        average = {} if self.average is None else {"average": self.average}
        return {"model": get_model_state_dict(self.model), "optimizer": optimizer, **average}

    def load_plain_state(self, state: State) -> None:
        """Load a result of `to_plain_state`."""
        if self.is_whole:
            self.optimizer.load_state_dict(state["optimizer"])
        else:
            named = _name_optimizer_state(state["optimizer"], _list_optimizer_parameters(self.model, self.optimizer))
            set_optimizer_state_dict(self.model, self.optimizer, named, options=_FULL)
        if self.average is not None:
            # through the model, which divides tensors among the processes; its own parameters are loaded afterwards
            self._load_model(state["average"])
            for key, value in self.model.state_dict().items():
                self.average[key].copy_(value)
        self._load_model(state["model"])

    def load_sharded_state(self, state: State) -> None:
        """Load a result of `to_sharded_state`, into which a checkpoint was read."""
        set_optimizer_state_dict(self.model, self.optimizer, state["optimizer"])
        set_model_state_dict(self.model, state["model"])

    def _load_model(self, state: Mapping[str, Tensor]) -> None:
        if self.is_whole:
            self.model.load_state_dict(state)
        else:
            local = self.model.state_dict()
            set_model_state_dict(self.model, {name: reshape_like(value, local[name]) for name, value in state.items()}, options=_FULL)


class CheckpointStore:
    """The checkpoints in the folder of a run."""

    def __init__(self, folder: Path, ranks: Ranks) -> None:
        self.folder, self.ranks = folder, ranks
        self.number = 0
        """The number of the newest checkpoint, counted from 1; 0 if there is none."""
        self.step: int | None = None
        """The step of the newest checkpoint."""

    def save_checkpoint(self, progress: State, trained: TrainingState) -> None:
        progress = {**progress, "number": self.number + 1}
        if trained.is_whole:
            state = trained.to_plain_state()  # in all processes, which may have stages of the model
            self.ranks.run_once(lambda: self._save_file(progress, state))
        else:
            self._save_folder(progress, trained)
        self.number, self.step = self.number + 1, progress["step"]

    def _save_file(self, progress: State, plain: State) -> None:
        state = {"progress": progress, **plain}
        write_files(os.fspath(self.folder / FILE), lambda path: write_state(state, path))
        self._remove_folders(self.number)

    def _save_folder(self, progress: State, trained: TrainingState) -> None:
        """Write the shards of all processes into a hidden folder, and rename it when all have finished."""
        target = self.folder / f"checkpoint-{progress['number']}"
        temporary = self.folder / f".checkpoint-{progress['number']}"
        self.ranks.run_once(lambda: shutil.rmtree(temporary, ignore_errors=True))
        state_dict_saver.save(trained.to_sharded_state(), checkpoint_id=temporary)
        self.ranks.run_once(lambda: self._commit_folder(progress, temporary, target))

    def _commit_folder(self, progress: State, temporary: Path, target: Path) -> None:
        write_state(progress, temporary / PROGRESS)
        # The rename may reach the disk before the content does: without fsync, a power failure would leave a complete name and empty files.
        for file in temporary.iterdir():
            with file.open("r+b") as stream:
                os.fsync(stream.fileno())
        temporary.rename(target)
        # not before the rename: until then it may be the newest complete checkpoint
        (self.folder / FILE).unlink(missing_ok=True)
        self._remove_folders(progress["number"] - 1)

    def _remove_folders(self, last: int) -> None:
        for number, path in self._list_folders():
            if number <= last:
                shutil.rmtree(path, ignore_errors=True)

    def _list_folders(self) -> list[tuple[int, Path]]:
        matches = ((m, entry) for entry in self.folder.iterdir() if (m := _FOLDER.fullmatch(entry.name)) and entry.is_dir())
        return sorted((int(match[1]), entry) for match, entry in matches)

    def load_checkpoint(self, trained: TrainingState) -> State:
        """Load the newest checkpoint, and return its `progress`. Raises `RunError`."""
        try:
            progress = self._load_newest(trained)
            self.number, self.step = int(progress["number"]), int(progress["step"])
        except _DAMAGED as error:
            if isinstance(error, RunError):
                raise
            remedy = f"start a new run with its weights: `--weights {quote(f'{self.folder}/last.safetensors')} -o RUN`"
            raise RunError(RunUnreadable(os.fspath(self.folder), _describe_damage(error), remedy)) from None
        return progress

    def _load_newest(self, trained: TrainingState) -> State:
        file, folders = self.folder / FILE, self._list_folders()
        state = torch.load(file, map_location="cpu", weights_only=True) if file.exists() else None
        # A run may have changed its number of processes, so both formats may be there; the higher number is newer.
        if folders and (state is None or state["progress"]["number"] < folders[-1][0]):
            return self._load_folder(folders[-1][1], trained)
        if state is None:
            remedy = "start it again: the same command with another folder"
            raise RunError(RunUnreadable(os.fspath(self.folder), "it was stopped before its first checkpoint", remedy))
        trained.load_plain_state(state)
        progress: State = state["progress"]
        return progress

    def _load_folder(self, path: Path, trained: TrainingState) -> State:
        progress: State = torch.load(path / PROGRESS, map_location="cpu", weights_only=True)
        state = trained.to_sharded_state()
        shapes = {
            name: stored.size
            for name, stored in read_metadata(path).state_dict_metadata.items()
            if isinstance(stored, TensorStorageMetadata)
        }
        substituted = list(_substitute_full_tensors(state, shapes))
        state_dict_loader.load(state, storage_reader=SafeReader(path), planner=SafePlanner(), no_dist=self.ranks.world == 1)
        for container, key, local in substituted:
            local.copy_(place_tensor(reshape_like(container[key], local), local))
            container[key] = local
        trained.load_sharded_state(state)
        return progress


def _describe_damage(error: BaseException) -> str:
    """Describe why a checkpoint cannot be read."""
    # PyTorch's own messages speak of its functions, and advise `weights_only=False`, which would run any code in the file.
    if isinstance(error, (PermissionError, FileNotFoundError, IsADirectoryError)):
        return f"its checkpoint cannot be read: {format_reason(error)}"
    if isinstance(error, pickle.UnpicklingError):
        return "its checkpoint is damaged: it has something other than numbers and tensors"
    if isinstance(error, (KeyError, TypeError, AttributeError)):
        return "its checkpoint is damaged: it is not one of this run"
    if isinstance(error, CheckpointException):
        return "its checkpoint is damaged: files of it are missing, or were changed"
    return "its checkpoint is damaged: the file is not complete, or was changed"


def gather_tensors(tensors: Mapping[str, Tensor], shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    """Gather tensors that are sharded over processes, in each of them, and give all of them these shapes."""
    full = {name: value.full_tensor() if isinstance(value, DTensor) else value for name, value in tensors.items()}
    return {name: value.view(shapes[name]) for name, value in full.items()}


def _substitute_full_tensors(state: State, shapes: Mapping[str, torch.Size], path: str = "") -> Iterator[tuple[State, str, Tensor]]:
    """Replace tensors whose shapes differ in the checkpoint by full tensors of these shapes. Yield where each was, and the original tensor.

    Packed layers of tensor parallelism have other shapes in memory, `[3, features, features]` instead of `[3 * features, features]`."""
    for key, value in list(state.items()):
        name = f"{path}{key}"
        if isinstance(value, dict):
            yield from _substitute_full_tensors(value, shapes, f"{name}.")
        elif (
            isinstance(value, Tensor)
            and (stored_shape := shapes.get(name)) not in (None, value.shape)
            and prod(stored_shape or ()) == value.numel()
        ):
            state[key] = torch.empty(stored_shape, dtype=value.dtype, device=value.device)
            yield state, key, value


def reshape_like(value: Any, like: Tensor) -> Any:
    """Reshape a tensor to the shape of another one, if it has the same number of elements."""
    fits = isinstance(value, Tensor) and value.shape != like.shape and value.numel() == like.numel()
    return value.reshape(like.shape) if fits else value


def _list_optimizer_parameters(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[tuple[str, Tensor]]:
    """List the parameters of the optimizer with their names, in its order."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [(names[id(p)], p) for group in optimizer.param_groups for p in group["params"]]


def _name_optimizer_state(state: State, parameters: list[tuple[str, Tensor]]) -> State:
    """Return an optimizer's state with names instead of numbers, in the shapes of the parameters."""
    groups = [{**group, "params": [parameters[i][0] for i in group["params"]]} for group in state["param_groups"]]
    named_state = {
        parameters[i][0]: {key: reshape_like(value, parameters[i][1]) for key, value in values.items()}
        for i, values in state["state"].items()
    }
    return {"state": named_state, "param_groups": groups}


def write_state(state: State, path: str | Path) -> None:
    """Do what `torch.save` does. Raises `OSError` if the disk is full, which PyTorch's writer hides in a `RuntimeError`."""
    try:
        with open(path, "wb") as file:
            torch.save(state, file)
    except RuntimeError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise
