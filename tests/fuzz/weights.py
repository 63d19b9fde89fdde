"""`python -m tests.fuzz.weights`: real files of weights, damaged. Nothing but a `WeightsError` may come of them, in little memory.

If a process dies, the file that it read last is in `build/fuzz/`.
"""

from __future__ import annotations

import faulthandler
import resource
import sys
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random

from tests.fuzz.campaign import Found, main, write_anew
from tests.fuzz.damage import damaged

TEXT = "input 4 -> dense 3 as a -> batch_norm as bn -> dense 2 as b"
_MOST = 100 << 10
"""KiB by which one input may increase the memory of the process."""
_ADDRESSES = 16 << 30
"""Bytes of virtual memory; PyTorch alone takes some of them."""


@cache
def originals() -> list[tuple[str, bytes]]:
    """Files of all formats, by the ending of their names."""
    import numpy as np
    import safetensors.torch
    import torch

    import netc

    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    state = netc.compile(TEXT).module(seed=0).state_dict()
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    found = [("safetensors", safetensors.torch.save(dict(state)))]
    for save in (np.savez, np.savez_compressed):
        buffer = BytesIO()
        save(buffer, **arrays)  # type: ignore[arg-type]
        found.append(("npz", buffer.getvalue()))
    for zipped in (True, False):
        for value in (dict(state), {"state_dict": state, "epoch": 3, "args": {"lr": 0.1}}):
            buffer = BytesIO()
            torch.save(value, buffer, _use_new_zipfile_serialization=zipped)
            found.append(("pt" if zipped else "pth", buffer.getvalue()))
    buffer = BytesIO()
    np.save(buffer, arrays["a.weight"])
    found.append(("npy", buffer.getvalue()))
    return found


def check(random: Random, stem: str) -> Found:
    """One damaged file, read."""
    from netc.compiler.weights.match_weights import WeightsError
    from netc.compiler.weights.numpy_files import UnfitArrayFile

    ending, content = random.choice(originals())
    path = Path(f"{stem}.{ending}")
    write_anew(path, damaged(content, ending, random))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        _read(path)
        kind = "taken"
    except (WeightsError, UnfitArrayFile):
        kind = "refused"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of Rust is no Exception
        return Found(f"{type(error).__name__} for .{ending}", f"{error!s:.300}")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if grown > _MOST:
        return Found(f"memory for .{ending}", f"{grown >> 10} MiB")
    return Found(f"{kind} {ending}")


def _read(path: Path) -> None:
    from netc.compiler.weights.match_weights import load_arrays, load_matching
    from netc.compiler.weights.numpy_files import read_npy

    if path.suffix == ".npy":
        read_npy(path)
        return
    load_matching(_infos(), str(path))
    load_arrays(path)


@cache
def _infos():  # type: ignore[no-untyped-def]
    import netc

    return netc.compile(TEXT).parameters


if __name__ == "__main__":
    originals()
    sys.exit(main(check, "damaged weights"))
