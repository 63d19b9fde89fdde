"""What cannot be imported is said, all of it, with the operator and the module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.export import Dim as ExportDim

from netc.compiler.frontends.imported_model import ImportFailed, Obstacle
from netc.compiler.frontends.torch import export_program, from_module


class Calls(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def obstacles(module: nn.Module, inputs: Any, dims: Any = None) -> tuple[Obstacle, ...]:
    with pytest.raises(ImportFailed) as failed:
        from_module(module, inputs, dims)
    return failed.value.obstacles


def test_all_of_them() -> None:
    module = nn.Sequential(Calls(lambda x: torch.special.i0(x) + 1), nn.Linear(4, 4), Calls(lambda x: torch.polygamma(1, x)))
    found = obstacles(module, torch.randn(2, 4))
    assert [(o.what, o.where) for o in found] == [("aten.special_i0.default", "0"), ("aten.polygamma.default", "2")]
    module = Calls(lambda x: (torch.special.i0(x), torch.polygamma(1, x)))
    assert [o.what for o in obstacles(module, torch.randn(2, 4))] == ["aten.special_i0.default", "aten.polygamma.default"]


@pytest.mark.parametrize(
    ("function", "argument"),
    [
        (lambda x: F.dropout(x, 0.5), "training=self.training"),
        (lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5), "dropout_p=p if self.training else 0.0"),
    ],
    ids=["dropout", "attention"],
)
def test_dropout_in_evaluation(function: Any, argument: str) -> None:
    (found,) = obstacles(Calls(function), torch.randn(2, 3, 4))
    assert (found.why, found.help) == ("works in evaluation too, which no dropout of netc does", f"give it `{argument}`")


class Force(nn.Module):
    """The gradient of an energy, by the functions of `torch.autograd` or of `torch.func`."""

    def __init__(self, functional: bool) -> None:
        super().__init__()
        self.energy = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        self.functional = functional

    def forward(self, x: Tensor) -> Tensor:
        if self.functional:
            return torch.func.vmap(torch.func.grad(lambda row: self.energy(row).sum()))(x)
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            return torch.autograd.grad(self.energy(x).sum(), x, create_graph=True)[0]


@pytest.mark.parametrize("functional", [True, False])
def test_gradients_in_a_module(functional: bool) -> None:
    (found,) = obstacles(nn.Sequential(nn.Linear(4, 4), Force(functional)), torch.randn(2, 4))
    assert found.why.startswith("cannot follow gradients that a module's code computes")
    assert found.where == "1"
    assert "gradient(y, x)" in found.help


def test_tensors_without_elements() -> None:
    (found,) = obstacles(Calls(lambda x: x.conj()), torch.randn(2, 0, 3))
    assert (found.what, found.why) == ("the input `x`", "has no elements in the example")
    (found,) = obstacles(Calls(lambda x: x.split([1, 4, 0], 1)), torch.randn(2, 5))
    assert (found.what, found.why) == ("output", "is a tensor without elements, which a spec does not have")


def test_bags_of_rows_that_are_computed() -> None:
    """The rows of a table of embeddings are parameters, and not twice the numbers of one."""

    class Doubled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = nn.Parameter(torch.randn(9, 4))

        def forward(self, x: Tensor) -> Tensor:
            return torch.nn.functional.embedding_bag(x, self.rows * 2, torch.tensor([0, 3]), mode="sum")

    found = obstacles(Doubled(), torch.randint(0, 9, (5,)), {0: [None]})
    assert [one.why for one in found] == ["has a weight that is computed, and offsets"]


def test_sizes_that_depend_on_values() -> None:
    (found,) = obstacles(Calls(lambda x: x[x > 0]), torch.randn(2, 4))
    assert "values" in found.why


def test_code_that_depends_on_a_size() -> None:
    def unrolled(x: Tensor) -> Tensor:
        state = x[:, 0]
        for at in range(x.shape[1]):
            state = state + x[:, at]
        return state

    (found,) = obstacles(Calls(unrolled), torch.randn(2, 5), {0: ["N", "T"]})
    assert "T can only be 5" in found.why
    assert "`dims`" in found.help


class Scores:
    """What torch.export has never heard of."""

    def __init__(self, scores: Tensor) -> None:
        self.scores = scores


def test_results_of_a_class_of_its_own() -> None:
    (found,) = obstacles(Calls(Scores), torch.randn(2, 4))
    assert "Scores, which is an output" in found.why
    assert found.help == "call `torch.export.register_dataclass(Scores)` before, or return a tuple or a dict"


def test_a_branch_that_depends_on_values() -> None:
    (found,) = obstacles(nn.Sequential(nn.Linear(4, 4), Calls(lambda x: x * 2 if x.sum() > 0 else x)), torch.randn(2, 4))
    assert found.where == "1"
    assert "values of tensors" in found.why
    assert "torch.where" in found.help


class Branches(nn.Module):
    """Code that runs otherwise for other numbers."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "size":
            return x[: int(x.sum())]
        if self.kind == "number":
            number = x.argmax().item()
            if number == 3:
                return -x
        while x.max() > 2:
            x = x / 2
        return x


