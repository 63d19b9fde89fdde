"""In-place changes of views in PyTorch modules: transposed, reshaped, split and nested ones. PyTorch is the judge."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, export

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.torch import from_exported, from_module
from netc.compiler.frontends.torch.view_changes import rewrite_view_changes
from netc.model import Model

from .imported import agree, label, same, tensors

Function = Callable[[Tensor], Any]
SIZES = {0: ["N", "T", None]}


class Calls(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def write_row_of_transposed(x: Tensor) -> Any:
    y = (x * 2).transpose(1, 2)
    y[:, 1] = y[:, 0] + 1
    return y


def write_base_of_transposed(x: Tensor) -> Any:
    y = x.clone()
    y.transpose(1, 2)[:, 3:5].mul_(3)
    return y


def write_nested(x: Tensor) -> Any:
    y = x.clone()
    y.permute(2, 0, 1)[1:].unsqueeze(1)[:, 0, :, -1].add_(x[:, 0, 0])
    return y, y.sum(-1)


def read_view_taken_before(x: Tensor) -> Any:
    y = x * 1
    rows, flat = y[:, 0], y.flatten(1)
    y.relu_()
    flat[:, -1] = 9
    return rows + 1, flat, y


def read_sibling(x: Tensor) -> Any:
    y = x.clone()
    left, right = y[..., :5], y[..., 3:]
    left += 1
    return right * 2


def keep_disjoint_sibling(x: Tensor) -> Any:
    left, right = x.clone().chunk(2, -1)
    left.mul_(right)
    right.add_(left)
    return left, right


def write_part_of_split(x: Tensor) -> Any:
    y = x.clone()
    a, b, c = y.split([2, 1, 5], -1)
    b.copy_(a[..., :1] + c[..., :1])
    return y, a


def write_unbound(x: Tensor) -> Any:
    y = x.clone()
    first, *_, last = y.unbind(-1)
    first.sub_(last)
    return y, last


def write_reshaped(x: Tensor) -> Any:
    y = x + 0
    heads = y.view(y.shape[0], -1, 2, 4)
    heads[:, :, 1] *= heads[:, :, 0]
    return y


def change_twice(x: Tensor) -> Any:
    y = x.clone()
    view = y.transpose(0, 1)
    view[0] = 5
    before = y * 2
    view[-1, :, 2] = before[:, 0, 2]
    y.add_(1)
    return view, before


def change_result_of_change(x: Tensor) -> Any:
    y = x.clone()
    z = y.narrow(2, 2, 3).add_(1).mul_(2)
    return y, z.exp()


def change_copy(x: Tensor) -> Any:
    y = x.clone()
    copy = y.transpose(1, 2).reshape(y.shape[0], -1)
    copy.add_(1)
    return y, copy


def change_dropped(x: Tensor) -> Any:
    y = x * 2
    dropped = nn.functional.dropout(y, 0.5, training=False)
    dropped += 1
    return y


def change_every_second(x: Tensor) -> Any:
    y = x.clone()
    y[..., ::2] = x[..., 1::2]
    y[:, :, 1::4].neg_()
    return y


def change_constant(x: Tensor) -> Any:
    scale = torch.ones(8)
    y = x * scale
    scale[2:4] = 3.0
    scale.view(4, 2)[0] += 1
    return y + x * scale


def change_nothing(x: Tensor) -> Any:
    y = x.clone()
    y[..., 8:].mul_(2)
    y.transpose(1, 2)[:0] = 1
    y[..., 2 : x.shape[-1]] += 1
    return y


def change_squeezed(x: Tensor) -> Any:
    y = x.sum(1, keepdim=True)
    y.squeeze(1)[:, 0] = 0.5
    return y


def write_diagonal(x: Tensor) -> Any:
    y = x @ x.transpose(1, 2)
    y.diagonal(0, 1, 2).fill_(torch.inf)
    y.diagonal(1, -2, -1).add_(1)
    return y


FUNCTIONS: list[Function] = [value for name, value in list(globals().items()) if name.startswith(("write_", "read_", "keep_", "change_"))]


@pytest.mark.share(4)
@pytest.mark.parametrize("dims", [None, SIZES], ids=["static", "symbolic"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_changes_through_views(function: Function, dims: Any) -> None:
    inputs = [torch.randn(2, 6, 8)] if dims is None else [torch.randn(2, 6, 8), torch.randn(3, 9, 8)]
    agree(Calls(function), *inputs, dims=dims)


def test_diagonals_of_matrices_that_are_not_square() -> None:
    def write_diagonals(x: Tensor) -> Tensor:
        y = x.clone()
        y.diagonal(-2, 2, 1).copy_(x[:, 0, :6] * 2)
        y.diagonal(-1, 1, 2).neg_()
        y.transpose(0, 1)[1:3, 0, :].fill_diagonal_(7.0)
        return y

    agree(Calls(write_diagonals), torch.randn(2, 6, 8))


class Writer(nn.Module):
    """Changes its input through views, and a view of the input that the module around it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, rows: Tensor, view: Tensor) -> Tensor:
        rows[:, 1:3] += self.fc(view)[:, :2, :1]
        view.mul_(2)
        return rows


