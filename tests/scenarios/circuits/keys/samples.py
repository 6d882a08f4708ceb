"""Samples of all keys of circuits but those of ``[sweep]``, whose table rate networks have, too."""

from __future__ import annotations

from typing import Any

from ..scenarios_of_circuits import EXPONENTIAL, GRAPH, LATTICE, LAYERS, LEARNER, NETLIST, RESISTORS, RHEOSTATS, change
from .sample import Sample, Silent, given, in_decks, name, refused

IDEAL = change(LAYERS, ("network.diodes.h1", {"kind": "ideal"}))
WIDE = change(LAYERS, ("devices.weights.window", ["1 uS", "20 uS"]))
FILE = change(LAYERS, ("network.init", None), ("network.parameters", "first.npz"))
ARRAYS = change(LAYERS, ("task", {"kind": "arrays", "path": "data.npz"}), ("physical.input_volts", "20 V"))
COUPLED = change(LAYERS, ("learning", {"rule": {"kind": "coupled"}}))
EPOCHS = {"kind": "train", "epochs": 2}
TRAINED = change(ARRAYS, ("experiment", EPOCHS), ("task.batch", 2), ("learning.optimiser", {"rate": "2 uS^2/V^2"}))
GATES = change(LATTICE, ("experiment", EPOCHS), ("learning.optimiser", {"gate_rate": 0.1}))
CLAMPED = change(TRAINED, ("learning", {"rule": "coupled", "optimiser": {"coupled_rate": "0.5 uS/V^2"}}))
NOISY = change(LAYERS, ("devices.drops", {"noise": "10 mV"}), ("experiment.repeats", 3))
OTHER_CHANGE = {"devices.weights.mismatch_sigma": "4 %"}
CHANGED = change(LAYERS, ("experiment.change", [{"set": {"devices.weights.mismatch_sigma": "2 %"}}]))
LEDGER = {"kind": "train", "epochs": 2, "ledger": {"samples": 2, "repeats": 3, "every_epochs": 2}}
BOOKED = change(TRAINED, ("devices.drops", {"noise": "10 mV"}), ("experiment", LEDGER))
TESTED = change(ARRAYS, ("experiment", {"kind": "evaluate", "chips": 2}))
IMAGES = change(TRAINED, ("task", {"kind": "idx", "path": "idx"}), ("network.layers", {"in": 4, "h1": 4, "out": 10}))
IMAGES = change(IMAGES, ("devices.weights.window", ["1 uS", "20 uS"]))
BUNDLED = change(TRAINED, ("task", {"kind": "bundled"}), ("network.layers", {"in": 784, "h1": 4, "out": 10}))
BUNDLED = change(BUNDLED, ("experiment", EPOCHS | {"epochs": 1, "samples": 5, "test_samples": 4}), ("task.batch", 2))
BUNDLED = change(BUNDLED, ("devices.weights.window", ["1 uS", "20 uS"]))
COMPARED = change(LEARNER, ("experiment", {"kind": "self-learning", "compare": "transistor-learner-1"}))
TWO = change(GRAPH, ("network.models.other", GRAPH["network"]["models"]["penn"] | {"threshold": "0.5 V"}))
TWO = change(TWO, ("network.models.second", {"kind": "diode", "saturation": "1 uA"}))
for _kind, _model in (("mos", "penn"), ("diode", "second"), ("mos", "other"), ("diode", "silicon")):
    _more = {"name": f"{_model}_2", "kind": _kind, "between": ["mid", "out"], "model": _model}
    TWO["network"]["elements"].append(_more | ({"gate": "2 V"} if _kind == "mos" else {}))
CURVES = {"kind": "settle", "duration": "5 ns", "points": 8}
SETTLED = change(LATTICE, ("physical.capacitance", "1 pF"), ("experiment", CURVES))
CHARGED = change(EXPONENTIAL, ("physical.capacitance", "1 pF"))
RESISTOR = {"name": "mos", "kind": "conductor", "between": ["high", "mid"], "conductance": "1 mS"}

