"""What a result file refuses to hold."""

from enum import IntEnum

import numpy as np
import pytest

from scenarios.results.store import Variable, write_result_file

HEAD = {"software": "nudgelab 0.1.0"}


class Status(IntEnum):
    """Outcome of a settling."""

    SETTLED = 0


V = Variable


class Wide(IntEnum):
    """Too wide for int8."""

    LARGE = 200


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"g": {"a": V(("x",), [1, 2]), "b": V(("x",), [1, 2, 3])}}, r"'g'.*'x' has sizes 2 \(a\), 3 \(b\)"),
        ({"g": {"x": V(("x",), [1, 2]), "b": V(("x",), [1])}}, r"'g'.*'x' has sizes 2 \(x\), 1 \(b\)"),
        ({"g": {"x": V((), 1), "b": V(("x",), [1])}}, "'x' is named like a dimension"),
        ({"g": {"a": V(("x",), 1.0)}}, r"'g/a': dims \('x',\) do not fit shape \(\)"),
        ({"g": {"W": V(("u", "u"), [[1]])}}, "'g/W'.*one different name per axis"),
        ({"g": {"a": V((), object())}}, "'g/a': type object cannot be stored"),
        ({"g": {"a": V(("x",), [None, 1])}}, "type object cannot be stored"),
        ({"g": {"a": V((), b"bytes")}}, "cannot be stored"),
        ({"g": {"a": V((), np.float16(1))}}, "float16 cannot be stored"),
        ({"g": {"a": V((), "nul\0 inside")}}, "'g/a' holds .* NUL"),
        ({"g": {"a": V(("x",), ["\udc80"])}}, "'g/a' holds .* surrogates"),
        ({"g": {"a": V((), 1.0, "V\0")}}, "'g/a' holds .* NUL"),
        ({"g": {"a/b": V((), 1)}}, "name 'a/b' must be"),
        ({"g": {"a": V(("x y",), [1])}}, "name 'x y' must be"),
        ({"/g": {}}, "name '' must be"),
        ({"g/..": {}}, "name '..' must be"),
        ({"g": {"a": V((), 1)}, "g/a": {}}, "'g/a': a parent has"),
        ({"g": {"a": V((), 1)}, "g/a/b": {}}, "'g/a/b': a parent has"),
        ({"g": {"a": V(("x",), [1])}, "g/h": {"a": V(("x",), [1, 2])}}, "'g/h': dimension 'x' differs"),
        ({"g": {"x": V(("x",), ["a"])}, "g/h": {"x": V(("x",), [0])}}, "'g/h': dimension 'x' differs"),
        ({"g": {"a": V(("x",), [5], flags=Status)}}, "'g/a': must be integers of Status"),
        ({"g": {"a": V(("x",), [0.0], flags=Status)}}, "'g/a': must be integers of Status"),
        ({"g": {"a": V(("x",), [200], flags=Wide)}}, "between -128 and 127"),
    ],
)
def test_refused_groups(tmp_path, groups, message):
    with pytest.raises(ValueError, match=message):
        write_result_file(tmp_path / "x.h5", groups, HEAD)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"software": "other"}, "'software' is 'other'"),
        ({"entropy": 2**63}, "'entropy' is 9223372036854775808, must be .* 64 bits"),
        ({"list": [1]}, "'list' is .* must be"),
        ({"note": "a\0b"}, "'note' holds .* NUL"),
    ],
)
def test_refused_attributes(tmp_path, attributes, message):
    with pytest.raises(ValueError, match=message):
        write_result_file(tmp_path / "x.h5", {}, HEAD | attributes)
    assert not list(tmp_path.iterdir())
