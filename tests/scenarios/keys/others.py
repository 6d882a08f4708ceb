"""Samples of the keys of all tables but those of the hardware."""

from __future__ import annotations

from typing import Any

from .sample import Sample, Silent, at, refused, table

FREE = {"dynamics.free": {"max_steps": 400}, "dynamics.nudged": {"max_steps": 400}}
TRAINED = {"experiment": {"kind": "train", "epochs": 2}, "task.batch": 2, "learning.optimiser": {"rate": 0.1}}
RECORDED = {"dynamics.free": {"steps": 8}, "dynamics.nudged": {"steps": 8}}
LONG = {"dynamics.free": {"steps": 12_000}, "dynamics.nudged": {"steps": 1}}
ONE_WAY = {
    "network.connections": ["in-l1", "l1-out", "in-out", "out-out", "out-l1"],
    "network.layers": {"in": 3, "l1": 4, "out": 2},
}
CURVE = {
    "network.activation": {"table": "curve.csv", "units": "volts"},
    "physical": {"volt_scale": 0.5, "activity_volts": 0.5},
}

FOUND: dict[str, Sample | Silent] = {
    **table("", schema=refused(2, "release"), name="other", seed=3),
    **table(
        "network",
        law="hopfield",
        layers={"in": 3, "l1": 5, "out": 2},
        cost="mse",
        parameters="parameters.npz",
    ),
    **table(
        "network.connections",
        {"network.layers": {"in": [1, 3, 1], "l1": [1, 3, 2], "out": 2}},
        kind=refused({"kind": "dense", "path": "in-l1"}, "must be 'conv'"),
        path=refused({"kind": "conv", "path": "l1-l1"}, "joins a layer with itself"),
        kernel=refused({"kind": "conv", "path": "in-l1", "kernel": [2, 1], "padding": "valid"}, "has no place"),
        padding=refused({"kind": "conv", "path": "in-l1", "padding": "valid"}, "has no place"),
        pool=refused({"kind": "conv", "path": "in-l1", "pool": "none"}, "does not settle convolutions"),
        cells=refused({"kind": "conv", "path": "in-l1", "cells": "own"}, "must be 'shared' or 'per-position'"),
    ),
    **table("network.activation", CURVE, table="other.csv", units="model", zero_in=0.2, zero_out=0.2),
    **table("network.init", kind=refused("other", "lecun-normal")),
    **table("network.asymmetry", angle=45.0),
    **table("chip", {"devices.weights.mismatch_sigma": 0.1}, instance=1),
    **table(
        "dynamics",
        mode=at("equilibrium", **FREE),
        method="heun",
        dt=0.25,
        accuracy=at(1e-2, dynamics={"method": "rk45", "free": {"duration": 4.0}, "nudged": {"duration": 4.0}}),
        start=at("previous", **TRAINED),
        precision="single",
        engine=Silent("both engines agree to rounding, and the one in JAX need not be installed"),
        tile=refused(8, "belongs to engine"),
        acceleration=at("none", dynamics={"mode": "equilibrium"}),
        audit=at(0, dynamics={"mode": "equilibrium"}),
    ),
    **table(
        "phases",
        nudge="held",
        hold_time=at(2.0, devices__hold__droop=0.05, phases__hold_time=1.0),
        read_time=at(0.5, experiment={"kind": "train", "epochs": 1}),
        write_time=at(5.0, experiment={"kind": "train", "epochs": 1}),
        noise=at("common", devices__noise__thermal=0.02),
    ),
    **table("learning", presynaptic="free"),
    **table(
        "experiment[settle].record",
        RECORDED | {"experiment": {"kind": "settle"}},
        limit_mb=refused(1, "the limit is 1 MiB"),
    ),
}
for _phase in ("free", "nudged"):
    FOUND |= table(
        f"dynamics.{_phase}",
        steps=at(3, **{f"dynamics.{_phase}": None}),
        duration=2.0,
        window=1.0,
        max_steps=at(3, **FREE),
        tolerance=at(1e-2, **FREE),
    )

