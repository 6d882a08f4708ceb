import numpy as np
import pytest

from substrate.network.topology import Topology
from substrate.network.wiring import find_wiring_faults
from tests.networks import LAYERS, WIRINGS, random_blocks


@pytest.mark.parametrize("wiring", WIRINGS)
def test_blocks_are_views_that_tile_the_flat_vector(wiring):
    topology = Topology(LAYERS, WIRINGS[wiring], classes=3)
    flat = np.zeros(topology.size)
    for block in topology.blocks(flat).values():
        assert (block == 0.0).all()
        block[...] = 1.0
    assert (flat > 0).all()


@pytest.mark.parametrize("wiring", WIRINGS)
def test_coupling_acts_like_its_blocks(wiring):
    topology = Topology(LAYERS, WIRINGS[wiring])
    blocks = random_blocks(topology, 0)
    a = np.random.default_rng(1).normal(size=(3, topology.units))
    expected = np.zeros_like(a)
    parts, layers = topology.split(expected), topology.split(a)
    for c in topology.recurrent():
        parts[c.post][:] += layers[c.pre] @ blocks[c.block]
    np.testing.assert_allclose(a @ topology.coupling(blocks).T, expected, rtol=0, atol=1e-14)


def test_feedback_is_pre_listed_after_post():
    topology = Topology(LAYERS, WIRINGS["lateral"])
    assert [c.name for c in topology.connections if topology.is_feedback(c)] == ["l2-l1"]
    assert [(forward.ends, back.ends) for forward, back in topology.pairs()] == [(("l1", "l2"), ("l2", "l1"))]


@pytest.mark.parametrize(
    ("layers", "connections", "field", "text"),
    [
        ({"in": 3}, [], "layers", "1 layer"),
        ({"in": 3, "L1": 2}, ["in-L1"], "layers.L1", "not a layer name"),
        ({"in": 3, "out": 0}, ["in-out"], "layers.out", "0 units"),
        (LAYERS, ["in-l1", "l1-l2", "l2-out", "l1"], "connections.3", "not a connection"),
        (LAYERS, ["in-l1", "l1-l2", "l2-out", "l1-l3"], "connections.3", "no layer 'l3'"),
        (LAYERS, ["in-l1", "l1-l2", "l2-out", "l1-in"], "connections.3", "clamped input"),
        (LAYERS, ["in-l1", "l1-l2", "l2-out", "in-l1"], "connections.3", "twice"),
        (LAYERS, ["in-l1", "l1-out"], "connections", "nothing feeds layer 'l2'"),
        (LAYERS, ["l1-l1", "l1-l2", "l2-out"], "connections", "nothing reads the input"),
    ],
)
def test_every_wrong_wiring_is_named(layers, connections, field, text):
    found = find_wiring_faults(layers, connections)
    assert any(".".join(map(str, f.field)) == field and text in f.message and f.hint for f in found), found
    with pytest.raises(ValueError, match=r"connections|layers"):
        Topology(layers, connections)


def test_a_good_wiring_has_no_fault():
    assert not any(find_wiring_faults(LAYERS, wiring) for wiring in WIRINGS.values())
