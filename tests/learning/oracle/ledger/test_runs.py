"""The runs that a ledger compares."""

import numpy as np

from devices.neuron.noise import Noise
from learning.oracle.ledger.runs import Trial, run_trial
from learning.schemes.nodes import Centred, OneSided
from learning.schemes.wave import LockIn
from substrate.dynamics.methods import Phase
from tests.networks import random_batch, random_chip


def test_what_a_scheme_finds_does_not_depend_on_the_schemes_before_it():
    noise = Noise(coloured=0.01, tau_c=30.0, read_flicker=0.01)
    chip = random_chip(noise=noise, phase=Phase(duration=5.0), dt=0.1, dynamics={"method": "exponential"})
    x, y = random_batch(chip, 4)
    schemes = [Centred(beta=0.1), LockIn(beta=0.1, period=10.0, cycles=1), OneSided(beta=0.1)]
    together = run_trial(chip, Trial(x, y, schemes, mirror=False), 3)
    for scheme, taken in zip(schemes, together.taken, strict=True):
        alone = run_trial(chip, Trial(x, y, [scheme], mirror=False), 3).taken[0]
        np.testing.assert_array_equal(taken.delta, alone.delta)
