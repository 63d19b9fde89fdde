"""`netc plan`: PyTorch's own memory trackers, which follow a step under fake tensors, are the judge of the bytes; the rest is arithmetic.

FSDP is followed on a process group that sends nothing, in which this process is one of four.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker
from torch.distributed._tools.mem_tracker import MemTracker
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.profiler import ProfilerActivity, profile
from torch.testing._internal.distributed.fake_pg import FakeStore

from netc.analysis import Choice, Spec
from netc.cli.plan import format_plan
from netc.compiler.errors.run_errors import RunError
from netc.compiler.ir.training_program import Training
from netc.dsl.record import replace
from netc.dsl.source import SourceFile
from netc.training.engine import Engine
from netc.training.objective import Objective
from netc.training.parallel import parallelize_objective
from netc.training.planning.device_plan import ParallelLayout, estimate_memory, find_largest_batch, make_plan
from netc.training.planning.device_specs import DEVICES
from netc.training.planning.measure import StepProfile, _convert_dtype, make_inputs, profile_step
from netc.training.ranks import Ranks
from netc.training.repeated_blocks import find_repeated_blocks

SPECS = Path(__file__).parents[2] / "specs"
RANKS = 4
CLASSES = "target = input [] int64; loss = (output, target) -> cross_entropy; optimizer adamw"
TEXT = "target = input [T] int64; loss = (logits -> transpose 1 2, target) -> cross_entropy"
DIGITS = f"""
image = input 1x8x8
output = image / 16 -> conv 32 3x3 padding=1 relu -> conv 32 3x3 padding=1 relu -> max_pool 2 -> flatten -> dense 128 relu -> dense 10
train {{ {CLASSES} }}
"""
MIXER = f"""
x = input 256
output = x -> repeat 6 as layers {{ in + (in -> layer_norm -> dense 1024 gelu -> dense 256) }} -> dense 10
train {{ {CLASSES} }}
"""


def of_zoo(path: str, section: str) -> str:
    return (SPECS / path).read_text(encoding="utf-8") + "\n" + section


GPT2 = of_zoo("text/gpt2.net", f"model small = network 128 4 4 vocabulary=1000 context=64\ntrain small {{ {TEXT} }}")
RESNET = of_zoo("vision/resnet.net", f"train resnet18 {{ {CLASSES} }}").replace(
    "  input 3xHxW\n", "  image = input 3xHxW\n  output = image\n"
)
CASES: dict[str, tuple[str, dict[str, int], int]] = {
    "digits": (DIGITS, {}, 64),
    "layers": (MIXER, {}, 3),
    "gpt2": (GPT2, {"T": 64}, 2),
    "resnet": (RESNET, {"H": 64, "W": 64}, 4),
    "vae": ((SPECS / "vae.net").read_text(encoding="utf-8"), {}, 32),
}
"""The text, dimensions and batch of each."""


def training_of(name: str) -> Training:
    text, dims, _ = CASES[name]
    return Spec(SourceFile(f"{name}.net", text), Choice(None, {}, dims)).elaborate_training(None)


@pytest.fixture
def mesh() -> Iterator[DeviceMesh]:
    dist.init_process_group("fake", rank=0, world_size=RANKS, store=FakeStore())
    yield init_device_mesh("cpu", (RANKS,))
    dist.destroy_process_group()


def peak(objective: Objective, optimizer: torch.optim.Optimizer, tracker: MemTracker, count: int, whole: bool) -> float:
    """The peak of the second step, by the tracker. `whole`: with the optimizer. There, the tracker of FSDP counts what DTensor's rules make
    to find out shapes: tensors of the size of the whole model."""
    given = make_inputs(objective, count, torch.float32)
    tracker.track_external(*given.values())
    with tracker:
        objective(given)[0].backward()
        optimizer.step()
        optimizer.zero_grad()
    tracker.reset_mod_stats()
    with tracker:
        objective(given)[0].backward()
        if whole:
            optimizer.step()
    return max(float(kinds["Total"]) for kinds in tracker.get_tracker_snapshot("peak").values())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.long
def test_memory_of_one_device(name: str) -> None:
    training, count = training_of(name), CASES[name][2]
    with FakeTensorMode():
        objective = Objective(training)
        optimizer = objective.optimizer()
        tracker = MemTracker()
        tracker.track_external(objective.model, optimizer)
        real = peak(objective, optimizer, tracker, count, whole=True)
    planned = estimate_memory(profile_step(training), ParallelLayout(1, 1, "ddp", "float32", 4), count)
    assert planned.total == pytest.approx(real, rel=0.1)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.long
def test_memory_with_fsdp(name: str, mesh: DeviceMesh) -> None:
    training, count = training_of(name), CASES[name][2]
    with FakeTensorMode():
        objective = Objective(training)
        for block in find_repeated_blocks(objective.model):
            fully_shard(block, mesh=mesh)
        fully_shard(objective.model, mesh=mesh)
        optimizer = objective.optimizer()
        real = peak(objective, optimizer, FSDPMemTracker(objective.model, optimizer), count, whole=False)
    planned = estimate_memory(profile_step(training), ParallelLayout(RANKS, 1, "fsdp", "float32", 4), count)
    assert planned.total == pytest.approx(real, rel=0.1)


@pytest.mark.parametrize("optimizer", ["sgd momentum=0.9", "adagrad", "adam", "adamw"])
def test_optimizers_take_the_shares_of_fsdp(optimizer: str, mesh: DeviceMesh) -> None:
    text = f"y = input 3 -> dense 4\ntrain {{ loss = y -> mean; optimizer {optimizer} }}"
    with FakeTensorMode():
        objective = Objective(Spec(SourceFile("a.net", text), Choice()).elaborate_training(None))
        fully_shard(objective.model, mesh=mesh)
        made = objective.optimizer()
        objective({"input": torch.zeros(2, 3)})[0].backward()
        made.step()


@pytest.fixture(scope="module")
def measured() -> StepProfile:
    return profile_step(training_of("layers"))


def test_parameters_state_and_operations(measured: StepProfile) -> None:
    one = 4 * (2 * 256 + 256 * 1024 + 1024 + 1024 * 256 + 256)
    assert measured.units == (one,) * 6
    assert measured.rest == 4 * (256 * 10 + 10)
    assert measured.parameters == measured.trainable == 6 * one + measured.rest
    assert measured.state == pytest.approx(2 * measured.parameters, rel=1e-4)  # and the steps
    products = 6 * 2 * 256 * 1024 + 256 * 10
    assert measured.flops == 3 * 2 * products  # forward, and backward for the inputs and the weights
    assert measured.exchanged == 6 * 256 * 4


PENALTY = """x = input 3; y = x -> dense 4 tanh bias=false -> dense 1 bias=false
train { slope = gradient(y, x); loss = slope -> square -> mean; optimizer sgd lr=0.1 }"""


def test_a_gradient_in_the_loss_counts_both_backward_passes() -> None:
    training = Spec(SourceFile("a.net", PENALTY), Choice()).elaborate_training(None)
    first, second = 3 * 4, 4 * 1  # the products of a sample in the two layers
    forward = backward = first + second
    # The loss depends on the first weight twice: by the gradient, and by the `tanh` that the gradient passes through.
    second_backward = (2 * first + second) + 2 * first
    assert profile_step(training).flops == 2 * (forward + backward + second_backward)


@pytest.mark.sample(1)
@pytest.mark.parametrize("name", ["heat", "score", "forces", "wgan_gp"])
def test_memory_of_gradients_in_the_loss(name: str, tmp_path: Path) -> None:
    """PyTorch's profiler is the judge: it follows the allocator in a real step."""
    training = Spec(SourceFile("a.net", (SPECS / "training" / f"{name}.net").read_text(encoding="utf-8")), Choice()).elaborate_training(
        None
    )
    objective = Objective(training)
    inputs = make_inputs(objective, 500, torch.float32)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        objective(inputs)[0].backward()
    trace.export_chrome_trace(str(tmp_path / "trace.json"))
    events = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))["traceEvents"]
    steps = sorted((e["ts"], e["args"]["Total Allocated"], e["args"]["Bytes"]) for e in events if e.get("name") == "[memory]")
    real = max(total for _, total, _ in steps) - (steps[0][1] - steps[0][2])
    planned = estimate_memory(profile_step(training), ParallelLayout(1, 1, "ddp", "float32", 4), 500)
    held = sum(tensor.nbytes for tensor in inputs.values())
    assert planned.activations + planned.gradients - held == pytest.approx(real, rel=0.01)


