"""Samples of the keys of ``[devices]``, ``[physical]`` and ``[energy]``."""

from __future__ import annotations

from typing import Any

from .sample import Sample, Silent, at, refused, table

NOISY = {"devices.noise.thermal": 0.02}
VOLTS = {"physical": {"volt_scale": 0.15, "activity_volts": 0.5, "tau": 1e-6, "capacitance": 1e-12}}
SIZES = {"coefficient": 0.1, "width": 1.0, "length": 1.0}
SIZE = {"coefficient": 0.2, "width": 4.0, "length": 4.0}
HELD = {"phases.hold_time": 1.0}
ADC = {"devices.converters.readout": {"bits": 4}}
AGED = {"devices.retention.age": 100.0}
TRAINED = {
    "experiment": {"kind": "train", "epochs": 4},
    "task.batch": 2,
    "learning.optimiser": {"rate": 0.3},
    "devices.comparator": None,
}
"""A training with requests of several steps, so that cells are written often."""

FOUND: dict[str, Sample | Silent] = {
    **table(
        "physical",
        VOLTS | {"devices.noise.thermal": True},
        volt_scale=0.3,
        activity_volts=at(1.0, devices__hold__noise="3 mV", phases__hold_time=1.0),
        tau=at("2 us", devices__noise__tau_c="3 us", devices__noise__coloured=0.02),
        capacitance="2 pF",
        leak=at(
            "2 uS",
            physical__tau=None,
            physical__capacitance="1 pF",
            physical__leak="1 uS",
            devices__wires__segment="1 kohm",
            devices__weights__cell="pair",
        ),
        temperature=30.0,
        excess_noise=2.0,
        synapse="passive",
        weight_range=0.2,
    ),
    **table("energy", TRAINED, per_read=1e-12, static=at(1e-6, physical={"tau": 1e-6})),
    **table("energy", TRAINED | {"learning.rule": {"kind": "pat"}}, per_mac=1e-12),
    **table("energy", TRAINED | {"devices.update": {"kind": "constant-step", "step": 0.01}}, per_pulse=1e-12),
    **table(
        "devices.twin",
        mismatch_sigma=0.1,
        stuck_fraction=0.2,
        stuck_at=at(0.3, devices__twin__stuck_fraction=0.2),
        offset_sigma=0.05,
        gain_sigma=0.05,
        converters=at(True, devices__converters__readout={"bits": 6, "offset_sigma": 0.05}),
    ),
    **table(
        "devices.wires",
        {"devices.weights.cell": "pair", "devices.wires.segment": 0.01},
        segment=0.02,
        ends="opposite",
        array=[2, 2],
    ),
    **table(
        "devices.neurons",
        preset=at("cmos-130nm", **VOLTS),
        tau_sigma=0.2,
        offset_sigma=0.1,
        gain_sigma=0.1,
        slope_sigma=0.1,
        open_loop_gain=30.0,
        slew=0.05,
        synapse_tau=1.0,
    ),
    **table("devices.neurons.input_pair", {"devices.neurons.input_pair": SIZES}, **SIZE),
    **table(
        "devices.noise",
        preset="noise.toml",
        thermal=0.02,
        common=0.02,
        coloured=0.02,
        tau_c=at(3.0, devices__noise__coloured=0.02),
        flicker=0.02,
        flicker_shortest=at(3.0, devices__noise__flicker=0.02),
        flicker_octaves=at(3, devices__noise__flicker=0.02),
        read=0.02,
        read_relative=0.02,
        read_flicker=0.02,
    ),
    **table(
        "devices.noise.telegraph",
        {"devices.noise.telegraph": {"amplitude": 0.1, "time": 3.0}},
        amplitude=0.2,
        amplitude_sigma=0.5,
        fraction=0.5,
        time=9.0,
    ),
    **table("devices.converters", VOLTS, preset="cmos-130nm"),
    **table(
        "devices.converters.readout",
        ADC,
        bits=6,
        full_scale=0.5,
        range=[-0.2, 0.9],
        offset=0.1,
        stochastic=True,
        gain_sigma=0.1,
        offset_sigma=0.1,
        unit_sigma=0.1,
        measured=at("transitions.csv", devices__converters__readout__bits=3),
        shared=at(True, devices__converters__readout__gain_sigma=0.1),
    ),
    **table(
        "devices.converters.nudge",
        {"phases.nudge": "held"},
        gain=0.8,
        gain_negative=0.8,
        offset=0.1,
        gain_sigma=0.1,
        full_scale=0.05,
        bits=at(3, devices__converters__nudge__full_scale=0.3),
        measured=at("levels.csv", devices__converters__nudge={"full_scale": 0.3, "bits": 3}),
    ),
    **table(
        "devices.hold",
        HELD | {"devices.hold.pedestal": 0.02},
        preset=at("board-op-amp", physical={"activity_volts": 0.5, "volt_scale": 0.15, "tau": "1 us"}),
        pedestal=0.05,
        pedestal_sigma=0.05,
        droop_tau=10.0,
        droop=0.05,
        droop_sigma=at(0.5, devices__hold__droop=0.05),
        noise=0.05,
        capacitance=at("1 fF", physical={"activity_volts": 0.5}),
        read_skew=at(0.5, devices__hold__droop=0.05),
    ),
    **table(
        "devices.comparator",
        TRAINED | {"devices.comparator": {"change": 0.02}},
        change=0.04,
        deadzone=0.03,
        offset=0.02,
        offset_sigma=0.02,
        noise=0.02,
    ),
    **table(
        "devices.retention",
        AGED | TRAINED | {"devices.retention.drift": 0.02},
        preset=at("pcm-joshi", devices__retention__drift=None, devices__retention__leak_tau=1e6),
        age=1e4,
        interval=at(10.0, devices__retention__leak_tau=50.0),
        leak_tau=50.0,
        leak_tau_sigma=at(0.5, devices__retention__leak_tau=50.0),
        drift=0.05,
        drift_slope=at(0.05, devices__retention__drift_range=[0.0, 1.0]),
        drift_range=[0.0, 0.01],
        drift_sigma=0.02,
        drift_sigma_slope=at(0.02, devices__retention__drift_sigma_range=[0.0, 1.0]),
        drift_sigma_range=at([0.0, 0.001], devices__retention__drift_sigma=0.02),
        drift_scale=at(0.5, devices__retention__drift_slope=0.05, devices__retention__drift_range=[0.0, 1.0]),
        drift_start=5.0,
    ),
}
for _place in ("devices.weights", "devices.feedback"):
    _beside = {f"{_place}.mismatch_sigma": 0.2}
    FOUND |= table(
        _place,
        preset="cmos-130nm",
        cell=at("pair", **{f"{_place}.stuck_fraction": 0.3, f"{_place}.stuck_at": 0.1}),
        window=[-0.1, 0.1],
        levels=at(4, **{f"{_place}.window": [-0.5, 0.5]}),
        mismatch=at("additive", **_beside),
        mismatch_sigma=0.2,
        measured="cells.csv",
        stuck_fraction=0.3,
        stuck_at=at(0.1, **{f"{_place}.stuck_fraction": 0.3}),
        gain_sigma=0.1,
    )
    _noise = f"{_place}.noise"
    FOUND |= table(
        _noise,
        {"dynamics.method": "exponential", "dynamics.dt": 0.25}
        | {f"dynamics.{phase}": {"duration": 5.0} for phase in ("free", "nudged")}
        | {_noise: {"relative": 0.1, "tau_c": 3.0}},
        relative=0.2,
        absolute=0.1,
        spectrum="telegraph",
        tau_c=1.0,
        octaves=at(3, **{f"{_noise}": {"relative": 0.1, "tau_c": 3.0, "spectrum": "flicker"}}),
        fraction=at(0.3, **{f"{_noise}": {"relative": 0.1, "tau_c": 3.0, "spectrum": "telegraph"}}),
    )
    for _inner in ("pelgrom", "mirror"):
        FOUND |= table(f"{_place}.{_inner}", {f"{_place}.{_inner}": SIZES}, **SIZE)
