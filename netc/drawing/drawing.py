"""Give a level coordinates: every box, text and curve of a picture.

In: a level. Out: a `Drawing`, from which a file is written without further computation. Always: a box is as wide as its texts need, a tag
is directly below its box, and the wires begin below the tags. The inside of a frame is arranged first, and the wires outside end where the
inputs inside are.

    >>> import netc
    >>> from .picture_levels import make_picture
    >>> drawing = draw_level(make_picture(netc.compile("input 3 -> dense 2 as fc").program).pages[0].level)
    >>> [box.texts[0].text for box in drawing.boxes]
    ['input', 'fc', 'output']
"""

from __future__ import annotations

from collections import Counter

from netc.dsl.record import Record

from .layout import LayoutNode, LayoutWire, Placement, arrange_level
from .metrics import measure_width, truncate_text
from .picture import Box, Level

TITLE, LINE, TAG = 13.0, 11.0, 10.5
"""Sizes of the font."""
TITLE_STEP, LINE_STEP = 18.0, 15.0
PAD = 10.0
FRAME_PAD = 16.0
FRAME_TITLE = 30.0
FRAME_FOOT = 10.0
TAG_HEIGHT = 20.0
TAG_GAP = 10.0
MAX_TEXT_WIDTH = 340.0
"""The largest width of a text, which is cut if it is longer."""
MIN_TEXT_WIDTH = 48.0
ARROW = 10.0
"""The additional width of a box for each arrow beyond the first six."""
PORT = 8.0


class Text(Record):
    """A line of text. `x` is its middle, or its left edge if it is not `centered`, and `y` its baseline."""

    text: str
    x: float
    y: float
    size: float
    style: str
    centered: bool = True

    @property
    def bold(self) -> bool:
        return self.style == "title"

    @property
    def width(self) -> float:
        return measure_width(self.text, self.size, self.bold)


class PlacedBox(Record):
    """A box with coordinates. `height` is without tags. All coordinates, also of texts, tags and the inside, are the picture's."""

    box: Box
    x: float
    y: float
    width: float
    height: float
    texts: tuple[Text, ...]
    tags: tuple[Text, ...] = ()
    stubs: tuple[tuple[float, float, float], ...] = ()
    """Lines from the box to its tags: x, and both y."""
    inside: Drawing | None = None


class Curve(Record):
    """A wire. From the first point, a cubic curve goes to every third one. With an `arrow`, it ends at a box."""

    points: tuple[tuple[float, float], ...]
    arrow: bool


class Drawing(Record):
    boxes: tuple[PlacedBox, ...]
    curves: tuple[Curve, ...]
    width: float
    height: float


