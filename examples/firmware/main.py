"""Firmware of a board in MicroPython: converters of twelve bits, pulses of one size, and a small chip.

The class `Pins` stands for the wires to a chip; here it is one of five units, and follows its equations. The class
`Firmware` is what every board has to do, with nothing but modules that MicroPython has.
"""

import binascii
import json
import math
import struct
import sys
from collections import OrderedDict

LAYERS = OrderedDict([("in", 2), ("l1", 3), ("out", 2)])  # dicts of MicroPython have no order
PAIRS = [("in", "l1"), ("l1", "out"), ("out", "l1")]
UNITS = LAYERS["l1"] + LAYERS["out"]
STEP = 0.001  # change of a weight by one pulse
CHUNK = 16  # counts of a line: what fits into the buffer
INPUT = {"scale": 4 / 4095, "offset": -1.5, "least": 0, "most": 4095}  # twelve bits without a sign
ADC = {"scale": 1 / 4095, "offset": 0.0, "least": 0, "most": 4095}
DAC = {"scale": 1 / 4096, "offset": 0.0, "least": -2048, "most": 2047}  # and with one


def compute_activity(state):
    """Return the activity of a unit: the curve "sigmoid" of the simulator, whose slope is 1 at 1/2."""
    return 1 / (1 + math.exp(2 - 4 * state))


class Pins:
    """The chip: to be replaced by registers of converters and pulse lines."""

    def __init__(self):
        self.cells = {f"weight/{pre}-{post}": [0.0] * (LAYERS[pre] * LAYERS[post]) for pre, post in PAIRS}
        self.cells.update({"bias/" + name: [0.0] * LAYERS[name] for name in ("l1", "out")})
        self.input = [0.0] * LAYERS["in"]
        self.drive = self.state = [0.0] * UNITS

    def set_input(self, codes):
        """Hold the clamped units at these codes."""
        self.input = [INPUT["offset"] + INPUT["scale"] * code for code in codes]

    def set_drive(self, codes):
        """Inject these drives until others come."""
        self.drive = [DAC["offset"] + DAC["scale"] * code for code in codes]

    def settle(self, seconds):
        """Follow tau du/dt = W a + b + drive - u in steps of tau/2, with tau = 1 s; return the largest last drift."""
        first, drift = {"l1": 0, "out": LAYERS["l1"]}, [0.0]
        for _ in range(max(1, int(2 * seconds))):
            units = [compute_activity(u) for u in self.state]
            active = {"in": self.input, "l1": units[: LAYERS["l1"]], "out": units[LAYERS["l1"] :]}
            biases = self.cells["bias/l1"] + self.cells["bias/out"]
            drift = [d + b - u for d, b, u in zip(self.drive, biases, self.state)]
            for pre, post in PAIRS:
                row = self.cells[f"weight/{pre}-{post}"]
                for j in range(LAYERS[post]):
                    drift[first[post] + j] += sum(a * row[i * LAYERS[post] + j] for i, a in enumerate(active[pre]))
            self.state = [u + d / 2 for u, d in zip(self.state, drift)]
        return max(abs(d) for d in drift)

    def sample(self):
        """Convert the activities."""
        return [round(compute_activity(u) / ADC["scale"]) for u in self.state]

    def pulse(self, block, place, count):
        """Give one cell so many pulses."""
        self.cells[block][place] += count * STEP


def read_codes(text, count):
    """Return signed numbers of sixteen bits from four hexadecimal digits each."""
    if len(text) != 4 * count:
        raise ValueError(f"{count} codes expected")
    return struct.unpack(f">{count}h", binascii.unhexlify(text))


def make_checksum(text):
    """Return the checksum of a line as it is written."""
    return f"{binascii.crc32(text) & 0xFFFFFFFF:08X}".encode()


def make_line(reply):
    """Return a reply as a line."""
    text = json.dumps(reply).encode()
    return text + b"*" + make_checksum(text) + b"\n"


class Firmware:
    """Answers lines."""

    def __init__(self):
        self.pins = Pins()
        self.written = 0  # lines of pulses since the cells were erased; these cells forget without power
        self.last = None, b""  # id of the last request, and its reply

    def answer(self, line):
        """Return the reply to a line; nothing is carried out twice."""
        text, star, digits = line.strip().rpartition(b"*")
        if not star or digits != make_checksum(text):
            return make_line({"id": None, "error": "checksum"})
        request = json.loads(text)
        if request["op"] == "INFO" or request["id"] != self.last[0]:
            try:
                reply = self.carry_out(request)
            except (KeyError, ValueError) as error:
                reply = {"error": "request", "text": str(error)}
            reply["id"] = request["id"]
            self.last = request["id"], make_line(reply)
        return self.last[1]

    def carry_out(self, request):
        """Do what a request says, and return the fields of its reply."""
        op = request["op"]
        if op == "INFO":
            wires = {"layers": LAYERS, "connections": [f"{pre}-{post}" for pre, post in PAIRS]}
            told = {"protocol": 1, "name": "firmware example", "step": STEP, "chunk": CHUNK, "written": self.written}
            told.update(wires)
            told.update({"input": INPUT, "adc": ADC, "dac": DAC})
            return told
        if op == "SAMPLE":
            codes = struct.pack(f">{UNITS}h", *self.pins.sample())
            return {"codes": binascii.hexlify(codes).decode()}
        if op == "GO":
            inject = request.get("inject")
            self.pins.set_drive(read_codes(inject, UNITS) if inject else [0] * UNITS)
            return {"residual": self.pins.settle(request.get("time", 60))}
        if op == "CLAMP":
            self.pins.set_input(read_codes(request["codes"], LAYERS["in"]))
        elif op == "PULSE":
            self.write(request["block"], request["first"], request["counts"], request["size"])
        elif op == "CLOSE":
            self.pins.set_drive([0] * UNITS)
        else:
            raise ValueError("no such operation: " + op)
        return {}

    def write(self, block, first, counts, size):
        """Give cells of a block their pulses, or none of them any."""
        counts = read_codes(counts, len(counts) // 4)
        if first < 0 or first + len(counts) > len(self.pins.cells.get(block, ())):
            raise ValueError(f"no such cells: {block} from {first} on")
        if abs(size - STEP) > 1e-6 * STEP:
            raise ValueError(f"pulses are of {STEP}")
        for k, count in enumerate(counts):
            self.pins.pulse(block, first + k, count)
        self.written += 1


firmware = Firmware()
while received := sys.stdin.buffer.readline():
    sys.stdout.buffer.write(firmware.answer(received))
