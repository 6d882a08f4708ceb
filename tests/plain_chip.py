"""A chip in plain NumPy: cells, loads, membranes and nudges from their definitions, and rest points by Newton's method.

Of the programs under test it uses the parameters of a design and the named random numbers alone. States are the
membranes `u` themselves: ``-(1 + L) u + h`` is the drift of the additive law, ``-u + a'(u) h`` that of the other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from devices.random import Stream
from tests.substrate.chip.test_wires import dense


def logistic(x):
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def _dsilu(u):
    return 0.5 * u * logistic(u) + (1.0 - 0.5 * u) * logistic(u - 2.0)


def _dsilu_slope(u):
    s, t = logistic(u), logistic(u - 2.0)
    return 0.5 * (s - t) + 0.5 * u * s * (1.0 - s) + (1.0 - 0.5 * u) * t * (1.0 - t)


CURVES = {
    "sigmoid": (lambda u: logistic(4.0 * u - 2.0), lambda u: 4.0 * logistic(4.0 * u - 2.0) * logistic(2.0 - 4.0 * u)),
    "dsilu": (_dsilu, _dsilu_slope),
    "tanh": (np.tanh, lambda u: 1.0 - np.tanh(u) ** 2),
    "softplus": (lambda u: np.log(1.0 + np.exp(u)), logistic),
    "identity": (lambda u: u, np.ones_like),
    "hard-sigmoid": (lambda u: np.clip(u, 0.0, 1.0), lambda u: 1.0 * ((u > 0.0) & (u < 1.0))),
}
"""Activations and their slopes."""


class Wiring(NamedTuple):
    """What acts in one settling."""

    recurrent: np.ndarray
    """``W[post, pre]`` (units, units)."""

    constant: np.ndarray
    """Drive that does not depend on the state (batch, units)."""

    load: np.ndarray
    """`L` of every unit (units,)."""

    beta: complex | np.ndarray = 0.0
    """Nudge that follows the outputs; (batch, 1) where it differs between samples."""

    target: np.ndarray | None = None


class PlainChip:
    """The chip that `design` describes, with the draws that `fabrication` names, clamped to inputs (batch, inputs)."""

    def __init__(self, design, programmed, fabrication, x):
        self.design, self.fabrication, self.x = design, fabrication, x
        self.topology, self.columns = design.topology, design.topology.columns
        neurons, units = design.devices.neurons, design.topology.units
        self.programmed, self.loads, self.felt = programmed, {}, {}
        for block in programmed:
            self.felt[block] = self._cells(block) if block.startswith("weight/") else self._kept(block)
        lost = 1.0 if neurons.open_loop_gain is None else 1.0 / (1.0 + 1.0 / neurons.open_loop_gain)
        self.gain = lost * self._spread("neurons/gain", units, neurons.gain_sigma)
        self.steep = self._spread("neurons/slope", units, neurons.slope_sigma)
        self.tau = self._spread("neurons/tau", units, neurons.tau_sigma)
        self.offset = neurons.offset_sigma * self._normal("neurons/offset", units)
        self.free = self.wired(self.felt, self.loads)
        self.cut = np.array([])
        """Where the activation has a kink."""
        if design.activation == "hard-sigmoid":
            self.cut = np.array([0.0, 1.0])
        if not isinstance(design.activation, str):
            self.cut = np.asarray(design.activation.u)

    # Cells

    def _normal(self, purpose, shape):
        shape = shape if isinstance(shape, tuple) else (shape,)
        return Stream(self.fabrication.seed, purpose, self.fabrication.instance).normal(shape)

    def _spread(self, purpose, shape, sigma):
        return 1.0 + sigma * self._normal(purpose, shape)

    def _kind(self, block):
        pre, post = block.removeprefix("weight/").split("-")
        back = list(self.topology.layers).index(pre) > list(self.topology.layers).index(post)
        devices = self.design.devices
        return devices.feedback.over(devices.weights) if back else devices.weights, back

    def _kept(self, block, kind=None):
        """Return what the cells of a block keep of a request: within bounds, at a level, after leak and drift."""
        weight, law, retention = self.programmed[block], self.design.devices.update, self.design.devices.retention
        if block.startswith("readout/"):
            return weight
        if kind is not None and kind.window is not None:
            low, high = kind.window
            weight = np.clip(weight, low - high if kind.cell == "pair" else low, high - low * (kind.cell == "pair"))
            if kind.levels is not None:
                zero, step = 0.0 if kind.cell == "pair" else low, (high - low) / (kind.levels - 1)
                weight = zero + step * np.rint((weight - zero) / step)
        if getattr(law, "w_max", None) is not None:
            weight = np.clip(weight, getattr(law, "w_min", -law.w_max), law.w_max)
        if retention.leak_tau is not None:
            weight = weight * np.exp(-retention.age / retention.leak_tau)
        return weight * (1.0 + retention.age / retention.drift_start) ** -retention.drift

    def _device(self, kind, sign, block, conductance):
        xi, sigma = self._normal(f"mismatch{sign}/{block}", conductance.shape), kind.sigma
        real = {
            "relative": conductance * (1.0 + sigma * xi),
            "additive": conductance + sigma * xi,
            "lognormal": conductance * np.exp(sigma * xi),
        }[kind.mismatch]
        stream = Stream(self.fabrication.seed, f"stuck{sign}/{block}", self.fabrication.instance)
        return np.where(stream.uniform(conductance.shape) < kind.stuck_fraction, kind.stuck_at, real)

    def _cells(self, block):
        """Return what a connection really weighs (pre, post), and keep its conductance."""
        pre, post = block.removeprefix("weight/").split("-")
        (kind, back), other = self._kind(block), f"weight/{post}-{pre}"
        shared = self.design.devices.feedback.storage == "shared-device" and back and other in self.programmed
        shared = shared and pre != post
        cell = other if shared else block
        kept = self._kept(cell, self.design.devices.weights if shared else kind)
        rest = kind.window[0] if kind.window and kind.cell == "pair" else 0.0
        path = np.sqrt(2.0) * kind.mirror.sigma if kind.mirror else kind.gain_sigma
        gains = self._spread(f"path-gain/{block}", self.topology.layers[post], path)
        if kind.cell == "single":
            single = self._device(kind, "", cell, kept)
            single = single.T if shared else single
            self.loads[block] = np.abs(single)
            return single * gains
        both = []
        for sign, part in (("", kept), ("-minus", -kept)):
            device = np.maximum(self._device(kind, sign, cell, rest + np.maximum(part, 0.0)), 0.0)
            both.append(self._behind_wires(device.T if shared else device, back))
        self.loads[block] = both[0] + both[1]
        return (both[0] - both[1]) * gains

    def _behind_wires(self, conductance, back):
        wires = self.design.devices.wires
        if wires.segment == 0.0:
            return conductance
        cells = conductance.T if back else conductance
        sense = "first" if back and wires.ends == "opposite" else "last"
        drive = "last" if back and wires.ends == "opposite" else "first"
        size, found = wires.array or cells.shape, np.empty_like(cells)
        for top in range(0, cells.shape[0], size[0]):
            for left in range(0, cells.shape[1], size[1]):
                place = slice(top, top + size[0]), slice(left, left + size[1])
                found[place] = dense(cells[place], wires.segment, "rows", drive, sense)
        return found.T if back else found

    # Drift

    def wired(self, blocks, loads):
        """Return what acts without a nudge, with weights (pre, post) and biases by block."""
        recurrent, units = np.zeros((self.topology.units,) * 2), self.topology.units
        constant = np.tile(np.concatenate([blocks[f"bias/{n}"] for n in self.topology.names]), (len(self.x), 1))
        load = np.zeros(units)
        for c in self.topology.connections:
            to = self.columns[c.post]
            if self.design.synapse == "passive":
                load[to] += self.design.volt_ratio * loads[c.block].sum(axis=0)
            if c.pre == self.topology.input:
                constant[:, to] += self.x @ blocks[c.block]
            else:
                recurrent[to, self.columns[c.pre]] += blocks[c.block].T
        return Wiring(recurrent, constant + self.offset, load)

    def activity(self, u):
        curve = self.design.activation
        if isinstance(curve, str):
            return self.gain * CURVES[curve][0](self.steep * u)
        return self.gain * np.interp(self.steep * u, curve.u, curve.a)

    def slope(self, u):
        curve, seen = self.design.activation, self.steep * u
        if isinstance(curve, str):
            return self.gain * self.steep * CURVES[curve][1](seen)
        pieces = np.concatenate([[0.0], np.diff(curve.a) / np.diff(curve.u), [0.0]])
        return self.gain * self.steep * pieces[np.searchsorted(curve.u, seen)]

    def steepest(self):
        """Return the largest slope of a curve."""
        return np.abs(self.slope(np.linspace(-5.0, 5.0, 2001)[:, None])).max()

    def loss(self, output, target):
        if self.topology.classes is None:
            return 0.5 * ((output - target) ** 2).sum(axis=-1)
        z = output @ self.felt["readout/weight"] + self.felt["readout/bias"]
        return np.log(np.exp(z).sum(axis=-1)) - (target * z).sum(axis=-1)

    def force(self, output, target):
        if self.topology.classes is None:
            return output - target
        weight = self.felt["readout/weight"]
        odds = np.exp(output @ weight + self.felt["readout/bias"])
        return (odds / odds.sum(axis=-1, keepdims=True) - target) @ weight.T

    def drift(self, u, acting):
        """Return the drift of the membranes `u`, (batch, units), in units of the state that the chip shows."""
        a, out = self.activity(u), self.columns[self.topology.output]
        h = a @ acting.recurrent.T + acting.constant
        if acting.target is not None:
            h = h + 0.0 * np.asarray(acting.beta)
            h[:, out] = h[:, out] - acting.beta * self.force(a[:, out], acting.target)
        return h - (1.0 + acting.load) * u if self.design.law == "additive" else self.slope(u) * h - u

    def jacobian(self, u, acting):
        """Return ``dF/du`` without a nudge, (batch, units, units)."""
        slope, eye = self.slope(u), np.eye(u.shape[1])
        if self.design.law == "additive":
            return acting.recurrent * slope[:, None, :] - (1.0 + acting.load) * eye
        h = self.activity(u) @ acting.recurrent.T + acting.constant
        bend = (self.slope(u + 1e-5) - self.slope(u - 1e-5)) / 2e-5
        return slope[:, :, None] * acting.recurrent * slope[:, None, :] + eye * (bend * h - 1.0)[:, None, :]

    def rest(self, u, acting):
        """Return the rest points next to `u`, by Newton's method without a nudge."""
        for _ in range(12):
            drift = self.drift(u, acting)
            if np.abs(drift).max(initial=0.0) < 1e-15 * max(1.0, np.abs(u).max(initial=0.0)):
                break
            u = u - np.linalg.solve(self.jacobian(u, acting), drift[..., None])[..., 0]
        return u

    # Nudges

    def applied(self, beta):
        """Return what the nudge circuit makes of nudges; both quadratures have the gain of their sign."""
        circuit, beta = self.design.devices.converters.nudge, np.asarray(beta)
        up, down = circuit.gain, circuit.gain if circuit.gain_negative is None else circuit.gain_negative
        real = beta.real * np.where(beta.real >= 0.0, up, down)
        return real + 1j * beta.imag * np.where(beta.imag >= 0.0, up, down) if np.iscomplexobj(beta) else real

    def nudged(self, beta, target, free, shown):
        """Return what acts under a nudge, (batch, 1) or a number, from free activities, as they are and as shown."""
        design, acting = self.design, self.free
        if design.devices.twin is not None:
            sigma = design.devices.twin.mismatch_sigma
            second = {b: self._spread(f"twin/{b}", v.shape, sigma) for b, v in self.loads.items()}
            blocks = {b: v * second.get(b, 1.0) for b, v in self.felt.items()}
            acting = self.wired(blocks, {b: v * second[b] for b, v in self.loads.items()})
        known = {"programmed": self.programmed, "exact": self.felt}.get(design.correction)
        if known is not None:
            believed = self.wired(known, self.loads).recurrent
            hat = 0.5 * (believed - believed.T)
            acting = acting._replace(
                recurrent=acting.recurrent - 2.0 * hat, constant=acting.constant + 2.0 * free @ hat.T
            )
        circuit, out, applied = design.devices.converters.nudge, self.columns[self.topology.output], self.applied(beta)
        constant = acting.constant + 0.0 * applied
        constant[:, out] += circuit.offset
        if design.phases.nudge == "continuous":
            return acting._replace(constant=constant, beta=applied, target=target)
        drive = -applied * self.force(shown[:, out], target)
        if circuit.gain_sigma:
            drive = drive * self._spread("nudge/gain", drive.shape[1], circuit.gain_sigma)
        if circuit.full_scale is not None:
            if circuit.bits is not None:
                step = circuit.full_scale * 2.0 ** (1 - circuit.bits)
                drive = step * np.rint(drive / step)
            drive = np.clip(drive, -circuit.full_scale, circuit.full_scale)
        constant[:, out] += drive
        return acting._replace(constant=constant)