SCHEMES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one-sided": ({}, {}),
    "backward": ({}, {}),
    "random-sign": ({}, {"seed": 5}),
    "centred": ({}, {}),
    "circle": ({}, {"points": 6}),
    "chebyshev": ({}, {"points": 6}),
    "lock-in": ({"period": 8.0}, {"period": 16.0, "cycles": 3, "harmonics": 2}),
    "rotation": ({"period": 8.0}, {"period": 16.0, "cycles": 3}),
}
for _kind, (_needs, _own) in SCHEMES.items():
    _scheme = {"kind": _kind, "beta": 0.2} | _needs
    _other = {"kind": "circle" if _kind == "centred" else "centred", "beta": 0.2}
    for _key, _value in (("scheme", _scheme), ("schemes", [_scheme])):
        _beside = {"learning.scheme": None, f"learning.{_key}": _value, "experiment.samples": 6}
        FOUND |= table(f"learning.{_key}[{_kind}]", _beside, kind=_other, beta=0.1, **_own)

for _kind in ("one-sided", "backward", "centred", "circle", "chebyshev"):
    for _key, _wrap in (("scheme", lambda one: one), ("schemes", lambda one: [one])):
        _search = {"kind": _kind, "beta": "auto", "probe": 0.2, "rounds": 1}
        _beside = {"learning.scheme": None, f"learning.{_key}": _wrap(_search), "experiment.samples": 6}
        FOUND |= table(f"learning.{_key}[{_kind}]", probe=at(0.05, **_beside), rounds=at(2, **_beside))

RULES: dict[str, dict[str, Any]] = {
    "error-vector": {},
    "contrastive": {},
    "asym-ep": {"knowledge": at("exact", devices__weights__mismatch_sigma=0.2)},
    "dyadic": {},
    "kolen-pollack": {"decay": 0.1},
    "feedback-alignment": {},
    "pat": {
        "model": at("exact", devices__weights__mismatch_sigma=0.2),
        "weight_sigma": 0.2,
        "iterations": 3,
    },
    "dfa": {"seed": 3},
    "layer-nudges": {"weight": 0.5, "seed": 3},
    "weight-perturbation": {"probes": 2, "size": 0.2, "seed": 3},
    "node-perturbation": {
        "probes": 3,
        "code": "random",
        "size": 0.2,
        "control": "ep",
        "seed": 3,
    },
}
_MEASURED = {"kind": "pat", "model": "measured"}
_EXPECTED = {"spread": at(0.3, devices__weights__mismatch_sigma=0.2), "read_sigma": 0.01}
FOUND |= table("learning.rule[pat]", TRAINED | {"learning.rule": _MEASURED}, **_EXPECTED)
for _kind, _own in RULES.items():
    _other = {"kind": "contrastive" if _kind != "contrastive" else "error-vector"}
    FOUND |= table(f"learning.rule[{_kind}]", TRAINED | {"learning.rule": {"kind": _kind}}, kind=_other, **_own)

WRITES: dict[str, dict[str, Any]] = {
    "direct": {},
    "accumulate": {"bits": 3, "rounding": "nearest", "threshold": 2.0, "seed": 3},
    "batches": {"every": 3},
    "sign": {"deadzone": 0.01},
    "low-rank": {"rank": 1, "every": 3, "feedback": False},
    "verify": {"tolerance": 3.0, "longest": 1, "pulses": 5},
    "transfer": {
        "version": "agad",
        "every": 2,
        "rows": 2,
        "fast_rate": 3.0,
        "slow_rate": 0.5,
        "chop": 0.5,
        "turns": "regular",
        "momentum": 0.5,
        "gamma": 0.5,
        "reference_sigma": 0.5,
        "seed": 3,
    },
    "tiles": {"tiles": 2, "gamma": 0.5, "carry_every": 2},
}
_SHORT: dict[str, dict[str, Any]] = {
    "low-rank": {"rank": 2, "every": 2},
    "accumulate": {"bits": 4},
    "transfer": {"version": "chopped", "slow_rate": 0.3, "chop": 0.3},
    "tiles": {"gamma": 0.2, "carry_every": 1},
}
_AGAD = {"kind": "transfer", "version": "agad", "slow_rate": 0.3, "chop": 0.5}
for _kind, _own in WRITES.items():
    _needs = {"devices.update": {"kind": "constant-step", "step": 0.002}, "learning.optimiser.rate": 0.02}
    _policy = {"kind": _kind} | _SHORT.get(_kind, {})
    _other = {"kind": "accumulate" if _kind != "accumulate" else "direct"}
    _trained = TRAINED | {"experiment": {"kind": "train", "epochs": 3}, "learning.write": _policy}
    _compared = TRAINED | {"experiment": {"kind": "write", "batches": 9, "policies": [_policy]}}
    FOUND |= table(f"learning.write[{_kind}]", _trained | _needs, kind=_other, **_own)
    FOUND |= table(f"experiment[write].policies[{_kind}]", _compared | _needs, kind=_other, **_own)
    if _kind == "transfer":
        _trained, _compared = _trained | {"learning.write": _AGAD}, dict(_compared)
        _compared["experiment"] = {"kind": "write", "batches": 9, "policies": [_AGAD]}
        FOUND |= table("learning.write[transfer]", _trained | _needs, tail=1.0)
        FOUND |= table("experiment[write].policies[transfer]", _compared | _needs, tail=1.0)

