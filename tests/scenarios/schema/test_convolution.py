"""Convolutions in a scenario: as they are written, what they do not go with, and the arrays that fit them."""

import numpy as np
import pytest

from scenarios.build import make_setup
from scenarios.experiments.train.tables import make_parameter_groups
from scenarios.language.load import load_scenario
from scenarios.report.explain import explain_scenario
from scenarios.results.store import write_result_file
from substrate.network.convolution import Convolution
from tests.scenarios.files import DATA
from tests.scenarios.scenario_files import assert_tells, faults_of, faults_of_files, only_fault, write

CONV = f"""\
schema = 1
name = "conv"

[network]
layers = {{ in = [32, 32, 3], conv1 = [16, 16, 4], conv2 = [8, 8, 5], conv3 = [4, 4, 6], out = [1, 1, 6] }}
connections = [
    {{ path = "in-conv1", kind = "conv" }},
    {{ path = "conv1-conv2", kind = "conv", kernel = 3 }},
    {{ path = "conv2-conv1", kind = "conv" }},
    {{ path = "conv2-conv3", kind = "conv", padding = "same", pool = "softmax" }},
    {{ path = "conv3-conv2", kind = "conv", kernel = [3, 3] }},
    {{ path = "conv3-out", kind = "conv", padding = "valid" }},
    {{ path = "out-conv3", kind = "conv" }},
]
activation = "dsilu"
parameters = "{DATA}/conv_dsilu_xent/parameters.npz"

[learning]
scheme = {{ kind = "centred", beta = 0.2 }}

[task]
kind = "arrays"
path = "{DATA}/conv_dsilu_xent/batch.npz"

[experiment]
kind = "measure"
"""


PER_POSITION = '{ path = "in-conv1", kind = "conv" }', '{ path = "in-conv1", kind = "conv", cells = "per-position" }'
VOLTS = "physical={ volt_scale = 0.5, activity_volts = 0.5 }"


def without_parameters(text):
    return "\n".join(line for line in text.split("\n") if not line.startswith("parameters"))


@pytest.fixture
def elsewhere(monkeypatch):
    """Let a scenario with convolutions pass, whatever settles it."""
    monkeypatch.setattr("scenarios.schema.scenario.find_convolution_faults", lambda *_: [])


def test_a_network_is_read_with_its_parameters_and_flat_images(tmp_path, elsewhere):
    setup = make_setup(load_scenario(write(tmp_path, CONV)))
    topology, batch = setup.design.topology, np.load(DATA / "conv_dsilu_xent" / "batch.npz")
    assert topology.layers == {"in": 3072, "conv1": 1024, "conv2": 320, "conv3": 96, "out": 6}
    assert topology.connections[5].kind == Convolution((4, 4, 6), (1, 1, 6), (3, 3), "valid", "softmax")
    np.testing.assert_array_equal(setup.data.x, batch["x"].reshape(3, 3072))
    given = np.load(DATA / "conv_dsilu_xent" / "parameters.npz")
    for name, block in setup.chip(threads=1).effective.items():
        np.testing.assert_array_equal(block, given[name])


def test_measured_weights_are_those_of_all_copies(tmp_path, elsewhere):
    path = write(tmp_path, CONV.replace(*PER_POSITION))
    measured = np.random.default_rng(0).normal(size=(32, 32, 3, 3, 3, 4))
    np.savez(tmp_path / "w.npz", **{"weight/in-conv1": measured})
    loaded = load_scenario(path, [f"devices.weights.measured={tmp_path}/w.npz"])
    np.testing.assert_array_equal(make_setup(loaded).chip(threads=1).effective["weight/in-conv1"], measured)
    np.savez(tmp_path / "w.npz", **{"weight/in-conv1": measured[0, 0]})
    (fault,) = faults_of_files(load_scenario(path, [f"devices.weights.measured={tmp_path}/w.npz"]))
    assert "(32, 32, 3, 3, 3, 4)" in fault.hint


