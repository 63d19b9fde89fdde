"""Members of a sequence that are several in turn are added in a loop; the sequence is the same, member by member."""

from __future__ import annotations

import pytest

import netc
from tests.parity import agree

VGG = (
    "(repeat (w, n) in zip([4, 6, 8, 8], [1, 2, 3, 3]) { "
    "repeat n { conv w 3x3 padding=1 -> batch_norm -> relu } -> max_pool 1 }) as features"
)
WRITTEN = {
    "stages": (
        f"input 3x8x8 -> {VGG}",
        [
            "in_channels = 3",
            "for stage in ((4,), (6, 6), (8, 8, 8), (8, 8, 8)):",
            "for out_channels in stage:",
            "layers += [",
            "in_channels = out_channels",
            "layers.append(nn.MaxPool2d(1))",
            "self.features = nn.Sequential(*layers)",
        ],
    ),
    "units": (
        "input 5 -> (repeat w in [4, 6, 5, 7, 3] { dense w -> tanh } -> dense 2) as body",
        ["in_features = 5", "for out_features in (4, 6, 5, 7, 3):", "in_features = out_features", "layers.append(nn.Linear(3, 2))"],
    ),
    "rates": (
        "input 4 -> (dense 4 -> repeat rate in [0.1, 0.2, 0.5, 0.25, 0.3] { dense 4 -> dropout rate }) as body",
        ["layers: list[nn.Module] = [nn.Linear(4, 4)]", "for p in (0.1, 0.2, 0.5, 0.25, 0.3):"],
    ),
    "by an argument": (
        "model net(width=4) { input 4 -> (repeat rate in [0.1, 0.2, 0.5, 0.25] { dense width -> relu -> dropout rate }) as body }",
        ["for"],
    ),
    "in a branch": (
        "block b(x: [N, D], deep) {\n"
        "  x -> (dense 4 -> if deep { repeat w in [4, 6, 5, 7, 3] { dense w -> tanh } } -> dense 4) as body -> relu }\n"
        "input 3 -> b true -> b false",
        ["if deep:", "for out_features in (4, 6, 5, 7, 3):"],
    ),
}
LISTED = {
    "too few": "input 5 -> (repeat w in [4, 6] { dense w -> tanh } -> dense 2) as body",
    "several numbers": "input 3x9x9 -> (repeat (w, k) in zip([4, 6, 5, 7], [3, 1, 3, 1]) { conv w kernel=k -> tanh }) as body",
    "unlike": "input 5 -> (dense 4 tanh -> dense 6 relu -> dense 5 gelu -> dense 3 tanh -> dense 2 relu) as body",
    "with keys": "input 5 -> (repeat (i, w) in enumerate([4, 6, 5, 7]) { dense w as fc{i} -> tanh }) as body",
}


@pytest.mark.parametrize("case", WRITTEN)
def test_written_as_a_loop(case: str) -> None:
    text, lines = WRITTEN[case]
    model = netc.compile(text)
    assert model.diagnostics == ()
    source = model.source()
    at = 0
    for line in lines:
        assert line in source[at:]
        at = source.index(line, at)
    agree(model)


@pytest.mark.parametrize("case", LISTED)
def test_written_as_a_list(case: str) -> None:
    model = netc.compile(LISTED[case])
    assert "layers +=" not in model.source()
    agree(model)


def test_names_are_free() -> None:
    """The variables of the loop are no arguments of the constructor."""
    text = (
        "model net(out_features=3, layers=2, in_features=5, stage=1) {\n"
        "input in_features -> (repeat w in [4, 6, 5, 7, 3] { dense w -> tanh } -> dense out_features) as body\n"
        "  -> dense layers -> dense stage }"
    )
    model = netc.compile(text)
    agree(model)
    scope: dict[str, object] = {}
    exec(model.source(), scope)
    judge = netc.compile(text, params={"out_features": 6, "layers": 9})
    made = scope["Net"](out_features=6, layers=9)  # type: ignore[operator]
    assert {k: tuple(v.shape) for k, v in made.state_dict().items()} == {k: p.shape for k, p in judge.parameters.items()}


COMPREHENSIONS = {
    "powers": ("input 3x9 -> repeat i in 0..5 as l { conv 3 3 padding=(2 ** i) dilation=(2 ** i) }", "dilation=2**i) for i in range(5)"),
    "later powers": (
        "input 3x81 -> repeat d in [9, 27, 81, 243] as l { conv 3 3 padding=d dilation=d }",
        "padding=3**i, dilation=3**i) for i in range(2, 6)",
    ),
    "powers next to labels": (
        "input 3x9 -> (repeat i in 0..5 { conv 3 3 padding=(2 ** i) dilation=(2 ** i) as c{i + 2} }) as b",
        "padding=2 ** (i - 2)",
    ),
    "again and again": ("input 3x9 -> repeat d in [1, 3, 1, 3, 1, 3] as l { conv 3 3 padding=d dilation=d }", "(1, 3) * 3"),
    "powers again and again": (
        "input 3x9 -> repeat i in 0..12 as l { conv 3 3 padding=(2 ** (i % 4)) dilation=(2 ** (i % 4)) }",
        "for _ in range(3) for i in range(4))",
    ),
    "halves, and items of arguments": (
        "block b(kernels, pads) {\n"
        "  in -> repeat (i, k) in enumerate(kernels) as _ { conv (in.channels // 2) k padding=pads[i] as l.{i} -> relu }\n"
        "}\n"
        "let width = 16; x = input [width, 9]; (x -> b [3, 1, 5] [1, 0, 2] as a) + (x -> b [1, 3, 3] [0, 1, 1] as b)",
        "(in_channels // 2**i, in_channels // 2 ** (i + 1), kernel_size=kernels[i], padding=pads[i])",
    ),
    "steps rather than powers": (
        "input 3x9 -> repeat d in [1, 2, 3, 4, 5] as l { conv 3 3 padding=d dilation=d }",
        "dilation=i) for i in range(1, 6)",
    ),
    "items of an argument": (
        "block b(dilations) { in -> repeat d in dilations as l { conv 3 3 padding=d dilation=d } }\n"
        "input 3x9 -> b [1, 5, 2] as a -> b [3, 1, 7] as b",
        "for dilation in dilations",
    ),
    "equal ones after the first": ("input 5 -> repeat 6 as l { dense 4 }", "*(nn.Linear(4, 4) for _ in range(5))"),
}


@pytest.mark.parametrize("case", COMPREHENSIONS)
def test_comprehensions(case: str) -> None:
    text, written = COMPREHENSIONS[case]
    model = netc.compile(text)
    assert model.diagnostics == ()
    assert written in model.source()
    agree(model)