OPTIMISERS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.5},
    "adamw": {"beta1": 0.5, "beta2": 0.9, "epsilon": 0.1},
}
for _kind, _own in OPTIMISERS.items():
    FOUND |= table(
        f"learning.optimiser[{_kind}]",
        TRAINED | {"learning.optimiser": {"kind": _kind, "rate": 0.1}},
        kind={"kind": "adamw" if _kind == "sgd" else "sgd", "rate": 0.1},
        rate=0.2,
        rates={"in-l1": 0.3},
        schedule="cosine",
        warm_up=1.0,
        weight_decay=0.1,
        weight_decays={"in-l1": 0.3},
        clip=0.01,
        spectral_caps={"in-l1": 0.3},
        **_own,
    )

HOMEOSTASIS: dict[str, dict[str, Any]] = {
    "exact": {},
    "sampled": {"draws": 2, "terms": "norm", "seed": 3},
    "open-loop": {"draws": 2, "seed": 3, "size": at(0.2, devices__noise__read=0.02)},
    "closed-loop": {"draws": 2, "seed": 3, "size": 0.2},
}
for _kind, _own in HOMEOSTASIS.items():
    _beside = TRAINED | {"learning.homeostasis": {"kind": _kind}}
    FOUND |= table(
        f"learning.homeostasis[{_kind}]",
        _beside,
        kind={"kind": "exact" if _kind != "exact" else "open-loop"},
        strength=0.5,
        connections=at(
            "reciprocal",
            network__connections=["in-l1", "l1-out", "out-l1", "l1-l2", "l2-out"],
            network__layers={"in": 3, "l1": 4, "l2": 3, "out": 2},
        ),
        **_own,
    )

BUNDLED = {
    "task": {"kind": "bundled"},
    "network.layers": {"in": 784, "l1": 4, "out": 10},
    "experiment.samples": 6,
    "experiment.test_samples": 5,
}
PICTURES = {
    "path": "cifar2",
    "samples": 8,
    "test_samples": 1,
    "std_factor": 2.0,
    "flip": True,
    "crop": 2,
    "shrink": refused(2, "inputs"),
}
TASKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bundled": (BUNDLED, {"name": refused("other", "fashion-small")}),
    "idx": (
        {"task": {"kind": "idx", "path": "idx"}, "network.layers": {"in": 4, "l1": 4, "out": 10}},
        {"path": "idx2"},
    ),
    "cifar": (
        {"task": {"kind": "cifar", "path": "cifar"}, "network.layers": {"in": 3072, "l1": 4, "out": 10}},
        {**PICTURES, "name": "cifar-100", "labels": at("coarse", task__name="cifar-100")},
    ),
    "imagenet32": (
        {"task": {"kind": "imagenet32", "path": "cifar"}, "network.layers": {"in": 3072, "l1": 4, "out": 10}},
        PICTURES,
    ),
    "arrays": ({}, {"path": "other.npz"}),
    "two-moons": (
        {
            "task": {"kind": "two-moons", "samples": 6, "test_samples": 4},
            "network.layers": {"in": 2, "l1": 4, "out": 2},
        },
        {"samples": 8, "test_samples": 5, "seed": 3, "noise": 0.3},
    ),
    "teacher": (
        {"task": {"kind": "teacher", "inputs": 3, "outputs": 2, "samples": 6, "test_samples": 4}},
        {
            "samples": 8,
            "test_samples": 5,
            "seed": 3,
            "hidden": 8,
            "noise": 0.3,
            "inputs": refused(4, "inputs"),
            "outputs": 3,
            "targets": at("values", network__cost="mse"),
        },
    ),
}
for _kind, (_needs, _own) in TASKS.items():
    _other = {"kind": "teacher", "inputs": 3, "outputs": 2, "samples": 6, "test_samples": 4}
    if _kind in ("teacher", "arrays"):
        _other = {"kind": "arrays", "path": "data.npz"} if _kind == "teacher" else _other
        _change: Any = _other
    else:
        _change = refused(_other, "inputs")
    FOUND |= table(f"task[{_kind}]", TRAINED | {"task.batch": 2} | _needs, batch=3, kind=_change, **_own)

