"""The proof of an import runs a module with other weights, and takes little memory for that."""

from __future__ import annotations

import platform
import subprocess
import sys

import numpy as np
import pytest
import torch
from frontends.written import Of
from torch import Tensor, nn

import netc
from netc.importing.module_weights import exchange_weights


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * 2


def module() -> nn.Module:
    made = Of(lambda m, x: m.count(m.b(m.norm(m.a(x)))), a=nn.Linear(4, 4), b=nn.Linear(4, 4), norm=nn.BatchNorm1d(4), count=Counting())
    made.b.weight = made.a.weight
    return made.eval()


def test_weights_are_exchanged_and_restored() -> None:
    made = module()
    before = {key: tensor.clone() for key, tensor in made.state_dict().items()}
    weights = {key: np.asarray(tensor.numpy() * 3 + 1, tensor.numpy().dtype) for key, tensor in before.items() if key != "b.weight"}
    given = {key: array.copy() for key, array in weights.items()}
    with torch.no_grad(), exchange_weights(made, weights):
        for key, array in given.items():
            np.testing.assert_array_equal(made.state_dict()[key].numpy(), array)
        assert made.b.weight is made.a.weight
        made(torch.randn(2, 4))
    for key, tensor in made.state_dict().items():
        torch.testing.assert_close(tensor, before[key], rtol=0, atol=0)
    for key, array in weights.items():
        np.testing.assert_array_equal(array, given[key])


def test_its_own_weights_and_arrays_that_cannot_be_written() -> None:
    made = module()
    before = {key: tensor.clone() for key, tensor in made.state_dict().items()}
    own = {key: tensor.numpy() for key, tensor in made.state_dict().items()}
    fixed = {key: (tensor + 1).numpy() for key, tensor in before.items()}
    for array in fixed.values():
        array.flags.writeable = False
    for weights in (own, fixed):
        with torch.no_grad(), exchange_weights(made, weights):
            made(torch.randn(2, 4))
        for key, tensor in made.state_dict().items():
            torch.testing.assert_close(tensor, before[key], rtol=0, atol=0)


def test_the_module_is_as_it_was_after_an_import() -> None:
    made = module()
    before = {key: tensor.clone() for key, tensor in made.state_dict().items()}
    netc.from_torch(made, torch.randn(2, 4))
    for key, tensor in made.state_dict().items():
        torch.testing.assert_close(tensor, before[key], rtol=0, atol=0)


PEAK = """
import sys
import torch, netc
from torch import nn
from netc.importing.further_proofs import prove_in_further_targets
from netc.importing.module_origin import make_module_origin
from netc.importing.run_import import import_spec

def prove(module, x):
    origin = make_module_origin(module, (x,), {}, None, "net")
    spec = import_spec(origin)
    return prove_in_further_targets(spec, origin) if "further" in sys.argv else spec

def net(width, depth):
    return nn.Sequential(*[layer for _ in range(depth) for layer in (nn.Linear(width, width), nn.LayerNorm(width), nn.GELU())]).eval()

def status(name):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(name))

torch.set_num_threads(1)
prove(net(8, 2), torch.randn(2, 8))  # so that all libraries are loaded
made = net(2048, 16)
weights = sum(4 * parameter.numel() for parameter in made.parameters())
open("/proc/self/clear_refs", "w").write("5")  # the peak is counted anew
before = status("VmRSS") - weights
prove(made, torch.randn(2, 2048))
print((status("VmHWM") - before) / weights)
"""


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak of its memory from /proc")
@pytest.mark.parametrize(("targets", "most"), [("usual", 4), ("further", 5)])
def test_the_memory_of_an_import(targets: str, most: float) -> None:
    done = subprocess.run([sys.executable, "-c", PEAK, targets], capture_output=True, text=True, check=True)
    assert float(done.stdout.split()[-1]) < most


FREED = """
import numpy as np
from netc.importing.free_memory import return_free_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

arrays = [np.ones(12_500) for _ in range(1000)]  # 100 MB, too small for memory of their own
last = arrays.pop()
del arrays
before = resident()
return_free_memory()
print((before - resident()) / 1e6)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps the memory")
def test_memory_below_an_array_in_use_is_returned() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 90
