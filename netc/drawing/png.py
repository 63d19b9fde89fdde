"""Convert SVG to PNG with resvg, which needs no browser. The package is optional: the extra `draw`."""

from __future__ import annotations

import re

from netc.compiler.errors.optional_packages import format_install_command

from .metrics import FONT

SCALE = 2.0
MAX_PIXELS = 16_000
"""The most pixels of a picture's width or height."""
_TEXT = f'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><text y="18" font-size="18" font-family="{FONT}">M</text></svg>'


class CannotDraw(Exception):
    """The package resvg-py or a font is missing. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.help = help


def render_png(svg: str) -> bytes:
    """Return the picture at twice its size, or smaller if it is very large. Raises `CannotDraw`."""
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        how = f"run `{format_install_command('resvg_py')}`, or draw an SVG"
        raise CannotDraw("to draw a PNG, netc needs the package resvg-py", how) from None
    # without a font, resvg leaves out texts silently, so a letter looks like a space
    if bytes(svg_to_bytes(svg_string=_TEXT)) == bytes(svg_to_bytes(svg_string=_TEXT.replace(">M<", "> <"))):
        raise CannotDraw("to draw a PNG, netc needs a font, and this machine has none", "install one, such as DejaVu Sans, or draw an SVG")
    size = re.search(r'width="([\d.]+)" height="([\d.]+)"', svg)
    largest = max(map(float, size.groups())) if size is not None else 1.0
    return bytes(svg_to_bytes(svg_string=svg, zoom=min(SCALE, MAX_PIXELS / largest)))
