"""A key that changes nothing is a fault, told where it stands; without it, or with what it needs, all is well."""

import pytest

from scenarios.language.load import load_scenario

from ..scenario_files import faults_of, write

PLAIN = """\
schema = 1
name = "plain"
network = { layers = { in = 4, l1 = 8, out = 2 }, connections = ["in-l1", "l1-out", "out-l1"] }
learning = { scheme = { kind = "centred", beta = 0.2 } }
task = { kind = "bundled" }
experiment = { kind = "measure" }
"""
ONE_WAY = 'network.connections=["in-l1","l1-out"]'
LOOP = 'network={layers={in=4,l1=8,l2=3,out=2},connections=["in-l1","l1-l2","l2-out","out-l1"]}'
STEPS = 'devices.update={kind="constant-step",step=0.1}'

IDLE = [
    ("network.asymmetry.angle=45", ['network.parameters="w.npz"'], None, "gives the weights"),
    ("network.asymmetry.angle=45", [LOOP], None, "no connection has a reverse"),
    ('devices.feedback.storage="copied"', [LOOP], None, "no connection has a reverse"),
    ("devices.feedback.mismatch_sigma=0.1", [ONE_WAY], None, "there is no feedback connection"),
    ("devices.feedback.gain_sigma=0.1", [ONE_WAY], None, "there is no feedback connection"),
    ('devices.weights.mismatch="lognormal"', [], ["devices.weights.mismatch_sigma=0.1"], "there is no spread"),
    ('devices.feedback.mismatch="lognormal"', [], ["devices.feedback.mismatch_sigma=0.1"], "there is no spread"),
    ("devices.weights.stuck_at=0.5", [], ["devices.weights.stuck_fraction=0.1"], "no device is stuck"),
    (
        'devices.wires.ends="opposite"',
        [],
        ["devices.wires.segment=0.1", 'devices.weights.cell="pair"'],
        "lines have no resistance",
    ),
    ("devices.retention.age=5.0", [], ["devices.retention.leak_tau=10.0"], "nothing is forgotten"),
    ("devices.retention.leak_tau_sigma=0.3", [], ["devices.retention.leak_tau=10.0"], "there is no leak"),
    ("devices.retention.drift_start=5.0", [], ["devices.retention.drift=0.1"], "there is no drift"),
    ("devices.retention.drift_scale=2.0", ["devices.retention.drift=0.1"], None, "drift is that of all weights"),
    ('devices.update.step_spread="log-normal"', [STEPS], ["devices.update.step_sigma=0.1"], "steps have no spread"),
    ("devices.update.w_max_sigma=0.3", [STEPS], ["devices.update.w_max=1.0"], "there is no bound"),
    ("devices.update.w_min_sigma=0.3", [STEPS], ["devices.update.w_min=-1.0"], "there is no bound"),
    ('devices.update.cycle_noise="additive"', [STEPS], ["devices.update.cycle_sigma=0.1"], "pulses have no spread"),
    ("devices.hold.read_skew=0.1", [], ["devices.hold.pedestal=0.1"], "what is held does not change"),
    ("phases.hold_time=1.0", [], ["devices.hold.droop_tau=10.0"], "nothing is held"),
    ('phases.noise="common"', [], None, "membranes have no noise"),
    (
        "devices.converters.readout.shared=true",
        ["devices.converters.readout.bits=6"],
        ["devices.converters.readout.offset_sigma=0.01"],
        "all converters are alike",
    ),
    (
        "devices.converters.nudge.gain_negative=0.9",
        ['learning.scheme.kind="one-sided"'],
        ['learning.scheme.kind="centred"'],
        "no scheme has a negative nudge",
    ),
    (
        'learning.presynaptic="free"',
        ['learning.rule="contrastive"'],
        ['learning.rule="error-vector"'],
        "its own factor",
    ),
    ("dynamics.accuracy=1e-4", [], ['dynamics.method="rk45"'], "steps are fixed"),
    ("dynamics.audit=0", [], ['dynamics.mode="equilibrium"'], "there are no sweeps"),
]


