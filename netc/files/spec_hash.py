"""Hash a spec: equal for equal texts, choices and used files. The metadata of ONNX models has the hash.

>>> from netc.analysis import Choice, analyze
>>> from netc.dsl.source import SourceFile
>>> texts = ("input 3 -> relu", "input 3 -> relu", "input 3 -> tanh")
>>> a, b, c = (hash_spec(analyze(SourceFile("a.net", text), Choice()), Choice()) for text in texts)
>>> a == b, a == c
(True, False)
"""

from __future__ import annotations

from hashlib import sha256

from netc.compiler.elaborate.model_precision import FULL

from ..analysis import Analysis, Choice, TrainingAnalysis


def hash_spec(analysis: Analysis | TrainingAnalysis, choice: Choice) -> str:
    """Return the SHA-256, in hexadecimal digits, of everything that the graph was made from."""
    digest = sha256()
    parts = [*(source.text for source in analysis.sources), *analysis.digests]
    parts += [
        *analysis.digests,
        choice.model or "",
        *(f"{name}={value!r}" for name, value in sorted((choice.params | choice.dims).items())),
    ]
    if choice.precision != FULL:  # float32 adds nothing, so the hashes from before `--dtype` stay the same
        parts.append(f"{choice.precision.dtype} {choice.precision.keep_io}")
    for part in parts:
        content = part.encode("utf-8", "surrogatepass")
        # with their lengths, so that moving text from one file to the next changes the hash
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()
