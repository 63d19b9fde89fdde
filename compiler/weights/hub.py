"""Weights from the Hugging Face hub: `hf:org/name`, or `hf:org/name@revision`.

In: such a word. Out: the path of a file or an index in huggingface_hub's cache, next to its shards. Always: only weights are fetched; what
is there already is not fetched again; HF_ENDPOINT, HF_HOME and HF_TOKEN are heeded, since huggingface_hub does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ..errors.optional_packages import format_install_command
from ..errors.weight_errors import WeightsError, WeightsUnreadable
from .shards import INDEX, shards_of

PREFIX = "hf:"
_WHOLE = re.compile(r"hf:(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
_FILES = ("model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin")
"""Those that a repository of transformers has one of, in the order of preference."""


def is_of_hub(path: str) -> bool:
    """Whether a path is a name on the hub."""
    return path.startswith(PREFIX)


def of_hub(word: str) -> list[Path]:
    """The file or index in the cache, fetched with its shards where it is not there."""
    source = f"`{word}`"
    whole = _WHOLE.fullmatch(word)
    if whole is None:
        raise _refused(source, "it is no name of a repository", "write `hf:org/name`, or `hf:org/name@revision`")
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError
    except ImportError:
        raise _refused(source, "huggingface_hub is not installed", f"run `{format_install_command('huggingface_hub')}`") from None

    name, revision = whole["name"], whole["revision"]
    kept = not _answers(name, revision)

    def fetch(file: str) -> Path:
        return Path(hf_hub_download(name, file, revision=revision, local_files_only=kept))

    def found() -> Path:
        for file in _FILES:
            try:
                return fetch(file)
            except EntryNotFoundError as error:
                last = error
        raise last

    main = _reported(found, source)
    if main.name.endswith(INDEX):
        for shard in shards_of(main, source):
            _reported(lambda shard=shard: fetch(shard), source)  # type: ignore[misc]
    return [main]


def _answers(name: str, revision: str | None) -> bool:
    """Whether the hub can be reached, whatever it says: one question. The library asks for each file again and again, which takes minutes,
    and says so each time."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        get_hf_file_metadata(hf_hub_url(name, _FILES[0], revision=revision))
    except (HfHubHTTPError, HFValidationError):
        return True
    except Exception:  # of the library for HTTP that it is made with, which changes
        return False
    return True


def _reported(fetch: Callable[[], Path], source: str) -> Path:
    """What the library raises, as an error of weights."""
    from huggingface_hub import errors

    try:
        return fetch()
    except errors.LocalEntryNotFoundError as error:
        raise _refused(source, "the hub cannot be reached, and the file is not in the cache") from error
    except errors.EntryNotFoundError as error:
        listed = ", ".join(f"`{file}`" for file in _FILES)
        raise _refused(source, f"the repository has none of {listed}, or a shard is missing") from error
    except errors.GatedRepoError as error:
        raise _refused(
            source, "its authors give access on request", "ask for it on the page of the repository, and set HF_TOKEN"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise _refused(source, "there is no such repository, or it is private", "of a private one: set HF_TOKEN") from error
    except errors.RevisionNotFoundError as error:
        raise _refused(source, "the repository has no such revision") from error
    except (errors.HfHubHTTPError, OSError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise _refused(source, f"the hub did not give it ({said or type(error).__name__})") from error


def _refused(source: str, why: str, remedy: str = "") -> WeightsError:
    return WeightsError(WeightsUnreadable(source, why, remedy))
