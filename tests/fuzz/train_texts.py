"""Train sections in which values are written as literals, or as names that are bound in one of many ways.

In: a `Use`, a place of a section where a value stands, and a `Binding`, how the value gets a name. Out: a `Section`, the text with its
parameters. Always: whatever the binding, the value is the use's own, and every other number that the binding has is a decoy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

Tensors = Mapping[str, Tensor]
Reference = Callable[[Tensors, Any], Tensor]
"""The loss of a batch by PyTorch: of the tensors of `tensors_of`, and the value."""


class Use(NamedTuple):
    """Lines of a section in which `{v}` is the value. `decoy` is another value of its kind."""

    value: Any
    decoy: Any
    lines: str
    loss: Reference


class Section(NamedTuple):
    """A text with a section `t`, and what is set."""

    text: str
    params: dict[str, Any]


def error(t: Tensors, v: Any) -> Tensor:
    """The loss of uses whose value is in no loss."""
    return t["error"]


def scanned(t: Tensors, v: Any) -> Tensor:
    """A recurrence over the axis 1 of `z`."""
    states = [t["c"][:, 0]]
    for i in range(3):
        states.append((states[-1] * v + t["z"][:, i]).tanh())
    return torch.stack(states[1:], 1).mean()


LOSS = "loss = error"
EXPRESSIONS: dict[str, Use] = {
    "factor": Use(2.7, 1.5, "loss = {v} * error", lambda t, v: v * t["error"]),
    "integer factor": Use(5, 3, "loss = error * {v}", lambda t, v: v * t["error"]),
    "summand": Use(2.5, 0.5, "loss = {v} + error", lambda t, v: v + t["error"]),
    "divisor": Use(3, 2, "loss = error / {v}", lambda t, v: t["error"] / v),
    "dividend": Use(3.0, 2.0, "loss = {v} / (c -> square -> mean)", lambda t, v: v / t["c"].square().mean()),
    "exponent": Use(4, 3, "loss = (c - z) ** {v} -> mean", lambda t, v: ((t["c"] - t["z"]) ** v).mean()),
    "base": Use(1.7, 1.2, "loss = {v} ** c -> mean", lambda t, v: (v ** t["c"]).mean()),
    "bound": Use(0.3, 0.2, "loss = c - z -> abs -> clamp {v} 3 -> mean", lambda t, v: (t["c"] - t["z"]).abs().clamp(v, 3).mean()),
    "delta": Use(0.4, 0.9, "loss = (c, z) -> huber_loss delta={v}", lambda t, v: F.huber_loss(t["c"], t["z"], delta=v)),
    "smoothing": Use(
        0.2, 0.1, "loss = (c, y) -> cross_entropy label_smoothing={v}", lambda t, v: F.cross_entropy(t["c"], t["y"], label_smoothing=v)
    ),
    "ignored": Use(1, 2, "loss = (c, y) -> cross_entropy ignore_index={v}", lambda t, v: F.cross_entropy(t["c"], t["y"], ignore_index=v)),
    "weights": Use(
        [1.5, 0.5, 2.0],
        [1.0, 1.0, 1.0],
        "tab = table (i) [3] float32 = {v}[i]\n  loss = (c, y) -> cross_entropy weight=tab",
        lambda t, v: F.cross_entropy(t["c"], t["y"], weight=torch.tensor(v)),
    ),
    "slope": Use(0.15, 0.5, "loss = c - z -> leaky_relu {v} -> mean", lambda t, v: F.leaky_relu(t["c"] - t["z"], v).mean()),
    "axis": Use(1, 0, "loss = c -> logsumexp axis={v} -> mean", lambda t, v: t["c"].logsumexp(v).mean()),
    "classes": Use(3, 4, "loss = (y -> one_hot {v} -> cast float32) * c -> mean", lambda t, v: (F.one_hot(t["y"], v) * t["c"]).mean()),
    "size": Use(3, 1, "loss = c -> reshape [N, {v}, 1] -> square -> mean", lambda t, v: t["c"].square().mean()),
    "largest": Use(2, 1, "(top, _) = c -> topk {v} axis=1\n  loss = top -> mean", lambda t, v: t["c"].topk(v, 1)[0].mean()),
    "shift": Use(1, 2, "loss = c * (z -> roll {v} axis=1) -> mean", lambda t, v: (t["c"] * t["z"].roll(v, 1)).mean()),
    "table": Use(
        0.25, 0.5, "tab = table (i) [3] float32 = i * {v}\n  loss = c * tab -> mean", lambda t, v: (t["c"] * torch.arange(3) * v).mean()
    ),
    "table of integers": Use(
        7, 2, "tab = table (i) [3] = (i + {v}) * 2\n  loss = c * tab -> mean", lambda t, v: (t["c"] * (torch.arange(3) + v) * 2).mean()
    ),
    "table of items": Use(
        [1, 2, 1],
        [0, 0, 0],
        "tab = table (i) [3] float32 = {v}[i]\n  loss = c * tab -> mean",
        lambda t, v: (t["c"] * torch.tensor(v)).mean(),
    ),
    "table of floats": Use(
        [1.0, 0.5, 2.0],
        [0.0, 0.0, 1.0],
        "tab = table (i) [3] float32 = {v}[i]\n  loss = c * tab -> mean",
        lambda t, v: (t["c"] * torch.tensor(v)).mean(),
    ),
    "size of a table": Use(
        3, 1, "tab = table (i) [{v}] float32 = i + 1\n  loss = c * tab -> mean", lambda t, v: (t["c"] * (torch.arange(3) + 1)).mean()
    ),
    "batch-free table": Use(
        4, 2, "tab = table (i) [{v}] float32 = i * {v}\n  loss = error + (tab -> sum)", lambda t, v: t["error"] + v * v * (v - 1) / 2
    ),
    "repeats": Use(3, 1, "loss = c -> repeat {v} { in * 2 } -> mean", lambda t, v: t["c"].mean() * 2**v),
    "repeated float": Use(
        1.3, 1.1, "loss = c -> repeat 2 { in * {v} -> tanh } -> mean", lambda t, v: ((t["c"] * v).tanh() * v).tanh().mean()
    ),
    "condition": Use(3, 1, "loss = c -> if {v} > 2 { in * 2 } else { in } -> mean", lambda t, v: t["c"].mean() * 2),
    "number in a scan": Use(
        0.5,
        0.1,
        "first = c -> select 1 0\n  h = z -> scan (s = first) axis=1 { s = tanh(s * {v} + in); out s }\n  loss = h -> mean",
        scanned,
    ),
    "block argument": Use(1.9, 1.1, "loss = c -> scaled {v} -> mean", lambda t, v: (t["c"] * v).tanh().mean()),
    "size in a block": Use(3, 1, "loss = c -> cut {v} -> mean", lambda t, v: (t["c"].reshape(-1, v, 1) * v).mean()),
    "stage": Use(0.35, 0.1, "loss = c -> applied (leaky_relu {v}) -> mean", lambda t, v: (F.leaky_relu(t["c"], v) * 2).mean()),
    "metric": Use(1.25, 2.0, "loss = error\n  metric other = error * {v}", error),
    "penalty": Use(0.7, 0.1, "loss = error + {v} * (w -> square -> sum)", lambda t, v: t["error"] + v * t["w"].square().sum()),
    "in a block of the loss": Use(
        2,
        0,
        "loss = (c, y) -> judged {v}",
        lambda t, v: F.cross_entropy(t["c"], t["y"], ignore_index=v) * 2 + t["c"].square().mean(),
    ),
    "in a block of a metric": Use(1, 2, "loss = error\n  metric other = (c, y) -> judged {v}", error),
    "of both": Use(2, 1, "loss = c -> reshape [N, {v} + 1] -> square -> mean", lambda t, v: t["c"].square().mean()),
}
"""Values that the loss or a metric is computed with."""
DRAWS: dict[str, Use] = {
    "drawn": Use(0.5, 2.0, "u = input []\n  loss = error\n  draw u uniform 0 {v}", error),
    "drawn integers": Use(3, 9, "u = input [] int64\n  loss = error\n  draw u integers 0 {v}", error),
}
SETTINGS: dict[str, Use] = {
    "rate": Use(0.03, 0.1, f"{LOSS}\n  optimizer sgd lr={{v}} momentum=0.5", error),
    "betas": Use([0.8, 0.9], [0.9, 0.99], f"{LOSS}\n  optimizer adamw lr=1e-2 betas={{v}}", error),
    "flag": Use(True, False, f"{LOSS}\n  optimizer sgd lr=0.1 momentum=0.9 nesterov={{v}}", error),
    "pattern": Use("*.bias", "*.weight", f"{LOSS}\n  optimizer adamw lr=1e-2 weight_decay=0.5 no_decay={{v}}", error),
    "patterns": Use(["*.bias", "w"], ["*"], f"{LOSS}\n  optimizer adamw lr=1e-2 weight_decay=0.5 no_decay={{v}}", error),
    "group": Use(0.02, 0.5, f'{LOSS}\n  optimizer sgd lr=0.1\n  group "head.*" lr={{v}}', error),
    "frozen": Use("hidden.*", "head.*", f"{LOSS}\n  freeze {{v}}", error),
    "warmup": Use(3, 1, f"{LOSS}\n  schedule warmup {{v}} -> cosine", error),
    "end": Use(0.25, 0.5, f"{LOSS}\n  schedule linear to={{v}}", error),
    "of PyTorch's schedule": Use(2, 5, f"{LOSS}\n  schedule step step_size={{v}} gamma=0.5", error),
    "batch": Use(4, 2, f"{LOSS}\n  batch {{v}}", error),
    "parts": Use(2, 1, f"{LOSS}\n  batch 6 accumulate={{v}}", error),
    "epochs": Use(2, 3, f"{LOSS}\n  epochs {{v}}", error),
    "clip": Use(0.01, 1.0, f"{LOSS}\n  clip {{v}}", error),
    "average": Use(0.8, 0.5, f"{LOSS}\n  ema {{v}}", error),
    "share": Use(0.25, 0.5, f"{LOSS}\n  validate {{v}}", error),
    "seed": Use(7, 3, f"{LOSS}\n  seed {{v}}", error),
}
USES = {**EXPRESSIONS, **DRAWS, **SETTINGS}
BLOCKS = """block scaled(k) { in * k -> tanh }
block cut(k) { in -> reshape [N, k, 1] -> mul k }
block judged(s: [N, _], t: [N], k) { ((s, t) -> cross_entropy ignore_index=k) * 2 + (s -> square -> mean) }
block applied(stage) { in -> stage -> mul 2 }
"""
SPEC = """{blocks}{top}model m{model} {{
  x = input 6
{of_model}  c = x -> dense 8 tanh as hidden -> dense 3 as head
  w = param [3] init=normal(1) as w
  out c
}}
train {name}{section} for m{call} {{
  y = input [] int64
  z = input 3
  error = c - z -> square -> mean
{of_section}  {lines}
}}
{derived}"""
OWN = """{blocks}{top}x = input 6
c = x -> dense 8 tanh as hidden -> dense 3 as head
w = param [3] init=normal(1) as w
out c
train t {{
  y = input [] int64
  z = input 3
  error = c - z -> square -> mean
  {lines}
}}
"""
"""A file whose own statements are the model, and whose `let`s are its parameters."""
OUTPUT = """{blocks}model m {{
  x = input 6
  y = input [] int64
  z = input 3
  c = x -> dense 8 tanh as hidden -> dense 3 as head
  w = param [3] init=normal(1) as w
  error = c - z -> square -> mean
  {lines}
  out loss
}}
"""
"""The lines of a section as lines of a model, whose output is the loss."""


def shown(value: Any) -> str:
    """A value as a text has it."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case list():
            return f"[{', '.join(map(shown, value))}]"
    return repr(value)


