"""Share the parameters and buffers of a module with a second one, so that several sections train one network in a loop of your own.

In: two modules with the same keys. Out: the first module, whose tensors use the memory of the second one's. Always: each module has
parameters of its own, so `freeze`, gradients and the state of an optimizer belong to one section. An update by either section is an update
of both.

    >>> from torch import nn
    >>> one, other = nn.Linear(3, 1), nn.Linear(3, 1)
    >>> share_tensors(one, other)
    >>> _ = nn.init.ones_(other.weight)
    >>> one.weight.tolist(), one.weight is other.weight
    ([[1.0, 1.0, 1.0]], False)
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

_SHOWN = 3


def share_tensors(module: nn.Module, other: nn.Module) -> None:
    """Let the parameters and buffers of a module use the memory of another module. Raises `ValueError` if keys, shapes or types differ."""
    _check_same_keys(module, other)
    # A parameter that is tied has several keys, and must stay one parameter: its gradients add up.
    parameters: dict[int, nn.Parameter] = {}
    theirs = dict(other.named_parameters(remove_duplicate=False))
    for name, own in list(module.named_parameters(remove_duplicate=False)):
        # `detach` also shares the counter of changes, by which PyTorch notices a step between the forward and the backward pass.
        shared = parameters.setdefault(id(theirs[name]), nn.Parameter(theirs[name].detach(), own.requires_grad))
        _find_owner(module, name)._parameters[_last_part(name)] = shared
    buffers = dict(other.named_buffers(remove_duplicate=False))
    for name, _ in list(module.named_buffers(remove_duplicate=False)):
        _find_owner(module, name)._buffers[_last_part(name)] = buffers[name]


def are_shared(module: nn.Module, other: nn.Module) -> bool:
    """Whether the tensors of two modules still use the same memory. Moving one module to a device ends that."""
    return all(one.data_ptr() == another.data_ptr() for one, another in zip(_list_tensors(module), _list_tensors(other), strict=True))


def _list_tensors(module: nn.Module) -> Iterator[Tensor]:
    for _, tensor in sorted(module.state_dict(keep_vars=True).items()):
        yield tensor


def _check_same_keys(module: nn.Module, other: nn.Module) -> None:
    own, theirs = module.state_dict(), other.state_dict()
    missing, unexpected = [name for name in own if name not in theirs], [name for name in theirs if name not in own]
    for names, what in ((missing, "lacks"), (unexpected, "has the unknown")):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            raise ValueError(
                f"`model` must have the keys of the section's model: it {what} {', '.join(f'`{n}`' for n in names[:_SHOWN])}{more}"
            )
    for name, tensor in own.items():
        if theirs[name].is_meta:
            raise ValueError(f"`model` has no numbers yet: `{name}` is on the device `meta`; load its weights first")
        if (tensor.shape, tensor.dtype) != (theirs[name].shape, theirs[name].dtype):
            found = f"{list(theirs[name].shape)} {theirs[name].dtype}"
            raise ValueError(f"`model` must fit the section's model: `{name}` is {found}, not {list(tensor.shape)} {tensor.dtype}")


def _find_owner(module: nn.Module, name: str) -> nn.Module:
    return module.get_submodule(name.rpartition(".")[0])


def _last_part(name: str) -> str:
    return name.rpartition(".")[2]
