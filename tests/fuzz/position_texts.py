"""Random specs with a mask and with documents: most of them hide something in one of many ways, rightly or not.

In: a generator of random numbers. Out: a text with inputs `x`, `y` [T, 4], `mask` [T] bool and `documents` [T] int64, and a few outputs.
Always: the same numbers give the same text.
"""

from __future__ import annotations

from random import Random

INPUTS = ("x = input [T, 4]", "y = input [T, 4]", "mask = input [T] bool", "documents = input [T] int64")
FIRST = {"vector": ["x", "y"], "keys": ["(mask -> unsqueeze 1)"], "queries": ["(mask -> unsqueeze 2)"]}
RULES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("same", "({} -> unsqueeze 1) == ({} -> unsqueeze 2)", ("documents", "documents")),
    ("same", "({} -> unsqueeze 1) == ({} -> unsqueeze 2)", ("mask", "mask")),
    ("same", "({}, {}) -> logical_and", ("pairs", "pairs")),
    ("same", "({}, {}) -> logical_or", ("pairs", "pairs")),
    ("same", "({}, {}) -> logical_xor", ("pairs", "pairs")),
    ("same", "{} -> logical_not", ("pairs",)),
    ("same", "table (n, i, j) [1, T, T] bool = j <= i", ()),
    ("same", "{} -> transpose 1 2", ("pairs",)),
    ("bias", "(1 - ({} -> cast float32)) * (-10000)", ("pairs",)),
    ("bias", "(({} -> cast float32) - 1) * 3", ("pairs",)),
    ("bias", "(({} -> cast float32) * 0, {}) -> masked_fill (-inf)", ("pairs", "pairs")),
    ("vector", "{} + {}", ("vector", "vector")),
    ("vector", "{} * {}", ("vector", "column")),
    ("vector", "{} - {}", ("vector", "pooled")),
    ("vector", "({}, {}) -> where other=0", ("queries", "vector")),
    ("vector", "({}, {}) -> masked_fill 0", ("vector", "queries")),
    ("vector", "{} -> dense 4 tanh", ("vector",)),
    ("vector", "{} -> layer_norm", ("vector",)),
    ("vector", "{} -> softmax axis=1", ("vector",)),
    ("vector", "{} -> cumsum axis=1", ("vector",)),
    ("vector", "{} -> roll 1 axis=1", ("vector",)),
    ("vector", "{} -> pad [0, 0, 1, -1]", ("vector",)),
    ("vector", "{} -> flip axis=1", ("vector",)),
    ("vector", "{} -> transpose 1 2 -> conv 4 1 -> transpose 1 2", ("vector",)),
    ("vector", "{} -> transpose 1 2 -> conv 4 3 padding=1 -> transpose 1 2", ("vector",)),
    ("vector", "{} -> reshape [N * T, 2, 2] -> reshape [N, T, 4]", ("vector",)),
    ("vector", "{} -> reshape [N, 4, T] -> transpose 1 2", ("vector",)),
    ("vector", "{} -> transpose 1 2 -> reshape [N, T, 4]", ("vector",)),
    ("vector", '{} -> rearrange "n t (h d) -> n h t d" h=2 -> rearrange "n h t d -> n t (d h)"', ("vector",)),
    ("vector", "({}, {}, {}, {}) -> attention", ("vector", "vector", "vector", "pairs")),
    ("vector", "({}, {}, {}, {}) -> attention", ("vector", "vector", "vector", "bias")),
    ("vector", "{} -> multihead_attention 2 key_padding_mask=({} -> squeeze axis=2 -> logical_not)", ("vector", "queries")),
    ("vector", "{} -> multihead_attention 2", ("vector",)),
    ("vector", "{} @ {}", ("scores", "vector")),
    ("vector", "{} -> expand [N, T, 4]", ("pooled",)),
    ("vector", "({}, {}) -> concat axis=1 -> slice 1 start=1", ("pooled", "vector")),
    ("vector", "({}, {}) -> concat axis=1 -> slice 1 start=1", ("vector", "pooled")),
    ("vector", "({}, {}) -> concat axis=1 -> slice 1 stop=T", ("pooled", "vector")),
    ("vector", "({}, {}) -> concat axis=1 -> slice 1 stop=T", ("vector", "pooled")),
    ("pooled", "({}, {}) -> concat axis=1 -> slice 1 stop=1", ("pooled", "vector")),
    ("pooled", "({}, {}) -> concat axis=1 -> sum axis=1 keepdim=true", ("pooled", "vector")),
    ("tokens", "({}, {}) -> concat axis=1", ("pooled", "vector")),
    ("tokens", "{} + {}", ("tokens", "tokens")),
    ("tokens", "({}, {}, {}, (table (n, t) [N, 1] bool = n >= 0, mask) -> concat axis=1 -> unsqueeze 1) -> attention", ("tokens",) * 3),
    ("vector", "{} -> slice 1 start=1", ("tokens",)),
    ("vector", "{} -> slice 1 stop=T", ("tokens",)),
    ("pooled", "{} -> slice 1 stop=1", ("tokens",)),
    ("column", "{} -> cast float32", ("queries",)),
    ("column", "{} -> sum axis=2 keepdim=true -> tanh", ("vector",)),
    ("scores", "{} @ ({} -> transpose 1 2)", ("vector", "vector")),
    ("scores", "({}, {}) -> masked_fill (-inf)", ("scores", "pairs")),
    ("scores", "({}, {}) -> masked_fill 0", ("scores", "pairs")),
    ("scores", "({}, {}) -> where other=(-10000)", ("pairs", "scores")),
    ("scores", "{} + {}", ("scores", "bias")),
    ("scores", "{} * ({} -> cast float32)", ("scores", "pairs")),
    ("scores", "{} -> softmax axis=2", ("scores",)),
    ("scores", "{} -> softmax axis=1", ("scores",)),
    ("scores", "{} -> transpose 1 2", ("scores",)),
    ("scores", "{} -> tril", ("scores",)),
    ("scores", "{} / ({} -> sum axis=2 keepdim=true)", ("scores", "scores")),
    ("scores", "{} -> relu", ("scores",)),
    ("pooled", "{} -> mean axis=1 keepdim=true", ("vector",)),
    ("pooled", "{} -> sum axis=1 keepdim=true", ("vector",)),
    ("pooled", "{} -> select 1 0 -> unsqueeze 1", ("vector",)),
    ("pooled", "{} -> slice 1 stop=1", ("vector",)),
    ("pooled", "{} / ({} -> cast float32 -> sum axis=1 keepdim=true)", ("pooled", "queries")),
    ("pooled", "{} -> slice 1 stop=1", ("expanded",)),
    ("pooled", "({} -> reshape [N, T * 4] -> slice 1 stop=4) -> unsqueeze 1", ("vector",)),
)
CAUSAL: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("same", "table (n, i, j) [1, T, T] bool = j < i", ()),
    ("same", "table (n, i, j) [1, T, T] bool = j > i - 2", ()),
    ("same", "table (n, i, j) [1, T, T] bool = j // 2 <= i // 2", ()),
    ("bias", "table (n, i, j) [1, T, T] = where(j <= i, i - j, -inf)", ()),
    ("bias", "table (n, i, j) [1, T, T] = where(j < i, 0.0, -20000.0)", ()),
    ("scores", "({} + 0, {}) -> masked_fill 0", ("bias", "same")),
    ("scores", "{} -> triu", ("scores",)),
    ("scores", "{} -> tril diagonal=-1", ("scores",)),
    ("scores", "{} -> cumsum axis=2", ("scores",)),
    ("vector", "({}, {}, {}) -> attention causal=true", ("vector",) * 3),
    ("vector", "({}, {}, {}) -> attention causal=true", ("vector",) * 3),
    ("vector", "({}, {}, {}) -> attention causal=true window=2", ("vector",) * 3),
    ("vector", "{} -> multihead_attention 2 causal=true", ("vector",)),
    ("vector", "{} -> transpose 1 2 -> pad [2, 0] -> conv 4 3 -> transpose 1 2", ("vector",)),
    ("vector", "{} -> transpose 1 2 -> conv 4 3 padding=2 -> slice 2 stop=T -> transpose 1 2", ("vector",)),
    ("vector", "{} -> transpose 1 2 -> conv 4 3 padding=2 padding_mode=circular -> slice 2 stop=T -> transpose 1 2", ("vector",)),
    ("vector", "{} -> transpose 1 2 -> conv 4 2 -> transpose 1 2", ("tokens",)),
    ("vector", "{} -> transpose 1 2 -> pad [2, 0] -> max_pool 3 stride=1 -> transpose 1 2", ("vector",)),
    ("vector", "{} -> transpose 1 2 -> avg_pool 2 stride=1 padding=1 -> slice 2 stop=T -> transpose 1 2", ("vector",)),
    ("index", "((mask -> cast int64 -> sum axis=1) - 1) % T", ()),
    ("index", "(mask -> cast int64 -> sum axis=1) % T", ()),
    ("index", "({} + (documents -> slice 1 stop=1 -> squeeze 1)) % T", ("index",)),
    ("pooled", "({}, {} -> reshape [N, 1, 1] -> expand [N, 1, 4]) -> gather axis=1", ("vector", "index")),
    ("pooled", "({} -> flatten 0 1, (table (i) [N] = i * T) + {}) -> index_select axis=0 -> unsqueeze 1", ("vector", "index")),
    ("vector", "{} -> gru 4", ("vector",)),
    ("vector", "{} -> lstm 2 bidirectional=true", ("vector",)),
    ("vector", "{} -> scan (h = (table (n, i) [N, 4] = 0.0)) axis=1 {{ h = h * 0.5 + in; out h }}", ("vector",)),
    ("vector", "{} -> scan (h = (table (n, i) [N, 4] = 0.0)) axis=1 {{ h = h - (in -> mean axis=0 keepdim=true); out h }}", ("vector",)),
    ("vector", "{} -> pad [0, 0, -1, 1]", ("vector",)),
    ("vector", "{} -> transpose 1 2 -> pad [2, 0] mode=replicate -> conv 4 3 -> transpose 1 2", ("vector",)),
    ("vector", "{} -> transpose 1 2 -> pad [1, 1] mode=replicate -> slice 2 stop=T -> transpose 1 2", ("vector",)),
    ("vector", "({}, {} -> slice 1 stop=(T - 1)) -> concat axis=1", ("pooled", "vector")),
    ("vector", "({} -> slice 1 stop=(T - 1), {}) -> concat axis=1", ("vector", "pooled")),
    ("tokens", "{} -> pad [0, 0, 1, 0]", ("vector",)),
    ("tokens", "{} -> pad [0, 0, 0, 1]", ("vector",)),
    ("tokens", "{} -> transpose 1 2 -> conv 4 2 padding=1 -> transpose 1 2", ("vector",)),
    ("tokens", "{} -> cumsum axis=1", ("tokens",)),
    ("tokens", "({}, {}, {}) -> attention causal=true", ("tokens",) * 3),
)
"""Stages that depend on earlier positions, and some that only look as if they did."""
"""A kind of tensor, its text, and the kinds of its operands. `pairs` are masks of queries and keys, which may broadcast."""
JOINED = {"pairs": ("same", "keys", "queries"), "expanded": ("vector",), "documents": (), "mask": ()}