class Binding(NamedTuple):
    """`name` stands for the value; the other fields are what a spec has for it: statements in its places, parameters of the model and the
    section, arguments of the section for its model, and of a `derived` section for its base. `set` is by `--set`. `own`: in a file whose
    own statements are the model."""

    name: str
    top: str = ""
    model: str = ""
    of_model: str = ""
    section: str = ""
    call: str = ""
    of_section: str = ""
    derived: str = ""
    set: dict[str, Any] = {}
    own: bool = False


def bindings(use: Use) -> dict[str, Binding]:
    """All ways in which the value gets a name."""
    v, d = shown(use.value), shown(use.decoy)
    value = tuple(use.value) if isinstance(use.value, list) else use.value
    found = {
        "let of the file": Binding("k", top=f"let k = {v}"),
        "let of the model": Binding("k", of_model=f"let k = {v}"),
        "let of the section": Binding("k", of_section=f"let k = {v}"),
        "parameter of the model": Binding("k", model=f"k={v}"),
        "parameter of the model, set": Binding("k", model=f"k={d}", set={"k": value}),
        "parameter of the model, set by the section": Binding("k", model=f"k={d}", call=f"k={v}"),
        "let of a parameter": Binding("q", model=f"k={v}", of_model="let q = k"),
        "parameter of the section": Binding("k", section=f"k={v}"),
        "parameter of the section, set": Binding("k", section=f"k={d}", set={"k": value}),
        "parameter of both": Binding("k", model=f"k={d}", section=f"k={v}", call="k=k"),
        "parameter of both, another in the model": Binding("k", model=f"k={d}", section=f"k={v}", call=f"k={d}"),
        "default in terms of a let": Binding("k", top=f"let q = {v}", section="k=q"),
        "parameter of the base": Binding("k", section=f"k={d}", derived=f"k={v}"),
        "item of a list": Binding("ks[1]", top=f"let ks = [{d}, {v}]"),
        "item of a parameter": Binding("ks[-1]", model=f"ks=[{d}, {v}]"),
        "item of the section's parameter": Binding("ks[1]", section=f"ks=[{d}, {v}]"),
        "item of an inner list": Binding("k", section=f"ks=[[{d}, {d}], [{v}, {d}]]", of_section="let k = ks[1][0]"),
        "item of an inner list of the model": Binding("k", model=f"ks=[[{d}], [{v}, {d}]]", of_model="let k = ks[1][0]"),
        "part of a list": Binding("k", top=f"let (_, k) = [{d}, {v}]"),
        "function": Binding(f"pick({d}, {v})", top="fn pick(a, b) = b"),
        "function of a let": Binding("pick(1)", top=f"let q = {v}\nfn pick(a) = q"),
        "function of a parameter": Binding("pick(k)", top="fn pick(a) = a", model=f"k={v}"),
        "choice": Binding("k", section=f"on=true, a={v}, b={d}", of_section="let k = a if on else b"),
        "let of the file's own model": Binding("k", top=f"let k = {v}", own=True),
        "let of the file's own model, set": Binding("k", top=f"let k = {d}", set={"k": value}, own=True),
    }
    match use.value:
        case bool():
            found["condition"] = Binding("(q > 1)", section=f"q={2 if use.value else 0}")
        case int():
            found["sum"] = Binding("(q - 4)", model=f"q={use.value + 4}")
            found["quotient"] = Binding("k", top=f"let q = {use.value * 6}", section="k=q // 6")
            found["length"] = Binding("len(q)", section=f"q={[0] * use.value}")
        case float():
            found["half"] = Binding("(q / 2)", model=f"q={use.value * 2!r}")
            found["half in the section"] = Binding("k", section=f"q={use.value * 2!r}", of_section="let k = q * 0.5")
    return found


