"""Find the tokenizer of a model folder, which `netc generate SPEC --weights FOLDER` uses.

In: the weights that the caller passes. Out: the tokenizer with the end tokens of the folder, or None. Always: only a folder of weights is
looked at, since a file next to other weights may be of another model. `generation_config.json` says which tokens end a text, or else
`config.json`, or else their usual names. A prompt gets the tokens that the file adds, as in transformers.
"""

from __future__ import annotations

import os

from ..inputs.checkpoint import to_checkpoint
from ..streaming.special_tokens import list_end_tokens, read_special_tokens
from ..tokenizing.text_tokenizer import TOKENIZER, FileTokenizer, TokenizerError, read_tokenizer
from .decoder_steps import NoGenerator


def find_folder_tokenizer(weights: object) -> FileTokenizer | None:
    """Return the tokenizer of a folder of weights. Raises `NoGenerator` if it cannot be read."""
    checkpoint = to_checkpoint(weights)
    if checkpoint is None or len(checkpoint.paths) != 1 or not os.path.isdir(checkpoint.paths[0]):
        return None
    folder = checkpoint.paths[0]
    path = os.path.join(folder, TOKENIZER)
    if not os.path.isfile(path):
        return None
    try:
        tokenizer = read_tokenizer(path)
    except TokenizerError as error:
        raise NoGenerator(f"cannot read `{path}`: {error}", error.remedy) from None
    tokenizer.adds_special = True
    ends = list_end_tokens(read_special_tokens([folder]))
    if ends:
        tokenizer.end, tokenizer.ends = ends[0], frozenset(ends)
    return tokenizer
