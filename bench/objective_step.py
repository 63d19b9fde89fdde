"""A process that measures itself: `python objective_step.py OBJECTIVE ROUNDS SPECS` makes training steps of netc's training file and of a
plain loop, by turns.

In: a key of RECIPES, the number of rounds, and the folder of the specs. Out: a line of JSON. `turns` has, for each round, the seconds of
CPU time of some steps of both; `peaks` the most bytes of tensors that a step of each holds at once. Always: both have networks of the same
sizes and weights, the same batch and the same optimizer, in one process on one thread. The plain loops are the ones with which the tests
compare losses, gradients and trained weights.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import netc
from tests.training.plain_recipes import RECIPES
from tests.training.plain_training import Recipe, make_plain_step

STEPS = 12
"""The steps in a measurement, which are whole turns of the losses."""
SIZES = {"dpo": (64, 128), "forces": (128, 128), "vq_vae": (64, 128)}
"""The width of the networks, and the samples of a batch."""
USUAL_SIZES = (512, 512)
Step = Callable[[int], None]
Batch = dict[str, Tensor]


def make_steps(name: str, specs: str) -> list[Step]:
    """The step of the file that `netc compile --target train` prints, and of the plain loop."""
    recipe, (width, samples) = RECIPES[name], SIZES.get(name, USUAL_SIZES)
    params = recipe.params | ({"width": width} if "width" in recipe.params else {})
    section = netc.compile_file(f"{specs}/{name}.net", model=recipe.section).training(recipe.section, seed=0, params=params)
    file: Any = ModuleType("section")
    exec(compile(section.source(), "section", "exec"), vars(file))
    batch = make_batch(recipe, file, samples)
    plain = recipe.make_plain(width) if "width" in params else recipe.make_plain()
    plain.load_state_dict(section.model.state_dict())
    plain_step = make_plain_step(recipe, plain, 10**6, fused=True)
    return [make_printed_step(file, section.model, batch), lambda number: plain_step(number, batch)]


def make_batch(recipe: Recipe, file: Any, samples: int) -> Batch:
    """The data, and the inputs that `draw` and `vary` set."""
    columns = {name: torch.from_numpy(array) for name, array in recipe.make_data(np.random.default_rng(0), samples).items()}
    drawn = file.draw_inputs(columns, 0) if hasattr(file, "draw_inputs") else {}
    return columns | drawn | recipe.vary(1)


def make_printed_step(file: Any, trained: nn.Module, batch: Batch) -> Step:
    model = next(value for value in vars(file).values() if isinstance(value, type) and value.__name__ == type(trained).__name__)()
    model.load_state_dict(trained.state_dict())
    optimizer = file.make_optimizer(model)
    schedule = (file.make_schedule(optimizer, 10**6),) if hasattr(file, "make_schedule") else ()
    further = [getattr(file, maker)(model) for maker in ("select_trained", "pair_followers") if hasattr(file, maker)]
    takes_number = (lambda number: (number,)) if further else (lambda number: ())
    return lambda number: file.train_step(model, optimizer, *schedule, batch, *takes_number(number), *further)


def main(name: str, rounds: int, specs: str) -> None:
    keep_freed_memory()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    steps = make_steps(name, specs)
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