_RECORD = {"samples": 1, "every_steps": 2, "units": 1}
for _kind in ("settle", "measure", "train"):
    _record = {} if _kind == "settle" else {"experiment.record": {}}
    _beside = {"experiment": {"kind": _kind}, "task.batch": 2} | RECORDED | _record
    FOUND |= table(f"experiment[{_kind}].record", _beside, **_RECORD)
    FOUND |= table(f"experiment[{_kind}].record", _beside | LONG, limit_mb=refused(1, "the limit is 1 MiB"))
_SPREAD = {"devices.weights.mismatch_sigma": 0.2}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "settle": ({}, {}),
    "measure": ({"samples": 3}, {"samples": 2, "interactions": True, "repeats": at(3, devices__noise__read=0.02)}),
    "nudge": (
        {"samples": 2, "repeats": 3},
        {"samples": 3, "repeats": at(4, devices__noise__read=0.02), "betas": [0.1, 0.3]},
    ),
    "train": (
        {"epochs": 1},
        {
            "epochs": 2,
            "samples": 3,
            "test_samples": 2,
            "reference": True,
            "checkpoint_seconds": Silent("when a checkpoint is kept"),
        },
    ),
    "write": (
        {"batches": 3},
        {"batches": 4, "frozen": False},
    ),
    "evaluate": ({"chips": 2}, {"chips": 3, "samples": 2}),
    "copy": (
        {"chips": 2, "epochs": 1},
        {
            "chips": 3,
            "epochs": 2,
            "weights": at("measured", devices__weights__mismatch_sigma=0.2),
            "calibrate": at("affine", devices__weights__mismatch_sigma=0.2),
            "reads": at(
                4, experiment={"kind": "copy", "chips": 2, "weights": "measured"}, devices__weights__mismatch_sigma=0.2
            ),
            "samples": 3,
            "test_samples": 2,
        },
    ),
    "rivals": (
        {
            "rivals": [{"rule": "dfa"}, {"start": "deployed"}],
            "budget": {"settlings": 20},
            "chips": 2,
            "in_silico_epochs": 1,
        },
        {
            "chips": 3,
            "rates": [0.5, 0.7],
            "mismatch": [0.2],
            "read_noise": [0.02],
            "samples": 3,
            "test_samples": 2,
            "in_silico_epochs": 2,
            "estimates": at(3, devices__noise__read=0.02),
            "checkpoint_seconds": Silent("when a checkpoint is kept"),
        },
    ),
}
for _kind, (_needs, _own) in KINDS.items():
    _other = {"kind": "measure" if _kind != "measure" else "settle"}
    FOUND |= table(f"experiment[{_kind}]", {"experiment": {"kind": _kind} | _needs}, kind=_other, **_own)
