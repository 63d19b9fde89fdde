"""The moving picture of README.md: a network is typed, netc reports an error, the error is mended, and the shapes follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from editor_states import EditorState, Line, check_text, color_lines, emit_class
from window_svg import BAR, LEADING, color_report, draw_code, draw_line, draw_rule, draw_text, draw_window

from netc.highlighting import NetLexer

NAME = "residual.net"
START = """\
image = input 3x32x32
h = image -> conv 16 3x3 padding=1 relu
"""
TYPED = "h + (h -> conv 16 3x3) -> global_avg_pool -> dense 10"
FIX = " padding=1"
SIZES, SYMBOLS = "32x32", "HxW"
KEY = 0.055
"""Seconds for a key."""
WIDTH = 740
CODE = BAR + 26
PANEL = CODE + 3 * LEADING
HEIGHT = PANEL + 22 + 6 + 13 * LEADING + 18


@dataclass(frozen=True)
class Frame:
    """An editor above a panel, for some seconds. `command` and `output` are in the panel."""

    state: EditorState
    cursor: tuple[int, int]
    command: str
    output: tuple[Line, ...]
    seconds: float


def storyboard() -> tuple[Frame, ...]:
    """Return the frames in their order. Whenever no key is pressed, netc has checked the text."""
    wrong = START + TYPED
    at = wrong.index(")")
    mended = wrong[:at] + FIX + wrong[at:]
    size = mended.index(SIZES)
    symbolic = mended.replace(SIZES, SYMBOLS)
    first = _checked(START, len(START), 1.2)
    frames = [first, *_typing(first, START, len(START), TYPED)]
    frames.append(_checked(wrong, len(wrong), 5.0))
    frames += _typing(frames[-1], wrong, at, FIX)
    frames.append(_checked(mended, at + len(FIX), 3.5))
    erased = [mended[: size + n] + mended[size + len(SIZES) :] for n in range(len(SIZES) - 1, -1, -1)]
    frames += [_unchecked(frames[-1], text, size + n) for text, n in zip(erased, range(len(SIZES) - 1, -1, -1), strict=True)]
    frames += _typing(frames[-1], erased[-1], size, SYMBOLS)
    frames.append(_checked(symbolic, size + len(SYMBOLS), 4.5))
    return tuple(frames)


def _checked(text: str, offset: int, seconds: float) -> Frame:
    state = check_text(text, NAME)
    if state.errors:
        return Frame(state, _place(text, offset), f"$ netc check {NAME}", color_report(state.report), seconds)
    return Frame(state, _place(text, offset), f"$ netc compile {NAME} --target torch", emit_class(text, NAME), seconds)


def _typing(before: Frame, text: str, at: int, typed: str) -> Iterator[Frame]:
    """The frames after each key but the last. An editor checks again once no key is pressed."""
    for count in range(1, len(typed)):
        before = _unchecked(before, text[:at] + typed[:count] + text[at:], at + count)
        yield before


def _unchecked(before: Frame, text: str, offset: int) -> Frame:
    """The text with the shapes of the last check, except in the line that changes."""
    line, column = _place(text, offset)
    shapes = {number: shape for number, shape in before.state.shapes.items() if number != line}
    state = replace(before.state, lines=color_lines(text, NetLexer()), shapes=shapes, errors=())
    return replace(before, state=state, cursor=(line, column), seconds=KEY)


def _place(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n"), len(before) - before.rfind("\n") - 1


def draw_animation() -> str:
    """Return the SVG file. A reader who prefers no motion sees the error, and so does a viewer without CSS animations."""
    frames = storyboard()
    editors = [("\n".join(draw_code(frame.state, CODE, frame.cursor)), frame.seconds) for frame in frames]
    panels = [("\n".join(_panel(frame)), frame.seconds) for frame in frames]
    body, css = [draw_rule(PANEL, WIDTH)], ["@media(prefers-reduced-motion:reduce){.a{animation-name:none!important}}"]
    for letter, shown in (("e", editors), ("p", panels)):
        layers = _merge(shown)
        total = sum(seconds for _, seconds in layers)
        still = max(range(len(layers)), key=lambda number: layers[number][1])
        begin = 0.0
        for number, (drawing, seconds) in enumerate(layers):
            name = f"{letter}{number}"
            css.append(_keyframes(name, 100 * begin / total, 100 * (begin + seconds) / total))
            body += [f'<g class="a{" still" if number == still else ""}" style="animation-name:{name}">', drawing, "</g>"]
            begin += seconds
    css.append(f".a{{visibility:hidden;animation:{total:.2f}s step-end infinite}}.still{{visibility:visible}}")
    return draw_window(NAME, body, WIDTH, HEIGHT, "".join(reversed(css)))


def _merge(shown: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Equal drawings in a row as one that stays longer."""
    merged: list[tuple[str, float]] = []
    for drawing, seconds in shown:
        if merged and merged[-1][0] == drawing:
            seconds += merged.pop()[1]
        merged.append((drawing, seconds))
    return merged


def _keyframes(name: str, begin: float, end: float) -> str:
    steps = {0.0: "hidden"} | {begin: "visible"} | ({end: "hidden"} if end < 99.999 else {})
    return f"@keyframes {name}{{{''.join(f'{at:.3f}%{{visibility:{value}}}' for at, value in steps.items())}}}"


def _panel(frame: Frame) -> Iterator[str]:
    yield draw_line(((frame.command, "faint"),), PANEL + 22, size="head")
    yield from draw_text(frame.output, PANEL + 22 + LEADING + 6)
