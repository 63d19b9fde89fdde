"""A process that measures itself: `python objective_step.py OBJECTIVE ROUNDS SPECS` makes training steps of netc's training file and of a
plain loop, by turns.

In: a key of LOOPS, the number of rounds, and the folder of the specs. Out: a line of JSON. `turns` has, for each round, the seconds of CPU
time of some steps of both; `peaks` the most bytes of tensors that a step of each holds at once. Always: both have networks of the same
sizes, the same batch and the same optimizer, in one process on one thread.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import math
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import netc

WIDTH, BATCH, STEPS = 512, 512, 12
"""The width of the networks, the samples of a batch, and the steps in a measurement, which are whole turns of the losses."""
Step = Callable[[int], None]
Batch = dict[str, Tensor]


def make_mlp(*widths: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    layers = [layer for i in range(len(widths) - 1) for layer in (nn.Linear(*widths[i : i + 2]), activation())]
    return nn.Sequential(*layers[:-1])


def adam(network: nn.Module, betas: tuple[float, float] = (0.9, 0.999)) -> torch.optim.Optimizer:
    return torch.optim.Adam(network.parameters(), lr=1e-4, betas=betas, fused=True)


def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def make_gan(batch: Batch) -> Step:
    judge, forger = make_mlp(2, WIDTH, WIDTH, 1), make_mlp(2, WIDTH, WIDTH, 2)
    judging, forging = adam(judge, (0.5, 0.999)), adam(forger, (0.5, 0.999))

    def step(number: int) -> None:
        judge.requires_grad_(number % 2 == 0)
        if number % 2 == 0:
            with torch.no_grad():
                fake = forger(batch["noise"])
            update(judging, (F.softplus(-judge(batch["real"])) + F.softplus(judge(fake))).mean())
        else:
            update(forging, F.softplus(-judge(forger(batch["noise"]))).mean())

    return step


def make_wgan_gp(batch: Batch) -> Step:
    judge, forger = make_mlp(2, WIDTH, WIDTH, 1), make_mlp(2, WIDTH, WIDTH, 2)
    judging, forging = adam(judge, (0.5, 0.9)), adam(forger, (0.5, 0.9))
    real = batch["real"]

    def step(number: int) -> None:
        judge.requires_grad_(number % 6 < 5)
        if number % 6 < 5:
            with torch.no_grad():
                fake = forger(batch["noise"])
            between = (real + batch["mix"] * (fake - real)).requires_grad_()
            (slope,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
            update(judging, judge(fake).mean() - judge(real).mean() + 0.1 * (slope.norm(dim=1) - 1).square().mean())
        else:
            update(forging, -judge(forger(batch["noise"])).mean())

    return step


def make_heat(batch: Batch) -> Step:
    network = make_mlp(2, WIDTH, WIDTH, 1, activation=nn.Tanh)
    optimizer = adam(network)

    def step(number: int) -> None:
        x, t = (batch[name].detach().requires_grad_() for name in ("place", "time"))
        u = torch.sin(math.pi * x) + t * x * (1 - x) * network(torch.cat((x, t), dim=1))
        slope, u_t = torch.autograd.grad(u.sum(), (x, t), create_graph=True)
        (curve,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
        update(optimizer, (u_t - 0.1 * curve).square().mean())

    return step


class QNetwork(nn.Module):
    """The network as PyTorch's tutorial of deep Q-learning writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1, self.layer2, self.layer3 = nn.Linear(4, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.layer1(x))
        x = F.relu(self.layer2(x))
        values: Tensor = self.layer3(x)
        return values


def make_dqn(batch: Batch) -> Step:
    online, target = QNetwork(), QNetwork()
    optimizer = adam(online)

    def step(number: int) -> None:
        value = online(batch["state"]).gather(1, batch["action"][:, None])[:, 0]
        with torch.no_grad():
            goal = batch["reward"] + 0.99 * (1 - batch["done"]) * target(batch["next_state"]).max(dim=1).values
        update(optimizer, F.huber_loss(value, goal))
        if (number + 1) % 200 == 0:
            target.load_state_dict(online.state_dict())

    return step


LOOPS = {"gan": make_gan, "wgan_gp": make_wgan_gp, "heat": make_heat, "dqn": make_dqn}


def make_batch() -> Batch:
    """The inputs of all objectives."""
    sizes = {"real": 2, "noise": 2, "state": 4, "next_state": 4}
    return {
        **{name: torch.randn(BATCH, size) for name, size in sizes.items()},
        **{name: torch.rand(BATCH, 1) for name in ("mix", "place", "time")},
        "action": torch.randint(0, 2, (BATCH,)),
        "reward": torch.rand(BATCH),
        "done": torch.zeros(BATCH),
    }


def make_ours(name: str, specs: str, batch: Batch) -> Step:
    """The step of the file that `netc compile --target train` prints."""
    objective = netc.compile_file(f"{specs}/{name}.net", params={"width": WIDTH}).training(seed=0)
    file: Any = ModuleType("section")
    exec(compile(objective.source(), "section", "exec"), vars(file))
    model = next(value for value in vars(file).values() if isinstance(value, type) and value.__name__ == type(objective.model).__name__)()
    optimizer = file.make_optimizer(model)
    schedule = (file.make_schedule(optimizer, 10**6),) if hasattr(file, "make_schedule") else ()
    further = [getattr(file, maker)(model) for maker in ("select_trained", "pair_followers") if hasattr(file, maker)]
    takes_number = (lambda number: (number,)) if further else (lambda number: ())
    return lambda number: file.train_step(model, optimizer, *schedule, batch, *takes_number(number), *further)


def main(name: str, rounds: int, specs: str) -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    batch = make_batch()
    steps = [make_ours(name, specs, batch), LOOPS[name](batch)]
    turns = []
    for turn in range(-2, rounds):
        order = (0, 1) if turn % 2 else (1, 0)
        times = {side: measure_time(steps[side]) for side in order}
        turns.append((times[0], times[1]))
    print(json.dumps({"turns": turns[2:], "peaks": [measure_memory(step) for step in steps]}))


def keep_freed_memory() -> None:
    """Let the C library keep freed memory. Otherwise the order of unrelated allocations decides which buffers it returns to the system in
    each step, and two equal loops differ by 8 %."""
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        for option in (-1, -2, -3):  # M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD
            library.mallopt(option, 1 << 28)


def measure_memory(step: Step) -> int:
    """The most bytes of tensors that a step holds at once, beyond the tensors from before it."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        for number in range(STEPS):
            step(number)
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]  # type: ignore[union-attr]
    return max(itertools.accumulate(event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())))


def measure_time(step: Step) -> float:
    """The seconds of CPU time of a step, as a mean over some."""
    before = time.thread_time()
    for number in range(STEPS):
        step(number)
    return (time.thread_time() - before) / STEPS


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
