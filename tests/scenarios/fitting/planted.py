"""Measurements of devices that are known: planted laws and spreads, as files."""

import numpy as np

from devices.programming.mean_step import compute_steps
from devices.programming.sampled import sample_cells
from devices.random import Stream


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def pulse_trains(law, devices=40, pulses=150, cycles=2, read=0.0, seed=0):
    """Return reads after every pulse (devices, reads), and the direction of every pulse, 0 for the first read.

    Trains go up to the middle, then down and up by so many pulses, over and over.
    """
    rng = np.random.default_rng(seed)
    cells = sample_cells(law, (devices,), lambda name: Stream(seed, name, 0))
    way = np.concatenate([np.ones(pulses // 2), np.tile(np.repeat([-1.0, 1.0], pulses), cycles)])
    states = [np.zeros(devices)]
    for direction in way:
        step = compute_steps(law.shape(), cells, states[-1], up=direction > 0.0)
        noisy = step * (1.0 + law.cycle_sigma * rng.normal(size=devices))
        states.append(np.clip(states[-1] + direction * noisy, cells.low, cells.high))
    reads = np.array(states).T
    return reads + read * rng.normal(size=reads.shape), np.concatenate([[0.0], way])


def slow_noise(kind, length, rng, tau=12.0, octaves=9):
    """Return noise of standard deviation 1 with one correlation time, or 1/f over so many octaves from 1."""
    times = [tau] if kind == "ou" else [2.0**k for k in range(octaves)]
    kept, found = np.exp(-1.0 / np.array(times)), np.empty(length)
    value = rng.normal(size=len(times))
    for k, fresh in enumerate(rng.normal(size=(length, len(times)))):
        value = kept * value + np.sqrt(1.0 - kept**2) * fresh
        found[k] = value.sum() / np.sqrt(len(times))
    return found