FOUND |= table(
    "experiment[copy].recover",
    {"experiment": {"kind": "copy", "chips": 2, "epochs": 1, "recover": {"epochs": 1}}, "task.batch": 2} | _SPREAD,
    cells="readout",
    epochs=2,
    every_batches=1,
    rate=0.3,
)
_WIDER = {"set": {"devices.feedback.mismatch_sigma": 0.1}}
FOUND |= table(
    "experiment[measure].change",
    {"experiment": {"kind": "measure", "samples": 3, "change": [_WIDER]}},
    name="wider",
    set={"devices.feedback.mismatch_sigma": 0.2},
)
_RACE = {
    "experiment": {
        "kind": "rivals",
        "rivals": [{"rule": "error-vector"}, {"start": "deployed"}],
        "budget": {"settlings": 20},
        "chips": 2,
        "estimates": 2,
        "in_silico_epochs": 1,
    },
    "task.batch": 2,
}
FOUND |= table(
    "experiment[rivals].budget",
    _RACE,
    settlings=30,
    reads=10,
    time=at(200.0, dynamics={"free": {"duration": 10.0}, "nudged": {"duration": 5.0}}),
    pulses=at(1, devices__update={"kind": "constant-step", "step": 0.001}),
    joules=at(4e-11, energy__per_read=1e-12),
)
FOUND |= table("experiment[rivals].rivals", _RACE, rate=0.3, start="spread-aware")
for _kind, _own in RULES.items():
    _other = {"kind": "contrastive" if _kind != "contrastive" else "error-vector"}
    _beside = _RACE | {"experiment.rivals.0": {"rule": {"kind": _kind}}}
    if _kind == "node-perturbation":  # a settling for every probe
        _beside |= {"experiment.budget.settlings": 70}
    if _kind == "pat":
        _pat = _RACE | {"experiment.rivals.0": {"rule": _MEASURED}}
        FOUND |= table("experiment[rivals].rivals.rule[pat]", _pat, **_EXPECTED)
    FOUND |= table(f"experiment[rivals].rivals.rule[{_kind}]", _beside, kind=_other, **_own)
_STUDY = {"experiment": {"kind": "nudge", "samples": 2, "repeats": 3}, "devices.noise.read": 0.02}
FOUND |= table("experiment[nudge].budget", _STUDY, settlings=12, reads=12, time=60.0)
FOUND |= table(
    "experiment[train].ledger",
    {
        "experiment": {"kind": "train", "epochs": 2, "ledger": {"samples": 2, "every_epochs": 2}},
        "devices.noise.read": 0.02,
    },
    every_epochs=1,
    samples=3,
    repeats=2,
)

AXIS = {"path": "devices.feedback.mismatch_sigma", "values": [0.0, 0.1]}
SPAN = AXIS | {"values": {"start": 0.1, "stop": 0.3, "num": 2}}
BOTH = [
    SPAN | {"zip": "both"},
    {"path": "learning.scheme.beta", "values": [0.2, 0.3], "zip": "both"},
    {"path": "chip.instance", "values": [1, 2], "zip": "both"},
]
DRAWN = {"method": "random", "samples": 2, "axis": [AXIS | {"values": {"start": 0.1, "stop": 0.3}}]}
FOUND |= table(
    "sweep",
    {"sweep": {"axis": [AXIS]}, "experiment.samples": 2},
    method=at("lhs", sweep=DRAWN),
    samples=at(3, sweep=DRAWN),
    replicates=2,
    replicate=at("seed", sweep__replicates=2),
    seed=at(5, sweep=DRAWN),
    common_random_numbers=False,
    keep="all",
    threshold=0.99,
)
FOUND |= table(
    "sweep.axis",
    {"sweep": {"axis": [SPAN]}, "experiment.samples": 2},
    path="devices.weights.mismatch_sigma",
    zip=at(None, sweep={"axis": BOTH}),
)
FOUND |= table(
    "sweep.axis.values",
    {"sweep": {"axis": [SPAN]}, "experiment.samples": 2},
    start=0.2,
    stop=0.4,
    num=3,
    scale=at("log", sweep__axis__0__values__num=3),
    whole=at(
        True,
        sweep={"axis": [{"path": "learning.scheme.beta", "values": {"start": 0.6, "stop": 2.4, "num": 2}}]},
    ),
)
