"""Members of a sequence that are several in turn are added in a loop; the sequence is the same, member by member."""

from __future__ import annotations

import pytest
from parity import agree

import netc

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
