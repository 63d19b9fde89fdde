"""What a file says of itself."""

from __future__ import annotations

import onnx
import pytest

import netc


def texts(proto: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in proto.metadata_props}


def test_the_hash_and_the_version_are_always_there() -> None:
    found = texts(netc.compile("input 3 -> relu").onnx())
    assert found.keys() == {"spec_hash", "netc_version"}
    assert found["netc_version"] == netc.__version__


def test_metadata() -> None:
    given = {"version": "3", "license": "MIT — or not", "description": "One layer."}
    proto = netc.compile("input 3 -> relu").onnx(metadata=given)
    assert texts(proto).items() >= given.items()
    assert proto.doc_string == "One layer."
    onnx.checker.check_model(proto, full_check=True)


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        ({"a": 1}, TypeError, "metadata: 'a' must be a str, not int"),
        ({"spec_hash": "x"}, ValueError, "metadata: 'spec_hash' is written by netc"),
        ({"": "x"}, ValueError, "metadata: a name is empty"),
        ({"a": "\udcff"}, ValueError, "metadata: 'a' is no text in UTF-8"),
    ],
)
def test_wrong_metadata(metadata: dict[str, str], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        netc.compile("input 3 -> relu").onnx(metadata=metadata)
    assert str(caught.value) == message