class Around(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Writer(), Writer()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = x.clone()
        view, flat = y.transpose(1, 2), y.flatten(1)
        half = view[..., :4]
        total = self.first(view, half[:, :4]).sum(1)
        self.second(y, y[:, 3:, 4:])
        return total, flat, half * 3


def test_changes_in_inner_modules() -> None:
    agree(Around(), torch.randn(2, 8, 8), torch.randn(3, 8, 8))


def test_a_buffer_that_is_changed_is_noted() -> None:
    class Kept(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("state", torch.randn(3, 4))

        def forward(self, x: Tensor) -> Tensor:
            before = self.state * 1
            self.state.t()[0] = x.mean(0)[:3]
            return x + before.sum(0) + self.state.sum(0)

    module = Kept()
    start = module.state.clone()
    found = from_module(module.eval(), torch.randn(2, 4))
    assert any("changes buffers" in note and "`state`" in note for note in found.notes)
    torch.testing.assert_close(module.state, start)


def change_einsum_view(x: Tensor) -> Tensor:
    y = x.clone()
    torch.einsum("ntc->nct", y)[:, 0] = 0.25
    return y


def change_window(x: Tensor) -> Tensor:
    y = x.clone()
    y.unfold(2, 2, 2)[:, :, 0] = 0.25
    return y


@pytest.mark.parametrize("function", [change_einsum_view, change_window])
def test_a_view_that_cannot_be_written_back_is_refused(function: Function) -> None:
    with pytest.raises(ImportFailed) as failed:
        from_module(Calls(function), torch.randn(2, 6, 8))
    (obstacle,) = failed.value.obstacles
    assert "another view" in obstacle.why


def test_a_view_that_cannot_be_written_back_may_be_changed_if_nothing_else_is_read() -> None:
    def change_unread(x: Tensor) -> Tensor:
        y = x.clone()
        total = y.sum(1, keepdim=True)
        return torch.einsum("ntc->nct", y).add_(1) + total.transpose(1, 2)

    agree(Calls(change_unread), torch.randn(2, 6, 8))


@pytest.mark.parametrize("function", [write_nested, write_part_of_split, change_copy, change_dropped, read_view_taken_before])
def test_changes_in_a_program_from_a_file(function: Function, tmp_path: Any) -> None:
    module, x = Calls(function).eval(), torch.randn(2, 6, 8)
    torch.export.save(export(module, (x,), dynamic_shapes=[{0: Dim("N", min=2)}]), tmp_path / "net.pt2")
    found = from_exported(torch.export.load(tmp_path / "net.pt2"))
    label(found.program)
    made = Model(found.program).module(found.weights).eval()
    for inputs in (x, torch.randn(5, 6, 8)):
        same(tensors(made(inputs)), tensors(module(inputs)), 1e-6)


def test_reading_twice_writes_once() -> None:
    text = netc.from_torch(Calls(write_unbound), torch.randn(2, 6, 8)).spec()
    assert text.count("stack") == 1


class Functional(torch.fx.Interpreter):
    """Runs a graph, but an in-place operator changes a copy, so a reader that should read its result reads old numbers."""

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        name = getattr(target, "__name__", "").partition(".")[0]
        if name.endswith("_") and not name.startswith("__"):
            args = (args[0].clone(), *args[1:])
        return super().call_function(target, args, kwargs)


def take_random_view(generator: Random, x: Tensor) -> Tensor:
    axis = generator.randrange(x.dim())
    size = x.shape[axis]
    start = generator.randrange(size)
    choices: list[Callable[[], Tensor]] = [
        lambda: x.transpose(axis, generator.randrange(x.dim())),
        lambda: x.narrow(axis, start - generator.choice((0, size)), generator.randint(1, size - start)),
        lambda: x.unsqueeze(axis),
        lambda: x.flatten(),
        lambda: x.split(generator.randint(1, size), axis)[0],
        lambda: x.chunk(2, axis)[-1],
        lambda: x.squeeze(),
        lambda: x.movedim(axis, 0),
        lambda: x[(slice(None),) * axis + (slice(start, None, 2),)],
        lambda: x.select(axis, start) if x.dim() > 1 else x,
        lambda: x.unbind(axis)[start] if x.dim() > 1 else x[:],
        lambda: x.diagonal(generator.choice([-1, 0, 1]), -1, 0) if x.dim() > 1 and min(x.shape) > 1 else x.detach(),
    ]
    return generator.choice(choices)()


def change_randomly(seed: int, x: Tensor) -> list[Tensor]:
    """Take views of views, change them, and read some of them at the end."""
    generator = Random(seed)
    views, results = [x * 1], []
    for _ in range(generator.randint(6, 16)):
        source = generator.choice(views[-4:] if generator.random() < 0.6 else views)
        match generator.randrange(6):
            case 0 | 1 | 2:
                views.append(take_random_view(generator, source))
            case 3:
                views.append(source.mul_(generator.choice([2, -1, 0.5])))
            case 4:
                source.add_(generator.choice(views).sum())
            case _:
                results.append(generator.choice(views) + 1)
    return [*results, *(view * 1 for view in generator.sample(views, min(3, len(views))))]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.sample(5)
def test_random_changes(seed: int) -> None:
    class Changing(nn.Module):
        def forward(self, x: Tensor) -> list[Tensor]:
            return change_randomly(seed, x)

    x = torch.randn(3, 4, 2)
    program = export(Changing(), (x,))
    assert not rewrite_view_changes(program.graph_module)
    same(list(Functional(program.graph_module).run(x)), change_randomly(seed, x), 1e-6)
