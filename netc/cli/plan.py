"""`netc plan`: compute the memory, the largest batch and the fastest possible step of a training, from the spec alone.

No parameter is created: the step runs on PyTorch's fake tensors, so that you can plan a model that does not fit on your machine.

    $ netc plan mlp.net --device-type h100
    1 x h100, ddp, float32

    on each device, at most  bytes
    parameters                16 B
    ...
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import replace

from ..analysis import read_and_analyze_training
from ..display.figures import format_bytes
from ..display.text_table import align_columns
from ..training.planning.device_specs import DEVICES, GB, TFLOPS, Device
from ..training.shardable_layers import measure_split_share, require_sharding_plan
from .command_failure import CommandFailed
from .program import raise_as_usage_error
from .report import report_and_exit, report_diagnostics
from .shared_options import batch_option, make_choice, require_one_source, section_option, source_options, spec_options
from .spec_sources import make_reader
from .terminal import write_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from netc.compiler.ir.training_program import Training
    from netc.dsl.source import SourceFile

    from ..analysis import Choice
    from ..training.planning.device_plan import DevicePlan
    from ..training.planning.measure import StepProfile

DTYPES = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Element types of activations, with their bytes."""


@click.command("plan")
@source_options
@click.option("--devices", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Number of devices.")
@click.option("--device-type", "device_type", metavar="NAME", help="Type of the devices, such as h100. An unknown name lists them all.")
@click.option("--memory", type=click.FloatRange(0, min_open=True), metavar="GB", help="Memory of a device.")
@click.option("--flops", type=click.FloatRange(0, min_open=True), metavar="TFLOPS", help="Operations of a device per second.")
@click.option("--bandwidth", type=click.FloatRange(0, min_open=True), metavar="GB/S", help="Memory bandwidth of a device.")
@click.option("--link", type=click.FloatRange(0, min_open=True), metavar="GB/S", help="Data that a device sends to the others per second.")
@click.option(
    "--strategy",
    type=click.Choice(("ddp", "fsdp")),
    help="Copy the model to each device (ddp), or divide it (fsdp). [default: ddp; fsdp with --tp]",
)
@click.option(
    "--tp", "tensor", type=click.IntRange(1), default=1, show_default=True, metavar="K", help="Number of devices that share each layer."
)
@click.option("--dtype", type=click.Choice(tuple(DTYPES)), default="float32", show_default=True, help="Element type of activations.")
@batch_option("Samples in a step, on all devices together. By default, as many as fit.")
@click.option(
    "--checkpoint-activations", "recompute", is_flag=True, help="Compute the activations of repeated blocks again in the backward pass."
)
@section_option()
@spec_options
def command(
    file: str | None,
    text: str | None,
    devices: int,
    device_type: str | None,
    memory: float | None,
    flops: float | None,
    bandwidth: float | None,
    link: float | None,
    strategy: str | None,
    tensor: int,
    dtype: str,
    batch: int | None,
    recompute: bool,
    section: str | None,
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
) -> None:
    """netc computes the plan from the spec alone. Parameters, gradients and optimizer state are float32, and times are lower bounds."""
    path = require_one_source(file, text)
    from ..training.planning.device_plan import ParallelLayout, check_groups, make_plan

    device = _choose_device(device_type, memory, flops, bandwidth, link, dtype)
    if strategy == "ddp" and tensor > 1:
        raise click.UsageError("`--strategy ddp` has whole parameters on each device, and `--tp` parts of them: leave out `--strategy`")
    with raise_as_usage_error():
        check_groups(devices, tensor)
    training = _read_training(make_reader(path, text), make_choice(model, params, dims, allow_paths), section)
    splits = require_sharding_plan(training, tensor) if tensor > 1 else None
    profile = _profile_step(training, dtype, recompute)
    share = 1.0 if splits is None else measure_split_share(training, splits)
    strategy = strategy or ("ddp" if tensor == 1 else "fsdp")
    with raise_as_usage_error():
        plan = make_plan(profile, device, ParallelLayout(devices, tensor, strategy, dtype, DTYPES[dtype], split_share=share), batch)
    objective = f"`{training.losses[0]}` alone, the first of {len(training.losses)} losses" if len(training.losses) > 1 else ""
    for line in format_plan(plan, "" if splits is None else splits.format_summary(tensor), objective):
        write_text(line)


def _choose_device(
    name: str | None, memory: float | None, flops: float | None, bandwidth: float | None, link: float | None, dtype: str
) -> Device:
    """Return a device of the table, with the numbers from the command line in place of its own."""
    if name is not None and name.lower() not in DEVICES:
        similar = find_similar_names(name.lower(), list(DEVICES))
        known = (
            f"did you mean `{similar[0]}`?"
            if similar
            else f"there are {', '.join(DEVICES)}; others by --memory, --flops, --bandwidth, --link"
        )
        raise click.UsageError(f"there is no device type `{name}`: {known}")
    if name is None and (memory is None or flops is None or bandwidth is None):
        raise click.UsageError("give --device-type, or --memory, --flops and --bandwidth")
    # a device of unknown type: the three required numbers are set below, and its link has 25 GB/s unless `--link` is given
    device = DEVICES[name.lower()] if name is not None else Device("device", 0, {}, 0, 25 * GB, 1, 25 * GB, "")
    device = device if memory is None else replace(device, memory=memory * GB)
    device = device if flops is None else replace(device, flops={**device.flops, dtype: flops * TFLOPS})
    device = device if bandwidth is None else replace(device, bandwidth=bandwidth * GB)
    # `--link` is one number for the devices of a machine and for the network between machines
    return device if link is None else replace(device, link=link * GB, network=link * GB)


def _read_training(read: Callable[[], tuple[SourceFile, str | None]], choice: Choice, section: str | None) -> Training:
    """Return the train section, or report its errors and end the command."""
    from ..training.training_session import check_section

    analysis = read_and_analyze_training(read, choice, section)
    problems = check_section(analysis.training) if analysis.training is not None else []
    if analysis.training is None or any(d.severity == "error" for d in problems):
        report_and_exit((*analysis.diagnostics, *problems))
    report_diagnostics((*analysis.diagnostics, *problems), "text", sys.stderr)
    return analysis.training


def _profile_step(training: Training, dtype: str, recompute: bool) -> StepProfile:
    import torch

    from ..training.planning.measure import profile_step

    try:
        return profile_step(training, getattr(torch, dtype), recompute)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    # an operator whose result depends on the numbers cannot run on fake tensors
    except (RuntimeError, NotImplementedError, TypeError) as error:
        raise CommandFailed(f"the step cannot be followed without numbers: {str(error).splitlines()[0]}") from None


_AT_PEAK = "none at the moment of the peak"
_WHY_NONE = {"gradients": _AT_PEAK, "activations": _AT_PEAK, "optimizer state": "this optimizer keeps none"}
"""Reasons why a row of the table has no memory. The table shows the moment that needs most, which may be the forward pass, before there
are gradients."""


def _make_memory_row(name: str, value: float) -> tuple[str, str, str]:
    return (name, format_bytes(round(value)), "") if value else (name, "-", _WHY_NONE.get(name, ""))


def format_plan(plan: DevicePlan, split: str = "", objective: str = "") -> list[str]:
    """Return the plan as lines of text. `split` names the layers that `--tp` divides, and `objective` the loss that was followed, if the
    section has several."""
    layout, device, memory = plan.layout, plan.device, plan.memory
    title = [f"{layout.devices} x {device.name}", layout.strategy, *([f"tp {layout.tensor}"] if layout.tensor > 1 else []), layout.dtype]
    parts = [
        ("parameters", memory.parameters),
        ("gradients", memory.gradients),
        ("optimizer state", memory.state),
        *([("buffers", memory.buffers)] if memory.buffers else []),
        *([("gathered parameters" if layout.strategy == "fsdp" else "converted parameters", memory.gathered)] if memory.gathered else []),
        ("activations", memory.activations),
        ("total", memory.total),
    ]
    table = align_columns(
        ("on each device, at most", "bytes", ""), [_make_memory_row(name, value) for name, value in parts], (False, True, False)
    )
    rows = [
        ("memory", f"{format_bytes(round(device.memory))}, of which 10 % are left free"),
        (
            "largest batch",
            f"{plan.largest_batch} on a device, {plan.largest_batch * layout.replicas} in all"
            if plan.largest_batch
            else "not even one sample fits",
        ),
        ("batch", f"{plan.batch} on a device, {plan.batch * layout.replicas} in all" + ("" if plan.fits else ", which does not fit")),
        *((f"{what}", f"at least {seconds:.3g} s a step") for what, seconds in plan.times.items()),
        ("limit", plan.bottleneck),
    ]
    if plan.fits:
        rows.append(("samples a day", f"at most {plan.samples_per_day:,.0f}"))
        rows += [("tokens a day", f"at most {plan.tokens_per_day:,.0f}")] if plan.profile.tokens else []
    rows += [("loss", objective)] if objective else []
    rows += [("split", split)] if split else []
    rows += [("source", device.source)] if device.source else []
    return [", ".join(title), "", *table, "", *align_columns(rows[0], rows[1:], (False, False))]