def literal(use: Use, own: bool = False) -> Binding:
    """The value itself."""
    return Binding(shown(use.value), own=own)


Bound = tuple[Use, Binding]
_NAMES = re.compile(r"\b(k|ks|q|a|b|on|pick|tab|top|first|h|u|loss|other)\b(?!\.)")
"""What bindings and uses call things."""


def section(*bound: Bound) -> Section:
    """The spec of several uses, each with its value as its binding says; the loss is the sum of theirs."""
    if len(bound) == 1:
        return _section(bound, [use.lines.replace("{v}", binding.name) for use, binding in bound])
    several = [(use, _numbered(binding, i)) for i, (use, binding) in enumerate(bound)]
    lines = [_with_number(use.lines, i).replace("{v}", binding.name) for i, (use, binding) in enumerate(several)]
    return _section(several, [*lines, "loss = " + " + ".join(f"loss{i}" for i in range(len(bound)))])


def _section(bound: Sequence[Bound], lines: list[str]) -> Section:
    given = [binding for _, binding in bound]
    params = {name: value for one in given for name, value in one.set.items()}
    top = "".join(f"{one.top}\n" for one in given if one.top)
    text = "\n  ".join(lines)
    if given[0].own:
        return Section(OWN.format(blocks=BLOCKS, top=top, lines=text), params)
    model, declared = (_brackets(getattr(one, name) for one in given) for name in ("model", "section"))
    call = "".join(f" {one.call}" for one in given if one.call)
    inner = {name: "".join(f"  {getattr(one, name)}\n" for one in given if getattr(one, name)) for name in ("of_model", "of_section")}
    derived = " ".join(one.derived for one in given if one.derived)
    name, after = ("b", f"train t = b {derived}\n") if derived else ("t", "")
    fields = {"top": top, "model": model, "section": declared, "call": call, "name": name, "derived": after, **inner}
    return Section(SPEC.format(blocks=BLOCKS, lines=text, **fields), params)


