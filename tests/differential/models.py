"""Whole random models that are valid by construction.

In: a source of randomness. Out: the text of a spec. Always: shapes are kept count of in the simplest way there is: a tensor is a vector
`[N, C]`, a sequence `[N, L, C]` or an image `[N, C, H, W]`; stages change its width C, and seldom its form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import strategies as st

from netc.dsl.record import Record
from tests.differential.model_stages import keeping, written
from tests.differential.model_tuples import Form, Tensor, Tuples

T = TypeVar("T")
ACTIVATIONS = ("relu", "gelu", "tanh", "sigmoid", "silu", "softplus")
WIDTHS = (2, 4, 6)
KINDS = ("vector", "sequence", "image")
MOST_STAGES = 60
OUTERMOST = 2
"""How deep stages may nest from here."""


class Block(Record):
    """A block that is applied to tensors of one form. `stage` writes a use of it, given the width that comes in; `keeps`: that width
    goes out again, or else the one that is written."""

    name: str
    kind: str
    argument: bool
    keeps: bool


class Writer(Tuples):
    """Writes one model. `room`: how many stages may still come; `even`: the symbolic dimensions that are declared so."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.room = MOST_STAGES
        self.count = 0
        self.lines: list[str] = []
        self.even: set[str] = set()
        self.tensors: list[Tensor] = []
        self.blocks: list[Block] = []
        self.shared: list[tuple[str, str, int]] = []
        self.mixers: list[str] = []
        self.constants: list[tuple[str, int]] = []

    def pick(self, some: Sequence[T]) -> T:
        return self.draw(st.sampled_from(some))

    def number(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def chance(self, one_in: int) -> bool:
        return self.number(1, one_in) == 1

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def model(self) -> str:
        for _ in range(self.number(1, 3)):
            self._input()
        for _ in range(self.number(0, 5)):
            self.pick((self._block, self._block, self._mixer, self._constant))()
        if self.chance(2):
            self._shared()
        for _ in range(self.pick((1, 3, 6, 10, 20, 40))):
            if self.room > 0:
                self._statement()
        results = self.tensors[-self.number(1, min(5, len(self.tensors))) :]
        self.lines.append("out " + ", ".join(t.name for t in results))
        return "\n".join(self.lines) + "\n"

    # --- declarations ------------------------------------------------------------------------------------------------------------

    def _input(self) -> None:
        kind, width, name = self.pick(KINDS), self.pick(WIDTHS), self.fresh("x")
        length, high, wide = self.pick(("T", "5")), self.pick(("H", "6")), self.pick(("W", "7"))
        shapes = {"vector": f"[{width}]", "sequence": f"[{length}, {width}]", "image": f"[{width}, {high}, {wide}]"}
        spaces = {"vector": "", "sequence": length, "image": f"{high}x{wide}"}
        even = [f"{size} % 2 == 0" for size in (length, high, wide) if size.isupper() and size in shapes[kind] and self.chance(3)]
        self.even.update(condition[0] for condition in even)
        self.lines.append(f"{name} = input {shapes[kind]}" + (f" where {', '.join(even)}" if even else ""))
        self.tensors.append(Tensor(name, Form(kind, spaces[kind]), width))

    def _block(self) -> None:
        """A residual around stages of a random width, or stages of the given width."""
        kind, name = self.pick((*KINDS, *(b.kind for b in self.blocks))), self.fresh("block")
        width = "in.channels" if kind == "image" else "in.features"
        inner = [b.name for b in self.blocks if b.kind == kind and b.keeps]
        if inner and self.chance(2):
            times = self.pick(("", f"repeat {self.number(1, 3)} as inner "))
            used = f"{self.pick(inner)} hidden"
            body = f"{times}{{ {used} }}" if times else f"{used} -> {used}"
            self.lines.append(f"block {name}(hidden=4) {{ in -> {body} }}")
            self.blocks.append(Block(name, kind, True, True))
            return
        if self.chance(2):
            body = f"in + (in -> {self._weighted(kind, 'hidden')} -> {self.pick(ACTIVATIONS)} -> {self._weighted(kind, width)})"
            self.lines.append(f"block {name}(hidden) {{ {body} }}")
            self.blocks.append(Block(name, kind, True, True))
            return
        skip = f"in -> if {width} != width {{ {self._weighted(kind, 'width')} as skip }}"
        first = f"main = in -> {self._weighted(kind, 'width')} as first -> {self.pick(ACTIVATIONS)}"
        self.lines.append(f"block {name}(width=4) {{\n  {first}\n  rest = {skip}\n  main + rest\n}}")
        self.blocks.append(Block(name, kind, True, False))

    def _shared(self) -> None:
        form, width = self.tensors[0].form, self.tensors[0].width
        name = self.fresh("shared")
        inner = f"{self._weighted(form.kind, str(width))} -> {self.pick(ACTIVATIONS)}"
        self.lines.append(f"shared {name} = ({inner})")
        self.shared.append((name, form.kind, width))

    def _mixer(self) -> None:
        """A block of two tensors that differ in their width alone."""
        name = self.fresh("mix")
        body = self.pick(
            ("a + (b -> dense C)", "(a, b -> dense C tanh) -> concat axis=-1 -> dense C", "a * (b -> dense C sigmoid as gate)")
        )
        self.lines.append(f"block {name}(a: [..., C], b: [..., D]) {{ {body} }}")
        self.mixers.append(name)

    def _constant(self) -> None:
        name, value = self.fresh("k"), self.pick(WIDTHS)
        self.lines.append(f"let {name} = {value}")
        self.constants.append((name, value))

    # --- statements --------------------------------------------------------------------------------------------------------------

    def _statement(self) -> None:
        tensor = self.pick(self.tensors)
        alike = [t for t in self.tensors if t.form == tensor.form and t != tensor]
        name = self.fresh("h")
        if alike and self.chance(2):
            self._merge(name, tensor, self.pick(alike))
            return
        choices: list[Callable[[str, Tensor], None]] = [
            *(self._pipeline,) * 3,
            self._residual,
            self._reduced,
            self._shifted,
            self._unpacked,
            self._resized,
            self._projected,
            *(self.several,) * 2,
            self.collected,
            self.either,
            self._halved,
        ]
        self.pick(choices)(name, tensor)

    def _bind(self, name: str, text: str, form: Form, width: int) -> None:
        self.lines.append(f"{name} = {text}")
        self.tensors.append(Tensor(name, form, width))

    def _merge(self, name: str, a: Tensor, b: Tensor) -> None:
        self.room -= 1
        if self.mixers and a.form.kind != "image" and self.chance(2):
            self._bind(name, f"({a.name}, {b.name}) -> {self.pick(self.mixers)}", a.form, a.width)
            return
        if a.width != b.width or self.chance(3):
            if a.width + b.width > 24:
                a = b = min(a, b, key=lambda t: t.width)
            self._bind(name, f"({a.name}, {b.name}) -> concat axis={a.form.axis}", a.form, a.width + b.width)
            return
        merged = self.pick(
            (f"{a.name} + {b.name}", f"{a.name} - 0.5 * {b.name}", f"({a.name}, {b.name}) -> maximum", f"{a.name} * ({b.name} -> sigmoid)")
        )
        self._bind(name, merged, a.form, a.width)

    def _pipeline(self, name: str, tensor: Tensor) -> None:
        stages, width = self.stages(tensor.form, tensor.width, self.number(1, 4), OUTERMOST)
        self._bind(name, f"{tensor.name} -> {stages}", tensor.form, width)

    def _residual(self, name: str, tensor: Tensor) -> None:
        stages, _ = self.stages(tensor.form, tensor.width, self.number(1, 3), 1)
        back = self._weighted(tensor.form.kind, str(tensor.width))
        self._bind(name, f"{tensor.name} + ({tensor.name} -> {stages} -> {back})", tensor.form, tensor.width)

    def _reduced(self, name: str, tensor: Tensor) -> None:
        """Another form: an image becomes a sequence of its places, a sequence or an image a vector."""
        form, self.room = tensor.form, self.room - 1
        if form.kind == "vector":
            self._bind(name, f"{tensor.name} -> softmax", form, tensor.width)
        elif form.kind == "sequence":
            self._bind(name, f"{tensor.name} -> {self.pick(('mean', 'max'))} axis=1", Form("vector"), tensor.width)
        elif self.chance(2):
            self._bind(name, f"{tensor.name} -> global_avg_pool", Form("vector"), tensor.width)
        else:
            self._bind(name, f"{tensor.name} -> flatten 2 -> transpose 1 2", Form("sequence", form.space), tensor.width)

    def _shifted(self, name: str, tensor: Tensor) -> None:
        """A learned tensor is added to it."""
        label = self.fresh("p")
        shape = f"[{tensor.width}, 1, 1]" if tensor.form.kind == "image" else f"[{tensor.width}]"
        self.room -= 1
        self._bind(name, f"{tensor.name} + (param {shape} init=normal(0.1) as {label})", tensor.form, tensor.width)

    def _unpacked(self, name: str, tensor: Tensor) -> None:
        """Several results: halves of the width, or a recurrence with its last state."""
        form, self.room = tensor.form, self.room - 1
        other = self.fresh("h")
        if form.kind == "sequence" and self.chance(2):
            self.lines.append(f"({name}, {other}) = {tensor.name} -> gru {tensor.width}")
            self.tensors.append(Tensor(name, form, tensor.width))
        elif tensor.width % 2 == 0:
            self.lines.append(f"({name}, {other}) = {tensor.name} -> chunk 2 axis={form.axis}")
            self.tensors += [Tensor(name, form, tensor.width // 2), Tensor(other, form, tensor.width // 2)]

    def _resized(self, name: str, tensor: Tensor) -> None:
        """An image of another size. What is unknown of its size stays so."""
        form, self.room = tensor.form, self.room - 1
        if form.kind != "image" or len(form.space) > 12:
            return
        stage, mark = self.pick(
            ((f"conv {tensor.width} 3x3 stride=2 padding=1", "s"), ("upsample scale=2", "u"), ("max_pool 3 stride=2 padding=1", "s"))
        )
        self._bind(name, f"{tensor.name} -> {stage}", Form("image", form.space + mark), tensor.width)

    def _halved(self, name: str, tensor: Tensor) -> None:
        """What `where` allows: pairs of places side by side. It is the same again afterwards."""
        self.room -= 2
        form, sizes = tensor.form, tensor.form.space.split("x")
        if not form.space or not all(size in self.even or size == "6" for size in sizes):
            return
        there, back = ("pixel_unshuffle 2", "pixel_shuffle 2")
        if form.kind == "sequence":
            there, back = ('rearrange "n (t p) c -> n t (p c)" p=2', 'rearrange "n t (p c) -> n (t p) c" p=2')
        stage = written(self.pick(keeping(form.kind, True)), (2 if form.kind == "sequence" else 4) * tensor.width)
        self._bind(name, f"{tensor.name} -> {there} -> {stage} -> {back}", form, tensor.width)

    def _projected(self, name: str, tensor: Tensor) -> None:
        """The tuple that is passed on."""
        form, width, self.room = tensor.form, self.pick(WIDTHS), self.room - 3
        if form.kind != "sequence":
            self._bind(name, f"{tensor.name} -> {self._weighted(form.kind, str(width))} -> is {self._shape(form, width)}", form, width)
            return
        self._bind(
            name, f"{tensor.name} -> dense {3 * width} -> chunk 3 axis=-1 -> attention causal={self.pick(('true', 'false'))}", form, width
        )

    @staticmethod
    def _shape(form: Form, width: int) -> str:
        return f"[N, {width}]" if form.kind == "vector" else f"[N, {width}, _, _]"

    # --- stages ------------------------------------------------------------------------------------------------------------------

    def stages(self, form: Form, width: int, count: int, depth: int) -> tuple[str, int]:
        """A chain of stages, and the width that comes out."""
        parts = []
        for _ in range(count):
            part, width = self._stage(form, width, depth)
            parts.append(part)
        return " -> ".join(parts), width

    def _stage(self, form: Form, width: int, depth: int) -> tuple[str, int]:
        self.room -= 1
        kinds: list[Callable[[Form, int, int], tuple[str, int]]] = [self._layer, self._layer, self._keeping, self._keeping, self._used]
        if depth and self.room > 4:
            kinds += [self._repeat, self._each, self._group, self._choice]
        return self.pick(kinds)(form, width, depth)

    def _weighted(self, kind: str, width: str) -> str:
        """A stage with weights that makes this width, an expression."""
        bare = width if width.isidentifier() or width.isdigit() else f"({width})"
        if kind == "image":
            return self.pick((f"conv {bare} 3x3 padding=1", f"conv {bare} 1x1 bias=false", f"conv {bare} 3 padding=same"))
        return f"dense {bare}" + self.pick(("", "", " bias=false"))

    def _layer(self, form: Form, width: int, depth: int) -> tuple[str, int]:
        written, made = self.pick([*self.constants, *((str(w), w) for w in WIDTHS)])
        stage = self._weighted(form.kind, written) + self.pick(("", f" {self.pick(ACTIVATIONS)}"))
        return stage + (f" as {self.fresh('layer')}" if self.chance(4) else ""), made

    def _keeping(self, form: Form, width: int, depth: int) -> tuple[str, int]:
        """A stage that keeps the width."""
        return written(self.pick(keeping(form.kind, width % 2 == 0)), width), width

    def _used(self, form: Form, width: int, depth: int) -> tuple[str, int]:
        """A block or a shared stage, where there is one that fits."""
        shared = [name for name, kind, wanted in self.shared if (kind, wanted) == (form.kind, width)]
        blocks = [b for b in self.blocks if b.kind == form.kind]
        if shared and self.chance(2):
            return self.pick(shared), width
        if not blocks:
            return self._keeping(form, width, depth)
        block, made = self.pick(blocks), self.pick(WIDTHS)
        label = f" as {self.fresh('use')}" if self.chance(3) else ""
        return f"{block.name} {made}{label}", width if block.keeps else made

    def _repeat(self, form: Form, width: int, depth: int) -> tuple[str, int]:
        body, made = self.stages(form, width, self.number(1, 2), depth - 1)
        # In a sequence a loop without a label is transparent, and labels in it would clash.
        label = self.pick((*("",) * (depth == OUTERMOST), f" as {self.fresh('part')}"))
        if made != width:
            body = f"{body} -> {self._weighted(form.kind, str(width))}"
        match self.number(0, 5):
            case 4:
                sizes = self.fresh("sizes")
                widths = [self.pick(WIDTHS) for _ in range(self.number(1, 3))] + [width]
                self.lines.append(f"let {sizes} = {widths[:-1]} + [{width}]")
                body = f"{self._weighted(form.kind, 'w')} -> if i < len({sizes}) - 1 {{ {self.pick(ACTIVATIONS)} }}"
                return f"repeat (i, w) in enumerate({sizes}){label} {{ {body} }}", width
            case 5:
                widths = [self.pick(WIDTHS) for _ in range(self.number(1, 3))]
                body = f"{self._weighted(form.kind, 'sum(w)')} -> {self._weighted(form.kind, 'w[-1]')}"
                return f"repeat w in zip({widths}, {[width] * len(widths)}){label} {{ {body} }}", width
            case 0:
                return f"repeat i in 0..{self.number(1, 3)}{label + '{i}' if label else ''} {{ {body} }}", width
            case 1:
                widths = [self.pick(WIDTHS) for _ in range(self.number(1, 3))]
                return f"repeat w in {widths}{label} {{ {self._weighted(form.kind, 'w')} }}", widths[-1]
            case 2:
                first = f"if i == 0 {{ {self._keeping(form, width, 0)[0]} }}"
                return f"repeat i in 0..{self.number(1, 3)}{label} {{ {first} -> {body} }}", width
        return f"repeat {self.number(1, 4)}{label} {{ {body} }}", width

    def _each(self, form: Form, width: int, depth: int) -> tuple[str, int]:
        widths = [self.pick(WIDTHS[:2]) for _ in range(self.number(1, 3))]
        label = self.pick(("", f" as {self.fresh('branch')}"))
        body = f"{self._weighted(form.kind, 'w')} -> {self.pick(ACTIVATIONS)}"
        return f"each w in {widths}{label} {{ {body} }} -> concat axis={form.axis}", sum(widths)

    def _group(self, form: Form, width: int, depth: int) -> tuple[str, int]:
        inside, made = self.stages(form, width, self.number(1, 3), depth - 1)
        return f"({inside})" + self.pick(("", f" as {self.fresh('group')}")), made

    def _choice(self, form: Form, width: int, depth: int) -> tuple[str, int]:
        yes, one = self.stages(form, width, 1, depth - 1)
        no, other = self.stages(form, width, 1, depth - 1)
        asked = "in.channels" if form.kind == "image" else "in.features"
        limit = self.pick(WIDTHS)
        return f"if {asked} <= {limit} {{ {yes} }} else {{ {no} }}", one if width <= limit else other


@st.composite
def models(draw: st.DrawFn) -> str:
    """The text of a model."""
    return Writer(draw).model()
