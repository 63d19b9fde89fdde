"""Weights from the Hugging Face hub: `hf:org/name`, or `hf:org/name@revision`.

In: an address. Out: the path of a file, or of an index next to its shards, in huggingface_hub's cache. Always: only files of weights are
downloaded, and only those that the cache lacks. huggingface_hub respects `HF_ENDPOINT`, `HF_HOME`, `HF_TOKEN` and `HF_HUB_OFFLINE`.

    >>> is_hub_address("hf:google/vit-base-patch16-224"), is_hub_address("weights.safetensors")
    (True, False)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ..errors.optional_packages import format_install_command
from ..errors.weight_errors import WeightsError, WeightsUnreadable
from .shards import INDEX, shards_of

PREFIX = "hf:"
_ADDRESS = re.compile(r"hf:(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
_FILES = ("model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin")
"""The files of weights in a repository of transformers, in the order of preference."""


def is_hub_address(path: str) -> bool:
    """Whether a path is an address on the hub."""
    return path.startswith(PREFIX)


def download_weights(address_text: str) -> list[Path]:
    """Return the file or index in the cache; download it and its shards if the cache lacks them."""
    source = f"`{address_text}`"
    address = _ADDRESS.fullmatch(address_text)
    if address is None:
        raise _hub_error(source, "it is no name of a repository", "write `hf:org/name`, or `hf:org/name@revision`")
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError
    except ImportError:
        raise _hub_error(source, "huggingface_hub is not installed", f"run `{format_install_command('huggingface_hub')}`") from None

    name, revision = address["name"], address["revision"]
    offline = not _hub_is_reachable(name, revision)

    def fetch(file: str) -> Path:
        return Path(hf_hub_download(name, file, revision=revision, local_files_only=offline))

    def find_main_file() -> Path:
        # The order is the order of preference: safetensors is mapped and holds no code.
        for file in _FILES:
            try:
                return fetch(file)
            except EntryNotFoundError as error:
                last = error
        raise last

    main = _translate_hub_errors(find_main_file, source)
    if main.name.endswith(INDEX):
        for shard in shards_of(main, source):
            _translate_hub_errors(lambda shard=shard: fetch(shard), source)  # type: ignore[misc]
    return [main]


def _hub_is_reachable(name: str, revision: str | None) -> bool:
    """Whether the hub answers one request, with whatever status.

    Without this check, huggingface_hub retries each file and logs each retry, which takes minutes on a machine without network.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        get_hf_file_metadata(hf_hub_url(name, _FILES[0], revision=revision))
    except (HfHubHTTPError, HFValidationError):
        return True
    except Exception:  # errors of the HTTP library that huggingface_hub uses, which changes
        return False
    return True


def _translate_hub_errors(fetch: Callable[[], Path], source: str) -> Path:
    """Run `fetch`, and raise the errors of huggingface_hub as a `WeightsError`."""
    from huggingface_hub import errors

    try:
        return fetch()
    except errors.LocalEntryNotFoundError as error:
        raise _hub_error(source, "the hub cannot be reached, and the file is not in the cache") from error
    except errors.EntryNotFoundError as error:
        listed = ", ".join(f"`{file}`" for file in _FILES)
        raise _hub_error(source, f"the repository has none of {listed}, or a shard is missing") from error
    # Before RepositoryNotFoundError, because a gated repository is a subclass of it.
    except errors.GatedRepoError as error:
        raise _hub_error(
            source, "its authors give access on request", "ask for it on the page of the repository, and set HF_TOKEN"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise _hub_error(source, "there is no such repository, or it is private", "of a private one: set HF_TOKEN") from error
    except errors.RevisionNotFoundError as error:
        raise _hub_error(source, "the repository has no such revision") from error
    except (errors.HfHubHTTPError, OSError, ValueError, RuntimeError) as error:
        message = " ".join(str(error).split())[:200]
        raise _hub_error(source, f"the hub did not give it ({message or type(error).__name__})") from error


def _hub_error(source: str, why: str, remedy: str = "") -> WeightsError:
    return WeightsError(WeightsUnreadable(source, why, remedy))
