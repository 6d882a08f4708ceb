"""What is written of convolutions: completed from the reverse, and refused where sizes do not fit."""

import numpy as np
import pytest

from substrate.network.convolution import Convolution, ConvolutionFeedback
from substrate.network.dense import Dense
from substrate.network.topology import Topology
from substrate.network.wiring import ConvolutionPath, find_wiring_faults

LAYERS = {"in": (8, 12, 2), "conv1": (4, 6, 3), "conv2": [1, 2, 4], "out": 5}


def conv(path, **keys):
    return ConvolutionPath(kind="conv", path=path, **keys)


PATHS = [
    conv("in-conv1"),
    conv("conv1-conv2", kernel=[3, 3], padding="valid", pool="average"),
    conv("conv2-conv1"),
    "conv2-out",
    "out-conv2",
]

COPIED = conv("conv2-conv1", cells="per-position")


def changed(*changes):
    """Return the connections with some exchanged by number."""
    paths = dict(enumerate(PATHS)) | dict(changes)
    return [paths[k] for k in sorted(paths)]


def test_a_table_is_completed_from_its_reverse_and_then_by_defaults():
    topology = Topology(LAYERS, PATHS)
    kinds = [c.kind for c in topology.connections]
    assert kinds == [
        Convolution((8, 12, 2), (4, 6, 3), (3, 3), "same", "softmax"),
        Convolution((4, 6, 3), (1, 2, 4), (3, 3), "valid", "average"),
        ConvolutionFeedback((4, 6, 3), (1, 2, 4), (3, 3), "valid", "average"),
        Dense(8, 5),
        Dense(5, 8),
    ]
    assert kinds[1].reverse == kinds[2]
    assert kinds == [c.kind for c in Topology(LAYERS, changed((2, conv("conv2-conv1", kernel=3)))).connections]
    assert [(f.name, b.name) for f, b in topology.pairs()] == [
        ("conv1-conv2", "conv2-conv1"),
        ("conv2-out", "out-conv2"),
    ]


def test_a_pair_copies_its_kernels_together_and_their_cells_alone():
    topology, shared = Topology(LAYERS, changed((2, COPIED)), 3), Topology(LAYERS, PATHS, 3)
    assert [c.kind.copied for c in topology.connections[:3]] == [False, True, True]
    assert topology.shapes == shared.shapes == shared.cells
    assert {name: shape for name, shape in topology.cells.items() if shape != topology.shapes[name]} == {
        "weight/conv1-conv2": (2, 4, 3, 3, 3, 4),
        "weight/conv2-conv1": (2, 4, 3, 3, 3, 4),
    }
    assert topology.size == shared.size == shared.cell_count == topology.cell_count - 2 * 7 * 108
    blocks = topology.blocks(np.arange(topology.cell_count))
    assert {name: block.shape for name, block in blocks.items()} == topology.cells
    assert np.concatenate([block.ravel() for block in blocks.values()]).tolist() == list(range(topology.cell_count))


