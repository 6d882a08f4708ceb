import re

import numpy as np
import pytest

import nudgelab
from devices.programming.laws import ConstantStep, ExponentialStep, LinearStep, PowerStep, SoftBounds

from .planted import pulse_trains, save

COMMON = {"step_sigma": 0.2, "cycle_sigma": 0.3, "w_max": 1.0, "w_min": -1.0}
LAWS = {
    "constant-step": ConstantStep(step=0.01, **COMMON),
    "linear-step": LinearStep(step=0.015, slope_up=0.4, slope_down=0.6, up_down=0.1, up_down_sigma=0.03, **COMMON),
    "soft-bounds": SoftBounds(step=0.03, w_max_sigma=0.1, **COMMON),
    "power-step": PowerStep(step=0.03, exponent_up=2.0, exponent_down=1.5, **COMMON),
    "exponential-step": ExponentialStep(
        step=0.01, a=0.5, b=0.0, amplitude_up=0.05, amplitude_down=0.03, gamma_up=6.0, gamma_down=7.0, **COMMON
    ),
}


def fitted(tmp_path, law, **how):
    weight, direction = pulse_trains(law, **how)
    return nudgelab.fit(save(tmp_path / "p.npz", weight=weight, direction=direction), "pulses")


@pytest.mark.parametrize("name", LAWS)
def test_the_law_is_found(tmp_path, name):
    found = fitted(tmp_path, LAWS[name], devices=20)
    assert found.values["update.kind"].value == name
    # 20 devices tell the mean step of a spread of 20 % to 4.5 %; 20 % is more than four times that.
    assert found.values["update.step"].value == pytest.approx(LAWS[name].step, rel=0.2)
    assert found.values["update.cycle_sigma"].value == pytest.approx(0.3, rel=0.1)
    assert dict(found.alternatives).keys() == LAWS.keys()


@pytest.mark.parametrize("read", [0.0, 0.02])
def test_values_of_a_linear_law_are_found_whatever_the_noise_of_the_reads(tmp_path, read):
    """Trains of 40 devices to the ends; the noise of a read is 0 or larger than a step.

    Limits are four standard errors or more: 20 % over root 40 for the step, 1 over root 78 for the spread.
    """
    law = LAWS["linear-step"]
    found = fitted(tmp_path, law, pulses=250, read=read).values
    reached = found["update.w_max"].value, found["update.w_min"].value
    slopes = found["update.slope_up"].value / reached[0], found["update.slope_down"].value / -reached[1]
    assert slopes == (pytest.approx(0.4, abs=0.04), pytest.approx(0.6, abs=0.04))
    assert found["update.step"].value == pytest.approx(0.015, rel=0.13)
    assert found["update.step_sigma"].value == pytest.approx(0.2, rel=0.45)
    assert found["update.up_down_sigma"].value == pytest.approx(0.03, rel=0.6)
    cycle = found["update.cycle_sigma"]
    assert cycle.value == pytest.approx(0.3, rel=0.05) if read == 0.0 else cycle.low < 0.3 < cycle.high
    step = found["update.step"]
    assert step.low < 0.015 < step.high


def test_noise_of_the_reads_makes_no_step_and_no_slope_too_large(tmp_path):
    """Noise of three steps, 16 equal devices: with the state as it was just read, steps at 0 are 17 % too large.

    What is left of that is below a quarter: a step within 5 %, slopes within 0.06 (0.1 without an instrument).
    """
    law = LinearStep(step=0.015, slope_up=0.4, slope_down=0.6, up_down=0.1, cycle_sigma=0.1, w_max=1.0, w_min=-1.0)
    found = fitted(tmp_path, law, devices=16, pulses=250, read=0.05).values
    assert found["update.step"].value == pytest.approx(0.015, rel=0.05)
    assert found["update.slope_up"].value == pytest.approx(0.4, abs=0.06)
    assert found["update.slope_down"].value == pytest.approx(0.6, abs=0.06)


def test_reads_without_a_pulse_tell_the_noise_of_the_reads(tmp_path):
    weight, direction = pulse_trains(LAWS["constant-step"], devices=20)
    rng = np.random.default_rng(0)
    again = np.concatenate([weight, np.repeat(weight[:, -1:], 50, axis=1)], axis=1)
    noisy = again + 0.02 * rng.normal(size=again.shape)
    way = np.concatenate([direction, np.zeros(50)])
    found = nudgelab.fit(save(tmp_path / "p.npz", weight=noisy, direction=way), "pulses")
    told = re.fullmatch(
        r"noise of a read (\S+) in units of the weight, by 1000 reads without a pulse.*", found.notes[0]
    )
    assert float(told[1]) == pytest.approx(0.02, rel=0.15)


