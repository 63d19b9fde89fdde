"""How diagnostics are shown."""

from __future__ import annotations

from netc.dsl.diagnostics import CallSite, Diagnostic, Edit, Mark
from netc.dsl.diagnostics.render import format_summary, render_short, render_text, sort_and_dedupe, to_json
from netc.dsl.source import SourceFile, Span


def at(file: SourceFile, text: str) -> Span:
    start = file.text.index(text)
    return Span(file, start, start + len(text))


A = SourceFile("a.net", "x = input 3x8x8\ny = x -> conv 64\n\n\n\nz = x + y\nout z\n")
B = SourceFile("b.net", "block f {\n  relu\n}\n")
WHOLE = Diagnostic(
    "error", "shape-mismatch", "cannot add [N, 3] and [N, 64]", at(A, "x + y"), "here", (Mark(at(A, "conv 64"), "[N, 64] made here"),
    Mark(at(B, "relu"), "elsewhere")), ("a note", "of two\nlines"), ("do this",), (Edit(at(A, "x"), "y"),),
    (CallSite(at(B, "block f"), "in block `f`, used here"),),
)  # fmt: skip


def test_everything_at_once() -> None:
    assert (
        render_text([WHOLE])
        == """\
error[shape-mismatch]: cannot add [N, 3] and [N, 64]
 --> a.net:6:5
  |
2 | y = x -> conv 64
  |          ------- [N, 64] made here
...
6 | z = x + y
  |     ^^^^^ here
 ::: b.net:2:3
  |
2 |   relu
  |   ---- elsewhere
  = in block `f`, used here
 --> b.net:1:1
  |
1 | block f {
  | -------
  |
  = note: a note
  = note: of two
          lines
  = help: do this

1 error
"""
    )


def one(file: SourceFile, start: int, end: int, label: str = "") -> Diagnostic:
    return Diagnostic("error", "c", "m", Span(file, start, end), label)


def drawing(diagnostic: Diagnostic, width: int | None = None) -> list[str]:
    return render_text([diagnostic], width=width).split("\n")[3:-3]


def test_several_marks_on_a_line() -> None:
    file = SourceFile("a", "aa + bb + cc")
    marked = Diagnostic("error", "c", "m", Span(file, 3, 4), "sum", (Mark(Span(file, 0, 2), "left"), Mark(Span(file, 5, 7), "right")))
    assert drawing(marked) == ["1 | aa + bb + cc", "  | -- ^ -- right", "  | |  |", "  | |  sum", "  | left"]


def test_several_lines() -> None:
    file = SourceFile("a", "x = (\n  a\n  b\n  c\n)\n")
    assert drawing(one(file, 4, 19, "this")) == ["1 | x = (", "  |     ^", "...", "5 | )", "  | ^ this"]


def test_the_end_of_a_file_tabs_and_wide_letters() -> None:
    assert drawing(one(SourceFile("a", "ab"), 2, 2, "end")) == ["1 | ab", "  |   ^ end"]
    assert drawing(one(SourceFile("a", "ab\n"), 3, 3, "end")) == ["2 |", "  | ^ end"]
    assert drawing(one(SourceFile("a", "\ta\tb"), 3, 4)) == ["1 |     a   b", "  |         ^"]
    assert drawing(one(SourceFile("a", "層層 x"), 3, 4)) == ["1 | 層層 x", "  |      ^"]


def test_control_characters_never_reach_the_terminal() -> None:
    file = SourceFile("a\x1b[31m", "\x1b[2J\u202e x")
    shown = render_text([Diagnostic("error", "c", "bad \x1b", Span(file, 6, 7), "\x07")])
    assert all(character == "\n" or character.isprintable() for character in shown)
    assert "\\u{1b}[2J\\u{202e} x" in shown


def test_long_lines_are_cut_around_the_span() -> None:
    file = SourceFile("a", "x" * 1000 + "HERE" + "y" * 1000)
    line, marks = drawing(one(file, 1000, 1004), width=60)
    assert len(line) <= 60
    assert line[marks.index("^") : marks.rindex("^") + 1] == "HERE"
    assert line.startswith("1 | ...x")
    assert line.endswith("y...")


def test_a_long_line_is_cut_so_that_all_marks_are_seen() -> None:
    file = SourceFile("a", "x" * 900 + "FIRST" + "-" * 40 + "SECOND" + "y" * 900)
    marked = Diagnostic("error", "c", "m", at(file, "SECOND"), "", (Mark(at(file, "FIRST"), "made there"),))
    line = drawing(marked, width=80)[0]
    assert len(line) <= 80
    assert "FIRST" in line
    assert "SECOND" in line


def test_long_chains_are_cut() -> None:
    frames = tuple(CallSite(at(A, "x + y"), f"frame {n}") for n in range(20))
    shown = render_text([Diagnostic("error", "c", "m", at(A, "z"), trace=frames)])
    assert "... 14 more ..." in shown
    assert "frame 19" in shown


def test_colors_change_nothing_but_colors() -> None:
    import re

    colored = render_text([WHOLE], color=True)
    assert "\x1b[1;31merror[shape-mismatch]\x1b[0m" in colored
    assert re.sub("\x1b\\[[0-9;]*m", "", colored) == render_text([WHOLE])


def test_a_label_has_the_color_of_its_mark() -> None:
    """Primary marks and labels are red, the others blue, also where labels hang on a rope."""
    import re

    line = "x = first + second + third + fourth"
    file = SourceFile("a.net", line)
    marks = (Mark(at(file, "first"), "one"), Mark(at(file, "third"), "three"), Mark(at(file, "fourth"), "four"))
    for diagnostic in (
        Diagnostic("error", "c", "m", at(file, "second"), "two", marks),
        Diagnostic("error", "c", "m", at(file, "fourth"), "four", (Mark(at(file, "first"), "one"), Mark(at(file, "second"), "two"))),
    ):
        colored = re.findall("\x1b\\[([0-9;]*)m([^\x1b]*)\x1b\\[0m", render_text([diagnostic], color=True))
        colors = {text.strip(): color for color, text in colored}
        (underline, *_) = [style for style, text in colored if set(text) == {"^"}]
        (dashes, *_) = [style for style, text in colored if set(text) == {"-"}]
        assert underline != dashes
        for text in ("one", "two", "three", "four"):
            if text in colors:
                assert colors[text] == (underline if text == diagnostic.label else dashes), text
        assert diagnostic.label in " ".join(text for color, text in colored if color == underline)


def test_short_json_summary() -> None:
    warning = Diagnostic("warning", "w", "odd", at(A, "out z"))
    assert render_short([WHOLE, warning]) == (
        "a.net:6:5: error[shape-mismatch]: cannot add [N, 3] and [N, 64]\na.net:7:1: warning[w]: odd\n"
    )
    assert format_summary([WHOLE, WHOLE, warning]) == "2 errors, 1 warning"
    assert render_text([]) == ""
    (got,) = to_json([warning])
    assert got == {
        "severity": "warning", "code": "w", "message": "odd", "file": "a.net", "line": 7, "column": 1, "end_line": 7, "end_column": 6,
        "label": "", "labels": [], "notes": [], "help": [], "edits": [], "trace": [],
    }  # fmt: skip


def test_sorted_and_said_once() -> None:
    late, early = Diagnostic("error", "c", "m", at(A, "out z")), Diagnostic("error", "c", "m", at(A, "x"))
    other = Diagnostic("error", "c", "m", at(B, "relu"))
    assert sort_and_dedupe([late, other, early, late]) == [early, late, other]