def test_a_resolved_scenario_is_the_same(tmp_path, elsewhere):
    loaded = load_scenario(write(tmp_path, CONV))
    again = load_scenario(write(tmp_path, explain_scenario(loaded), "again.toml"))
    assert again.scenario == loaded.scenario


def test_programmed_kernels_are_read_back_from_a_result(tmp_path, elsewhere):
    setup = make_setup(load_scenario(write(tmp_path, CONV)))
    write_result_file(tmp_path / "run.h5", make_parameter_groups(setup.chip(threads=1)), {"software": "nudgelab test"})
    path = write(tmp_path, CONV.replace(f"{DATA}/conv_dsilu_xent/parameters.npz", "run.h5"))
    again = make_setup(load_scenario(path)).programmed
    assert again.keys() == setup.programmed.keys()
    for name, block in setup.programmed.items():
        np.testing.assert_array_equal(again[name], block)


def test_initial_kernels_have_the_shape_of_their_blocks(tmp_path, elsewhere):
    setup = make_setup(load_scenario(write(tmp_path, without_parameters(CONV)), ["network.asymmetry.angle=0"]))
    np.testing.assert_array_equal(setup.programmed["weight/conv1-conv2"], setup.programmed["weight/conv2-conv1"])
    assert setup.programmed["bias/conv1"].shape == (4,)


def test_the_engine_for_processors_is_refused_with_the_way_out(tmp_path):
    fault = only_fault(write(tmp_path, CONV))
    assert_tells(fault, "dynamics.engine", "does not settle convolutions (in-conv1)", 'dynamics.engine = "jax"')
    assert "pip install 'nudgelab[jax]'" in fault.hint


@pytest.mark.parametrize(
    ("edits", "path", "message"),
    [
        (["devices.wires.segment=0.01", "devices.weights.cell=pair"], "devices.wires.segment", "no array of rows"),
        ([VOLTS, "physical.synapse=passive"], "physical.synapse", "not modelled"),
        ([VOLTS, "physical.synapse=transconductor"], "physical.synapse", "not modelled"),
        (['learning.write="tiles"'], "learning.write", "read row by row, but in-conv1 is a convolution"),
        (
            ["learning.optimiser={ spectral_caps = { conv1-conv2 = 1.0 } }"],
            "learning.optimiser.spectral_caps.conv1-conv2",
            "no matrix",
        ),
    ],
)
def test_what_has_no_meaning_for_kernels_is_refused(tmp_path, edits, path, message):
    found = {".".join(map(str, fault.path)): fault for fault in faults_of(write(tmp_path, CONV), *edits)}
    assert message in found[path].message
    assert "leave" in found[path].hint or "dense connections" in found[path].hint


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        ("devices.update={ kind = 'constant-step', step = 0.01 }", "devices.update"),
        ("devices.update={ kind = 'verified', w_max = 1, error = [0.01] }", "devices.update"),
        ("devices.comparator={ change = 0.01 }", "devices.comparator"),
        ("devices.retention={ leak_tau = 1e6 }", "devices.retention"),
    ],
)
def test_what_would_let_copies_of_a_kernel_drift_apart_is_refused(tmp_path, edit, path):
    edits, found = ["experiment={ kind = 'train', epochs = 1 }", edit], []
    for text in (CONV, CONV.replace(*PER_POSITION)):
        faults = faults_of(write(tmp_path, text), *edits)
        found.append({".".join(map(str, fault.path)): fault for fault in faults})
    assert path not in found[0]
    words = "the copies of a kernel (in-conv1) are written as one number"
    assert_tells(found[1][path], path, words, 'cells = "shared"')