def output(use: Use) -> str:
    """The lines of a use, with the literal, in a model whose output is the loss."""
    return OUTPUT.format(blocks=BLOCKS, lines=re.sub(r"\bmetric ", "", use.lines.replace("{v}", shown(use.value))))


def _brackets(parameters: Iterable[str]) -> str:
    found = ", ".join(one for one in parameters if one)
    return f"({found})" if found else ""


def _with_number(text: str, number: int) -> str:
    return _NAMES.sub(rf"\g<1>{number}", text)


def _numbered(binding: Binding, number: int) -> Binding:
    texts = {name: _with_number(value, number) for name, value in binding._asdict().items() if isinstance(value, str)}
    return binding._replace(**texts, set={f"{name}{number}": value for name, value in binding.set.items()})


def tensors_of(model: torch.nn.Module, batch: Tensors) -> dict[str, Tensor]:
    """The tensors that a section names, by PyTorch's own functions."""
    p = dict(model.named_parameters())
    hidden = torch.tanh(F.linear(batch["x"], p["hidden.weight"], p["hidden.bias"]))
    c = F.linear(hidden, p["head.weight"], p["head.bias"])
    return {**batch, "c": c, "w": p["w"], "error": (c - batch["z"]).square().mean()}


def batch(count: int = 12, seed: int = 0) -> dict[str, Tensor]:
    """Samples, one of them constant."""
    generator = torch.Generator().manual_seed(seed)
    x, z = torch.randn(count, 6, generator=generator), torch.randn(count, 3, generator=generator)
    x[0] = 3.0
    drawn = {f"u{n}": torch.zeros(count, dtype=torch.int64) for n in ("", 0, 1, 2)}
    return {"x": x, "y": torch.randint(0, 3, (count,), generator=generator), "z": z, **drawn}