class _SizedBox:
    """A box with its size, before it has coordinates."""

    def __init__(self, box: Box, arriving: int) -> None:
        self.box = box
        self.least = min(MIN_TEXT_WIDTH + ARROW * max(0, arriving - 6), MAX_TEXT_WIDTH)
        """The least width, which the arrows at its top need."""
        self.inner = None if box.frame is None else _ArrangedLevel(box.frame)
        self.title = truncate_text(_make_title(box), TITLE, MAX_TEXT_WIDTH, bold=True)
        self.lines = tuple(truncate_text(line, LINE, MAX_TEXT_WIDTH) for line in box.lines)
        self.tags = tuple(truncate_text(tag, TAG, MAX_TEXT_WIDTH) for tag in box.tags)
        self.ends: tuple[float, ...] = ()
        """The x at which wires from above end, relative to its left edge, or nothing if they end near its middle."""
        self.starts: tuple[float, ...] = ()
        self.width, self.height = self._measure_box()
        self._spread_tags()

    def _measure_box(self) -> tuple[float, float]:
        box = self.box
        if box.shape == "port":
            # a port without a title is drawn as a dot
            return max(PORT, measure_width(self.title, TAG) + 12 if self.title else 0), TAG_HEIGHT - 2 if self.title else PORT
        if self.inner is not None:
            # the heading of a frame is one line: its lines are to the right of its title
            head = measure_width(self.title, TITLE, bold=True) + sum(measure_width(line, LINE) + 14 for line in self.lines)
            return max(self.inner.width, head) + 2 * FRAME_PAD, self.inner.height + FRAME_TITLE + FRAME_FOOT
        widest = max(measure_width(self.title, TITLE, bold=True), *(measure_width(line, LINE) for line in self.lines), self.least)
        # a closed box with a page has an arrow at its right edge, which needs 14
        return widest + 2 * PAD + (14 if box.opens is not None else 0), TITLE_STEP + LINE_STEP * len(self.lines) + 12

    def _spread_tags(self) -> None:
        """Place the tags side by side: each below its output if the box is an open frame, else around the middle."""
        widths = [measure_width(tag, TAG) for tag in self.tags]
        total = sum(widths) + TAG_GAP * max(0, len(widths) - 1)
        # tags may be wider than their box, and then they need the space next to it too
        self.whole = max(self.width, total)
        self.shift = (self.whole - self.width) / 2
        """The distance of the box from the left edge of the space that it takes together with its tags."""
        preferred = [0.0] * len(widths)
        if self.inner is not None:
            side = self.shift + (self.width - self.inner.width) / 2
            self.ends = tuple(side + x for x in self.inner.ends)
            preferred = [side + self.inner.starts[exit] - tag_width / 2 for exit, tag_width in zip(self.box.exits, widths, strict=True)]
        else:
            preferred = [(self.whole - total) / 2] * len(widths)
        starts, rest, position = [0.0] * len(widths), total, 0.0
        # from the left: as near to the preferred place as the tags before it, and the space for the tags after it, allow
        for number in sorted(range(len(widths)), key=lambda number: preferred[number] + widths[number] / 2):
            position = min(max(position, preferred[number]), self.whole - rest)
            starts[number] = position + widths[number] / 2
            position += widths[number] + TAG_GAP
            rest -= widths[number] + TAG_GAP
        self.starts = tuple(starts)

    @property
    def tag_height(self) -> float:
        """The height of the tags, 0 without any."""
        return TAG_HEIGHT if any(self.tags) else 0.0

    def make_node(self, ends: bool) -> LayoutNode:
        box = self.box
        # a port with tags is an input of its frame, a port without tags is an output
        first = box.shape == "input" or (box.shape == "port" and bool(box.tags))
        last = box.shape == "output" or (box.shape == "port" and not box.tags)
        return LayoutNode(self.whole, self.height + self.tag_height, self.starts, self.ends if ends else (), first, last)

    def place_box(self, x: float, y: float) -> PlacedBox:
        left = x + self.shift
        if self.inner is not None:
            side = (self.width - self.inner.width) / 2
            inside = self.inner.make_drawing(left + side, y + FRAME_TITLE)
            texts = self._place_heading(left, y)
        else:
            inside = None
            texts = self._place_texts(left + self.width / 2, y)
        bottom = y + self.height
        tags = tuple(
            Text(tag, x + offset, bottom + TAG_HEIGHT - 4.5, TAG, "tag") for tag, offset in zip(self.tags, self.starts, strict=True) if tag
        )
        stubs = tuple((x + offset, bottom, bottom + 4) for tag, offset in zip(self.tags, self.starts, strict=True) if tag)
        return PlacedBox(self.box, left, y, self.width, self.height, texts, tags, stubs, inside)

    def _place_texts(self, middle: float, y: float) -> tuple[Text, ...]:
        if self.box.shape == "port":
            return (Text(self.title, middle, y + 12.5, TAG, "tag"),) if self.title else ()
        # half of the space for the arrow: the texts are centered in the rest
        middle -= 7 if self.box.opens is not None else 0
        title = Text(self.title, middle, y + 19.5, TITLE, "title")
        return (title, *(Text(line, middle, y + 19.5 + LINE_STEP * (n + 1), LINE, "line") for n, line in enumerate(self.lines)))

    def _place_heading(self, left: float, y: float) -> tuple[Text, ...]:
        position = left + FRAME_PAD - 4
        texts = [Text(self.title, position, y + 19.5, TITLE, "title", centered=False)]
        position += texts[0].width + 14
        for line in self.lines:
            texts.append(Text(line, position, y + 19.5, LINE, "line", centered=False))
            position += measure_width(line, LINE) + 14
        return tuple(texts)


def _make_title(box: Box) -> str:
    return f"{box.title} × {box.times:,}" if box.times > 1 else box.title


class _ArrangedLevel:
    """A level whose boxes have places relative to its upper left corner."""

    def __init__(self, level: Level) -> None:
        self.level = level
        arriving = Counter(wire.target for wire in level.wires)
        self.sized = [_SizedBox(box, arriving[number]) for number, box in enumerate(level.boxes)]
        self.wires = [LayoutWire(wire.source, wire.tag, wire.target, wire.port) for wire in level.wires]
        self.place: Placement = arrange_level([sized.make_node(bool(sized.ends)) for sized in self.sized], self.wires)
        self.width, self.height = self.place.width, self.place.height
        self.entries = [number for number, box in enumerate(level.boxes) if box.shape == "port" and box.tags]
        self.exits = [number for number, box in enumerate(level.boxes) if box.shape == "port" and not box.tags]
        self.ends = tuple(self._find_middle(number) for number in self.entries)
        self.starts = tuple(self._find_middle(number) for number in self.exits)

    def _find_middle(self, number: int) -> float:
        return self.place.corners[number][0] + self.sized[number].whole / 2

    def make_drawing(self, x: float, y: float) -> Drawing:
        """Return the drawing with its upper left corner at a point."""
        boxes = tuple(box.place_box(x + corner[0], y + corner[1]) for box, corner in zip(self.sized, self.place.corners, strict=True))
        curves = tuple(
            # a wire continues outside of the frame at a port, so it has no arrowhead there
            Curve(tuple((x + a, y + b) for a, b in route), self.level.boxes[wire.target].shape != "port")
            for wire, route in zip(self.wires, self.place.routes, strict=True)
        )
        return Drawing(boxes, curves, self.width, self.height)


def draw_level(level: Level) -> Drawing:
    """Return the drawing of a level, with its upper left corner at 0, 0."""
    return _ArrangedLevel(level).make_drawing(0.0, 0.0)