@pytest.mark.parametrize(
    ("kind", "line"), [("size", "return x[: int(x.sum())]"), ("number", "if number == 3:"), ("loop", "while x.max() > 2:")]
)
def test_the_line_that_depends_on_values_is_named(kind: str, line: str) -> None:
    (found,) = obstacles(nn.Sequential(nn.Linear(4, 4), Branches(kind)), torch.randn(2, 4))
    number = next(at for at, text in enumerate(Path(__file__).read_text().splitlines(), 1) if text.strip() == line)
    assert f"`{line}`, line {number} of {__file__}" in found.why
    assert "Could not guard" not in found.why
    assert found.where == "1"


def test_an_example_that_is_too_small() -> None:
    """What an older torch.export asks for, which does not say where the bound is."""
    dims = {"x": {0: ExportDim("N"), 1: ExportDim("T", min=8)}}
    with pytest.raises(ImportFailed, match="needs T of at least 8, and the example has 5; give larger examples"):
        export_program._check_examples(dims, {"N": 2, "T": 5})
    raised = export_program._raise_lower_bounds({"x": {1: ExportDim("T")}}, {"T"}, {"T": 5})
    assert raised["x"][1].min == 5
    export_program._check_examples(raised, {"T": 5})


def test_an_error_says_everything_at_once() -> None:
    functions = (torch.special.i0, torch.special.i0e, torch.special.i1, torch.special.i1e)
    module = nn.Sequential(*map(Calls, functions))
    with pytest.raises(ImportFailed) as caught:
        from_module(module, torch.randn(2, 4))
    assert len(str(caught.value).splitlines()) == len(caught.value.obstacles) > 3


def test_the_code_of_the_module_may_fail() -> None:
    def broken(x: Tensor) -> Tensor:
        raise RuntimeError("no such luck")

    (found,) = obstacles(nn.Sequential(nn.Identity(), Calls(broken)), torch.randn(2, 4))
    assert "no such luck" in found.why
    assert found.where == "1"


def test_nothing_random() -> None:
    (found,) = obstacles(Calls(lambda x: x + torch.randn_like(x)), torch.randn(2, 4))
    assert found.what == "aten.randn_like.default"


def test_code_that_ends_the_program() -> None:
    def ended(x: Tensor) -> Tensor:
        raise SystemExit(3)

    (found,) = obstacles(Calls(ended), torch.randn(2, 4))
    assert "ends the program, with 3" in found.why


def test_a_failure_prints_nothing_besides(capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = obstacles(Calls(lambda x: x * 2 if x.sum() > 0 else x), torch.randn(2, 4))
    assert "values of tensors" in found.why
    said = capsys.readouterr()
    assert not said.out
    assert not said.err
