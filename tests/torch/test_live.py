"""The executed text: it is what it says it is, can be copied and stored, and PyTorch's own compilers take it."""

from __future__ import annotations

import copy
import inspect
import linecache
import pickle
import traceback

import pytest
import torch
from parity import inputs_for, run_module, sizes_of, tensor

import netc
from netc.compiler.backends.torch.emit import class_name, source
from netc.compiler.backends.torch.live.load import live

SAMPLES = {
    "sequence": "input 4 -> (dense 8 relu -> dropout 0.5 -> dense 2) as head",
    "classes": "block b(w) { in -> dense w -> sin }; input 3 -> b 4 -> b 5",
    "numbered labels": "input 3x4x4 -> (conv 8 1 -> permute [0, 2, 3, 1] -> layer_norm -> relu) as stem -> flatten -> dense 2",
    "list": "x = input 4; m = input 4; x -> repeat 5 as layers { in * m -> dense 4 tanh }",
    "branches": "input 4 -> each w in [2, 3, 5] as heads { dense w -> relu } -> concat axis=1",
    "shared": "shared f = dense 4; input 4 -> repeat 3 as layers { f -> dense 4 tanh }",
    "sizes": "x = input [T, 4]; x -> flatten -> (reshape [N, T, 4] -> relu -> mean axis=2) as inner",
    "tie": "tokens = input [T] int64; tokens -> embedding 9 4 as wte -> dense 9 bias=false tie=wte as head",
    "tables": "x = input [T, 4]; g = table (i, j) [4, 4] = i * 4 + j as grid; p = table (t, k) [T, 4] = t * 0.5 + k; x + p + (g -> sum)",
    "parameters in a sequence": "input 4 -> repeat 2 as layers { in * (param [4] init=ones) -> dense 4 }",
    "several results": "x = input 4; h = x -> dense 4 relu; out h, (h -> dense 2 as last)",
}


@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES.keys())
def test_compilers(text: str) -> None:
    model = netc.compile(text)
    module = model.module(seed=1).eval()
    arrays = inputs_for(model, sizes_of(model)[1])
    tensors = tuple(tensor(arrays[n], t) for n, t in model.inputs.items())
    wanted = run_module(module, model, arrays)
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    exported = torch.export.export(module, tensors).module()
    for found in (compiled(*tensors), exported(*tensors)):
        results = found if isinstance(found, tuple) else (found,)
        for left, right in zip(wanted, results, strict=True):
            torch.testing.assert_close(left, right)


@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES.keys())
def test_copies(text: str) -> None:
    model = netc.compile(text)
    module = model.module(seed=1).eval()
    arrays = inputs_for(model, sizes_of(model)[0])
    wanted = run_module(module, model, arrays)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        for left, right in zip(wanted, run_module(twin, model, arrays), strict=True):
            assert torch.equal(left, right)


@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES.keys())
def test_trains(text: str) -> None:
    model = netc.compile(text)
    module = model.module(seed=1).train()
    if not list(module.parameters()):
        return
    arrays = inputs_for(model, sizes_of(model)[1])
    out = module(*(tensor(arrays[n], t) for n, t in model.inputs.items()))
    loss = sum((o**2).mean() for o in (out if isinstance(out, tuple) else (out,)))
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    assert all(p.grad is not None for p in module.parameters())


def test_tracebacks_show_the_text() -> None:
    module = netc.compile("input 4 -> dense 8 relu as first -> dense 2 as second").module()
    with pytest.raises(RuntimeError) as caught:
        module(torch.zeros(2, 5))
    frames = [f for f in traceback.extract_tb(caught.value.__traceback__) if f.filename.startswith("<netc")]
    assert [f.line for f in frames] == ["x = F.relu(self.first(x))"]


def test_source_can_be_inspected() -> None:
    module = netc.compile("input 4 -> dense 2 as only").module()
    assert inspect.getsource(type(module)).startswith("class Net(nn.Module):")
    linecache.checkcache()
    assert "self.only(x)" in inspect.getsource(type(module).forward)


def test_other_texts_of_one_name_are_kept_apart() -> None:
    one = netc.compile("input 4 -> dense 2 as one").program
    two = netc.compile("input 4 -> dense 2 as two").program
    made = [live(source(p, "mlp"), class_name(p, "mlp"), "mlp") for p in (one, two, one)]
    assert type(made[0]) is type(made[2])
    assert type(made[0]) is not type(made[1])
    assert "self.one" in inspect.getsource(type(made[0]))
    assert "self.two" in inspect.getsource(type(made[1]))