def test_the_largest_batch_is_the_largest_that_fits(measured: StepProfile) -> None:
    for layout in (
        ParallelLayout(1, 1, "ddp", "float32", 4),
        ParallelLayout(8, 1, "fsdp", "float32", 4),
        ParallelLayout(8, 2, "fsdp", "bfloat16", 2),
    ):
        available = 100e6
        largest = find_largest_batch(measured, layout, available)
        assert estimate_memory(measured, layout, largest).total <= available < estimate_memory(measured, layout, largest + 1).total
    assert find_largest_batch(measured, ParallelLayout(1, 1, "ddp", "float32", 4), measured.parameters * 2) == 0


def test_shares_and_bounds(measured: StepProfile) -> None:
    device = replace(DEVICES["h100"], memory=1e9)
    whole = make_plan(measured, device, ParallelLayout(8, 1, "ddp", "float32", 4), 64)
    shared = make_plan(measured, device, ParallelLayout(8, 1, "fsdp", "float32", 4), 64)
    assert whole.memory.parameters == measured.parameters
    assert shared.memory.parameters == measured.parameters / 8
    assert shared.memory.state == measured.state / 8
    assert whole.batch == shared.batch == 8
    assert whole.times["compute"] == pytest.approx(measured.flops * 8 / 67e12)
    assert whole.times["links"] == pytest.approx(2 * 7 / 8 * measured.trainable / 450e9)
    assert shared.times["links"] == pytest.approx(3 * 7 / 8 * measured.trainable / 450e9)
    far = make_plan(measured, device, ParallelLayout(16, 1, "ddp", "float32", 4), 64)
    assert far.times["links"] == pytest.approx(2 * 15 / 16 * measured.trainable / 50e9)
    assert whole.samples_per_day == pytest.approx(64 / whole.step_seconds * 86400)
    assert whole.bottleneck in whole.times
    with pytest.raises(ValueError, match="8 devices cannot be divided into groups of 3"):
        make_plan(measured, device, ParallelLayout(8, 3, "ddp", "float32", 4))
    with pytest.raises(ValueError, match="a batch of 9 cannot be divided over 8"):
        make_plan(measured, device, ParallelLayout(8, 1, "ddp", "float32", 4), 9)
    with pytest.raises(ValueError, match="there is no rate of bfloat16 for v100"):
        make_plan(measured, DEVICES["v100"], ParallelLayout(1, 1, "ddp", "bfloat16", 2))


