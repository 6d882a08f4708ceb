"""Requests of the cells that learn."""

import numpy as np

from learning.copying.cells import choose_requests, restrict_writer
from learning.optimisers.schedule import TrainingMoment

RNG = np.random.default_rng(0)
SHAPES = {
    "weight/in-l1": (3, 4),
    "weight/l1-out": (4, 2),
    "weight/out-l1": (2, 4),
    "bias/l1": (4,),
    "bias/out": (2,),
    "readout/weight": (2, 3),
}
WEIGHTS, REQUESTS = ({name: RNG.normal(size=shape) for name, shape in SHAPES.items()} for _ in range(2))


def test_all_cells_get_their_requests_and_the_writer_stays_the_same():
    assert choose_requests(REQUESTS, WEIGHTS, "out", "all") == REQUESTS
    write = object()
    assert restrict_writer(write, dict, "out", "all") is write


def test_the_readout_is_what_touches_the_outputs():
    kept = choose_requests(REQUESTS, WEIGHTS, "out", "readout")
    assert kept.keys() == SHAPES.keys() - {"weight/in-l1", "bias/l1"}
    assert all(kept[name] is REQUESTS[name] for name in kept)


def test_gains_move_whole_rows_and_biases():
    kept = choose_requests(REQUESTS, WEIGHTS, "out", "gains")
    assert kept.keys() == SHAPES.keys() - {"readout/weight"}
    assert kept["bias/l1"] is REQUESTS["bias/l1"]
    for name in ("weight/in-l1", "weight/out-l1"):
        factor = kept[name] / WEIGHTS[name]
        np.testing.assert_allclose(factor, np.broadcast_to(factor[0], factor.shape), rtol=1e-12)
        left = np.sum((REQUESTS[name] - kept[name]) * WEIGHTS[name], axis=0)
        np.testing.assert_allclose(left, 0.0, rtol=0.0, atol=1e-12)
    empty = choose_requests(REQUESTS, {name: 0.0 * block for name, block in WEIGHTS.items()}, "out", "gains")
    assert not empty["weight/in-l1"].any()


def test_a_restricted_writer_sees_the_weights_of_the_moment():
    written, now = [], dict(WEIGHTS)
    write = restrict_writer(lambda requests, *_: written.append(requests), lambda: now, "out", "gains")
    write(REQUESTS, {}, TrainingMoment())
    now["weight/in-l1"] = -2.0 * WEIGHTS["weight/in-l1"] + 1.0
    write(REQUESTS, {}, TrainingMoment())
    for requests, weights in zip(written, (WEIGHTS, now), strict=True):
        expected = choose_requests(REQUESTS, weights, "out", "gains")["weight/in-l1"]
        np.testing.assert_array_equal(requests["weight/in-l1"], expected)
