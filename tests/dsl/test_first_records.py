"""Records whose classes have no instances yet: their `__init__` is made for the first one."""

from __future__ import annotations

import pickle

import pytest

from netc.dsl.record import Record, replace


class Size(Record):
    height: int
    width: int = 3


class Doubled(Size):
    depth: int = 1

    def __init__(self, height: int) -> None:
        super().__init__(2 * height)
        Doubled.depth.__set__(self, 7)  # type: ignore[attr-defined]


class Deep(Size):
    depth: int = 1


def test_wrong_arguments_of_the_first_instance_are_named() -> None:
    class Pair(Record):
        first: int
        second: int

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'second'"):
        Pair(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'third'"):
        Pair(1, 2, third=3)  # type: ignore[call-arg]
    assert (Pair(1, second=2).first, Pair(1, 2).second) == (1, 2)


def test_the_first_instance_may_come_from_a_pickle() -> None:
    class Pair(Record):
        first: int
        second: int

    pair = Pair.__new__(Pair)
    pair.__setstate__((1, 2))
    assert pair == Pair(1, 2) != Pair(2, 1)
    assert hash(pair) == hash(Pair(1, 2))


def test_a_subclass_keeps_its_own_initializer() -> None:
    assert [(one.height, one.width, one.depth) for one in (Doubled(5), Doubled(6))] == [(10, 3, 7), (12, 3, 7)]
    assert Size(5) == Size(5, 3) != Size(5, 4)
    assert Deep(1, depth=4) == replace(Deep(1), depth=4)
    assert pickle.loads(pickle.dumps(Deep(1, 2, 3))) == Deep(1, 2, 3)


def test_a_field_without_a_default_after_one_that_has_one_is_refused_with_the_class() -> None:
    with pytest.raises(TypeError, match="a field without a default follows one that has one"):
        type(Record)("Wrong", (Record,), {"__annotations__": {"a": "int", "b": "int"}, "a": 1})


def test_a_record_is_frozen() -> None:
    size = Size(1)
    with pytest.raises(AttributeError, match="Size is frozen: cannot set height"):
        size.height = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="Size is frozen: cannot delete width"):
        del size.width
    assert size == Size(1, 3)
