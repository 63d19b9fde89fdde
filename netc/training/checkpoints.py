"""Checkpoints: all that resuming needs, written whole or not at all.

In: the progress of a run (numbers), its model, optimizer and averaged parameters. Out: `checkpoint.pt` of one process, or a folder
`checkpoint-NUMBER` in PyTorch's distributed format, to which each process has written its own part. Always: either is read by any number of
processes; the newest one stays until the next is complete.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.tensor import DTensor

from netc.compiler.errors.running import RunError, RunUnreadable

from ..files import reason
from ..writing import write_files
from .ranks import Ranks

FILE = "checkpoint.pt"
PROGRESS = "progress.pt"
"""What is not a tensor of the model or the optimizer, in a folder."""
_FOLDER = re.compile(r"checkpoint-(\d{1,18})")
_DAMAGED = (
    OSError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    CheckpointException,  # a BaseException, of folders
)
_FULL = StateDictOptions(full_state_dict=True)

State = dict[str, Any]


class Trained:
    """What has tensors in a checkpoint. `average` has the averaged parameters under the keys of the model, None without."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, average: dict[str, Tensor] | None) -> None:
        self.model, self.optimizer, self.average = model, optimizer, average

    def tensors(self) -> State:
        """Plain tensors and numbers, of one process."""
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "average": self.average}

    def named(self) -> State:
        """The same with the optimizer's state by the names of parameters, and of each process its own part."""
        optimizer = get_optimizer_state_dict(self.model, self.optimizer)
        average = {} if self.average is None else {"average": self.average}
        return {"model": get_model_state_dict(self.model), "optimizer": optimizer, **average}

    def load(self, state: State, ranks: Ranks) -> None:
        """Takes what `tensors` gave."""
        if ranks.world == 1:
            self.optimizer.load_state_dict(state["optimizer"])
        else:
            names = [name for name, _ in _in_order(self.model, self.optimizer)]
            set_optimizer_state_dict(self.model, self.optimizer, _by_name(state["optimizer"], names), options=_FULL)
        if self.average is not None:
            self._load_model(state["average"], ranks)
            for key, value in self.model.state_dict().items():
                self.average[key].copy_(value)
        self._load_model(state["model"], ranks)

    def load_named(self, state: State) -> None:
        """Takes what was read into the result of `named`."""
        set_optimizer_state_dict(self.model, self.optimizer, state["optimizer"])
        set_model_state_dict(self.model, state["model"])

    def _load_model(self, state: Mapping[str, Tensor], ranks: Ranks) -> None:
        if ranks.world == 1:
            self.model.load_state_dict(state)
        else:
            set_model_state_dict(self.model, dict(state), options=_FULL)


class Checkpoints:
    """Those of a run in a folder."""

    def __init__(self, folder: Path, ranks: Ranks) -> None:
        self.folder, self.ranks = folder, ranks
        self.number = 0
        """That of the newest checkpoint, 0 without one; they are counted from 1."""
        self.step: int | None = None
        """The step of the newest checkpoint."""

    def save(self, progress: State, trained: Trained) -> None:
        progress = {**progress, "number": self.number + 1}
        if self.ranks.world == 1:
            state = {"progress": progress, **trained.tensors()}
            write_files(os.fspath(self.folder / FILE), lambda path: torch.save(state, path))
            self._remove_folders(self.number)
        else:
            self._save_folder(progress, trained)
        self.number, self.step = self.number + 1, progress["step"]

    def _save_folder(self, progress: State, trained: Trained) -> None:
        """Every process writes into a folder with another name, which is renamed when all have finished."""
        target = self.folder / f"checkpoint-{progress['number']}"
        temporary = self.folder / f".checkpoint-{progress['number']}"
        self.ranks.once(lambda: shutil.rmtree(temporary, ignore_errors=True))
        state_dict_saver.save(trained.named(), checkpoint_id=temporary)
        self.ranks.once(lambda: self._complete(progress, temporary, target))

    def _complete(self, progress: State, temporary: Path, target: Path) -> None:
        torch.save(progress, temporary / PROGRESS)
        for file in temporary.iterdir():
            with file.open("r+b") as stream:
                os.fsync(stream.fileno())
        temporary.rename(target)
        (self.folder / FILE).unlink(missing_ok=True)
        self._remove_folders(progress["number"] - 1)

    def _remove_folders(self, last: int) -> None:
        for number, path in self._folders():
            if number <= last:
                shutil.rmtree(path, ignore_errors=True)

    def _folders(self) -> list[tuple[int, Path]]:
        found = ((m, entry) for entry in self.folder.iterdir() if (m := _FOLDER.fullmatch(entry.name)) and entry.is_dir())
        return sorted((int(match[1]), entry) for match, entry in found)

    def load(self, trained: Trained) -> State:
        """Reads the newest one; what `progress` was. Raises `RunError`."""
        try:
            progress = self._load(trained)
            self.number, self.step = int(progress["number"]), int(progress["step"])
        except _DAMAGED as error:
            if isinstance(error, RunError):
                raise
            remedy = f"start a new run with its weights: `--weights {self.folder}/last.safetensors -o RUN`"
            raise RunError(RunUnreadable(os.fspath(self.folder), _why_damaged(error), remedy)) from None
        return progress

    def _load(self, trained: Trained) -> State:
        file, folders = self.folder / FILE, self._folders()
        whole = torch.load(file, map_location="cpu", weights_only=True) if file.exists() else None
        if folders and (whole is None or whole["progress"]["number"] < folders[-1][0]):
            return self._load_folder(folders[-1][1], trained)
        if whole is None:
            remedy = "start it again: the same command with another folder"
            raise RunError(RunUnreadable(os.fspath(self.folder), "it was stopped before its first checkpoint", remedy))
        trained.load(whole, self.ranks)
        progress: State = whole["progress"]
        return progress

    def _load_folder(self, path: Path, trained: Trained) -> State:
        progress: State = torch.load(path / PROGRESS, map_location="cpu", weights_only=True)
        state = trained.named()
        state_dict_loader.load(state, checkpoint_id=path, no_dist=self.ranks.world == 1)
        trained.load_named(state)
        return progress


def _why_damaged(error: BaseException) -> str:
    """What is said of a checkpoint that cannot be read. PyTorch's own words are about its functions, and advise to unpickle everything."""
    if isinstance(error, (PermissionError, FileNotFoundError, IsADirectoryError)):
        return f"its checkpoint cannot be read: {reason(error)}"
    if isinstance(error, pickle.UnpicklingError):
        return "its checkpoint is damaged: it has something other than numbers and tensors"
    if isinstance(error, (KeyError, TypeError, AttributeError)):
        return "its checkpoint is damaged: it is not one of this run"
    if isinstance(error, CheckpointException):
        return "its checkpoint is damaged: files of it are missing, or were changed"
    return "its checkpoint is damaged: the file is not complete, or was changed"


def whole_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, those that are spread over processes gathered in each of them."""
    return {name: value.full_tensor() if isinstance(value, DTensor) else value for name, value in tensors.items()}


def _in_order(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[tuple[str, Tensor]]:
    """The parameters of the optimizer with their names, in its order."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [(names[id(p)], p) for group in optimizer.param_groups for p in group["params"]]


def _by_name(state: State, names: list[str]) -> State:
    """An optimizer's state with names in place of numbers."""
    groups = [{**group, "params": [names[i] for i in group["params"]]} for group in state["param_groups"]]
    return {"state": {names[i]: kept for i, kept in state["state"].items()}, "param_groups": groups}
