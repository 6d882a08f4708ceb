"""The way from an activity to a number: hold, noise of the read, converter.

1/f and telegraph noise of a read are still there at the next one: they go on along the time between both.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from devices.block import apply_block
from devices.interface.converter import Adc, ClipCounts, FabricatedAdc, convert_readout, sample_adc
from devices.interface.hold import apply_droop, sample_hold_leaks, sample_pedestals
from devices.neuron.noise import Noise, advance_ornstein_uhlenbeck, advance_telegraph, sample_jumps

from ..protocol import State
from .design import Design, Fabrication

Array = NDArray[np.float64]


class ReadChain:
    """What stands between the units of one chip and the controller; an ideal one changes no bit.

    The two planes of a complex activity pass it one after the other, the imaginary one, which has both
    signs, through a converter of the same span centred at 0.

    Parameters
    ----------
    design : Design
        Hold, noise and converter.
    fabrication : Fabrication
        Names the draws.
    """

    def __init__(self, design: Design, fabrication: Fabrication) -> None:
        self._design, self._stream = design, fabrication.stream
        units, adc = design.topology.units, design.devices.converters.readout
        self._pedestals = [
            sample_pedestals(design.devices.hold, units, self._stream(f"hold/{plane}")) for plane in range(2)
        ]
        self._leaks = [
            sample_hold_leaks(design.devices.hold, units, self._stream(f"droop/{plane}")) for plane in range(2)
        ]
        self._skew: Array = design.devices.hold.read_skew * np.arange(units, dtype=np.float64)
        twin = design.devices.twin
        # The reads of a second board come from sources of their own, as far as it has any.
        self._made = [self._sample_converters(adc, "")] * 2
        if twin is not None and twin.converters:
            self._made[1] = self._sample_converters(adc, "twin/")
        self.clipped = ClipCounts()
        """What the converter met since the chip was made."""
        planes = range(2) if design.devices.noise.slow_reads else ()
        boards = ("",) if twin is None else ("", "twin/")
        self._slow = [
            [SlowReads(design.devices.noise, units, fabrication, p, board) for p in planes] for board in boards
        ]
        self._board = 0
        self._ids: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._name, self._reads = "", 0

    def _sample_converters(self, adc: Adc | None, board: str) -> list[FabricatedAdc | None]:
        """Return the converters of the two planes of a board, as they were made."""
        if adc is None:
            return [None, None]
        units, measured = self._design.topology.units, (self._design.measured_converters or {}).get("readout")
        return [sample_adc(adc, units, self._stream(f"{board}adc-made/{plane}"), measured) for plane in range(2)]

    def restart(self, ids: NDArray[np.int64], name: str) -> None:
        """Begin with a new batch: `ids` (batch,) and `name` name the draws of its reads, which are counted anew."""
        self._ids, self._name, self._reads, self._board = ids, name, 0, 0
        for slow in itertools.chain(*self._slow):
            slow.restart(ids)

    def turn_to(self, board: int) -> None:
        """Read from now on the first board, 0, or the second one, 1."""
        self._board = board

    def elapse(self, time: Array) -> None:
        """Let the time (batch,) pass that a settling took, in tau."""
        for slow in itertools.chain(*self._slow):
            slow.elapse(time)

    def conversion(self, waits: bool) -> float:
        """Return how long after a read its last unit is converted, in tau."""
        return float(self._skew.max(initial=0.0)) + (self._design.phases.hold_time if waits else 0.0)

    def read(self, activity: State, waits: bool, counted: NDArray[np.int64] | None = None) -> State:
        """Return an activity (batch, units), real or complex, as it is read.

        Parameters
        ----------
        activity : array (batch, units)
            Units of the activity.
        waits : bool
            Whether it waits in the hold to be compared with a later read.
        counted : int array, optional
            Units whose conversions count; absent: all. It changes no number.
        """
        self._reads += 1
        if not np.iscomplexobj(activity):
            return self._plane(activity, 0, waits, signed=False, counted=counted)
        real = self._plane(activity.real, 0, waits, signed=False, counted=counted)
        return real + 1j * self._plane(activity.imag, 1, waits, signed=True, counted=counted)

    def read_cycle(self, activity: State, dt: float) -> State:
        """Return the activities (points, batch, units) as they are read one after the other, one every `dt`.

        The last one is read when the settling ends, whose time has passed already.
        """
        step, read = np.full(activity.shape[1], dt), []
        self.elapse(-len(activity) * step)
        for point in activity:
            read.append(self.read(point, waits=False))
            self.elapse(step)
        return np.array(read)

    def read_signed(self, value: Array) -> Array:
        """Return a signal of both signs (batch, units) as it is read at once: converter centred at 0, no hold."""
        self._reads += 1
        return self._plane(value, 0, waits=False, signed=True, at_once=True)

    def read_cells(self, cells: Array, chosen: NDArray[np.bool_], units: slice) -> Array:
        """Return what is read of the chosen cells of an array, row by row through the units that they drive, (cells,).

        A row is driven alone, by one unit of activity, and read at once: converter centred at 0, no hold. Noise that is
        slow is left out.

        Parameters
        ----------
        cells : array (rows, columns) or (columns,)
            What there is to be read; a block of biases is one row.
        chosen : bool array like `cells`
            Which are read.
        units : slice
            Units behind the columns.
        """
        self._reads += 1
        noise, adc = self._design.devices.noise, self._design.devices.converters.readout
        asked = np.atleast_2d(chosen)
        rows = asked.any(axis=1)
        asked, exact, name = asked[rows], np.atleast_2d(cells)[rows], f"{self._name}/{self._reads}"
        value = exact
        if noise.read:
            value = value + noise.read * self._stream(f"array-read/{name}").normal(value.shape)
        if noise.read_relative:
            fresh = self._stream(f"array-read-relative/{name}").normal(value.shape)
            value = value + noise.read_relative * np.abs(exact) * fresh
        if adc is not None:
            # The converters of all units, of which those behind these columns count.
            whole = np.zeros((len(value), self._design.topology.units))
            whole[:, units] = value
            draw = self._stream(f"array-adc/{name}").uniform(whole.shape) if adc.stochastic else None
            whole, outside = convert_readout(adc, whole, draw, True, self._made[0][0])
            value, lost = whole[:, units], outside[:, units] & asked
            self.clipped = self.clipped.plus(ClipCounts(int(asked.sum()), int(lost.sum())))
        return np.asarray(value[asked])

    def _plane(
        self,
        value: Array,
        plane: int,
        waits: bool,
        signed: bool,
        at_once: bool = False,
        counted: NDArray[np.int64] | None = None,
    ) -> Array:
        design, units, own = self._design, value.shape[1], np.abs(value)
        name = f"{self._name}/{self._reads}/{plane}"
        hold, time = design.devices.hold, self._skew + (design.phases.hold_time if waits else 0.0)
        if hold.on and (waits or hold.read_skew) and not at_once:
            value = apply_droop(value, self._pedestals[plane], self._leaks[plane], time)
            if hold.noise:
                value = value + hold.noise * self._stream(f"hold/{name}").normal_rows(self._ids, units)
        if design.devices.noise.slow_reads:
            value = value + self._slow[self._board][plane].now(name)
        if design.devices.noise.read:
            value = value + design.devices.noise.read * self._stream(f"read/{name}").normal_rows(self._ids, units)
        if design.devices.noise.read_relative:
            fresh = self._stream(f"read-relative/{name}").normal_rows(self._ids, units)
            value = value + design.devices.noise.read_relative * own * fresh
        for part, block in design.devices.acting("read").items():
            value = apply_block(block, "read", value, self._stream(f"own/{part}/{plane}").normal((units,)))
        for part, block in design.devices.acting("disturb").items():
            value = apply_block(
                block, "disturb", value, self._stream(f"own/{part}/{name}").normal_rows(self._ids, units)
            )
        adc = design.devices.converters.readout
        if adc is None:
            return value
        draw = self._stream(f"adc/{name}").uniform_rows(self._ids, units) if adc.stochastic else None
        value, outside = convert_readout(adc, value, draw, signed, self._made[self._board][plane])
        outside = outside if counted is None else outside[:, counted]
        self.clipped = self.clipped.plus(ClipCounts(outside.size, int(np.count_nonzero(outside))))
        return value


class SlowReads:
    """The slow noise behind all units of one chip, in one plane; a new batch finds it anew.

    The draw of a read depends on its name and the samples alone, and its correlation to the read before on the
    time between the two.

    Parameters
    ----------
    noise : Noise
        Levels in units of the activity.
    units : int
        How many are read.
    fabrication : Fabrication
        Names the draws.
    plane : int
        0 or 1.
    board : str
        Begins the names of what is drawn for a board.
    """

    def __init__(self, noise: Noise, units: int, fabrication: Fabrication, plane: int, board: str = "") -> None:
        self._noise, self._stream, self._units = noise, fabrication.stream, units
        self._board = board
        self._times = noise.octaves() if noise.read_flicker else np.zeros(0)
        self._jumps: Array | None = None
        if noise.telegraph is not None:
            streams = (self._stream(f"{board}telegraph-{part}/{plane}") for part in ("height", "trap"))
            self._jumps = sample_jumps(noise.telegraph, units, *streams)
        self.restart(np.zeros(0, dtype=np.int64))

    def restart(self, ids: NDArray[np.int64]) -> None:
        """Begin with a new batch of samples `ids` (batch,)."""
        self._ids, self._passed = ids, np.full(len(ids), np.inf)
        self._octaves = np.zeros((len(self._times), len(ids), self._units))
        self._trap = np.zeros((len(ids), self._units))

    def elapse(self, time: Array) -> None:
        """Let the time (batch,) pass, in tau; below 0 the next read was earlier: the processes look alike backwards."""
        self._passed = self._passed + time

    def now(self, name: str) -> Array:
        """Return the noise of the read `name`, (batch, units)."""
        found = np.zeros((len(self._ids), self._units))
        for k, time in enumerate(self._times):
            fresh = self._stream(f"{self._board}read-octave{k}/{name}").normal_rows(self._ids, self._units)
            self._octaves[k] = advance_ornstein_uhlenbeck(self._octaves[k], self._kept(time), fresh)
            found += self._noise.read_flicker / np.sqrt(len(self._times)) * self._octaves[k]
        if self._jumps is not None and self._noise.telegraph is not None:
            fresh = self._stream(f"{self._board}read-telegraph/{name}").uniform_rows(self._ids, self._units)
            self._trap = advance_telegraph(self._trap, self._kept(self._noise.telegraph.time), fresh)
            found += self._jumps * self._trap
        self._passed = np.zeros(len(self._ids))
        return found

    def _kept(self, time: float) -> Array:
        # Before the first read all time has passed.
        return np.asarray(np.exp(-np.abs(self._passed) / time)[:, None])
