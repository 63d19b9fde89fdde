"""Random stages, each of which fits the shape of the tensor that it is applied to, with the definitions and statements that they need.

In: a source of randomness, and a tensor with its shape. Out: the tensor after some stages. Always: sizes are small, and also 1 and primes.
"""

from __future__ import annotations

from random import Random

SIZES = (1, 2, 3, 4, 5, 6, 7, 8)
ACTIVATIONS = ("relu", "tanh", "gelu", "sigmoid", "silu", "(leaky_relu 0.2)", "(elu 0.5)")
NUMBERS = ("0.5", "2", "3", "1e-3", "-1", "1.5", "7", "0.1")
INITIALS = ("zeros", "ones", "normal(0.02)", "uniform(-1, 1)", "0.5", "constant(2)", "trunc_normal(0.1)")


class Tensor:
    """A tensor of the text: `text` makes it, and `axes` are its sizes without the batch, numbers or names."""

    def __init__(self, text: str, axes: tuple[object, ...]) -> None:
        self.text = text
        self.axes = axes


class StageWriter:
    """Writes the stages of one spec. `count` is the number of names so far; `before` has the statements before the current one."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.count = 0
        self.definitions: list[str] = []
        self.before: list[str] = []
        self.flat = False
        """Whether the stages are inside parentheses, where there are no statements."""
        self.values: dict[str, int] = {}
        """The compile-time integers of the file."""

    def fresh(self, beginning: str) -> str:
        self.count += 1
        return f"{beginning}{self.count}"

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def pick(self, *some: str) -> str:
        return self.random.choice(some)

    # --- values --------------------------------------------------------------------------------------------------------------

    def size(self) -> int:
        return self.random.choice(SIZES)

    def number(self, value: int) -> str:
        """An integer: itself, a name for it, or a formula."""
        if self.chance(0.7):
            return str(value)
        names = [name for name, known in self.values.items() if known == value]
        if names:
            return self.pick(*names)
        return self.pick(f"({value - 1} + 1)", f"(2 * {value} // 2)", f"max({value}, 1)", f"[{value}, 3][0]", str(value))

    def definitions_of_values(self) -> None:
        for _ in range(self.random.randrange(3)):
            name, value = self.fresh("k"), self.size()
            form = self.pick(
                f"let {name} = {value}",
                f"let {name} = {value}",
                f"let ({name}, _{name}) = [{value}, 2]",
                f"let {name} = len([0] * {value})",
            )
            self.values[name] = value
            self.definitions.append(form)
        if self.chance(0.2):
            self.definitions.append("fn twice(n, by=2) = n * by")

    # --- stages --------------------------------------------------------------------------------------------------------------

    def label(self, beginning: str) -> str:
        return f" as {self.fresh(beginning)}" if self.chance(0.4) else ""

    def stages(self, x: Tensor, count: int) -> Tensor:
        for _ in range(count):
            x = self.stage(x)
        return x

    def stage(self, x: Tensor) -> Tensor:
        """One more stage; inside parentheses, one that needs no statement before it."""
        ways = [
            self._pointwise,
            self._pointwise,
            self._group,
            self._choice,
            self._by_mode,
            self._sum,
            self._table,
            self._param,
            self._loop,
            self._block,
            self._used,
        ]
        last = x.axes[-1] if x.axes else None
        if isinstance(last, int):
            ways += [self._dense, self._dense, self._norm, self._shared, self._each, self._collect, self._unpack, self._two]
        if len(x.axes) == 2 and isinstance(last, int):
            ways += [self._attention, self._scan, self._recurrent, self._mean, self._conv1]
        if len(x.axes) == 3 and isinstance(x.axes[0], int):
            ways += [self._conv, self._conv, self._batch_norm, self._pool]
        with_statements = (self._shared, self._collect, self._unpack, self._scan, self._two)
        return self.random.choice([way for way in ways if not (self.flat and way in with_statements)])(x)

    def _then(self, x: Tensor, stage: str, axes: tuple[object, ...] | None = None) -> Tensor:
        return Tensor(f"{x.text} -> {stage}", x.axes if axes is None else axes)

    def _pointwise(self, x: Tensor) -> Tensor:
        stage = self.pick(
            "relu",
            "tanh",
            "dropout 0.5",
            "softplus",
            "clamp -1 2",
            "leaky_relu 0.1",
            "elu alpha=0.7",
            "hardtanh min_val=-2 max_val=3",
            "threshold 0.1 -3",
        )
        return self._then(x, stage.replace("-1 2", "(-1) 2").replace("0.1 -3", "0.1 (-3)"))

    def _dense(self, x: Tensor) -> Tensor:
        width = self.size()
        options = self.pick("", "", "", " bias=false", f" init={self.pick(*INITIALS[:4])}", " bias_init=0.5", " trainable=false")
        activation = f" {self.pick(*ACTIVATIONS)}" if self.chance(0.3) else ""
        return self._then(x, f"dense {self.number(width)}{options}{activation}{self.label('fc')}", (*x.axes[:-1], width))

    def _norm(self, x: Tensor) -> Tensor:
        return self._then(
            x, self.pick("layer_norm", "layer_norm eps=1e-3", "rms_norm", "softmax axis=-1", "normalize axis=-1", "cumsum axis=-1") + ""
        )

    def _batch_norm(self, x: Tensor) -> Tensor:
        return self._then(
            x,
            self.pick("batch_norm", "batch_norm relu", "batch_norm momentum=0.3 eps=1e-4", "instance_norm", "group_norm 1")
            + self.label("bn"),
        )

    def _conv(self, x: Tensor) -> Tensor:
        width = self.size()
        return self._then(
            x,
            f"conv {self.number(width)} {self.pick('3', '3x3', '1 ', '(3)').strip()} padding=same{self.label('conv')}",
            (width, *x.axes[1:]),
        )

    def _conv1(self, x: Tensor) -> Tensor:
        width = self.size()
        stage = f"transpose 1 2 -> pad [{self.number(2)}, 0] -> conv {self.number(width)} 3{self.label('conv')} -> transpose 1 2"
        return self._then(x, stage, (x.axes[0], width))

    def _pool(self, x: Tensor) -> Tensor:
        return self._then(x, "global_avg_pool", (x.axes[0],)) if self.chance(0.4) else self._then(x, "max_pool 3 stride=1 padding=1")

    def _attention(self, x: Tensor) -> Tensor:
        width = x.axes[1]
        heads = self.random.choice([h for h in (1, 2, 4) if int(str(width)) % h == 0])
        options = self.pick("", " causal=true", " bias=false")
        return self._then(x, f"multihead_attention {self.number(heads)}{options}{self.label('attn')}")

    def _recurrent(self, x: Tensor) -> Tensor:
        width = self.size()
        kind = self.pick("gru", "lstm", "rnn")
        return self._then(x, f"{kind} {self.number(width)}{self.label('cell')}", (x.axes[0], width))

    def _mean(self, x: Tensor) -> Tensor:
        return self._then(x, self.pick("mean axis=1", "max axis=1", "sum axis=1", "select 1 0"), (x.axes[1],))

    # --- compositions --------------------------------------------------------------------------------------------------------

    def _group(self, x: Tensor) -> Tensor:
        was, self.flat = self.flat, True
        inner = self.stages(Tensor("in", x.axes), 2)
        self.flat = was
        return self._then(x, f"({inner.text.removeprefix('in -> ')}){self.label('group')}", inner.axes)

    def _sum(self, x: Tensor) -> Tensor:
        """A residual branch, or arithmetic with a number."""
        if self.chance(0.4):
            sign, number = self.pick("*", "+", "-", "/"), self.pick(*NUMBERS)
            return Tensor(f"(({x.text}) {sign} {number})".replace(" -1)", " (-1))"), x.axes)
        inner = self.inside(x.axes, 1, "in + ({})")
        return self._then(x, "relu" if inner.axes != x.axes else f"if true {{ {inner.text} }}")

    def _choice(self, x: Tensor) -> Tensor:
        inner = self.inside(x.axes, 1)
        test = self.pick("1 < 2", "in.rank > 0", "true", "not false", "2 in [1, 2]")
        other = self.pick("", " else { relu }", " else { dense 3 }")
        return self._then(x, f"if {test} {{ {inner.text} }}{other}", inner.axes)

    def _by_mode(self, x: Tensor) -> Tensor:
        return self._then(x, self.pick("if training { dropout 0.3 }", "if training { relu } else { tanh }", "if not training { sigmoid }"))

    def _table(self, x: Tensor) -> Tensor:
        if not x.axes:
            return self._then(x, "relu")
        last = x.axes[-1]
        formula = self.pick(
            "i * 0.5", "i % 3", "sin(i / 3)", "where(i < 2, 1, -1)", "[2, 0.5, 3][i % 3]", "1 if i == 0 else 2", "exp(-i)", "i // 2 - 1"
        )
        return Tensor(f"(({x.text}) * (table (i) [{last}] float32 = {formula}))", x.axes)

    def _param(self, x: Tensor) -> Tensor:
        if not x.axes or not isinstance(x.axes[-1], int):
            return self._then(x, "tanh")
        initial = self.pick("", f" init={self.pick(*INITIALS)}", " trainable=false")
        return Tensor(f"(({x.text}) + (param [{self.number(x.axes[-1])}]{initial} as {self.fresh('p')}))", x.axes)

    def _shared(self, x: Tensor) -> Tensor:
        width = x.axes[-1]
        name = self.fresh("s")
        self.before.append(
            f"shared {name} = (dense {width} -> tanh){self.label('twin')}"
            if self.chance(0.5)
            else f"shared {name} = dense {width}{self.label('twin')}"
        )
        return self._then(x, f"{name} -> relu -> {name}")

    def _each(self, x: Tensor) -> Tensor:
        return self._then(x, f"each w in [1, {self.number(2)}]{self.label('branch')} {{ dense w }} -> concat axis=-1", (*x.axes[:-1], 3))

    def _unpack(self, x: Tensor) -> Tensor:
        a, b = self.fresh("a"), self.fresh("b")
        width = x.axes[-1]
        self.before.append(f"({a}, {b}) = {x.text} -> dense {2 * int(str(width))} -> chunk 2 axis=-1")
        return Tensor(self.pick(f"({a} * sigmoid({b}))", f"({a} + {b})", f"maximum({a}, {b})", f"(({a}, {b}) -> hypot)"), x.axes)

    def _loop(self, x: Tensor) -> Tensor:
        inner = self.inside(x.axes, 1)
        if inner.axes != x.axes:
            inner = Tensor("in -> tanh", x.axes)
        head = self.pick(
            "repeat 2", "repeat 3", "repeat i in 0..2", "repeat 1", "repeat (i, w) in enumerate([4, 2])", "repeat 0", "repeat w in [2, 3]"
        )
        label = self.pick("", f" as {self.fresh('layers')}", f" as {self.fresh('layers')}")
        return self._then(x, f"{head}{label} {{ {inner.text} }}")

    def _collect(self, x: Tensor) -> Tensor:
        width = x.axes[-1]
        h, kept = self.fresh("h"), self.fresh("kept")
        self.before.append(
            f"({h}, {kept}[]) = {x.text} -> repeat {self.number(2)}{self.label('layers')} "
            f"{{ y = in -> dense {width} as main; out y, y -> relu }}"
        )
        return Tensor(
            self.pick(f"({h} + {kept}[0])", f"(({kept} -> concat axis=-1 -> dense {width}) + {h})", f"({kept}[-1] * {h})"), x.axes
        )

    def _scan(self, x: Tensor) -> Tensor:
        width = int(str(x.axes[1]))
        zeros = f"(table (n, i) [N, {width}] float32 = {self.pick('0', '1', '0.5')})"
        start = self.fresh("start")
        self.before.append(f"{start} = {zeros[1:-1]}")
        body = self.pick(
            "h = h + in",
            "h = h * 0.5 + in; h -> tanh",
            f"h = (in, h) -> gru_cell {width} as {self.fresh('cell')}",
            "old = h; h = in -> tanh; old - h",
        )
        return self._then(x, f"scan (h = {start}) axis=1{self.pick('', '', ' reverse=true')} {{ {body} }}")

    def _block(self, x: Tensor) -> Tensor:
        """A use of a new block, perhaps two uses with other arguments."""
        last = x.axes[-1] if x.axes else None
        name = self.fresh("b")
        if not isinstance(last, int):
            self.definitions.append(f"block {name}(by=2) {{ in * by -> tanh }}")
            return self._then(x, f"{name} -> {name} by={self.pick('3', '0.5')}")
        way = self.random.choice((self._block_of_width, self._block_of_choices, self._block_of_stages, self._block_of_anything))
        return way(x, name)

    def _block_of_width(self, x: Tensor, name: str) -> Tensor:
        width = self.size()
        self.definitions.append(f"block {name}(width, act=relu) {{ dense width -> act -> dense in.features as out }}")
        act = self.pick("tanh", "gelu", "(leaky_relu 0.3)")
        return self._then(x, f"{name} {self.number(width)} -> {name} {self.number(width + 1)} act={act}{self.label('blk')}")

    def _block_of_choices(self, x: Tensor, name: str) -> Tensor:
        width = self.size()
        chosen = "if deep { dense width relu as deep -> dense width as more } else { dense width as only }"
        self.definitions.append(f"block {name}(width, deep=false) {{ y = in -> {chosen}; y -> layer_norm }}")
        uses = f"{name} {self.number(width)} deep={self.pick('true', 'false')} -> {name} {self.number(width)}"
        return self._then(x, uses, (*x.axes[:-1], width))

    def _block_of_stages(self, x: Tensor, name: str) -> Tensor:
        self.definitions.append(f"block {name}(layer) {{ in + (in -> layer) }}")
        layer = self.pick("tanh", "(dropout 0.1)", f"(dense {x.axes[-1]} bias=false)")
        return self._then(x, f"{name} (dense {x.axes[-1]}) -> {name} {layer}{self.label('blk')}")

    def _block_of_anything(self, x: Tensor, name: str) -> Tensor:
        inner = self.inside(x.axes, 2)
        self.definitions.append(f"block {name} {{ {inner.text} }}")
        return self._then(x, f"{name}{self.pick('', ' as _', self.label('blk'))}", inner.axes)

    def _used(self, x: Tensor) -> Tensor:
        """A use of a block from another file."""
        if not x.axes or not isinstance(x.axes[-1], int):
            return self._then(x, "gelu")
        width = self.size()
        files = {
            "mlp": (f"mlp {self.number(width)}", f"mlp {self.number(width)} activation={self.pick(*ACTIVATIONS)}", f"gated_mlp {width}"),
            "parametrizations": (f"weight_norm (dense {x.axes[-1]})", f"spectral_norm (dense {x.axes[-1]} bias=false)"),
            "transformer": ("feed_forward", f"feed_forward ratio={self.number(2)}"),
        }
        file = self.pick(*files)
        stage = self.pick(*files[file])
        use = f'use "std/{file}.net": {stage.split()[0]}'
        if use not in self.definitions:
            self.definitions.insert(0, use)
        return self._then(x, f"{stage}{self.label('std')}")

    def _two(self, x: Tensor) -> Tensor:
        """A block of two tensors, whose pattern names a size."""
        name, y, width = self.fresh("b"), self.fresh("y"), self.size()
        self.definitions.append(
            f"block {name}(a: [..., D], b: [..., D], scale=1.5) {{ (a, b * scale -> dense D) -> add -> dense {width} as mix }}"
        )
        self.before.append(f"{y} = {x.text}")
        return Tensor(f"({y}, {y} -> relu) -> {name}{self.pick('', ' scale=0.5', ' scale=2')}", (*x.axes[:-1], width))

    def inside(self, axes: tuple[object, ...], count: int, last: str = "{}") -> Tensor:
        """A body, with the statements that its last line needs."""
        (kept, was), (self.before, self.flat) = (self.before, self.flat), ([], False)
        made = self.stages(Tensor("in", axes), count)
        before = self.before
        self.before, self.flat = kept, was
        return Tensor("; ".join([*before, last.format(made.text)]), made.axes)
