"""`netc draw`: draw the graph of a model, or the differences between two.

For example, `netc draw mlp.net -o mlp.svg` draws a model, and `netc draw old.net new.net -o changes.html` the differences.
"""

from __future__ import annotations

import click

from ..drawing.picture_files import get_format, render_picture
from ..drawing.png import CannotDraw
from ..drawing.style import THEMES
from ..files.atomic_writing import check_writable, write_bytes
from .command_failure import CommandFailed
from .completion import FileName
from .program import compile_spec, raise_as_usage_error
from .shared_options import make_choice, refuse_overwriting, require_one_source, source_options, spec_options
from .spec_sources import make_reader
from .terminal import defer_garbage_collection, write_status


@click.command("draw")
@source_options
@click.argument("after", required=False, metavar="[AFTER]", type=FileName())
@click.option("-o", "--output", required=True, metavar="OUT", type=FileName(), help="Write here: NAME.svg, .html, .png, .mmd or .dot.")
@click.option(
    "--depth", type=click.IntRange(0), metavar="N", help="Number of nested levels of blocks to open. By default, as many as are readable."
)
@click.option("--at", default="", metavar="STAGE", help="Draw the inside of this stage, such as layer1.0.")
@click.option(
    "--theme", type=click.Choice(THEMES), default=THEMES[0], show_default=True, help="Colors; `auto` follows the reader's system."
)
@spec_options
def command(
    file: str | None,
    text: str | None,
    after: str | None,
    output: str,
    depth: int | None,
    at: str,
    theme: str,
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
) -> None:
    """With two files, netc draws AFTER and marks its differences from FILE.

    In an HTML file, a click opens a block; the file loads nothing from the network. A PNG needs one more package: `pip install resvg-py`.
    """
    path = require_one_source(file, text)
    refuse_overwriting(output, path, after)

    with raise_as_usage_error():
        get_format(output)  # before the spec is compiled, which may take long
    check_writable(output)
    defer_garbage_collection()
    choice = make_choice(model, params, dims, allow_paths)
    program = compile_spec(make_reader(path, text), choice).program
    before = None if after is None else program
    program = program if after is None else compile_spec(make_reader(after, None), choice).program
    try:
        with raise_as_usage_error():
            content = render_picture(program, output, depth=depth, at=at, theme=theme, before=before)
    except CannotDraw as error:
        raise CommandFailed(str(error), error.help) from None
    write_bytes(output, content)
    write_status(f"wrote {output}")
