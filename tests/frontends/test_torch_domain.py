"""The sizes for which an imported module holds: conditions of torch.export that the text does not need are left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from click.testing import CliRunner
from frontends.written import Of
from torch import Tensor, nn

import netc
from netc.cli import cli
from netc.compiler.frontends.imported_model import ImportFailed

IMAGE = {0: ["N", None, "H", "W"]}
SEQUENCE = {0: ["N", "T"]}
MODULE = """
import torch
from torch import nn

def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1), nn.MaxPool2d(2, 2, ceil_mode=True), nn.Flatten(2))

def deep():
    return nn.Sequential(nn.Conv2d(1, 2, 5, 3), nn.MaxPool2d(3), nn.Flatten(2))

def sound():
    return nn.Sequential(nn.Conv1d(1, 2, 300, 100), nn.ReLU())

class Two(nn.Module):
    def forward(self, x):
        assert x.shape[0] == 2
        return x * 2

class Steps(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(2, 2)

    def forward(self, x):
        state = x.new_zeros(x.shape[0], 2)
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
        with open("steps.txt", "w") as file:
            print(step + 1, file=file)
        return state
"""


def where_of(text: str) -> str:
    """What the text states of the sizes of its last input."""
    line = next(line for line in reversed(text.splitlines()) if " = input " in line)
    return line.partition(" where ")[2]


def test_a_pool_that_rounds_up_takes_all_sizes() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2, 2, ceil_mode=True))
    model = netc.from_torch(module, torch.randn(2, 3, 16, 24), IMAGE)
    assert where_of(model.spec()) == ""
    x = torch.randn(1, 3, 5, 7)
    torch.testing.assert_close(model.module().eval()(x), module.eval()(x))


def test_a_lower_bound_is_the_least_size_that_the_module_takes() -> None:
    layers = nn.ModuleList(nn.Conv2d(2, 2, 3, padding=1) for _ in range(3))

    def function(m: Any, x: Tensor) -> Tensor:
        for layer in m.layers:
            x = F.max_pool2d(layer(x), 2)
        return x

    module = Of(function, layers=layers).eval()
    model = netc.from_torch(module, torch.randn(2, 2, 64, 96), IMAGE)
    assert where_of(model.spec()) == "H >= 8, W >= 8"
    with torch.no_grad(), pytest.raises(RuntimeError):
        module(torch.randn(2, 2, 7, 8))


@pytest.mark.long
def test_a_lower_bound_is_the_least_size_with_which_the_text_compiles() -> None:
    """The first three of fewer vectors would be fewer, which the shape in the text is not."""

    def forward(m: Any, x: Tensor) -> Tensor:
        largest = x.norm(dim=-1).argsort(1, descending=True)[:, :3]
        return x.gather(1, largest[..., None].expand(-1, -1, 4))

    module = Of(forward)
    model = netc.from_torch(module, torch.randn(2, 16, 4), SEQUENCE)
    assert where_of(model.spec()) == "T >= 3"
    for sizes in ((1, 3), (3, 5)):
        x = torch.randn(*sizes, 4)
        assert torch.equal(model.module()(x), module(x))


def test_a_text_that_compiles_for_sizes_that_are_too_small_for_the_module() -> None:
    """The text compiles for a `T` at which the pool has too few positions."""
    layers = nn.ModuleList([nn.Conv1d(2, 2, 8, 4), nn.Conv1d(2, 2, 2, 2)])

    def forward(m: Any, x: Tensor) -> Tensor:
        for layer in m.layers:
            x = layer(x)
        return x[:, :, 1:] + F.avg_pool1d(x, 2, 1)

    module = Of(forward, layers=layers).eval()
    model = netc.from_torch(module, torch.randn(2, 2, 512), {0: ["N", None, "T"]})
    assert where_of(model.spec()) == "T >= 20"
    x = torch.randn(1, 2, 20)
    torch.testing.assert_close(model.module(weights=module.state_dict()).eval()(x), module(x))


class Patches(nn.Module):
    """Divide an image into patches and join them again, as DiT does."""

    def __init__(self, places: int) -> None:
        super().__init__()
        self.embed, self.head = nn.Conv2d(3, 8, 2, 2), nn.Linear(8, 12)
        self.register_buffer("places", torch.randn(1, places, 8))

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = self.head(x + self.places[:, : x.shape[1]] if self.places.numel() else x)
        x = torch.einsum("nhwpqc->nchpwq", x.reshape(n, height // 2, width // 2, 2, 2, 3))
        return x.reshape(n, 3, height // 2 * 2, width // 2 * 2)


@pytest.mark.parametrize("places", [0, 64])
def test_conditions_that_no_size_breaks_alone(places: int) -> None:
    """torch.export asserts in several ways that there is more than one patch. The text needs the bound of the patches only."""
    module = Patches(places).eval()
    model = netc.from_torch(module, torch.randn(2, 3, 16, 16), IMAGE)
    assert "!= 1" not in where_of(model.spec())
    assert ("<= 64" in where_of(model.spec())) == bool(places)
    made = model.module(weights=model.weights).eval()
    for sizes in ((2, 2), (3, 2), (2, 9), (10, 4)):
        x = torch.randn(1, 3, *sizes)
        torch.testing.assert_close(made(x), module(x), rtol=1e-4, atol=1e-5)


def test_an_upper_bound_of_the_module_stays_without_a_note() -> None:
    module = Of(lambda m, x: m.fc(x + m.place(torch.arange(x.shape[1]))), place=nn.Embedding(40, 8), fc=nn.Linear(8, 8))
    text = netc.from_torch(module, torch.randn(2, 9, 8), SEQUENCE).spec()
    assert where_of(text) == "T <= 40"
    assert "torch.export found" not in text


def test_a_condition_that_the_text_needs_and_the_module_does_not_is_noted() -> None:
    def function(_: Any, x: Tensor) -> Tensor:
        return F.pad(x, (0, 0, 0, -x.shape[1] % 4)).unflatten(1, (-1, 4)).mean(2)

    text = netc.from_torch(Of(function), torch.randn(2, 12, 8), SEQUENCE).spec()
    if where_of(text):
        assert "torch.export found `T % 4 == 0`" in text


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    (tmp_path / "nets.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli, ["import", *words, "-o", "-"])


@pytest.mark.parametrize("name", ["nets.py:net", "nets:net"])
def test_symbolic_sizes_of_images(imported: Callable[..., Any], name: str) -> None:
    result = imported(name, "--input", "3xHxW")
    assert result.exit_code == 0, result.output
    assert "input 3xHxW\n" in result.output


@pytest.mark.long
def test_examples_grow_until_the_module_takes_them(imported: Callable[..., Any]) -> None:
    assert imported("nets.py:deep", "--input", "1xHxW").exit_code == 0
    result = imported("nets.py:sound", "--input", "1xT")
    assert result.exit_code == 0, result.output
    assert "T <= " not in result.output


def test_conditions_and_examples_of_the_user(imported: Callable[..., Any]) -> None:
    result = imported("nets.py:net", "--input", "3xHxW where H >= 16, W % 4 == 0", "--example", "H=40,W=48")
    assert result.exit_code == 0, result.output
    assert "input 3xHxW where H >= 16, W % 4 == 0" in result.output
    assert (
        "`Q=3` is not the size of a symbolic axis; expected `H=224` or `W=224`"
        in imported("nets.py:net", "--input", "3xHxW", "--example", "Q=3").output
    )


def test_a_batch_that_the_module_fixes(imported: Callable[..., Any]) -> None:
    result = imported("nets.py:Two", "--input", "8")
    assert result.exit_code == 0, result.output
    assert "input 2x8 batch=false" in result.output
    assert "note: The module's code depends on the number of samples, so the batch is fixed at 2" in result.output


@pytest.mark.parametrize("samples", [1, 3])
def test_the_note_has_the_number_of_samples_in_the_example(samples: int) -> None:
    def listed(m: Of, x: Tensor) -> Tensor:
        return torch.stack([part * 2 for part in x.unbind(0)])

    text = netc.from_torch(Of(listed), torch.randn(samples, 8)).spec()
    assert f"input {samples}x8 batch=false" in text
    assert f"the batch is fixed at {samples} (" in text


def test_axis_0_of_an_input_of_another_length_is_no_batch() -> None:
    module = Of(lambda m, x, edges: x + (x.index_select(0, edges[0]) * 2).sum(0))
    model = netc.from_torch(module, (torch.randn(5, 4), torch.randint(0, 5, (2, 7))))
    assert "is not the batch, since the first input has 5 samples: it is fixed at 2" in model.spec()


@pytest.mark.long
def test_a_loop_over_time_is_not_tried_with_thousands_of_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.export writes the loop out, for longer and longer examples."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(MODULE, encoding="utf-8")
    done = CliRunner().invoke(cli, ["import", "net.py:Steps", "--input", "[T, 2]", "-o", "-"])
    assert done.exit_code == 0, done.output
    assert "input [T, 2]" in done.output
    assert "-> scan (" in done.output
    assert int(Path("steps.txt").read_text(encoding="utf-8")) < 100


@pytest.mark.parametrize(
    ("dims", "error", "text"),
    [
        ({"tokens": ["N", "T"]}, ValueError, "names the axes of 'tokens', which is none of the inputs: 0, 'input'"),
        ({1: ["N"]}, ValueError, "names the axes of 1, which is none of the inputs"),
        ({0: {3: "T"}}, ValueError, "names axis 3 of 'input', whose example has the shape [2, 5, 3]"),
        ({0: {-4: "T"}}, ValueError, "names axis -4"),
        ({"input": ["N", "T", None, "S"]}, ValueError, "names axis 3"),
        ({0: "seq"}, TypeError, "in a list or a mapping, not str"),
    ],
)
def test_names_of_axes_that_are_not_there(dims: dict[str | int, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        netc.from_torch(torch.nn.Linear(3, 2), torch.ones(2, 5, 3), dims)


def test_axes_that_count_from_the_end() -> None:
    imported = netc.from_torch(torch.nn.Linear(3, 2), torch.ones(2, 5, 3), {0: {0: "N", -2: "T"}})
    assert str(imported.inputs["input_"].shape[1]) == "T"


def test_assertions_of_an_exported_program_are_conditions(tmp_path: Path) -> None:
    """torch.export may assert about sizes instead of bounding them: a branch of the code is then true for some sizes only."""

    def function(_: Any, x: Tensor) -> Tensor:
        return x * 2 if x.shape[1] % 4 != 3 else x

    dims = {"x": {0: torch.export.Dim("N"), 1: torch.export.Dim("T")}}
    program = torch.export.export(
        Of(function), (torch.randn(2, 12),), dynamic_shapes={"inputs": (dims["x"],)}, prefer_deferred_runtime_asserts_over_guards=True
    )
    torch.export.save(program, tmp_path / "model.pt2")
    result = CliRunner().invoke(cli, ["import", str(tmp_path / "model.pt2"), "-o", "-"])
    assert where_of(result.output) == "A % 4 != 3", result.output


@pytest.mark.long
def test_windows_of_an_example_with_a_remainder() -> None:
    def windows(m: nn.Module, x: Tensor) -> Tensor:
        n, length, channels = x.shape
        padded = F.pad(x, (0, 0, 0, (4 - length % 4) % 4))
        count = padded.shape[1] // 4
        parts = padded.view(n, count, 4, channels).reshape(-1, 4, channels)
        return (parts + 1).view(n, count, 4, channels).reshape(n, 4 * count, channels)[:, :length]

    module = Of(windows)
    model = netc.from_torch(module, torch.randn(2, 6, 4), {0: ["N", "T"]})
    assert "where" not in model.spec()
    made = model.module()
    for length in range(1, 14):
        x = torch.randn(3, length, 4)
        torch.testing.assert_close(made(x), module(x))


@pytest.mark.long
def test_padding_to_a_multiple_with_an_example_that_is_none() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        length = x.shape[1]
        padded = F.pad(x, (0, (4 - length % 4) % 4))
        return F.interpolate(F.avg_pool1d(padded[:, None], 4), scale_factor=4)[:, 0, :length]

    module = Of(forward)
    model = netc.from_torch(module, torch.randn(2, 9), SEQUENCE)
    assert where_of(model.spec()) == ""
    for size in (1, 4, 6, 9, 12):
        x = torch.randn(3, size)
        assert torch.equal(model.module()(x), module(x))


@pytest.mark.long
def test_a_remainder_that_no_assertion_replaces_is_named() -> None:
    """Blocks of a sequence that is padded are read in a shape, which torch.export must know."""

    def forward(m: Any, x: Tensor) -> Tensor:
        n, length, channels = x.shape
        blocks = F.pad(x, (0, 0, 0, -length % 4)).view(n, -1, 4, channels)
        return blocks.softmax(2).view(n, -1, channels)[:, :length]

    with pytest.raises(ImportFailed, match="give example sizes that are multiples"):
        netc.from_torch(Of(forward), torch.randn(2, 9, 4), SEQUENCE)


def refuse_one(m: Any, x: Tensor) -> Tensor:
    if x.shape[1] == 1:
        raise ValueError("too short")
    return x * 2


ONES: dict[str, tuple[Callable[[Any, Tensor], Tensor], str]] = {
    "squeeze": (lambda m, x: x.squeeze(), "N >= 2, T >= 2"),
    "squeeze of the batch": (lambda m, x: x.squeeze(0), "N >= 2"),
    "squeeze of a mean": (lambda m, x: x.mean(2).squeeze(), "N >= 2, T >= 2"),
    "a branch": (lambda m, x: x * 2 if x.shape[1] == 1 else x * 3, "T >= 2"),
    "a module that refuses 1": (refuse_one, "T >= 2"),
    "expand": (lambda m, x: x[:, :1].expand(-1, x.shape[1], -1) + x, ""),
    "flatten": (lambda m, x: x.flatten(1, 2).unsqueeze(1), ""),
    "deviation": (lambda m, x: x - x.var(0, keepdim=True, correction=0), ""),
}


@pytest.mark.parametrize(("function", "where"), ONES.values(), ids=ONES.keys())
def test_a_size_that_must_not_be_one(function: Callable[[Any, Tensor], Tensor], where: str) -> None:
    """torch.export computes as if no symbolic size were 1. Where the text would differ from the module, it refuses that size."""
    module = Of(function)
    model = netc.from_torch(module, torch.randn(3, 5, 4), SEQUENCE)
    assert where_of(model.spec()) == where
    made = model.module()
    for batch, length in ((1, 1), (1, 3), (3, 1), (2, 3)):
        x = torch.randn(batch, length, 4)
        if (batch == 1 and "N" in where) or (length == 1 and "T" in where):
            with pytest.raises(ValueError, match=f">= 2` does not hold: {'N' if batch == 1 and 'N' in where else 'T'} is 1"):
                made(x)
        else:
            torch.testing.assert_close(made(x), module(x))


BRANCHES: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "one size": lambda m, x: x * 2 if x.shape[1] == 96 else x,
    "two sizes": lambda m, x: x * 2 if x.shape[1] in (3, 200) else x,
    "a remainder": lambda m, x: x * 2 if x.shape[1] % 3 == 0 else x,
    "long, and a remainder": lambda m, x: x * 2 if x.shape[1] > 100 and x.shape[1] % 3 == 0 else x,
    "long, and a multiple": lambda m, x: x * 2 if x.shape[1] > 512 and x.shape[1] % 128 == 0 else x,
    "a square root": lambda m, x: x * 2 if x.shape[1] ** 0.5 > 10 else x,
    "a factor": lambda m, x: x * 2 if x.shape[1] * 0.3 > 30 else x,
    "a rounded quotient": lambda m, x: x * 2 if round(x.shape[1] / 7) == 11 else x,
    "without an effect": lambda m, x: x + 0 if x.shape[1] > 30 else x,
}


def test_a_length_that_counts_from_one() -> None:
    """A sequence of one element needs the length 1. The module fails with the length 0 and with the lengths of the example."""
    module = Of(lambda m, x, n: x.gather(1, (n - 1).view(-1, 1, 1).expand(-1, 1, x.size(2))).squeeze(1))
    x, lengths = torch.randn(3, 8, 4), torch.tensor([3, 8, 1])
    model = netc.from_torch(module, (x, lengths), {0: ["N", "T"]})
    assert "where" not in model.spec()
    for given in ((x, lengths), (x[:, :1], torch.ones(3, dtype=torch.int64))):
        torch.testing.assert_close(model.module()(*given), module(*given))


@pytest.mark.sample(3)
@pytest.mark.parametrize("function", BRANCHES.values(), ids=BRANCHES.keys())
def test_a_branch_that_the_example_does_not_take(function: Callable[[Any, Tensor], Tensor]) -> None:
    """At every size, the spec computes the module's result or refuses the size."""
    made = netc.from_torch(Of(function), torch.randn(2, 64, 4), SEQUENCE).module()
    refused = 0
    for length in (2, 3, 4, 30, 31, 63, 64, 65, 73, 77, 81, 95, 96, 97, 100, 101, 102, 105, 120, 199, 200, 201, 513, 640, 768):
        x = torch.randn(2, length, 4)
        try:
            result = made(x)
        except ValueError:
            refused += 1
        else:
            torch.testing.assert_close(result, function(None, x))
    assert refused < 25


@pytest.mark.parametrize(
    ("function", "where"),
    [
        (lambda m, x, y: x.sum() if x.shape[1] > y.shape[1] else y.sum(), "T > S"),
        (lambda m, x, y: x.sum() if x.shape[1] == 2 * y.shape[1] else y.sum(), "T != 2 * S"),
        (lambda m, x, y: x.sum() + y.sum() if x.shape[1] > y.shape[1] else y.sum() + x.sum(), ""),
    ],
)
def test_a_branch_on_two_sizes(function: Callable[..., Tensor], where: str) -> None:
    model = netc.from_torch(Of(function), (torch.randn(2, 64, 4), torch.randn(2, 30, 4)), {0: ["N", "T"], 1: ["N", "S"]})
    assert where_of(model.spec()) == where
