"""A process that measures itself: `python own.py SINGLE SPEC COMMAND...` runs the command of netc on both specs, one after the other.

Out: a line of JSON with the `seconds` of the processor that the second one took, and the `bytes` by which it raised the peak of memory. The
first one is the base: it has imported all there is to import.
"""

from __future__ import annotations

import json
import resource
import sys
import time

from netc.cli import main

KIBIBYTE = 1 if sys.platform == "darwin" else 1024
"""The unit of the system's memory counter."""


def measure(single: str, spec: str, command: str, *options: str) -> None:
    _run(command, single, *options)
    before, peak = time.process_time(), _peak()
    _run(command, spec, *options)
    print(json.dumps({"seconds": time.process_time() - before, "bytes": _peak() - peak}))


def _run(*words: str) -> None:
    sys.argv = ["netc", *words]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE


measure(*sys.argv[1:])