@pytest.mark.parametrize(("edit", "setting", "cure", "words"), IDLE)
def test_a_key_that_changes_nothing_is_refused_at_its_place(tmp_path, edit, setting, cure, words):
    path = write(tmp_path, PLAIN)
    found = [fault for fault in faults_of(path, *setting, edit) if "changes nothing" in fault.message]
    assert found
    for fault in found:
        assert words in fault.message
        assert fault.hint
        assert ".".join(map(str, fault.path)) in edit
    load_scenario(path, setting)
    if cure is not None:
        load_scenario(path, [*setting, edit, *cure])


@pytest.mark.parametrize(
    ("edit", "switch"),
    [
        ("devices.weights.mismatch='additive'", "devices.weights.mismatch_sigma=0"),
        ("devices.feedback.mismatch='additive'", "devices.feedback.mismatch_sigma=0"),
        ("devices.weights.stuck_at=0.1", "devices.weights.stuck_fraction=0"),
        ("devices.wires.ends='opposite'", "devices.wires.segment=0"),
        ("devices.retention.age=10", "devices.retention.drift=0"),
        ("phases.noise='common'", "devices.noise.thermal=0"),
        ("phases.hold_time=1", "devices.hold.pedestal=0"),
        ("devices.converters.readout={bits=8,shared=true}", "devices.converters.readout.offset_sigma=0"),
    ],
)
def test_what_a_written_size_switches_may_stand_beside_a_size_of_0(tmp_path, edit, switch):
    path = write(tmp_path, PLAIN)
    idle = [fault for fault in faults_of(path, edit) if "changes nothing" in fault.message]
    assert idle
    load_scenario(path, [edit, switch])


AXIS = "sweep.axis=[{path='seed',values=[1,2]}]"
RANGE = "sweep.axis=[{path='learning.scheme.beta',values={start=0.1,stop=0.2,num=%d%s}}]"
DRAWN = "sweep={method='sobol',samples=4,axis=[{path='learning.scheme.beta',values={start=0.1,stop=0.2%s}}]}"


@pytest.mark.parametrize(
    ("edits", "key", "cure"),
    [
        ([AXIS, "sweep.seed=3"], "sweep.seed", []),
        (
            [AXIS, "sweep.replicate='seed'", "sweep.axis.0.path='chip.instance'"],
            "sweep.replicate",
            ["sweep.replicates=2"],
        ),
        ([AXIS.replace(",2", ""), "sweep.common_random_numbers=false"], "sweep.common_random_numbers", [AXIS]),
        ([AXIS, "sweep.axis.0.zip='a'"], "sweep.axis.0.zip", []),
        ([RANGE % (1, ",scale='log'")], "sweep.axis.0.values.scale", [RANGE % (3, ",scale='log'")]),
        ([DRAWN % ",num=3"], "sweep.axis.0.values.num", [DRAWN % ""]),
        (
            [AXIS, "sweep.threshold=0.5", "experiment={kind='evaluate'}"],
            "sweep.threshold",
            ["experiment={kind='measure'}"],
        ),
    ],
)
def test_an_idle_key_of_a_sweep_is_refused_at_its_place(tmp_path, edits, key, cure):
    path = write(tmp_path, PLAIN)
    (fault,) = faults_of(path, *edits)
    assert ".".join(map(str, fault.path)) == key
    assert "changes nothing" in fault.message
    if cure:
        load_scenario(path, [*edits, *cure])


def test_a_resolved_scenario_spells_out_idle_defaults_and_is_valid(tmp_path):
    for setting in ([], [ONE_WAY], [LOOP], [STEPS]):
        resolved = load_scenario(write(tmp_path, PLAIN), setting).scenario.to_toml()
        assert (
            load_scenario(write(tmp_path, resolved, "resolved.toml")).scenario
            == load_scenario(tmp_path / "s.toml", setting).scenario
        )
