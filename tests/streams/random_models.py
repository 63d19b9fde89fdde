"""Random causal models as texts, one stage a line, and the same with one stage that looks ahead.

In: a seed. Out: a text, and for the second kind the line of the stage that looks ahead. Always: the same seed gives the same text; every
result has one element for each position.
"""

from __future__ import annotations

import random
from collections.abc import Callable

ACTIVATIONS = ("", " relu", " tanh", " sigmoid", " gelu", " silu")


class Writer:
    """The text so far. `name` is the last tensor, of `width` features, `last` whether these are the last axis, [N, T, C], or [N, C, T]. Of
    `every` positions of the input, which has a multiple of them, it has `rate`."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.count = 0
        self.last = self.random.random() < 0.6
        self.width = self.random.choice((2, 4, 6))
        self.name = "x"
        self.every = self.rate = self.random.choice((1, 1, 2, 4, 6))
        self.earlier: list[tuple[str, int, bool, int]] = []
        shape = f"[T, {self.width}]" if self.last else f"[{self.width}, T]"
        self.lines.append(f"x = input {shape} where T >= {5 * self.every}{f', T % {self.every} == 0' if self.every > 1 else ''}")

    @property
    def length(self) -> str:
        """The number of positions of the last tensor."""
        return self.length_at(self.rate)

    def length_at(self, rate: int) -> str:
        return "T" if rate == self.every else f"(T * {rate} // {self.every})"

    def put(self, right: str, width: int | None = None, rate: int | None = None) -> None:
        """A stage after the last tensor; `?` in it is that tensor."""
        self.earlier.append((self.name, self.width, self.last, self.rate))
        self.count += 1
        made = f"v{self.count}"
        self.lines.append(f"{made} = {right.replace('?', self.name)}")
        self.name, self.width, self.rate = made, width or self.width, rate or self.rate

    def turned(self, last: bool) -> None:
        """Has the features on the last axis, or on the one after the batch."""
        if self.last != last:
            self.put("? -> transpose 1 2")
            self.last = last

    def new_width(self) -> int:
        return self.random.choice((2, 4, 6, 8))

    @property
    def axis(self) -> int:
        return 1 if self.last else 2

    def pads(self, front: int, after: int) -> str:
        return f"[0, 0, {front}, {after}]" if self.last else f"[{front}, {after}]"


# --- stages that do not look ahead -------------------------------------------------------------------------------------------


def dense(w: Writer) -> None:
    w.turned(True)
    width = w.new_width()
    w.put(f"? -> dense {width}{w.random.choice(ACTIVATIONS)}", width)


def norm(w: Writer) -> None:
    w.turned(True)
    # The eps keeps rounding from growing where all features are nearly equal.
    w.put(f"? -> {w.random.choice(('layer_norm eps=0.01', 'rms_norm eps=0.01', 'softmax'))}")


def batch_norm(w: Writer) -> None:
    w.turned(False)
    w.put("? -> batch_norm")


def recurrent(w: Writer) -> None:
    w.turned(True)
    width = w.new_width()
    kind = w.random.choice(("gru", "lstm", "rnn"))
    w.put(f"? -> {kind} {width} layers={w.random.choice((1, 2))}", width)


def attention(w: Writer) -> None:
    w.turned(True)
    options = w.random.choice(("", " window=1", " window=3", " scale=0.5"))
    rotated = w.random.choice(("?", "(? -> rotary)"))
    w.put(f"({rotated}, {rotated}, ?) -> attention causal=true{options}")


def masked_attention(w: Writer) -> None:
    w.turned(True)
    w.count += 1
    kind = w.random.choice(("k <= q", "-1e9 if k > q else 0", "not (q < k)", "where(k - q > 0, -1e9, (k - q) * 0.2)"))
    w.lines.append(f"m{w.count} = table (q, k) [{w.length}, {w.length}] = {kind}")
    w.put(f"(?, ?, ?, m{w.count}) -> attention")


def multihead_attention(w: Writer) -> None:
    w.turned(True)
    w.put(f"? -> multihead_attention {w.random.choice((1, 2))} causal=true")


def conv(w: Writer) -> None:
    w.turned(False)
    kernel, dilation = w.random.choice((1, 2, 3, 4)), w.random.choice((1, 2, 3))
    reach, width = (kernel - 1) * dilation, w.new_width()
    number = w.random.choice((0, 0, 1, -0.5))
    between = w.random.choice(("", "-> relu ", f"-> conv {w.width} 1 ", "-> tanh -> batch_norm "))
    w.put(
        f"? -> pad [{reach}, 0] value={number} {between}-> conv {width} {kernel} dilation={dilation}{w.random.choice(ACTIVATIONS)}", width
    )


def chomped(w: Writer) -> None:
    """Padded at both ends, and cut."""
    w.turned(False)
    kernel, width = w.random.choice((2, 3)), w.new_width()
    cut = w.random.choice((f"slice 2 stop={w.length}", f"pad [0, {1 - kernel}]", f"slice 2 stop={1 - kernel}"))
    w.put(f"? -> conv {width} {kernel} padding={kernel - 1} -> {cut}", width)


def late(w: Writer) -> None:
    """The first positions are missing, and are filled."""
    w.turned(False)
    w.put(f"? -> conv {w.width} 3 padding=2 -> slice 2 start=2 -> pad [2, -2] value={w.random.choice((0, 2))}")


def strided(w: Writer) -> None:
    """Fewer positions: the window of each is complete."""
    w.turned(False)
    strides = [s for s in (2, 3, 4) if w.rate % s == 0]
    if not strides:
        conv(w)
        return
    stride, kernel = w.random.choice(strides), w.random.randint(1, 5)
    width, number = w.new_width(), w.random.choice((0, 0, 1, -0.5))
    stage = w.random.choice((f"conv {width} {kernel}", f"max_pool {kernel}", f"avg_pool {kernel}"))
    front = max(kernel - stride, 0) + w.random.choice((0, 0, 1, stride))
    # However much is in front: what is more than the windows of the whole is cut off its end.
    cut, rate = f"slice 2 stop={w.length_at(w.rate // stride)}", w.rate // stride
    w.put(f"? -> pad [{front}, 0] value={number} -> {stage} stride={stride} -> {cut}", width if stage[0] == "c" else w.width, rate)


def thinned(w: Writer) -> None:
    """Of each group of positions one."""
    strides = [s for s in (2, 3, 4) if w.rate % s == 0]
    if strides:
        step = w.random.choice(strides)
        w.put(f"? -> slice {w.axis} start={w.random.randrange(step)} step={step}", rate=w.rate // step)


def transposed(w: Writer) -> None:
    """More positions, the last of which are cut off: they are not complete."""
    w.turned(False)
    stride, kernel, width = w.random.choice((1, 2, 3)), w.random.randint(1, 6), w.new_width()
    if w.rate * stride > 2 * w.every:
        conv(w)
        return
    front = w.random.choice(("", "-> pad [1, -1] value=2 ", "-> pad [3, -3] "))
    spread = f"conv_transpose {width} {max(kernel, stride)} stride={stride}{w.random.choice(ACTIVATIONS)}"
    w.put(f"? {front}-> {spread} -> slice 2 stop={w.length_at(w.rate * stride)}", width, w.rate * stride)


def pool(w: Writer) -> None:
    w.turned(False)
    window = w.random.choice((2, 3))
    w.put(f"? -> pad [{window - 1}, 0] -> {w.random.choice(('max_pool', 'avg_pool'))} {window} stride=1")


def cumulative(w: Writer) -> None:
    kind = w.random.choice(("cumsum", "cummax", "cummin", "logcumsumexp"))
    w.put(f"tanh(?) -> {kind} axis={w.axis}")
    w.put("? * 0.1")


def scan(w: Writer) -> None:
    w.turned(True)
    w.count += 1
    w.lines.append(f"z{w.count} = table (n, i) [N, {w.width}] float32 = {w.random.choice((0, 1, -2))}")
    w.put(f"? -> scan (h = z{w.count}) axis=1 {{ h = h * 0.5 + in; out tanh(h) }}")


def positions(w: Writer) -> None:
    w.turned(True)
    w.count += 1
    w.lines.append(f"p{w.count} = table (t, k) [{w.length}, {w.width}] = sin((t + {w.random.randint(0, 9)}) / 10 ** (k / {w.width}))")
    w.put(f"? + p{w.count}")


def shift(w: Writer) -> None:
    by = w.random.choice((1, 2))
    w.put(f"? + (? -> pad {w.pads(by, -by)})")


def residual(w: Writer) -> None:
    same = [name for name, *form in w.earlier if form == [w.width, w.last, w.rate]]
    if same:
        w.put(f"? + {w.random.choice(same)}")


def joined(w: Writer) -> None:
    same = [(n, width) for n, width, last, rate in w.earlier if (last, rate) == (w.last, w.rate) and width + w.width <= 10]
    if same:
        name, width = w.random.choice(same)
        w.put(f"(?, {name}) -> concat axis={2 if w.last else 1}", w.width + width)


def gate(w: Writer) -> None:
    w.turned(True)
    w.put("? -> dense 8 -> glu", 4)


STAGES: tuple[Callable[[Writer], None], ...] = (
    *(dense, norm, batch_norm, recurrent, attention, masked_attention, multihead_attention, conv, chomped, late),
    *(strided, strided, thinned, transposed, pool, cumulative, scan, positions, shift, residual, joined, gate),
)

# --- and stages that do ------------------------------------------------------------------------------------------------------


def conv_ahead(w: Writer) -> None:
    w.turned(False)
    kernel = w.random.choice(("3 padding=1", "5 padding=2", "3 padding=same", "2 padding=same", "3 padding=2 dilation=2"))
    w.put(f"? -> conv {w.width} {kernel}")


def pool_ahead(w: Writer) -> None:
    w.turned(False)
    w.put(f"? -> {w.random.choice(('max_pool', 'avg_pool'))} 3 stride=1 padding=1")


def mixed_ahead(w: Writer) -> None:
    w.put(f"? -> {w.random.choice(('softmax', 'flip', 'log_softmax', 'sort'))} axis={w.axis}")


def mean_ahead(w: Writer) -> None:
    w.put(f"? - (? -> {w.random.choice(('mean', 'max', 'sum', 'std'))} axis={w.axis} keepdim=true)")


def norm_ahead(w: Writer) -> None:
    w.turned(False)
    w.put(f"? -> {w.random.choice(('group_norm 1', 'instance_norm', 'global_avg_pool'))}")
    if w.lines[-1].endswith("pool"):
        w.lines[-1] += f" -> unsqueeze 2 -> expand [N, {w.width}, {w.length}]"


def attention_ahead(w: Writer) -> None:
    w.turned(True)
    w.put(w.random.choice(("(?, ?, ?) -> attention", "? -> multihead_attention 1")))


def mask_ahead(w: Writer) -> None:
    w.turned(True)
    w.count += 1
    kind = w.random.choice(("k <= q + 1", "k != q + 2", "-1e9 if k > q + 1 else 0", "where(k > q, -1.0, 0.0)", "k >= q"))
    w.lines.append(f"m{w.count} = table (q, k) [{w.length}, {w.length}] = {kind}")
    w.put(f"(?, ?, ?, m{w.count}) -> attention")


def recurrent_ahead(w: Writer) -> None:
    w.turned(True)
    width = w.new_width()
    w.put(f"? -> {w.random.choice(('gru', 'lstm', 'rnn'))} {width} bidirectional=true", 2 * width)


def reversed_scan(w: Writer) -> None:
    w.turned(True)
    w.count += 1
    w.lines.append(f"z{w.count} = table (n, i) [N, {w.width}] float32 = 0")
    w.put(f"{w.name} -> scan (h = z{w.count}) axis=1 reverse=true {{ h = h * 0.5 + in; out tanh(h) }}")


def last_element(w: Writer) -> None:
    w.put(f"? + (? -> slice {w.axis} start=-1)")


def mirrored_ahead(w: Writer) -> None:
    w.turned(False)
    w.put(f"? -> conv {w.width} {w.random.choice((3, 5))} padding={w.random.choice((1, 2))} padding_mode=reflect -> pad [-2, 2]")


def replicated_ahead(w: Writer) -> None:
    w.turned(False)
    w.put(f"? -> pad [1, 2] mode=replicate -> conv {w.width} 4")


def near_mask(w: Writer) -> None:
    w.turned(True)
    w.count += 1
    kind = w.random.choice(
        ("k <= q + 1", "k <= q + 2 and k > q - 3", "-1e9 if k > q + 1 else 0.1 * (q - k)", "k // 2 <= q // 2", "k // 3 == q // 3")
    )
    w.lines.append(f"m{w.count} = table (q, k) [{w.length}, {w.length}] = {kind}")
    w.put(f"(?, ?, ?, m{w.count}) -> attention")


def shift_back(w: Writer) -> None:
    w.put(f"? + (? -> pad {w.pads(-2, 2)})")


LIMITED: tuple[Callable[[Writer], None], ...] = (conv_ahead, conv_ahead, pool_ahead, near_mask, near_mask, replicated_ahead, shift_back)
"""Stages that look ahead by a limited number of positions."""
AHEAD: tuple[Callable[[Writer], None], ...] = (
    *(conv_ahead, conv_ahead, pool_ahead, mixed_ahead, mean_ahead, norm_ahead, attention_ahead, mask_ahead, recurrent_ahead),
    *(reversed_scan, last_element),
)
UNDOES = (shift, late, strided, transposed)
"""Stages that give out their results later, or several positions at once, so that a stage before them may look ahead."""


def causal(seed: int) -> tuple[str, int]:
    """A model that does not look ahead, and what its pieces are multiples of."""
    w = Writer(seed)
    for _ in range(w.random.randint(1, 7)):
        w.random.choice(STAGES)(w)
    return _finished(w), w.every


def looking_ahead(seed: int) -> tuple[str, int]:
    """The text of a model, and the line of its stage that looks ahead, from 1."""
    w = Writer(seed)
    for _ in range(w.random.randint(0, 4)):
        w.random.choice(STAGES)(w)
    w.random.choice(AHEAD)(w)
    line = len(w.lines)
    wrong = w.name
    for _ in range(w.random.randint(0, 4)):
        w.random.choice([s for s in STAGES if s not in UNDOES])(w)
    text = _finished(w)
    return (text if w.name == wrong else f"{text}out {w.name}, {wrong}\n"), line


def looking_a_little_ahead(seed: int) -> tuple[str, int]:
    """A model that looks ahead by a limited number of positions, and what its pieces are multiples of."""
    w = Writer(seed)
    for _ in range(w.random.randint(2, 7)):
        stages = LIMITED if w.random.random() < 0.4 else [s for s in STAGES if s is not multihead_attention]
        w.random.choice(stages)(w)
    return _finished(w), w.every


def _finished(w: Writer) -> str:
    return "\n".join(w.lines) + "\n"
