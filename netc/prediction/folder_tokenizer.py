"""Find the tokenizer of a model folder, which `netc generate SPEC --weights FOLDER` uses.

In: the weights that the caller passes. Out: the tokenizer with the end tokens of the folder, or None. Always: only a folder of weights is
looked at, since a file next to other weights may be of another model. `generation_config.json` says which tokens end a text, or else
`config.json`, or else their usual names. A prompt gets the tokens that the file adds, as in transformers.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ..inputs.checkpoint import to_checkpoint
from ..tokenizing.text_tokenizer import TOKENIZER, FileTokenizer, TokenizerError, read_tokenizer
from .decoder_steps import NoGenerator

CONFIGS = ("generation_config.json", "config.json")
"""The files that may say which tokens end a text, the most important one first."""


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
    ends = read_end_tokens(folder)
    if ends:
        tokenizer.end, tokenizer.ends = ends[0], frozenset(ends)
    return tokenizer


def read_end_tokens(folder: str) -> list[int]:
    """Return the numbers of the tokens that end a text, as a model folder says; none if it does not."""
    for name in CONFIGS:
        value = _read_setting(os.path.join(folder, name), "eos_token_id")
        tokens = value if isinstance(value, list) else [value]
        if tokens and all(isinstance(token, int) and not isinstance(token, bool) for token in tokens):
            return tokens
    return []


def _read_setting(path: str, name: str) -> Any:
    try:
        with open(path, "rb") as file:
            settings = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return None
    return settings.get(name) if isinstance(settings, dict) else None
