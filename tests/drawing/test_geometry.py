"""Nothing overlaps, nothing is cut, no wire passes through a box: for published networks, and for graphs drawn at random."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from drawing.geometry import problems

import netc
from netc.drawing.drawing import draw_level
from netc.drawing.picture import Box, Level, Wire
from netc.drawing.picture_levels import make_picture

SPECS = Path(__file__).parents[2] / "specs"
NETWORKS: list[tuple[str, str | None]] = [
    ("seed/mlp.net", None),
    ("vision/resnet.net", "resnet50"),
    ("unet.net", None),
    ("text/bert.net", "bert_base"),
    ("text/llama.net", "llama_7b"),
    ("text/t5.net", "t5_small"),
    ("generative/ddpm.net", None),
    ("vision/googlenet.net", None),
    ("vision/densenet.net", "densenet121"),
    ("sequences/seq2seq.net", "luong"),
]


@pytest.mark.share(4)
@pytest.mark.parametrize(("path", "model"), NETWORKS, ids=[path for path, _ in NETWORKS])
@pytest.mark.parametrize("depth", [None, 0, 2])
def test_published_networks(path: str, model: str | None, depth: int | None) -> None:
    made = make_picture(netc.compile_file(SPECS / path, model=model).program, depth=depth)
    for page in made.pages[:40]:
        assert problems(draw_level(page.level)) == [], page.title


@pytest.mark.share(4)
@pytest.mark.parametrize("seed", range(40))
def test_graphs_drawn_at_random(seed: int) -> None:
    assert problems(draw_level(_level(random.Random(seed), 3))) == []


def _level(draw: random.Random, depth: int, inside: bool = False) -> Level:
    """Boxes with texts of all lengths, connected at random; some are frames."""
    ends = [Box("port" if inside else "input", _word(draw), tags=(("",) if inside else (_word(draw),))) for _ in range(draw.randint(1, 4))]
    boxes, wires = list(ends), []
    for _ in range(draw.randint(1, 14)):
        number = len(boxes)
        frame = _level(draw, depth - 1, True) if depth and draw.random() < 0.25 else None
        exits = 1 if frame is None else sum(box.shape == "port" and not box.tags for box in frame.boxes)
        entries = 1 if frame is None else sum(box.shape == "port" and bool(box.tags) for box in frame.boxes)
        for port in range(entries if frame is not None else draw.randint(0, 4)):
            source = draw.randrange(max(0, number - draw.choice((3, 100))), number)
            if boxes[source].tags:
                wires.append(Wire(source, draw.randrange(len(boxes[source].tags)), number, port if frame is not None else 0))
        tags = tuple(_word(draw) for _ in range(exits if frame is not None else draw.randint(1, 3)))
        lines = tuple(_word(draw) for _ in range(draw.randint(0, 2)))
        boxes.append(
            Box(
                "stage" if frame is None else "block",
                _word(draw),
                lines,
                tags=tags,
                frame=frame,
                exits=tuple(range(exits)),
                times=draw.choice((1, 1, 12)),
            )
        )
    for _ in range(draw.randint(1, 3)):
        source = draw.randrange(len(ends), len(boxes))
        if boxes[source].tags:
            wires.append(Wire(source, 0, len(boxes)))
            boxes.append(Box("port" if inside else "output", _word(draw)))
    return Level(tuple(boxes), tuple(dict.fromkeys(wires)))


def _word(draw: random.Random) -> str:
    return "".join(draw.choice("abcMW .,[]ßπ漢🙂") for _ in range(draw.choice((1, 3, 8, 20, 90))))
