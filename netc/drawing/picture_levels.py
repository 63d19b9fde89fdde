"""Make a picture of a checked program: its boxes, their texts and the wires between them.

For example, `input 3 -> dense 2 relu` is one page with the boxes input, dense1, relu and output, and three wires. A page opens as many
nested levels of blocks as stay readable: at each depth, all boxes are open, or none is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import accumulate

from netc.compiler.analysis.model_cost import StageCost, compute_node_costs
from netc.compiler.ir.graph import CallNode, Graph, Node, Program
from netc.compiler.ir.walk import find_route
from netc.dsl.record import replace

from ..display.model_comparison import Comparison, compare_programs
from ..display.model_summary import Quotients
from .box_text import SizeFormatter
from .drawn_units import DrawnBodies, DrawnBody, DrawnUnit, DrawnValue
from .metrics import label_text
from .picture import Box, Level, Page, Picture, Wire
from .unit_names import find_family, name_unit

MAX_READABLE = 30
"""The most stages that a page shows if the caller gives no depth."""
MAX_DEPTH = 4
"""The most frames within each other if the caller gives no depth."""
MAX_PAGES = 200
MAX_REMOVED = 20
"""The most names of removed stages below a page."""


class NoSuchStage(ValueError):
    """The model has no stage with this path, or there is nothing inside of it."""


def make_picture(
    program: Program, *, pages: int = MAX_PAGES, depth: int | None = None, at: str = "", before: Program | None = None
) -> Picture:
    """The picture of a program, with at most that many pages. `depth` is the number of frames within each other, by default as many as stay
    readable; `at` is the path of a stage to begin with. What differs from the program `before` is marked. Raises `NoSuchStage`."""
    graph, title = program.main, program.main.name
    if at:
        nodes = find_route(graph, at)
        last = nodes[-1] if nodes else None
        if not isinstance(last, CallNode):
            raise NoSuchStage(
                f"`{program.main.name}` has no stage `{at}` with something inside" if last is None else f"nothing is inside `{at}`"
            )
        graph, title = last.graph, at
    return _PictureBuilder(program, depth, None if before is None else compare_programs(before, program)).make_pages(graph, title, pages)


class _LevelBuilder:
    """The boxes of a level, in the order of computation, and the wires between them."""

    def __init__(self) -> None:
        self.boxes: list[Box] = []
        # an ordered set: a stage that takes a value twice, such as `x * x`, has one wire
        self.wires: dict[Wire, None] = {}
        self._sources: dict[int, tuple[int, int]] = {}
        """The box and the tag of each tensor, by the identity of the value."""

    def add_box(self, box: Box, entries: Iterable[tuple[int, int]], results: Sequence[DrawnValue]) -> None:
        """Add a box. `entries` are its input tensors, each with its port, and `results` has a value for each of its tags."""
        number = len(self.boxes)
        self.wires |= dict.fromkeys(Wire(*self._sources[i], number, port) for i, port in entries if i in self._sources)
        for tag, item in enumerate(results):
            self._sources |= dict.fromkeys(item.ids, (number, tag))
        self.boxes.append(box)


class _PictureBuilder:
    """A builder of pages, breadth first: a page for the model, then one for each different body that a page shows closed. If the pages run
    out, the outer levels have theirs."""

    def __init__(self, program: Program, depth: int | None, comparison: Comparison | None) -> None:
        changes, ends = ((), ()) if comparison is None else (comparison.changes, comparison.ends)
        self.marks = {change.path: change.kind for change in changes if change.kind != "removed"}
        self.touched = {path for change in self.marks for path in accumulate(change.split("."), "{}.{}".format)}
        """The paths of changed stages and of all blocks around them."""
        self.ends = {(change.is_input, change.path): change.kind for change in ends}
        removed = [label_text(change.path) for change in (*ends, *changes) if change.kind == "removed"]
        self.notes: tuple[str, ...] = ("green: added, yellow: changed",) if self.marks or self.ends else ()
        if removed:
            rest = len(removed) - MAX_REMOVED
            self.notes += (f"removed: {removed[0]}", *removed[1:MAX_REMOVED], *([f"and {rest:,} others"] if rest > 0 else []))
        self.main = program.main
        self.costs = compute_node_costs(program)
        self.bodies = DrawnBodies()
        self.depth = depth
        self.words = {str(s) for s in program.symbols}
        self.sizes = SizeFormatter(Quotients(set(self.words)))
        self.numbers: dict[tuple[int, ...], int] = {}
        """The numbers of pages by the keys of bodies, so that a block that is used twice has one page."""
        self.waiting: deque[tuple[DrawnBody, str, int | None]] = deque()
        self.here = 0
        self.most = 1
        self.left_out = 0

    def make_pages(self, graph: Graph, title: str, most: int) -> Picture:
        self.most = most
        self._request_page(self.bodies.get_body(graph), title, None)
        pages: list[Page] = []
        while self.waiting:
            body, path, parent = self.waiting.popleft()
            self.here = len(pages)
            pages.append(self._make_page(body, path, parent))
        return Picture(label_text(title), tuple(pages), self.left_out)

    def _request_page(self, body: DrawnBody, path: str, parent: int | None) -> int | None:
        if body.key not in self.numbers:
            if len(self.numbers) >= self.most:
                self.left_out += self.most > 1  # a format with a single page has no links that could be missing
                return None
            # numbered before it is made, so that the page that asks for it can link to it
            self.numbers[body.key] = len(self.numbers)
            self.waiting.append((body, path, parent))
        return self.numbers[body.key]

    def _make_page(self, body: DrawnBody, path: str, parent: int | None) -> Page:
        # anew for each page: its legend explains only the short names on it
        self.sizes = SizeFormatter(Quotients(set(self.words)))
        depth = self._choose_depth(body) if self.depth is None else self.depth
        # paths of stages do not begin with the name of the model, whose page is number 0
        level = self._make_level(body, path if self.numbers[body.key] else "", depth, is_page=True)
        if body.graph is self.main:
            level = self._mark_ends(level, body)
        name = body.graph.name if body.graph.kind == "block" else ""
        return Page(label_text(path), label_text(name), level, (*self.notes, *self.sizes.quotients.make_legend()), parent)

    def _mark_ends(self, level: Level, body: DrawnBody) -> Level:
        """Return the level of the model, with the marks of a comparison on its inputs and outputs."""
        names = [[v.name for v in self.main.inputs if id(v) in item.ids] for item in body.inputs]
        # a level has its inputs first and its outputs last
        inner = len(level.boxes) - len(names) - len(body.outputs)
        kinds = [next((kind for name in group if (kind := self.ends.get((True, name)))), "") for group in names]
        kinds += [""] * inner + [self.ends.get((False, name), "") for name, _ in body.outputs]
        boxes = [replace(box, change=kind) if kind else box for box, kind in zip(level.boxes, kinds, strict=True)]
        return replace(level, boxes=tuple(boxes))

    def _choose_depth(self, body: DrawnBody) -> int:
        depth = 0
        # stop too if the next depth opens nothing
        while depth < MAX_DEPTH and self._count_stages(body, depth) < self._count_stages(body, depth + 1) <= MAX_READABLE:
            depth += 1
        return depth

    def _count_stages(self, body: DrawnBody, depth: int) -> int:
        """Return the number of stages if frames are open to a depth. Counting stops when there are too many."""
        total = 0
        for unit in body.units:
            inside = self._get_inner_body(unit, body.graph) if depth else None
            total += 1 if inside is None else self._count_stages(inside, depth - 1)
            if total > MAX_READABLE:
                break
        return total

    def _get_inner_body(self, unit: DrawnUnit, graph: Graph) -> DrawnBody | None:
        return self.bodies.get_inner_body(self.bodies.unwrap_unit(unit)[0], graph)

    def _make_level(self, body: DrawnBody, path: str, depth: int, is_page: bool) -> Level:
        """Return the level of a body whose frames are open to a depth. `is_page` is False for the inside of an open frame."""
        level = _LevelBuilder()
        for item in body.inputs:
            level.add_box(self._make_input_box(item, is_page, len(body.inputs) == 1), (), (item,))
        used = {id(v) for unit in body.units for v in unit.inputs} | {i for _, item in body.outputs for i in item.ids}
        for unit in body.units:
            entries = self.bodies.find_entries(unit, body.graph)
            results = [
                (exit, item) for exit, item in enumerate(self.bodies.list_results(unit, body.graph)) if any(i in used for i in item.ids)
            ]
            tags = tuple(self._format_type(item) for _, item in results)
            box = replace(self._make_box(unit, body.graph, path, depth), tags=tags, exits=tuple(exit for exit, _ in results))
            # a closed box has no ports
            level.add_box(box, [(i, port if depth > 0 else 0) for i, port in entries], [item for _, item in results])
        for name, item in body.outputs:
            title = name or ("out" if is_page else "")
            box = Box("output" if is_page else "port", label_text(title), about=self._format_type(item))
            level.add_box(box, [(i, 0) for i in item.ids], ())
        return Level(tuple(level.boxes), tuple(level.wires))

    def _make_input_box(self, item: DrawnValue, is_page: bool, is_only: bool) -> Box:
        type = self._format_type(item)
        if is_page:
            return Box("input", label_text(item.name or "in"), tags=(type,), about=type)
        # an empty tag is not drawn, and distinguishes the port from an output, which has none
        return Box("port", label_text("" if is_only else item.name or "in"), tags=("",), about=type)

    def _format_type(self, item: DrawnValue) -> str:
        if item.type is None:
            return f"{item.count} tensors"
        return f"{item.count} × {self.sizes.format_type(item.type)}" if item.value is None else self.sizes.format_type(item.type)

    def _make_box(self, unit: DrawnUnit, graph: Graph, path: str, depth: int) -> Box:
        labels: list[str] = []
        if unit.units:
            first, last = unit.nodes[0].label, unit.nodes[-1].label
            title, times, words = f"{first} … {last}", 1, f"{len(unit.nodes):,} stages"
            inner, place, cost = unit, path, ""
        else:
            node = unit.nodes[0]
            inner, times, labels = self.bodies.unwrap_unit(unit)
            place = f"{path}.{node.label}" if path else node.label
            title, words = name_unit(unit, inner, place)
            words = f"{words} (shared)".strip() if node.shared is not None else words
            words = f"{words} side by side".strip() if unit.parallel else words
            row = self._get_cost(graph, node)
            cost = self.sizes.format_costs(row, unit.times) if row is not None else ""
        inside = self.bodies.get_inner_body(inner, graph)
        lines = tuple(label_text(line) for line in (words, cost) if line)
        box = Box(
            "stage",
            label_text(title),
            lines,
            find_family(inner),
            times=times,
            about=label_text(place),
            change=self._find_change(unit, place),
        )
        if inside is None:
            return box
        # the inside belongs to the innermost of the calls that this box stands for
        place = ".".join([place, *labels]) if place else ".".join(labels)
        if depth:
            # an open frame shows the changes inside, so it has a mark only for a change of its own
            change = self.marks.get(place, box.change if box.about in self.marks else "")
            return replace(box, shape="block", frame=self._make_level(inside, place, depth - 1, is_page=False), change=change)
        return replace(box, shape="block", opens=self._request_page(inside, place or title, self.here))

    def _find_change(self, unit: DrawnUnit, place: str) -> str:
        """Return the mark of a comparison for a unit. A closed box is changed if anything inside differs."""
        around = place if unit.units else place.removesuffix(unit.nodes[0].label).removesuffix(".")
        paths = [f"{around}.{node.label}".removeprefix(".") for node in unit.nodes] if unit.units or unit.parallel else [place]
        return next((self.marks.get(path, "changed") for path in paths if path in self.touched), "")

    def _get_cost(self, graph: Graph, node: Node) -> StageCost | None:
        return self.costs[id(graph)].get(id(node))
