"""`netc tokenizer`: train a tokenizer on texts, for `data text "..." tokenizer="tokenizer.json"`.

For example, `netc tokenizer texts/ --size 4000 -o tokenizer.json` finds 4,000 tokens in the `.txt` files of a folder.
"""

from __future__ import annotations

import click

from ..files.atomic_writing import check_writable, write_bytes
from .command_failure import CommandFailed
from .completion import FileName
from .shared_options import refuse_overwriting
from .terminal import write_note, write_status

SMALLEST_SIZE = 257
"""All bytes, and the token that ends a text."""


@click.command("tokenizer")
@click.argument("files", nargs=-1, required=True, metavar="FILES...", type=FileName())
@click.option("--size", type=click.IntRange(SMALLEST_SIZE), default=1000, show_default=True, metavar="N", help="Number of tokens.")
@click.option("-o", "--output", metavar="TOKENIZER.json", type=FileName(), default="tokenizer.json", show_default=True, help="Write here.")
def command(files: tuple[str, ...], size: int, output: str) -> None:
    """FILES are texts in UTF-8, folders with `.txt` files, or patterns such as '*.txt'.

    The tokens are found by byte-level BPE. The token 0 is `<|endoftext|>`, which ends a text: where a file has many texts, write it between
    them.
    """
    if not output.lower().endswith(".json"):
        raise click.UsageError(f"a tokenizer is written as .json, and `{output}` does not end so")
    refuse_overwriting(output, *files)
    check_writable(output)
    from ..tokenizing.text_tokenizer import TokenizerError
    from ..tokenizing.train_tokenizer import train_tokenizer
    from ..training.data.data_source import DataError

    try:
        text, tokens = train_tokenizer(list(files), size)
    except DataError as error:
        raise CommandFailed(str(error), *filter(None, (error.remedy,))) from None
    except TokenizerError as error:
        raise CommandFailed(str(error), *filter(None, (error.remedy,))) from None
    write_bytes(output, text.encode("utf-8"))
    if tokens < size:
        write_note(f"the texts have no more pairs to join: the tokenizer has {tokens} tokens")
    write_status(f"wrote {output}: {tokens} tokens")