def test_stuck_devices_are_named_and_change_nothing(tmp_path):
    weight, direction = pulse_trains(LAWS["constant-step"], devices=20)
    stuck = np.concatenate([weight, np.full((2, weight.shape[1]), 0.3)])
    good, both = (
        nudgelab.fit(save(tmp_path / "p.npz", weight=w, direction=direction), "pulses") for w in (weight, stuck)
    )
    assert both.values == good.values
    assert "stuck devices, left out: [21, 22] (of 22)" in both.notes


def test_bounds_that_were_not_reached_are_open(tmp_path):
    found = fitted(tmp_path, LAWS["constant-step"], devices=10, pulses=60)
    (note,) = (note for note in found.notes if note.startswith("w_max is not determined by these trains"))
    # 30 pulses of 0.01 up: 3 more pulses are a tenth of the 0.3 they reach.
    assert re.search(r"; (3|4) more pulses in a row would tell", note)
    top = found.values["update.w_max"]
    assert (top.high, found.values["update.w_min"].low) == (None, None)
    assert 0.2 < top.low <= top.value < 0.45
    assert "open" in repr(found)
    assert re.search(r"w_max = \S+  # \S+ to open \(90 %\)", found.to_toml())
    law = ConstantStep(step=0.02, cycle_sigma=0.3, w_max=1.0, w_min=-1.0, w_max_sigma=0.1)
    reached = fitted(tmp_path, law, devices=10)
    assert not any("not determined" in note for note in reached.notes)
    held = reached.values["update.w_max"]
    assert held.low < 1.0 < held.high < 1.2


def test_bounds_that_only_the_steps_tell_are_told(tmp_path):
    """Trains of 120 pulses of 0.02 between soft bounds of 0.8 turn at 0.72; of 60 at 0.5, where no law is told."""
    law = SoftBounds(step=0.02, cycle_sigma=0.3, w_max=0.8, w_min=-0.8)
    few, short, long = (fitted(tmp_path, law, devices=20, pulses=pulses) for pulses in (60, 120, 300))
    assert few.values["update.w_max"].high is None
    assert any(note.startswith("w_max is not determined by these trains") for note in few.notes)
    (note,) = (note for note in short.notes if note.startswith("w_max: the steps tell it, no device reached it"))
    top = short.values["update.w_max"]
    assert (0.7 < top.low < 0.73, 0.8 < top.high < 0.85) == (True, True)
    # A tenth below 0.8 is 0.727: 0.007 more, of steps of 0.02 (1 - 0.72/0.8).
    assert 1 <= int(re.search(r"about (\d+) more pulses", note)[1]) < 10
    assert not any("no device reached it" in note for note in long.notes)
    assert long.values["update.w_max"].low < 0.8 < long.values["update.w_max"].high


def test_conductances_become_weights(tmp_path):
    weight, direction = pulse_trains(LAWS["constant-step"], devices=5)
    pairs = [(d, p, 20.0 + 10.0 * w) for d, row in enumerate(weight) for w, p in zip(row, direction, strict=True)]
    lines = [f"{d},{p:g},{siemens:.6f}" for d, p, siemens in pairs]
    path = tmp_path / "p.csv"
    path.write_text("\n".join(["device,direction,conductance (uS)", *lines]))
    found = nudgelab.fit(path, "pulses", weight="10 uS", zero="20 uS").values["update.step"].value
    plain = nudgelab.fit(save(tmp_path / "p.npz", weight=weight, direction=direction), "pulses")
    assert found == pytest.approx(plain.values["update.step"].value, rel=1e-3)
    with pytest.raises(nudgelab.FitError, match="are in S; say what a weight of 1 is"):
        nudgelab.fit(path, "pulses")
    with pytest.raises(nudgelab.FitError, match="weights lie around 0; say what conductance a weight of 0 has"):
        nudgelab.fit(path, "pulses", weight="10 uS")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w, d: (w, d * 2.0), "number 2 of 'direction' is 2; it must be one of -1, 0, 1"),
        (lambda w, d: (w, np.abs(d)), "pulses up and down are needed"),
        (lambda w, d: (w * 0.0, d), "no device moves"),
        (lambda w, d: (w[:, :10], d[:10]), "device 1 has 10 reads; give 16 or more"),
    ],
)
def test_trains_that_tell_nothing_are_refused(tmp_path, change, words):
    weight, direction = change(*pulse_trains(LAWS["constant-step"], devices=3))
    with pytest.raises(nudgelab.FitError, match=words):
        nudgelab.fit(save(tmp_path / "p.npz", weight=weight, direction=direction), "pulses")
