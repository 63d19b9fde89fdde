"""The files that hold the samples of a stream, and the options that all streams have.

In: a path, a folder, or a pattern with braces or wildcards. Out: the files in the order of their names, or of the braces. Always: each of
them is there and is a regular file.

For example, `shards-{08..11}.tar` is `shards-08.tar`, `shards-09.tar`, `shards-10.tar` and `shards-11.tar`.

>>> has_shards("missing-{08..11}.tar")
False
"""

from __future__ import annotations

import glob
import os
import re
from itertools import islice

from .data_paths import check_regular_file, list_files
from .data_source import DataError
from .stream_packages import import_stream_package

WINDOW, INTERLEAVE = 1000, 8
"""The defaults of `shuffle` and `interleave`."""
_MAX_SHARDS = 100_000
_RANGE = re.compile(r"\{(-?\d{1,18})\.\.(-?\d{1,18})[.}]")
_WILDCARD = re.compile(r"[*?[]")


def expand_braces(pattern: str) -> list[str]:
    """Expand braces as a shell does. Raises `DataError`."""
    if "{" not in pattern:
        return [pattern]
    braceexpand = import_stream_package("braceexpand")
    too_many = DataError(f"the pattern has more than {_MAX_SHARDS:,} shards", "pass fewer and larger shards")
    # The package makes a list of the numbers of a range before it yields the first path.
    if any(abs(int(last) - int(first)) >= _MAX_SHARDS for first, last in _RANGE.findall(pattern)):
        raise too_many
    try:
        paths = list(islice(braceexpand.braceexpand(pattern), _MAX_SHARDS + 1))
    except ValueError as error:  # braces that are not closed
        raise DataError(f"its braces are not those of a shell ({error})", 'write `"shards-{000..999}.tar"`') from None
    if len(paths) > _MAX_SHARDS:
        raise too_many
    return paths


def has_shards(pattern: str) -> bool:
    """Whether braces name a file that is there."""
    try:
        return "{" in pattern and any(map(os.path.exists, expand_braces(pattern)))
    except DataError:
        return False


def list_shards(path: str, endings: tuple[str, ...]) -> list[str]:
    """List the shards. `endings` are those of the files of a folder. Raises `DataError`."""
    if os.path.exists(path):
        return list_files(path, endings)
    pieces = expand_braces(path)
    if len(pieces) == 1 and not _WILDCARD.search(path):
        return [check_regular_file(path)]
    paths = [match for piece in pieces for match in (sorted(glob.glob(piece)) if _WILDCARD.search(piece) else [piece])]
    if not paths:
        raise DataError("no file matches the pattern")
    missing = [name for name in paths if not os.path.exists(name)]
    if len(missing) == len(paths):
        raise DataError("no file matches the pattern")
    if missing:
        others = f", and {len(missing) - 1} more of its {len(paths)} shards" if len(missing) > 1 else f" of its {len(paths)} shards"
        raise DataError(f"`{os.path.basename(missing[0])}`{others} {'are' if len(missing) > 1 else 'is'} missing")
    return [check_regular_file(name) for name in paths]