@pytest.mark.long
def test_recomputing_activations_and_a_smaller_type_need_less(measured: StepProfile) -> None:
    layout, training = ParallelLayout(1, 1, "ddp", "float32", 4), training_of("layers")
    usual = estimate_memory(measured, layout, 4000).activations
    assert estimate_memory(profile_step(training, recompute=True), layout, 4000).activations < usual * 0.8
    assert estimate_memory(profile_step(training, torch.bfloat16), layout, 4000).activations == pytest.approx(usual / 2, rel=0.1)


def test_gradients_that_share_memory_count_once() -> None:
    """PyTorch keeps the gradients of `a` and `b` in one storage, as two views. That of `c` comes last, after all operations."""
    term = "(a -> reshape [2, 2]) + (b -> reshape [2, 2])"
    parameters = "a = param [4] as a\nb = param [4] as b\nc = param [1] as c"
    text = f"x = input 2x2\n{parameters}\ny = x * c * exp({term})\ntrain {{ loss = y -> mean; optimizer sgd }}"
    training = Spec(SourceFile("a.net", text), Choice()).elaborate_training(None)
    objective = Objective(training)
    objective({"x": torch.ones(3, 2, 2)})[0].backward()
    first, second = (objective.model.get_parameter(name).grad.untyped_storage() for name in ("a", "b"))  # type: ignore[union-attr]
    assert first.data_ptr() == second.data_ptr()
    assert max(s.other_gradients for s in profile_step(training).snapshots) == first.nbytes()


