import numpy as np
import pytest

from devices.random import Stream, philox
from tests.statistics import assert_distribution, assert_mean

# Random123, known answers of philox4x32-10: counter, key, result.
KNOWN = [
    ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_published_answers(counter, key, expected):
    words = philox(*(np.array([c], dtype=np.uint64) for c in counter), *(np.uint64(k) for k in key))
    assert [int(w[0]) for w in words] == expected


def test_a_draw_depends_on_its_index_alone():
    stream = Stream(3, "mismatch/l2-l1")
    whole = stream.normal((1000,))
    np.testing.assert_array_equal(whole[400:], stream.normal((600,), first=400))
    np.testing.assert_array_equal(whole.reshape(20, 50), stream.normal((20, 50)))


def test_counters_above_32_bits_do_not_repeat():
    stream = Stream(0, "far")
    near, far = stream.normal((64,)), stream.normal((64,), first=2**32)
    assert not np.isin(near, far).any()
    np.testing.assert_array_equal(stream.normal((8,), first=2**32 - 4)[4:], far[:4])


def test_streams_of_other_names_seeds_and_chips_differ():
    streams = [Stream(s, f"purpose/{p}", i) for s in range(10) for p in range(20) for i in range(10)]
    firsts = {float(stream.uniform((1,))[0]) for stream in streams}
    assert len(firsts) == len(streams)


def test_uniform_and_normal_have_their_distributions():
    uniform, normal = Stream(1, "u").uniform((200_000,)), Stream(1, "n").normal((200_000,))
    assert uniform.min() > 0.0
    assert uniform.max() < 1.0
    assert_distribution(uniform, "uniform")
    assert_distribution(normal, "norm")
    assert_mean(normal**4, 3.0, np.sqrt(96.0))
    assert_mean(normal[1:] * normal[:-1], 0.0, 1.0)


def test_the_statistics_would_notice_a_wrong_distribution():
    with pytest.raises(AssertionError):
        assert_distribution(1.01 * Stream(1, "n").normal((200_000,)) + 0.01, "norm")


@pytest.mark.parametrize("draw", ["uniform", "normal"])
def test_the_row_of_a_sample_depends_on_its_id_alone(draw):
    stream, ids = Stream(3, "read"), np.array([5, 0, 2**40, 7])
    rows = getattr(stream, f"{draw}_rows")(ids, 9)
    for k, i in enumerate(ids.tolist()):
        np.testing.assert_array_equal(rows[k], getattr(stream, draw)((9,), first=9 * i))
    order = np.array([2, 0, 3, 1])
    np.testing.assert_array_equal(getattr(stream, f"{draw}_rows")(ids[order], 9), rows[order])
