"""Measure how wide a text is at most, whichever sans-serif font shows it.

A picture does not contain its font, so the reader's system chooses one. The widths are from DejaVu Sans and its bold, in thousandths of the
font's size. It is wider than Helvetica, Arial, Roboto, Noto Sans, Segoe UI and Liberation Sans, so a text that fits in it fits in those.

    >>> truncate_text("a rather long label", 10, 60), measure_width("ii", 10) < measure_width("WW", 10)
    ('a rather l…', True)
"""

from __future__ import annotations

from netc.dsl.escapes import escape_controls

FONT = "'DejaVu Sans', Verdana, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Helvetica, Arial, sans-serif"

_REGULAR = (
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636, 636, 636, 636, 636, 636, 337,
    337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732,
    684, 989, 685, 611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635,
    635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
)  # fmt: skip
_BOLD = (
    348, 456, 521, 838, 696, 1002, 872, 306, 457, 457, 523, 838, 380, 415, 380, 365, 696, 696, 696, 696, 696, 696, 696, 696, 696, 696, 400,
    400, 838, 838, 838, 580, 1000, 774, 762, 734, 830, 683, 683, 821, 837, 372, 372, 775, 637, 995, 837, 850, 733, 850, 770, 720, 682, 812,
    774, 1103, 771, 724, 725, 457, 365, 457, 838, 500, 500, 675, 716, 593, 716, 678, 435, 716, 712, 343, 343, 665, 343, 1042, 712, 687, 716,
    716, 493, 595, 478, 712, 652, 924, 645, 652, 582, 712, 365, 712, 838,
)  # fmt: skip
"""The widths of the characters from the space to the tilde, in both tables."""
_OTHER = 1200
"""The width of other letters."""
_WIDE = 1600
"""The width of ideographs and emoji."""


def measure_width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of one line, in the unit of `size`."""
    table = _BOLD if bold else _REGULAR
    # ⺀ is U+2E80, the first of the blocks for Chinese, Japanese and Korean
    return size * sum(table[ord(c) - 32] if " " <= c <= "~" else _OTHER if c < "⺀" else _WIDE for c in text) / 1000


def truncate_text(text: str, size: float, most: float, bold: bool = False) -> str:
    """Return the text, with an ellipsis in place of its end if it is wider than `most`."""
    # no character is narrower than 0.275 of the size, so a very long text is too wide without measuring it
    if len(text) * size * 0.27 <= most and measure_width(text, size, bold) <= most:
        return text
    text = text[: int(most / (0.27 * size)) + 1]
    while text and measure_width(text + "…", size, bold) > most:
        text = text[:-1]
    return text.rstrip(" …") + "…"


def label_text(text: str) -> str:
    """Return a label on one line, with control characters escaped: XML cannot contain them."""
    return escape_controls(text.translate({ord("\n"): " ", ord("\t"): " "}))