def test_fsdp_refuses_parameters_without_an_axis(mesh: DeviceMesh) -> None:
    """Of PyTorch's own errors, none names the parameter."""
    for shape, refused in (("[]", True), ("[1]", False)):
        text = f"y = input 3 -> dense 4\nscale = param {shape} init=ones as scale\ntrain {{ loss = y * scale -> mean; optimizer sgd }}"
        objective = Objective(Spec(SourceFile("a.net", text), Choice()).elaborate_training(None))
        with pytest.raises(RunError, match=r"scale.*has no axis") if refused else nullcontext():
            parallelize_objective(objective, Engine(strategy="fsdp"), Ranks(world=RANKS), dict)


def test_a_part_without_memory_has_a_dash_and_the_reason(measured: StepProfile) -> None:
    before = replace(
        measured, state=0, snapshots=(replace(measured.snapshots[0], gradients=0.0, other_gradients=0.0, fixed=1e12, per_sample=0.0),)
    )
    shown = format_plan(make_plan(before, DEVICES["l4"], ParallelLayout(1, 1, "ddp", "float32", 4), 1))
    rows = [" ".join(line.split()) for line in shown]
    assert "gradients - none at the moment of the peak" in rows
    assert "optimizer state - this optimizer keeps none" in rows
    assert "activations 1 TB" in rows
    assert not any(line.endswith(" 0 B") for line in shown)


def test_devices_have_sources() -> None:
    for device in DEVICES.values():
        assert device.source
        assert device.memory > 1e9
        assert all(device.memory == int(size) * 1e9 for size in re.findall(r"(\d+)GB", device.source)), device.name
        assert device.flops["float32"] < max(device.flops.values())


def plan(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "layers.net").write_text(MIXER, encoding="utf-8")
    command = [sys.executable, "-m", "netc", "plan", *words]
    return subprocess.run(command, cwd=folder, env=os.environ | {"COLUMNS": "120"}, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_the_command(tmp_path: Path) -> None:
    done = plan(
        tmp_path, "layers.net", "--devices", "64", "--device-type", "h100", "--strategy", "fsdp", "--tp", "8", "--dtype", "bfloat16"
    )
    assert done.returncode == 0, done.stderr
    for word in ("64 x h100, fsdp, tp 8, bfloat16", "optimizer state", "largest batch", "links", "limit", "samples a day", "data sheet"):
        assert word in done.stdout
    done = plan(tmp_path, "layers.net", "--memory", "1", "--flops", "10", "--bandwidth", "100", "--batch", "4000000")
    assert "which does not fit" in done.stdout
    assert "limit             memory\n" in done.stdout
    for words, message in (
        (("--device-type", "h10"), "there is no device type `h10`: did you mean"),
        ((), "give --device-type, or --memory, --flops and --bandwidth"),
        (("--device-type", "h100", "--devices", "8", "--tp", "3"), "cannot be divided into groups of 3"),
    ):
        refused = plan(tmp_path, "layers.net", *words)
        assert refused.returncode == 2
        assert message in refused.stderr
    several = plan(tmp_path, str(SPECS / "training" / "wgan_gp.net"), "--device-type", "t4")
    assert "`critic_loss` alone, the first of 2 losses" in several.stdout
    text = "tokens = input [T] int64; logits = tokens -> embedding 9 4 -> dense 9\ntrain { loss = logits -> mean }"
    refused = plan(tmp_path, "-e", text, "--device-type", "t4")
    assert refused.returncode == 2
    assert "the size `T` of `tokens` is not known: fix it by `--dim`" in refused.stderr


def test_a_module_of_another_type_is_what_pytorch_makes() -> None:
    """Each parameter and buffer has the type and the bytes that `module.to` gives it, and tied parameters stay one."""

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(3)
            self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
            self.second.weight = self.first.weight
            self.first.bias.requires_grad_(False)

    mine, theirs = Tied(), Tied().to(torch.bfloat16)
    _convert_dtype(mine, torch.bfloat16)
    assert mine.second.weight is mine.first.weight
    for kind in ("named_parameters", "named_buffers"):
        found, expected = ({name: (t.dtype, t.shape, t.requires_grad) for name, t in getattr(m, kind)()} for m in (mine, theirs))
        assert found == expected
