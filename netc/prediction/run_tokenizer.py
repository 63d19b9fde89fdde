"""Find the tokenizer that a run was trained with.

In: the folder of a run, and its signature. Out: the tokenizer, or None for a run without one. Always: the file has the hash that the
signature names, because another tokenizer gives the same text other numbers.
"""

from __future__ import annotations

import os

from netc.compiler.errors.run_errors import RunError, RunUnreadable

from ..tokenizing.text_tokenizer import FileTokenizer, TokenizerError, read_tokenizer
from ..training.run_files import TOKENIZER
from .model_signature import ModelSignature


def read_run_tokenizer(path: str, signature: ModelSignature, action: str) -> FileTokenizer | None:
    """Read the tokenizer of a run. Raises `RunError`, which says that `action` is not possible."""
    if not signature.tokenizer:
        return None
    try:
        tokenizer = read_tokenizer(os.path.join(path, TOKENIZER))
    except TokenizerError as error:
        raise RunError(RunUnreadable(path, f"its `{TOKENIZER}`: {error}", error.remedy, action)) from None
    if tokenizer.digest != signature.tokenizer:
        remedy = f"copy the tokenizer of the training to `{os.path.join(path, TOKENIZER)}`"
        raise RunError(RunUnreadable(path, f"its `{TOKENIZER}` is not the one that it was trained with", remedy, action))
    return tokenizer
