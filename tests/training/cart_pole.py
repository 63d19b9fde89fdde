"""The pole on a cart of Barto, Sutton and Anderson (1983): push left (0) or right (1), so that the pole stays upright."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray

State = NDArray[np.float32]
LONGEST = 200
"""The steps after which an episode ends. The task counts as solved with 195 steps on average."""


class CartPole:
    """The cart, with the equations of motion and the limits of the paper."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)
        self.state: State = np.zeros(4, np.float32)
        self.steps = 0

    def reset(self) -> State:
        self.state = self.generator.uniform(-0.05, 0.05, 4).astype(np.float32)
        self.steps = 0
        return self.state

    def push(self, action: int) -> tuple[State, bool, bool]:
        """Push for 0.02 s. Return the new state, whether the pole fell, and whether the episode ends."""
        gravity, pole, total, half = 9.8, 0.1, 1.1, 0.5
        x, speed, angle, turning = map(float, self.state)
        force = 10.0 if action else -10.0
        common = (force + pole * half * turning**2 * sin(angle)) / total
        spin = (gravity * sin(angle) - cos(angle) * common) / (half * (4 / 3 - pole * cos(angle) ** 2 / total))
        push = common - pole * half * spin * cos(angle) / total
        moved = (x + 0.02 * speed, speed + 0.02 * push, angle + 0.02 * turning, turning + 0.02 * spin)
        self.state = np.array(moved, np.float32)
        self.steps += 1
        fell = abs(moved[0]) > 2.4 or abs(moved[2]) > 12 * pi / 180
        return self.state, fell, fell or self.steps == LONGEST