def position_text(random: Random) -> str:
    """A random text."""
    names = {kind: list(first) for kind, first in FIRST.items()}
    lines = list(INPUTS)
    # Nearly all of the other stages mix positions, so that few texts of both kinds are proved unless they are short.
    is_causal = random.random() < 0.4
    stages, most = ((*RULES, *CAUSAL * 4), 7) if is_causal else (RULES, 14)
    for number in range(random.randint(4, most)):
        kind, text, operands = random.choice(stages)
        choices = [_choose(names, operand) for operand in operands]
        if not all(choices):
            continue
        lines.append(f"v{number} = {text.format(*(random.choice(choice) for choice in choices))}")
        names.setdefault(kind, []).append(f"v{number}")
    outputs = [name for kind in ("vector", "scores", "pooled", "column", "tokens") for name in names.get(kind, ())[-2:] if name[0] == "v"]
    kept = outputs or ["(x + 0)"]
    # Whatever no output needs is no mistake of these texts.
    lines += [f"out_{number} = {name} + 0" for number, name in enumerate(kept)]
    return "\n".join([*lines, f"out {', '.join(f'out_{number}' for number in range(len(kept)))}"])


def _choose(names: dict[str, list[str]], kind: str) -> list[str]:
    """The tensors that fit, the last ones more often."""
    if kind in FIRST or kind not in JOINED:
        found = names.get(kind, [])
    else:
        found = [name for one in JOINED[kind] for name in names.get(one, [])] or ([kind] if not JOINED[kind] else [])
    return [*found, *found[-2:]]
