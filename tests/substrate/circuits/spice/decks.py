"""The stored decks of the reference circuits: ``python -m tests.substrate.circuits.spice.decks`` writes them again."""

import numpy as np

from substrate.circuits.spice.deck import DeckTimes, write_deck
from substrate.circuits.system import CircuitDrive
from tests.substrate.circuits.motion.test_transient import RUNS, prepare
from tests.substrate.circuits.references import FOLDER, NAMES, load_reference

DECKS = FOLDER / "decks"


def make_deck(name):
    """Return the deck of the first sample of a reference circuit, nudged."""
    reference = load_reference(name)
    drive = CircuitDrive(reference.held[:1], np.array([reference.beta]), reference.target[:1])
    return write_deck(reference.circuit, drive, f"{name}, sample 0, nudged")


def make_transient_deck(name):
    system, drive, start = prepare(name)
    run = RUNS[name]
    times = DeckTimes(start[0], run["tend"] / 1000, run["tend"], run["t1"])
    return write_deck(system.circuit, drive, f"{name}, transient", times, device_models=True)


def make_decks():
    """Return the texts of all stored decks by file name."""
    moving = {f"{name}-transient.cir": make_transient_deck(name) for name in NAMES[2:3]}
    return {f"{name}.cir": make_deck(name) for name in NAMES} | moving


if __name__ == "__main__":
    DECKS.mkdir(exist_ok=True)
    for file, deck in make_decks().items():
        (DECKS / file).write_text(deck, encoding="utf-8")
