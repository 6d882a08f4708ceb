from typing import Literal

import pytest

from devices.kinds import KindError, KindRegistry
from devices.parameters import Parameters


class Base(Parameters):
    kind: str


class Small(Base):
    kind: Literal["small"] = "small"


@pytest.fixture
def kinds():
    return KindRegistry("thing", Base)


def test_a_kind_is_known_by_its_name(kinds):
    assert kinds.register(Small) is Small
    assert kinds.names == ["small"]
    assert list(kinds) == [Small]


def test_a_cell_that_runs_twice_replaces_its_class(kinds):
    kinds.register(Small)
    again = type(
        "Small",
        (Base,),
        {
            "__module__": __name__,
            "__qualname__": "Small",
            "__annotations__": {"kind": Literal["small"]},
            "kind": "small",
        },
    )
    kinds.register(again)
    assert list(kinds) == [again]


def test_a_name_that_is_taken_is_refused(kinds):
    kinds.register(Small)

    class Other(Base):
        kind: Literal["small"] = "small"

    with pytest.raises(KindError, match=r"kind = 'small' of .*Other is taken by"):
        kinds.register(Other)


class Nameless(Base):
    pass


class Both(Base):
    kind: Literal["a", "b"] = "a"


class Spaced(Base):
    kind: Literal["A b"] = "A b"


class Undefaulted(Base):
    kind: Literal["c"]


@pytest.mark.parametrize("kind", [Nameless, Both, Spaced, Undefaulted])
def test_a_kind_without_one_name_is_refused(kinds, kind):
    with pytest.raises(KindError, match="says no name: give it kind: Literal"):
        kinds.register(kind)


@pytest.mark.parametrize("kind", [Parameters, 3, int])
def test_what_is_no_such_thing_is_refused(kinds, kind):
    with pytest.raises(KindError, match="is no thing: derive it from Base"):
        kinds.register(kind)
