"""What another runtime than ONNX Runtime takes: the profile that a graph is written for.

In: a node of a graph, with the types of its inputs. Out: the reason why the runtime cannot run it, or None. Always: a profile imports no
runtime, so a model is checked and written on a machine that lacks it.

>>> profile = RuntimeProfile("iree", "IREE", 18, lacks=frozenset({"Attention"}))
>>> profile.opset, "Attention" in profile.lacks
(18, True)
"""

from __future__ import annotations

from netc.dsl.record import Record


class RuntimeProfile(Record):
    """A runtime of ONNX models. `name` is the word for `--for` and `--runtime`, `title` the name in messages.

    `opset`: the opset that the graph is written in, unless the caller asks for another one. `lacks`: operators of this opset that the
    runtime does not have, which netc expresses by others. `needs_sizes`: all sizes must be numbers.
    """

    name: str
    title: str
    opset: int
    lacks: frozenset[str] = frozenset()
    needs_sizes: bool = False
