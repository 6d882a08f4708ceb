"""Samples of the keys of ``[hardware]``."""

from __future__ import annotations

from .sample import Sample, Silent, at, table

BOARD = {
    "hardware": {"port": "mock"},
    "phases.nudge": "held",
    "experiment": {"kind": "measure", "samples": 2, "repeats": 2},
}
LOSSY = BOARD | {"hardware": {"port": "mock", "timeout": 0.1, "retries": 50}, "experiment.repeats": 1}
LINE = "how lines travel changes no number, only whether and when they arrive"

FOUND: dict[str, Sample | Silent] = {
    **table(
        "hardware",
        BOARD,
        port=Silent("another port needs a board there"),
        baud=Silent(LINE),
        timeout=Silent(LINE),
        retries=Silent(LINE),
        settle_time=2.0,
        begin=at("erased", experiment={"kind": "train", "epochs": 1, "samples": 2}),
        calibration="board.npz",
        probes=4,
        probe_size=at(0.2, hardware__probes=4),
    ),
    **table("hardware.input", BOARD | {"hardware.input": {"scale": 1e-3}}, scale=2e-3, offset=0.1, least=0, most=100),
    **table("hardware.adc", BOARD | {"hardware.adc": {"scale": 1e-3}}, scale=2e-3, offset=0.0005, least=500, most=500),
    **table("hardware.dac", BOARD | {"hardware.dac": {"scale": 1e-4}}, scale=5e-2, offset=0.0005, least=0, most=0),
    **table(
        "hardware.loss",
        LOSSY,
        drop=0.2,
        garble=0.2,
        delay=at(0.3, hardware__loss__late=0.2),
        late=at(0.2, hardware__loss__delay=0.3),
    ),
}
