"""Importing modules that are called several times, or whose results nothing reads, and calls with arguments of odd shapes. The judge is the
module itself."""

from __future__ import annotations

from functools import reduce
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontends.imported import agree, imported
from frontends.written import Of, batches
from torch import Tensor, nn

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.torch.keys import KeyPlacement
from netc.compiler.frontends.torch.module_calls import ModuleCall
from netc.importing.array_difference import LIMIT
from netc.importing.module_origin import make_module_origin
from netc.importing.output_judge import WORST, NotProved
from netc.importing.run_import import import_spec


class _Wrapped(nn.Module):
    """A module whose only layer has a name below its own."""

    def __init__(self, *after: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.after = nn.Sequential(*after)

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.inner(x))  # type: ignore[no-any-return]


def proved_keys(module: nn.Module, *inputs: Tensor) -> str:
    """The text of the import, which is proved, and has all keys of the module."""
    model = netc.from_torch(module, inputs)
    assert list(model.parameters) == list(module.state_dict())
    return model.spec()


def test_a_module_of_one_layer_that_is_called_twice() -> None:
    text = proved_keys(Of(lambda m, x: m.part(x) + m.part(x * 2), part=_Wrapped()), torch.randn(2, 4))
    assert "shared part = " in text


def test_each_call_of_a_module_is_gone_over_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as many calls ask about twice as often which modules nodes are in, and not four times as often."""
    chain, results = ModuleCall.enclosing_calls, KeyPlacement.find_shared_results
    asked: list[int] = []

    def counted(call: ModuleCall) -> list[ModuleCall]:
        if asked:
            asked[-1] += 1
        return chain(call)

    def counting(keys: KeyPlacement) -> Any:
        asked.append(0)
        monkeypatch.setattr(ModuleCall, "enclosing_calls", counted)
        found = results(keys)
        monkeypatch.setattr(ModuleCall, "enclosing_calls", chain)
        return found

    monkeypatch.setattr(KeyPlacement, "find_shared_results", counting)
    for calls in (8, 16):
        netc.from_torch(Of(lambda m, x, n=calls: reduce(lambda y, _: m.part(y), range(n), x), part=_Wrapped(nn.ReLU())), torch.randn(2, 4))
    assert 0 < asked[0] < asked[1]
    assert asked[1] < 3 * asked[0]


@pytest.mark.parametrize("after", [(), (nn.Threshold(0.1, 20),)], ids=len)
def test_a_module_that_is_called_twice_and_once_for_nothing(after: tuple[nn.Module, ...]) -> None:
    text = proved_keys(Of(lambda m, x: (m.part(x), m.part(x * 2))[1], part=_Wrapped(*after)), torch.randn(2, 4))
    assert text.count("-> part") == 1


@pytest.mark.parametrize("after", [(), (nn.Threshold(0.1, 20),)], ids=len)
def test_keys_stay_of_modules_whose_results_nothing_reads(after: tuple[nn.Module, ...]) -> None:
    def twice(m: Any, x: Tensor) -> Tensor:
        m.part(x)
        m.part(x * 2)
        return x.sin()

    def in_turn(m: Any, x: Tensor) -> Tensor:
        y = x
        for part in m.parts:
            y = part(y)
        return x.sin()

    proved_keys(Of(twice, part=_Wrapped(*after)), torch.randn(2, 4))
    proved_keys(Of(in_turn, parts=nn.ModuleList(_Wrapped(*after) for _ in range(4))), torch.randn(2, 4))


def test_an_operator_without_counterpart_in_a_module_that_nothing_reads() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        m.part(x)
        return x.sin()

    module = Of(forward, part=Of(lambda m, x: torch.kthvalue(x, 2).values + m.gain, gain=None))  # type: ignore[arg-type]
    del module.part.gain
    module.part.register_parameter("gain", nn.Parameter(torch.ones(1)))
    with pytest.raises(ImportFailed, match="kthvalue"):
        netc.from_torch(module, torch.randn(2, 4))


class _Watched(nn.Module):
    """Keeps what it watches in attributes, where nothing reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.perplexity = torch.zeros(1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.linear(x)
        shares = torch.histc(y, bins=4, max=2).double() / y.numel()
        self.perplexity = (shares * (shares + 1e-10).log()).sum()
        return y.relu(), torch.kthvalue(y, 2).values + 1


def test_operators_without_counterpart_that_nothing_reads() -> None:
    agree(Of(lambda m, x: m.part(x)[0] + 1, part=_Watched()), *batches(4))


def test_operators_without_counterpart_that_something_reads() -> None:
    with pytest.raises(ImportFailed) as failed:
        netc.from_torch(Of(lambda m, x: m.part(x), part=_Watched()), torch.randn(2, 4))
    assert {one.what for one in failed.value.obstacles} == {"aten.kthvalue.default"}


def test_a_sum_of_a_table_is_no_table() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        places = x.argmax(1)
        return places.new_full((places.shape[0], 1), 2).sum() * places

    agree(Of(forward), *batches(5))


def test_attention_to_keys_of_fewer_axes() -> None:
    agree(Of(lambda m, x: F.scaled_dot_product_attention(x.expand(3, *x.shape), x, x)), *batches(6, sizes=(2, 3)))
    agree(Of(lambda m, x: F.scaled_dot_product_attention(x[:, :1], x, x)), *batches(3, 5, 4, sizes=(2, 3)))


def test_elements_repeated_by_a_tensor() -> None:
    """Only a constant says how long the result is."""

    def forward(m: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        two, counts = torch.tensor([2]), torch.tensor([1, 2, 0, 3])
        return x.repeat_interleave(counts, dim=1, output_size=6), x.repeat_interleave(two, dim=-1, output_size=10)

    agree(Of(forward), *batches(4, 5))
    with pytest.raises(ImportFailed, match="as often as a tensor says: the size of the result depends on the values"):
        imported(Of(lambda m, x: x.repeat_interleave((x[0, :, 0] > 0).long(), dim=1, output_size=3)), torch.ones(2, 4, 5))


def test_a_pool_that_keeps_an_axis_of_any_size() -> None:
    """Recognizers of text reduce the rows of an image like this, and keep its columns."""

    def forward(m: Any, x: Tensor) -> tuple[Tensor, ...]:
        return F.adaptive_avg_pool2d(x, (1, None)), F.adaptive_avg_pool2d(x, (None, 1)), F.adaptive_avg_pool2d(x, (None, None)) * 2

    agree(Of(forward), *[torch.randn(n, 3, *sizes) for n, *sizes in ((2, 4, 6), (3, 7, 5), (1, 1, 1))], dims={0: ["N", None, "H", "W"]})


def test_a_pool_to_a_size_that_is_computed() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, (x.shape[-1] // 2, x.shape[0]))

    with pytest.raises(ImportFailed, match="keeps an axis whose size depends on the input"):
        netc.from_torch(Of(forward), torch.randn(2, 3, 4, 4))


def test_rounding_errors_of_the_module_itself_are_no_difference() -> None:
    """Constant numbers are normalized: what is left of them is rounding, divided by the root of `eps`."""

    def forward(m: Any, x: Tensor) -> Tensor:
        return m.norm(torch.ones_like(x).tanh())  # type: ignore[no-any-return]

    usual = torch.get_default_dtype()
    module = Of(forward, norm=nn.GroupNorm(1, 2))
    proof = import_spec(make_module_origin(module, (torch.randn(2, 2, 3, 3),), {}, None, "module")).proof
    assert proof is not None
    assert LIMIT < proof.inexact < WORST
    assert torch.get_default_dtype() == usual


def test_a_difference_that_is_not_rounding_is_one() -> None:
    module = Of(lambda m, x: x.tanh())
    origin = make_module_origin(module, (torch.randn(2, 3),), {}, None, "module")
    module.function = lambda m, x: x.tanh() * (1 + 1e-4)
    with pytest.raises(NotProved, match=r"differs by 0\.0001 of its largest value, by 0\.0001 from float64"):
        import_spec(origin)


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: (x > 0) == True,  # noqa: E712
        lambda m, x: (x > 0) != False,  # noqa: E712
        lambda m, x: (x > 0) * True,
        lambda m, x: x * True,
        lambda m, x: x.long() == True,  # noqa: E712
    ],
)
def test_booleans_next_to_tensors(function: Any) -> None:
    netc.from_torch(Of(function), torch.randn(2, 3))


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: x / (2 * x.shape[0]),
        lambda m, x: x % (x.shape[0] // 2 + 1),
        lambda m, x: x - (x.shape[0] - 1),
        lambda m, x: x * (x.shape[0] + 1),
        lambda m, x: (x.shape[0] * 2) ** x.abs(),
        lambda m, x: x / x.numel(),
        lambda m, x: x - x.shape[0] * 2,
        lambda m, x: (x > x.shape[0] // 2) & (x < 2 * x.shape[0] + 1),
    ],
)
def test_sizes_that_are_computed_next_to_tensors(function: Any) -> None:
    netc.from_torch(Of(function), torch.randn(2, 3))


def test_brackets_around_sizes_only_where_they_are_needed() -> None:
    texts = [
        netc.from_torch(Of(function), torch.randn(2, 3)).spec().splitlines()[-1]
        for function in (lambda m, x: x - x.shape[0] * 2, lambda m, x: x / x.shape[0], lambda m, x: x * 1e-05)
    ]
    assert [text.partition(" ")[2] for text in texts] == ["- 2 * N", "/ N", "* 1e-5"]


def test_a_layer_on_an_axis_of_which_the_size_is_not_proved() -> None:
    module = Of(lambda m, x: m.linear(x.transpose(0, 1)[..., -2:]), linear=nn.Linear(2, 3))
    with pytest.raises(ImportFailed, match="cannot prove the size of its parameters"):
        netc.from_torch(module, torch.randn(3, 6), {0: ["N"]})
    assert "input 3x6 batch=false" in netc.from_torch(module, torch.randn(3, 6)).spec()


def test_a_number_is_transposed() -> None:
    agree(Of(lambda m, x: x.sum().transpose(0, -1)), *batches(3))


class Paired(NamedTuple):
    first: Tensor
    rest: list[Tensor]
    absent: Tensor | None = None


@pytest.mark.parametrize("dims", [None, {0: ["N", "T"]}])
def test_a_named_tuple_as_an_input(dims: Any) -> None:
    class Adding(nn.Module):
        def forward(self, pair: Paired) -> Tensor:
            return pair.first * 2 + pair.rest[0] if pair.absent is None else pair.absent

    pair = Paired(torch.randn(2, 5, 4), [torch.randn(2, 5, 4)])
    model = netc.from_torch(Adding(), (pair,), dims)
    assert list(model.inputs) == ["pair_first", "pair_rest_0"]
    torch.testing.assert_close(model.module()(pair.first, pair.rest[0]), pair.first * 2 + pair.rest[0])
