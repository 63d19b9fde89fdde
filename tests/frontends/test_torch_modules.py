"""Importing PyTorch modules: keys, sharing, in place, sizes, outputs. The judge is the module itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontends.imported import agree, imported, operators
from frontends.written import Of, batches
from torch import Tensor, nn

import netc
from netc.compiler.frontends.torch import from_exported
from netc.compiler.ir.graph import CallNode
from netc.compiler.ir.walk import collect_graphs


def test_a_chain_of_layers_keeps_its_keys() -> None:
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Dropout(0.2), nn.Linear(8, 3))
    found = agree(module, *batches(4))
    assert list(found.weights) == list(module.state_dict())
    assert operators(found.program) == ["dense", "relu", "dropout", "dense"]


def test_a_module_that_is_one_operator_has_no_graph() -> None:
    module = Of(lambda m, x: m.head(m.body(x)), body=nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), head=nn.Flatten())
    found = agree(module, *batches(3, 6, 6))
    assert [graph.kind for graph in collect_graphs(found.program.main)] == ["sequence", "model"]
    assert list(found.weights) == list(module.state_dict())


def test_a_linear_model_alone() -> None:
    found = agree(nn.Linear(4, 3, bias=False), *batches(4))
    assert list(found.weights) == ["weight"]


def test_a_module_without_parameters() -> None:
    agree(Of(lambda m, x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)), *batches(5))


def test_parameters_and_buffers_of_the_module_itself() -> None:
    module = Of(lambda m, x: x * m.scale + m.shift + m.offset)
    module.scale = nn.Parameter(torch.randn(4))
    module.shift = nn.Parameter(torch.randn(4), requires_grad=False)
    module.register_buffer("offset", torch.randn(4))
    module.register_buffer("unused", torch.randn(4))
    found = agree(module, *batches(4))
    assert set(found.weights) == {"scale", "shift", "offset"}
    assert "`unused`" in found.notes[0]
    frozen = {node.label: node.frozen for node in found.program.main.nodes if node.label in ("scale", "shift")}
    assert frozen == {"scale": False, "shift": True}


def test_a_weight_that_is_computed() -> None:
    conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 4, 3))
    found = agree(Of(lambda m, x: m.conv(x), conv=conv), *batches(3, 9))
    assert set(found.weights) == set(conv.state_dict(prefix="conv."))


def test_in_place_without_views() -> None:
    agree(Of(lambda m, x: (x * 2).add_(1).relu_().mul_(x)), *batches(4))


def test_what_is_read_under_the_old_name_after_a_change_is_changed() -> None:
    def changed(m: nn.Module, x: Tensor) -> Tensor:
        y = x * 2
        y.add_(1)
        return y + y

    agree(Of(changed), *batches(4))


def test_a_part_that_is_changed_in_place() -> None:
    def changed(m: nn.Module, x: Tensor) -> Tensor:
        y = x.clone()
        y[:, 1:3] = 7
        y[:, -1] += 1
        y[:, 0].copy_(x[:, 3])
        return y * 2

    agree(Of(changed), *batches(5))


def test_a_constant_is_a_table() -> None:
    module = Of(lambda m, x: x + m.zeros + m.steps)
    module.register_buffer("zeros", torch.full((4,), 0.5), persistent=False)
    module.register_buffer("steps", torch.arange(4) * 3 + 1, persistent=False)
    assert operators(agree(module, *batches(4)).program) == ["table", "add", "table", "add"]


def test_numbers_that_are_tensors() -> None:
    agree(Of(lambda m, x: torch.tensor(3.0) - x * torch.tensor(2)), *batches(4))


def test_a_causal_mask_of_a_symbolic_length() -> None:
    def scores(m: nn.Module, x: Tensor) -> Tensor:
        length = x.shape[1]
        seen = torch.arange(length)[None, :] <= torch.arange(length)[:, None]
        return (x @ x.transpose(1, 2)).masked_fill(~seen, -1e4).softmax(-1)

    agree(Of(scores), torch.randn(2, 5, 4), torch.randn(3, 7, 4), torch.randn(1, 1, 4), dims={0: ["N", "T", None]})


def test_views_that_are_not_contiguous() -> None:
    agree(Of(lambda m, x: x.transpose(1, 2)[:, ::2].flatten(1).view(x.shape[0], -1, 3)), *batches(3, 4))


def test_axes_of_size_1() -> None:
    agree(Of(lambda m, x: m.conv(x).squeeze(2), conv=nn.Conv2d(1, 2, (1, 3))), *batches(1, 1, 8))


def test_windows_that_are_folded_into_the_batch() -> None:
    def windows(m: nn.Module, x: Tensor) -> Tensor:
        n, h, w, c = x.shape
        x = x.view(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)
        return m.dense(x).view(n, -1, 6)

    agree(Of(windows, dense=nn.Linear(3, 6)), *batches(4, 4, 3))


def test_integers_in_and_out() -> None:
    agree(Of(lambda m, ids: (ids.clamp(0, 3), (ids == 2).sum(1), ids // 2)), *[torch.randint(0, 9, (n, 4)) for n in (2, 3, 1)])


def test_indices_that_count_reorder_axes() -> None:
    def looked_up(m: nn.Module, x: Tensor) -> Tensor:
        rows, columns = torch.arange(x.shape[0]), torch.arange(x.shape[1])
        return x[rows[:, None, None], columns[None, None, :]]

    found = agree(Of(looked_up), torch.randn(2, 5), torch.randn(3, 7), dims={0: ["N", "T"]})
    assert "index_select" not in operators(found.program)


def test_indices_along_two_axes() -> None:
    agree(Of(lambda m, x, at: x[torch.arange(x.shape[0]), at]), *[(torch.randn(n, 5, 3), torch.randint(-5, 5, (n,))) for n in (2, 3, 1)])


def test_constant_indices_that_count_from_the_end() -> None:
    agree(Of(lambda m, x: x[:, [-1, -2]]), *batches(5))


def test_names_of_inputs_and_outputs() -> None:
    def named(m: nn.Module, block: Tensor, x: Tensor) -> dict[str, Any]:
        return {"logits": block + x, "hidden": (x, block * 2), "nothing": None}

    class Named(nn.Module):
        def forward(self, block: Tensor, x: Tensor) -> dict[str, Any]:
            return named(self, block, x)

    found = agree(Named(), *[(a, a + 1) for a in batches(3)])
    assert [value.name for value in found.program.main.inputs] == ["block_", "x"]
    assert found.program.main.output_names == ["logits", "hidden_0", "hidden_1"]


def test_arguments_by_name_and_fixed_ones() -> None:
    class Scaled(nn.Module):
        def forward(self, x: Tensor, scale: Tensor | None = None, twice: bool = False) -> Tensor:
            found = x if scale is None else x * scale
            return found * 2 if twice else found

    found = imported(Scaled(), {"x": torch.randn(2, 3), "twice": True})
    assert operators(found.program) == ["mul"]


def test_one_name_is_one_size() -> None:
    module = Of(lambda m, x, y: torch.cat([x, y], 1))
    found = agree(
        module, (torch.randn(2, 3), torch.randn(2, 4)), (torch.randn(3, 5), torch.randn(3, 5)), dims={0: ["N", "T"], 1: ["N", "S"]}
    )
    assert found.program.symbols == ("N", "T", "S")
    assert str(found.program.main.outputs[0].type) == "[N, S + T]"


def test_ends_and_padding_that_are_sizes() -> None:
    module = Of(lambda m, x: (x[:, x.shape[1] // 2 :], F.pad(x, (x.shape[1], 0))))
    found = agree(module, torch.randn(2, 8), torch.randn(3, 10), dims={0: ["N", "T"]})
    assert [str(one.type) for one in found.program.main.outputs] == ["[N, T/2]", "[N, 2*T]"]


def test_multiples_and_bounds_are_conditions() -> None:
    module = Of(lambda m, x: x.view(x.shape[0], -1, 4).sum(1) + m.table[: x.shape[1]].sum())
    module.table = nn.Parameter(torch.randn(32))
    found = agree(module, torch.randn(2, 8), torch.randn(3, 12), dims={0: ["N", "T"]})
    stated = [text for _, text in found.program.conditions]
    assert "T % 4 == 0" in stated
    assert "T <= 32" in stated


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_are_one_operator(kind: Any, batch_first: bool) -> None:
    layer = kind(4, 6, num_layers=2, bidirectional=True, batch_first=batch_first)
    axes = ["N", "T", None] if batch_first else ["T", "N", None]
    sizes = [(2, 5, 4), (3, 1, 4)]
    found = agree(Of(lambda m, x: m.layer(x), layer=layer), *[torch.randn(*size) for size in sizes], dims={0: axes})
    assert kind.__name__.lower() in operators(found.program)
    assert set(found.weights) == set(layer.state_dict(prefix="layer."))


def test_states_to_start_from() -> None:
    layer = nn.LSTM(4, 6, batch_first=True)
    inputs = [(torch.randn(n, 5, 4), torch.randn(1, n, 6), torch.randn(1, n, 6)) for n in (2, 3)]
    agree(Of(lambda m, x, h, c: m.layer(x, (h, c)), layer=layer), *inputs, dims={1: {1: "N"}, 2: {1: "N"}})


@pytest.mark.parametrize("batch_first", [True, False])
def test_multihead_attention_is_one_operator(batch_first: bool) -> None:
    layer = nn.MultiheadAttention(8, 2, batch_first=batch_first)
    axes = ["N", "T", None] if batch_first else ["T", "N", None]
    found = agree(Of(lambda m, x: m.layer(x, x, x), layer=layer), torch.randn(2, 5, 8), torch.randn(3, 4, 8), dims={0: axes})
    assert operators(found.program).count("multihead_attention") == 1
    assert set(found.weights) == set(layer.state_dict(prefix="layer."))


def test_an_encoder_with_a_mask() -> None:
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False)
    module = Of(lambda m, x, padding: m.encoder(x, src_key_padding_mask=padding), encoder=encoder)
    padding = [torch.tensor([[False] * 4 + [True]] * n) for n in (2, 3)]
    found = agree(module, *[(torch.randn(len(mask), 5, 8), mask) for mask in padding], dims={0: ["N", "T"], 1: ["N", "T"]})
    assert operators(found.program).count("multihead_attention") == 2


def test_attention_of_a_function() -> None:
    module = Of(lambda m, q, k: F.scaled_dot_product_attention(q, k, k, is_causal=True, scale=0.3))
    found = agree(module, *[(torch.randn(n, 2, 5, 4), torch.randn(n, 2, 5, 4)) for n in (2, 3)])
    (node,) = found.program.main.nodes
    assert not isinstance(node, CallNode)
    assert (node.op.args["causal"], node.op.args["scale"]) == (True, 0.3)


def test_the_module_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.LSTM(4, 4), nn.Identity()).train()
    module[1].eval()
    imported_before = dict(vars(module[0]))
    from netc.compiler.frontends.torch import from_module

    from_module(Of(lambda m, x: m.layer(x)[0], layer=module[0]), torch.randn(3, 2, 4), {0: {1: "N"}})
    assert module[0].training
    assert not module[1].training
    assert vars(module[0]).keys() == imported_before.keys()


def test_an_exported_program() -> None:
    batch = torch.export.Dim("batch")
    program = torch.export.export(nn.Linear(4, 3), (torch.randn(2, 4),), dynamic_shapes=({0: batch},))
    found = from_exported(program)
    assert str(found.program.main.outputs[0].type) == "[N, 3]"
    assert set(found.weights) == {"weight", "bias"}


def test_a_module_that_is_called_by_several_names_is_one() -> None:
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        return m.second.inner(F.relu(m.first.inner(x)))

    inner = Of(lambda m, x: m.two(F.relu(m.one(x))), one=nn.Linear(4, 8), two=nn.Linear(8, 4))
    found = agree(Of(forward, first=Of(forward, inner=inner), second=Of(forward, inner=inner), shown=inner), *batches(4))
    assert set(found.weights) == {f"shown.{layer}.{name}" for layer in ("one", "two") for name in ("weight", "bias")}
    assert len(found.program.main.declares) == 1


def test_what_only_a_check_reads_is_no_result() -> None:
    def checked(m: nn.Module, x: Tensor) -> Tensor:
        y = m.own(x)
        return y.to(x.dtype) * 2

    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own = nn.Linear(4, 4)
            self.norm = nn.LayerNorm(4)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.own(x)).to(x.dtype)

    found = agree(Of(checked, own=Two()), *batches(4))
    (call,) = [node for node in found.program.main.nodes if isinstance(node, CallNode)]
    assert len(call.outputs) == 1


def test_buffers_that_the_module_changes_are_noted() -> None:
    def counted(m: nn.Module, x: Tensor) -> Tensor:
        m.count += 1
        return x * m.count

    module = Of(counted)
    module.register_buffer("count", torch.zeros(1))
    found = imported(module, torch.randn(2, 4))
    assert found.notes == ("The module changes buffers when it runs, here they stay as they are: `count`.",)


def test_what_the_code_of_a_module_does_to_the_process_is_undone(capsys: pytest.CaptureFixture[str]) -> None:
    def rude(m: nn.Module, x: Tensor) -> Tensor:
        print("here")
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        return x * 2

    x = torch.randn(2, 4, dtype=torch.float32)
    state = torch.get_rng_state()
    imported(Of(rude), x)
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), state)
    said = capsys.readouterr()
    assert not said.out


class ExtraState(nn.Module):
    """A module whose state dict has values that are no tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def get_extra_state(self) -> dict[str, int]:
        return {"version": 2}

    def set_extra_state(self, state: dict[str, int]) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


@pytest.mark.parametrize("train", [False, True])
def test_a_state_dict_with_other_values(train: bool) -> None:
    module, x = ExtraState(), torch.randn(2, 4)
    model = netc.from_torch(module, x, train=train)
    assert set(model.weights) == {"linear.weight", "linear.bias"}
    torch.testing.assert_close(model.module(model.weights)(x), module(x))