FOUND: dict[str, Sample | Silent] = {
    **name("", LAYERS, "", schema=refused(2, "newer release"), name=in_decks("other"), seed=14),
    **name(
        "network[LayeredNetwork]",
        LAYERS,
        "network",
        law=refused("additive", "unknown key"),
        layers=given(WIDE, {"in": 3, "h1": 5, "out": 2}),
        connections=refused(["in-h1"], "nothing joins"),
        rails=given(WIDE, "single"),
        bias="none",
        cost=refused("cross-entropy", "must be 'mse'"),
        parameters=given(FILE, "second.npz"),
    ),
    **name("network[LayeredNetwork].init", LAYERS, "network.init", unit="20 uS", scale=2.0),
    "network[LayeredNetwork].init.kind": Sample(LAYERS, "network.init.kind", "other", "must be 'cut-uniform'"),
    "network[LayeredNetwork].diodes[ideal].kind": Sample(IDEAL, "network.diodes", EXPONENTIAL["network"]["diodes"]),
    **name(
        "network[LayeredNetwork].diodes[exponential]",
        EXPONENTIAL,
        "network.diodes.h1",
        kind=given(EXPONENTIAL, "ideal", path="network.diodes.h1"),
        saturation="1 uA",
        ideality=1.0,
        bias=["0.5 V", "-0.7 V"],
    ),
    **name("network[LayeredNetwork].amplifiers", EXPONENTIAL, "network.amplifiers.h1", forward=3.0, backward=0.4),
    **name(
        "network[GraphNetwork]",
        GRAPH,
        "network",
        law=refused("additive", "unknown key"),
        temperature="350 K",
        cost=refused("cross-entropy", "must be 'mse'"),
        netlist=given(NETLIST, "other.cir"),
        inputs=given(NETLIST, {"x": "Vhigh"}),
        outputs=given(NETLIST, ["mid"]),
        learn=given(NETLIST, ["R1"]),
    ),
    **name("network[GraphNetwork].nodes", GRAPH, "network.nodes.high", held="0.5 V"),
    **name(
        "network[GraphNetwork].models[mos]",
        GRAPH,
        "network.models.penn",
        kind=refused("diode", "unknown key"),
        transconductance="500 uS/V",
        threshold="0.5 V",
    ),
    **name(
        "network[GraphNetwork].models[diode]",
        GRAPH,
        "network.models.silicon",
        kind=refused("mos", "unknown key"),
        saturation="1 uA",
        ideality=2.0,
    ),
    **name(
        "network[GraphNetwork].elements[conductor]",
        GRAPH,
        "network.elements.2",
        name="other",
        between=["mid", "0"],
        kind=refused("capacitor", "unknown key"),
        resistance=Sample({}, "network.elements.1.resistance", "1 kohm"),
        conductance="2 mS",
        learn=False,
    ),
    **name(
        "network[GraphNetwork].elements[current]",
        GRAPH,
        "network.elements.7",
        name="other",
        between=["mid", "0"],
        kind=refused("capacitor", "unknown key"),
        current="1 mA",
        learn=False,
    ),
    **name(
        "network[GraphNetwork].elements[mos]",
        GRAPH,
        "network.elements.0",
        name="other",
        between=["high", "out"],
        kind=given(TWO, RESISTOR, path="network.elements.0"),
        model=given(TWO, "other"),
        gate="3 V",
        learn=False,
    ),
    **name(
        "network[GraphNetwork].elements[diode]",
        GRAPH,
        "network.elements.3",
        name=in_decks("other"),
        between=["mid", "high"],
        kind=refused("capacitor", "unknown key"),
        model=given(TWO, "second"),
    ),
    **name(
        "network[GraphNetwork].elements[amplifier]",
        GRAPH,
        "network.elements.5",
        name=in_decks("other"),
        between=["x", "strong"],
        kind=refused("capacitor", "unknown key"),
        forward=3.0,
        backward=0.4,
        offset="10 mV",
    ),
    **name(
        "network[GraphNetwork].elements[capacitor]",
        GRAPH,
        "network.elements.8",
        name=in_decks("other"),
        between=in_decks(["mid", "0"]),
        kind=refused("conductor", "unknown key"),
        capacitance=in_decks("2 pF"),
    ),
    **name(
        "network[GraphNetwork].lattice",
        LATTICE,
        "network.lattice",
        rows=4,
        columns=4,
        periodic=given(LATTICE, True, ("network.lattice.held", {"r1c1": "0.4 V"})),
        model=refused("other", "no mos model"),
        gate=["2 V", "3 V"],
        conductance=given(RESISTORS, ["20 uS", "30 uS"]),
        input=["r1c0"],
        output=["r1c1"],
        held={"r0c2": "0.5 V"},
    ),
    **name(
        "physical",
        ARRAYS,
        "physical",
        input_volts="10 V",
        target_volts="2 V",
        capacitance=given(SETTLED, "2 pF"),
    ),
    **name("chip", change(LAYERS, ("devices.weights.mismatch_sigma", 0.1)), "chip", instance=3),
    **name("dynamics", LAYERS, "dynamics", tolerance=1e-3, sweeps=2, precision="single"),
    **name("dynamics.free", CHARGED, "dynamics.free", duration="100 ns"),
    **name("dynamics.nudged", CHARGED, "dynamics.nudged", duration="100 ns"),
    **name("phases", LAYERS, "phases", nudge="held"),
    **name(
        "devices.weights",
        LAYERS,
        "devices.weights",
        mismatch_sigma=0.1,
        window=["1 uS", "20 uS"],
        wires="1 kohm",
        levels=given(change(TRAINED, ("devices.weights.window", ["0 S", "20 uS"])), 8),
    ),
    **name(
        "devices.transistors",
        LATTICE,
        "devices.transistors",
        threshold_sigma="20 mV",
        gain_sigma=0.1,
        gate=["2 V", "3 V"],
    ),
    **name(
        "devices.amplifiers",
        EXPONENTIAL,
        "devices.amplifiers",
        forward_sigma=0.1,
        backward_sigma=0.1,
        offset_sigma="10 mV",
    ),
    **name("devices.diodes", EXPONENTIAL, "devices.diodes", saturation_sigma=0.5, ideality_sigma=0.1),
    **name("devices.nudge", LAYERS, "devices.nudge", offset_sigma="10 mV", gain=1.1),
    **name("devices.inputs", LAYERS, "devices.inputs", resistance="10 kohm"),
    **name("devices.weights.noise", LAYERS, "devices.weights.noise", slow=0.1, fast=0.1),
    **name(
        "devices.drops",
        LAYERS,
        "devices.drops",
        offset_sigma="10 mV",
        noise="10 mV",
        squarer_offset_sigma="10 mV",
        squarer_gain_sigma=0.1,
        twin_sigma=0.1,
        twin_noise=given(change(NOISY, ("devices.drops.twin_sigma", 0.1)), "20 mV"),
    ),
    **name(
        "energy",
        change(LAYERS, ("energy.settling_time", "1 us")),
        "energy",
        settling_time="2 us",
        static="1 uW",
        per_read="1 pJ",
        per_write=given(TRAINED, "1 pJ"),
    ),
    **name(
        "devices.update",
        LEARNER,
        "devices.update",
        kind=refused("other", "must be 'continuous'"),
        gain=2.0,
        sensitivity=given(RHEOSTATS, "100 uS/V", ("devices.update.bias", {"left": "1 V/s"})),
        bias={"minus": "1 V/s"},
        offset={"plus": "1 mV"},
        leak={"plus": "1 1/s"},
        delay="1 ms",
    ),
    **name(
        "devices.update.circuit",
        LEARNER,
        "devices.update.circuit",
        capacitance="10 uF",
        resistance="1 kohm",
        scale="0.1 V",
    ),
    **name("learning", EXPONENTIAL, "learning", metric="none"),
    **name("learning.rule[coupled]", COUPLED, "learning.rule", kind=refused("contrastive", "nudge scheme"), clamp=0.5),
    **name("learning.rule[contrastive]", LAYERS, "learning.rule", kind=refused("coupled", "clamps the outputs")),
    **name(
        "learning.optimiser",
        TRAINED,
        "learning.optimiser",
        kind=refused("adamw", "must be 'sgd'"),
        rate="1 uS^2/V^2",
        rates={"in-h1": "1 uS^2/V^2", "current/h1": "3 uS^2/V^2"},
        coupled_rate=given(CLAMPED, "1 uS/V^2"),
        gate_rate=given(GATES, 0.2),
        decay=0.5,
    ),
    **name(
        "task[voltages]",
        change(LAYERS, ("experiment", EPOCHS), ("learning.optimiser", {"rate": "2 uS^2/V^2"})),
        "task",
        kind=given(LAYERS, {"kind": "arrays", "path": "data.npz"}, path="task"),
        inputs=[["10 V", "0 V", "-10 V"], ["5 V", "20 V", "1 V"]],
        targets=[["2 V", "0 V"], ["0 V", "1 V"]],
        batch=2,
    ),
    **name(
        "task[bundled]",
        BUNDLED,
        "task",
        kind=refused({"kind": "arrays", "path": "data.npz"}, "x has 3 columns", path="task"),
        name=refused("other", "fashion-small"),
        batch=3,
    ),
    **name(
        "task[idx]",
        IMAGES,
        "task",
        kind=refused({"kind": "arrays", "path": "data.npz"}, "x has 3 columns", path="task"),
        path="idx2",
        batch=3,
    ),
    **name(
        "task[arrays]",
        TRAINED,
        "task",
        kind=refused({"kind": "bundled"}, "x has 784 columns", path="task"),
        path="other.npz",
        batch=3,
    ),
    **name(
        "task[alternating]",
        LEARNER,
        "task",
        kind=refused("voltages", "unknown key"),
        tasks={"A": [["435.1 mV", "0.31 V"]], "B": [["18.1 mV", "0.16 V"]]},
        offsets={"A": [["1 mV"]]},
    ),
    **name("experiment[measure]", NOISY, "experiment", samples=1, repeats=4, interactions=True),
    **name("experiment[measure].change", CHANGED, "experiment.change.0", name="better", set=OTHER_CHANGE),
    "experiment[measure].kind": Sample(LAYERS, "experiment", {"kind": "evaluate"}),
    **name(
        "experiment[train]",
        TRAINED,
        "experiment",
        kind=given(TRAINED, {"kind": "evaluate"}, path="experiment"),
        epochs=1,
        samples=3,
        test_samples=2,
        reference=True,
        checkpoint_seconds=Silent("when a checkpoint is kept"),
    ),
    **name(
        "experiment[settle]",
        SETTLED,
        "experiment",
        kind=given(SETTLED, {"kind": "measure"}, path="experiment"),
        duration="10 ns",
        samples=1,
        points=9,
    ),
    **name("experiment[train].ledger", BOOKED, "experiment.ledger", every_epochs=1, samples=3, repeats=2),
    **name(
        "experiment[self-learning]",
        LEARNER,
        "experiment",
        kind=refused({"kind": "measure"}, "do not alternate", path="experiment"),
        periods=["10 ms"],
        compare=given(COMPARED, "transistor-learner-2"),
        points=2,
    ),
    **name("experiment[evaluate]", TESTED, "experiment", chips=3, samples=2),
    "experiment[evaluate].kind": Sample(TESTED, "experiment", {"kind": "measure"}),
}

for _key, _path in (("scheme", "learning.scheme"), ("schemes", "learning.schemes.0")):
    _schemes: dict[str, Any] = {}
    for _kind in ("centred", "chebyshev", "random-sign"):
        _one = {"kind": _kind, "beta": {"fraction": 0.1}}
        _given = {"rule": "contrastive", _key: _one if _key == "scheme" else [_one]}
        _schemes[_kind] = change(LAYERS, ("learning", _given))
    FOUND |= name(
        f"learning.{_key}",
        _schemes["centred"],
        _path,
        kind="one-sided",
        points=given(_schemes["chebyshev"], 6),
        seed=given(_schemes["random-sign"], 5),
    )
    FOUND |= name(f"learning.{_key}.beta", _schemes["centred"], f"{_path}.beta", fraction=0.2)
