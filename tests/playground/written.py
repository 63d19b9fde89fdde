"""Writes the ONNX model of each text that standard input lists, with weights of seed 7: run with NumPy, or with its substitute.

In: a list of texts as JSON. Out: as JSON, for each text the model in base64, as a page writes it (not optimized), or the error.
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode

import netc


def main() -> None:
    found = []
    for text in json.load(sys.stdin):
        try:
            found.append(b64encode(netc.compile(text).onnx(seed=7, optimize=False).SerializeToString()).decode())
        except Exception as error:
            found.append(f"error: {type(error).__name__}: {error}")
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
