"""Choose colors: one for each kind of operator, in light and dark.

In: the family of an operator, which is the name of the module that declares it. Out: the CSS class of its box, and a style sheet.

    >>> get_kind("convolution"), get_kind("vision"), get_kind("no_such_family")
    ('convolution', 'convolution', 'other')
"""

from __future__ import annotations

from .metrics import FONT

KINDS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "convolution": (("convolution", "vision", "resampling", "folding"), "#cfe3fa", "#1f4468"),
    "dense": (("dense", "linear_algebra", "experts"), "#fbe0c3", "#66401a"),
    "attention": (("attention", "multihead", "rotary"), "#f6cfe0", "#6a2446"),
    "recurrent": (("recurrent", "recurrent_cell"), "#e2d6f8", "#46306f"),
    "normalization": (("normalization",), "#d3f0dc", "#1d5034"),
    "activation": (("activation", "elementwise", "trigonometry", "special"), "#fdf0b8", "#5a4c0d"),
    "pooling": (("pooling", "unpooling", "reduction"), "#cdeff0", "#16505a"),
    "regularization": (("regularization",), "#ececec", "#3d3d42"),
}
"""The families of each kind, and its fill in light and dark."""
OTHER = "other"
THEMES = ("auto", "light", "dark")
LIGHT = {
    "paper": "#ffffff", "ink": "#1d2733", "faint": "#5a6775", "line": "#8592a0", "edge": "#a9b4c0", "frame": "#f6f8fa", OTHER: "#e9edf2",
    "block": "#ffffff", "end": "#ffffff", "added": "#1a7f37", "removed": "#cf222e", "changed": "#9a6700",
}  # fmt: skip
DARK = {
    "paper": "#12161c", "ink": "#e8edf3", "faint": "#a3afbc", "line": "#8492a1", "edge": "#566373", "frame": "#1a2028", OTHER: "#2d3641",
    "block": "#222a34", "end": "#12161c", "added": "#3fb950", "removed": "#f85149", "changed": "#d29922",
}  # fmt: skip
_KIND_OF = {family: kind for kind, (families, _, _) in KINDS.items() for family in families}


def get_kind(family: str) -> str:
    """Return the CSS class of the boxes of a family."""
    return "block" if family == "block" else _KIND_OF.get(family, OTHER)


def make_style_sheet(theme: str) -> str:
    """Return the style sheet. `theme` is `light`, `dark`, or `auto`, which follows the reader's system."""
    if theme == "auto":
        # the dark rules come last, because the later of two equal selectors wins
        return _make_rules(LIGHT, 1) + "@media (prefers-color-scheme:dark){" + _make_color_rules(DARK, 2) + "}"
    return _make_rules(LIGHT, 1) if theme == "light" else _make_rules(DARK, 2)


def _make_rules(colors: dict[str, str], column: int) -> str:
    return (
        f"text{{font-family:{FONT}}}.title{{font-weight:700}}.box,.frame{{stroke-width:1.2}}.curve{{fill:none;stroke-width:1.4}}"
        ".block{stroke-width:1.8}.end{stroke-dasharray:none}" + _make_color_rules(colors, column)
    )


def _make_color_rules(colors: dict[str, str], column: int) -> str:
    fills = "".join(f".{kind}{{fill:{entry[column]}}}" for kind, entry in KINDS.items())
    changes = "".join(f".{c}{{stroke:{colors[c]};stroke-width:3}}" for c in ("added", "removed", "changed"))
    return (
        f".paper{{fill:{colors['paper']}}}.title{{fill:{colors['ink']}}}.line,.tag{{fill:{colors['faint']}}}"
        f".box,.frame{{stroke:{colors['edge']}}}.frame{{fill:{colors['frame']}}}.other{{fill:{colors[OTHER]}}}"
        f".block{{fill:{colors['block']};stroke:{colors['line']}}}.end{{fill:{colors['end']}}}"
        f".curve{{stroke:{colors['line']}}}.head{{fill:{colors['line']}}}{fills}{changes}"
    )
