"""A process that tells its own figures: `python own.py SINGLE SPEC COMMAND...` runs the command of netc on both specs, one after the other.

Out: a line of JSON with the `seconds` of the processor that the second one took, and the `bytes` by which it raised the peak of memory. The
first one is the base: it has imported all there is to import.
"""

from __future__ import annotations

import json
import resource
import sys
import time

from netc.cli import cli

KIBIBYTE = 1 if sys.platform == "darwin" else 1024


def main(single: str, spec: str, *command: str) -> None:
    _run(command, single)
    before, peak = time.process_time(), _peak()
    _run(command, spec)
    print(json.dumps({"seconds": time.process_time() - before, "bytes": _peak() - peak}))


def _run(command: tuple[str, ...], spec: str) -> None:
    code = cli.main([command[0], spec, *command[1:]], prog_name="netc", standalone_mode=False)
    if code:
        sys.exit(code)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIBIBYTE


main(*sys.argv[1:])
