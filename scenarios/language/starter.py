"""A commented scenario file to start from."""

from __future__ import annotations

import re
from pathlib import Path

from ..schema.head import NAME
from . import json_schema
from .files import RefusalError, find_preset


class StarterError(Exception):
    """The file cannot be made; the text says why and what to try."""


_HEAD = """\
{schema}
# Check it:  nudgelab check {name}.toml
# Run it:    nudgelab run {name}.toml
# Every key with its value and where it comes from:  nudgelab show {name}.toml
schema = 1                    # version of the scenario language
name = "{name}"
seed = 0                      # everything random follows from it
"""

_EXTENDS = """\
extends = "preset:{preset}"    # takes over [network] and [dynamics]; a key written here wins
"""

_NETWORK = """
[network]                     # the first layer is the clamped input, the last the output
layers = { in = 784, l1 = 128, l2 = 64, out = 10 }
connections = ["in-l1", "l1-l2", "l2-l1", "l2-out", "out-l2"]    # "pre-post"; any directed connection is allowed
activation = "sigmoid"        # or "dsilu"
cost = "cross-entropy"        # behind a dense softmax readout; or "mse" on the outputs themselves
# asymmetry = { angle = "90 degree" }    # initial feedback: 0 symmetric, 90 degree independent
#   parameters = "weights.npz"           # or, in place of it, your own weights instead of random ones

[dynamics]
dt = 0.5                      # time step, in units of the membrane time constant tau
free = { max_steps = 5000, tolerance = 1e-9 }      # ends when no unit drifts faster than the tolerance
nudged = { max_steps = 5000, tolerance = 1e-9 }    # or { steps = 20 }, or { duration = 10 }
"""

_REST = """
# [physical]                  # volts, siemens and seconds: times such as "50 ns" may be written then
# tau = "1 us"                # any two of tau, capacitance and leak give the third
# capacitance = "1 pF"
# volt_scale = "150 mV"       # membrane voltage of one unit of state
# activity_volts = "1 V"      # output voltage of one unit of activity

[chip]
instance = 0                  # which fabricated chip: the same seed and instance are the same chip
# A chip on a board in place of a simulated one has a table of its own: `nudgelab show board`

# [phases]                    # what the settlings of one estimate have to do with each other
# nudge = "held"              # a constant force from the free outputs; "continuous" follows the state
# hold_time = 1.0             # how long a read waits in devices.hold; in tau, or "1 us"

[devices]                     # imperfections; what is absent is ideal
feedback = { mismatch_sigma = "5 %" }    # relative spread of one feedback cell
# weights = { mismatch_sigma = "5 %", window = [-2.0, 2.0], levels = 64 }    # cells of all weights
# noise = { read = 0.001 }    # of every read, in units of the activity; or "1 mV" where [physical] says what that is
# converters = { readout = { bits = 10 }, nudge = { offset = 0.001 } }    # ADC over 0 to 1, circuit of the nudge
# hold = { pedestal = 0.001 }    # added to a read that waits for another
# update = { kind = "constant-step", step = 0.001 }    # cells change by whole pulses; or { preset = "ecram-mo" }
# retention = { leak_tau = "1 ms", interval = "1 us" }    # weights leak between two writes

# [energy]                    # what the chip takes, for the budget of a training
# per_read = "1 pJ"           # one unit read once
# static = "1 uW"             # the whole chip while it settles; needs tau in seconds

[learning]                    # several nudge schemes are measured side by side
schemes = [
  { kind = "centred", beta = 0.2 },
  { kind = "circle", points = 4, beta = 0.2 },
]

[task]                        # the data
kind = "bundled"              # or "idx" with path = "folder", or "arrays" with path = "batch.npz"
name = "fashion-small"

[experiment]
kind = "measure"              # gradients against the exact ones; "settle" records settling curves
samples = 16                  # of the task; more of them tell more, and take longer

# [sweep]                     # `nudgelab sweep` repeats the experiment over values and chips
# replicates = 3              # fabricated chips at every value
# axis = [{ path = "devices.feedback.mismatch_sigma", values = [0, "5 %", "10 %"] }]    # any key
"""


def make_starter(name: str, preset_name: str | None = None) -> str:
    """Return the text of a scenario that can be run as it is.

    Parameters
    ----------
    name : str
        Name of the scenario.
    preset_name : str, optional
        Packaged network to start from; absent: a small one is spelt out.

    Raises
    ------
    StarterError
        If the name is not a name of a scenario, or there is no such preset.
    """
    if not re.fullmatch(NAME, name):
        raise StarterError(f"{name!r} cannot name a scenario: use letters, digits, '_', '.' and '-', at most 100")
    head = _HEAD.format(schema=json_schema.FIRST_LINE, name=name)
    if preset_name is None:
        return head + _NETWORK + _REST
    try:
        find_preset(preset_name)
    except RefusalError as refusal:
        raise StarterError(f"{refusal.message}: {refusal.hint}") from refusal
    return head + _EXTENDS.format(preset=preset_name) + _REST


def write_starter(folder: Path, name: str, preset_name: str | None = None) -> list[Path]:
    """Write ``<name>.toml`` and the schema for editors beside it; return both paths.

    The schema is replaced by that of this release, the scenario never.

    Parameters
    ----------
    folder : Path
        An existing folder.
    name, preset_name : str
        See `starter`.

    Raises
    ------
    StarterError
        If the scenario exists already or a file cannot be written.
    """
    text = make_starter(name, preset_name)
    path, schema = folder / f"{name}.toml", folder / json_schema.FILE
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        schema.write_text(json_schema.format_json_schema(), encoding="utf-8")
    except FileExistsError as error:
        raise StarterError(f"{path} exists already: choose another name") from error
    except OSError as error:
        raise StarterError(f"{folder}: cannot write there ({error.strerror}): choose another folder") from error
    return [path, schema]