@pytest.mark.parametrize(
    ("kind", "size", "refused"), [("exact", 20, True), ("exact", 16, False), ("sampled", 20, False)]
)
def test_exact_homeostasis_of_many_units_is_refused_with_the_cure(tmp_path, elsewhere, kind, size, refused):
    """Of dense connections it takes the weights alone, however many."""
    sizes = f"in = [{2 * size}, {2 * size}, 3], conv1 = [{size}, {size}, 4], conv2 = [{size // 2}, {size // 2}, 5]"
    connections = ['{ path = "in-conv1", kind = "conv" }', '{ path = "conv1-conv2", kind = "conv" }', '"conv2-out"']
    edits = [
        f"network.layers={{ {sizes}, out = 6 }}",
        f"network.connections=[{', '.join(connections)}]",
        f"learning.homeostasis={{ kind = '{kind}' }}",
        "experiment={ kind = 'train', epochs = 1 }",
    ]
    path = write(tmp_path, without_parameters(CONV))
    dense = '[{ path = "in-conv1", kind = "conv" }, "conv1-conv2", "conv2-out"]'
    load_scenario(path, [*edits, f"network.connections={dense}"])
    if not refused:
        load_scenario(path, edits)
        return
    message = "2106 unclamped units: around a state it takes as many products for every sample"
    assert_tells(only_fault(path, *edits), "learning.homeostasis.kind", message, 'kind = "sampled"')


@pytest.mark.parametrize(
    ("edit", "path", "message", "hint"),
    [
        ("network.layers.in=[32, 32]", "network.layers.in", "at least 3", "[rows, columns, channels]"),
        ("network.layers.in=[0, 32, 3]", "network.layers.in.0", "must be >= 1", None),
        ("network.layers.in=[1.5, 32, 3]", "network.layers.in.0", "must be a whole number", None),
        ("network.connections.0=3", "network.connections.0", "must be a string", None),
        ("network.connections.0.kernel=[3]", "network.connections.0.kernel", "at least 2", "Rows and columns"),
        ("network.connections.0.kernel=0", "network.connections.0.kernel", "must be >= 1", None),
        ("network.connections.0.kernl=3", "network.connections.0.kernl", "unknown key", "mean 'kernel'?"),
        ("network.connections.0.pool=max", "network.connections.0.pool", "must be 'softmax', 'average' or", None),
        ("network.connections.2.kernel=5", "network.connections.2.kernel", "conv1-conv2 has 3", "leave out one"),
        (
            "network.connections.0.pool=none",
            "network.connections.0.path",
            "conv1 is [16, 16, 4]: a 3x3 kernel with padding same on [32, 32, 3] makes [32, 32, channels]",
            "write conv1 = [32, 32, 4]",
        ),
    ],
)
def test_what_is_written_wrongly_is_told_once_at_its_place(tmp_path, elsewhere, edit, path, message, hint):
    assert_tells(only_fault(write(tmp_path, CONV), edit), path, message, hint)


def test_layers_of_too_many_units_are_refused(tmp_path):
    layers = "network.layers={ in = [1000000, 1000000, 1], out = [500000, 500000, 1] }"
    connections = 'network.connections=[{ path = "in-out", kind = "conv" }]'
    faults = {".".join(map(str, fault.path)): fault for fault in faults_of(write(tmp_path, CONV), layers, connections)}
    assert "1.25e+12 units, more than 1e+08" in faults["network.layers"].message


@pytest.mark.parametrize(
    ("form", "message", "hint"),
    [
        ("[16, 64, 3]", "[16, 64, 3], but the samples of the task are [32, 32, 3]", "write in = [32, 32, 3]"),
        ("[32, 32, 1]", "[32, 32, 1], but the samples of the task are [32, 32, 3]", "write in = [32, 32, 3]"),
        ("3000", "3000 units, but the samples of the task have 3072 inputs", "write in = [32, 32, 3]"),
    ],
)
def test_images_of_another_form_are_refused(tmp_path, elsewhere, form, message, hint):
    text = CONV.replace("in = [32, 32, 3]", f"in = {form}").replace(
        '{ path = "in-conv1", kind = "conv" }', '"in-conv1"'
    )
    (fault,) = faults_of_files(load_scenario(write(tmp_path, without_parameters(text))))
    assert_tells(fault, "network.layers.in", message, hint)