def test_a_layer_of_channels_has_flat_units_and_a_bias_per_channel():
    topology = Topology(LAYERS, PATHS, classes=3)
    assert topology.layers == {"in": 192, "conv1": 72, "conv2": 8, "out": 5}
    assert topology.units == 85
    assert topology.forms == {"in": (8, 12, 2), "conv1": (4, 6, 3), "conv2": (1, 2, 4), "out": (5,)}
    assert topology.shapes == {
        "weight/in-conv1": (3, 3, 2, 3),
        "weight/conv1-conv2": (3, 3, 3, 4),
        "weight/conv2-conv1": (3, 3, 3, 4),
        "weight/conv2-out": (8, 5),
        "weight/out-conv2": (5, 8),
        "bias/conv1": (3,),
        "bias/conv2": (4,),
        "bias/out": (5,),
        "readout/weight": (5, 3),
        "readout/bias": (3,),
    }
    spread = topology.spread_bias("conv1", np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(spread.reshape(4, 6, 3), np.broadcast_to([1.0, 2.0, 3.0], (4, 6, 3)))
    np.testing.assert_array_equal(topology.sum_bias("conv1", spread), [24.0, 48.0, 72.0])
    for name in ("out", "conv2"):
        bias = np.arange(float(topology.forms[name][-1]))
        summed = topology.sum_bias(name, topology.spread_bias(name, bias))
        np.testing.assert_array_equal(summed, bias * (1 if name == "out" else 2))


@pytest.mark.parametrize(
    ("layers", "paths", "field", "words", "hint"),
    [
        ({"in": (8, 12)}, PATHS, "layers.in", "2 numbers", "[rows, columns, channels]"),
        ({"in": (8, 0, 2)}, PATHS, "layers.in.1", "0 units", "at least 1"),
        (
            {"in": (8, 8, 2)},
            PATHS,
            "connections.0.path",
            "conv1 is [4, 6, 3]: a 3x3 kernel with padding same and 2x2 pooling on [8, 8, 2] makes [4, 4, channels]",
            "write conv1 = [4, 4, 3]",
        ),
        ({"conv2": 8}, PATHS, "connections.1.path", "conv2 is 8: a 3x3 kernel", "write conv2 = [1, 2, 4]"),
        (
            {"in": 192},
            PATHS,
            "connections.0.path",
            "in is 192, and a kernel slides over rows",
            '"in-conv1" for a dense',
        ),
        (
            {"in": (7, 12, 2)},
            PATHS,
            "connections.0.pool",
            "7 x 12 places, which windows of 2 x 2 do not",
            'pool = "none"',
        ),
        (
            {},
            changed((0, conv("in-conv1", pool="none"))),
            "connections.0.path",
            "conv1 is [4, 6, 3]: a 3x3 kernel with padding same on [8, 12, 2] makes [8, 12, channels]",
            "conv1 = [8, 12, 3]",
        ),
        (
            {},
            changed((1, conv("conv1-conv2", kernel=5, padding="valid"))),
            "connections.1.kernel",
            "no place",
            "smaller",
        ),
        (
            {},
            changed((2, conv("conv2-conv1", kernel=5))),
            "connections.2.kernel",
            "conv1-conv2 has [3, 3]",
            "one of both",
        ),
        ({}, changed((2, conv("conv2-conv1", padding="same"))), "connections.2.padding", "has valid", "one of both"),
        ({}, changed((2, conv("conv2-conv1", pool="none"))), "connections.2.pool", "has average", "one of both"),
        (
            {},
            changed((1, conv("conv1-conv2", padding="valid", pool="average", cells="shared")), (2, COPIED)),
            "connections.2.cells",
            "conv1-conv2 has shared",
            "one of both",
        ),
        ({}, changed((2, "conv2-conv1")), "connections.1", "its reverse 'conv2-conv1' is dense", "both text"),
        ({}, changed((1, "conv1-conv2")), "connections.2", "its reverse 'conv1-conv2' is dense", "both text"),
        ({}, [*PATHS, conv("conv1-conv1")], "connections.5.path", "joins a layer with itself", "another layer"),
        ({}, [*PATHS, conv("conv2-in")], "connections.5", "feeds the clamped input", "first layer"),
        ({}, [*PATHS, conv("in-conv1")], "connections.5", "stands twice", "remove one"),
        ({}, [*PATHS, conv("in-conv3")], "connections.5", "no layer 'conv3'", "layers are"),
    ],
)
def test_every_mismatch_is_named_once_with_the_size_that_fits(layers, paths, field, words, hint):
    (fault,) = find_wiring_faults(LAYERS | layers, paths)
    assert ".".join(map(str, fault.field)) == field
    assert words in fault.message
    assert hint in fault.hint
    with pytest.raises(ValueError, match=field):
        Topology(LAYERS | layers, paths)


def test_feedback_without_its_convolution_is_measured_by_itself():
    paths = [conv("in-conv1"), "conv1-conv2", "conv2-out", conv("out-conv1", padding="valid", pool="none")]
    layers = LAYERS | {"out": (2, 4, 1)}
    assert Topology(layers, paths).connections[3].kind == ConvolutionFeedback(
        (4, 6, 3), (2, 4, 1), (3, 3), "valid", "none"
    )
    (fault,) = find_wiring_faults(LAYERS, paths)
    assert "out is 5" in fault.message
    assert "makes [2, 4, channels]" in fault.message