FOUND |= table("devices.feedback", {"devices.weights.mismatch_sigma": 0.1}, storage="copied")

LAWS: dict[str, dict[str, Any]] = {
    "constant-step": {"step": 0.02, "up_down": 0.3},
    "linear-step": {"step": 0.02, "slope_up": 0.3},
    "soft-bounds": {"step": 0.02},
    "exponential-step": {
        "step": 0.02,
        "a": 1.0,
        "b": 0.0,
        "gamma_up": 1.0,
        "gamma_down": -1.0,
        "amplitude_up": 0.3,
        "amplitude_down": 0.3,
        "cycle_sigma": 0.3,
    },
    "power-step": {"step": 0.06},
    "piecewise-step": {"step": 0.02, "up": [1.0, 0.5], "down": [0.5, 1.0]},
    "verified": {"error": [0.02]},
}
OTHER = {"kind": "constant-step", "step": 0.05}
PRESETS = {
    "constant-step": "gokmen-vlasov",
    "linear-step": "ecram-mo",
    "soft-bounds": "reram-sb",
    "exponential-step": "reram-es",
}
PAIR = {"refresh_above": 0.05, "refresh_spare": 0.02}
OWN: dict[str, dict[str, Any]] = {
    "linear-step": {
        "slope_up": 0.6,
        "slope_down": 0.5,
        "slope_sigma": 0.3,
        "subtract": at("symmetry-point", devices__update__up_down=0.3),
        "subtract_sigma": 0.1,
        "reference": at("own", devices__update__w_max_sigma=0.3),
    },
    "soft-bounds": {"subtract": at("symmetry-point", devices__update__up_down=0.3), "subtract_sigma": 0.1},
    "exponential-step": {
        "a": 2.0,
        "b": 0.5,
        "gamma_up": 0.5,
        "gamma_down": -0.5,
        "amplitude_up": 0.5,
        "amplitude_down": 0.5,
        "cycle_add": 0.01,
        "cycle_slope": 0.1,
    },
    "power-step": {"exponent_up": 2.0, "exponent_down": 2.0, "exponent_sigma": 0.3},
    "piecewise-step": {"up": [1.0, 0.2], "down": [0.2, 1.0]},
}
for _kind, _law in LAWS.items():
    _place, _beside = f"devices.update[{_kind}]", TRAINED | {"devices.update": {"kind": _kind} | _law}
    FOUND |= {
        f"{_place}.kind": Sample(OTHER if _kind != "constant-step" else {"kind": "soft-bounds", "step": 0.02}, _beside)
    }
    _preset = PRESETS.get(_kind)
    FOUND |= table(_place, _beside, preset=_preset or refused("ecram-mo", "another law"), w_max=0.3)
    if _kind == "verified":
        FOUND |= table(_place, _beside, error=[0.1])
        FOUND |= table(
            _place,
            _beside | {"devices.update": {"kind": _kind, "preset": "pcm-joshi"}},
            preset=refused(None, "devices.update.error"),
        )
        continue
    FOUND |= table(
        _place,
        _beside,
        step=0.05,
        rounding="stochastic",
        train=at(5, devices__update__rounding="coincidences"),
        step_sigma=0.3,
        step_spread=at("log-normal", devices__update__step_sigma=0.3),
        up_down=0.6,
        up_down_sigma=0.3,
        w_max_sigma=at(0.3, devices__update__w_max=0.3),
        w_min=-0.3,
        w_min_sigma=at(0.3, devices__update__w_min=-0.3),
        cycle_sigma=0.6,
        cycle_noise=at("additive", devices__update__cycle_sigma=0.5),
        write_noise=0.5,
        offset=0.05,
        measured="steps.npz",
        **OWN.get(_kind, {}),
    )
    FOUND |= table(
        f"{_place}.one_sided",
        _beside | {"devices.update.w_max": 1.0, "devices.update.one_sided": PAIR},
        refresh_above=0.4,
        refresh_spare=0.3,
        reset=0.01,
        reset_sigma=0.01,
        reset_cycle_sigma=0.01,
        longest=1,
    )
