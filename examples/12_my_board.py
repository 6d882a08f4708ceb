"""A board in forty lines: what its firmware has to do, in Python, and a measurement of its chip."""

import json
import math
import os
import pty
import threading
import tty
import zlib

import nudgelab

CODE = 1 / 32768  # activity or drive per code
cells = {"weight/in-out": [0.5, -1.0, -0.3, 0.8], "bias/out": [0.1, -0.1]}  # of the chip: two inputs, two units
board = {"x": [0, 0], "inject": [0, 0], "written": 0, "last": (None, b"")}


def numbers(text):
    return [int.from_bytes(bytes.fromhex(text[k : k + 4]), "big", signed=True) for k in range(0, len(text), 4)]


def settle(unit):
    drive = sum(x * w for x, w in zip(board["x"], cells["weight/in-out"][unit::2], strict=True))
    return 1 / (1 + math.exp(-CODE * (drive + board["inject"][unit]) - cells["bias/out"][unit]))


def carry_out(op, request):
    if op == "INFO":
        scales = {key: {"scale": CODE} for key in ("input", "adc", "dac")}
        wires = {"layers": {"in": 2, "out": 2}, "connections": ["in-out"]}
        return {"name": "example", "chunk": 64, "written": board["written"], **wires, **scales}
    if op == "SAMPLE":
        return {"codes": "".join(round(settle(unit) / CODE).to_bytes(2, "big", signed=True).hex() for unit in (0, 1))}
    if op == "CLAMP":
        board["x"] = numbers(request["codes"])
    if op == "GO":
        board["inject"] = numbers(request.get("inject", "00000000"))
    if op == "PULSE":
        for place, count in enumerate(numbers(request["counts"]), request["first"]):
            cells[request["block"]][place] += count * request["size"]
        board["written"] += 1
    return {}


def answer(line):
    text, _, checksum = line.strip().rpartition(b"*")
    request = json.loads(text) if checksum == b"%08X" % zlib.crc32(text) else {"id": None}
    if request["id"] is None or request["id"] != board["last"][0] or request["op"] == "INFO":  # else its reply was lost
        reply = {"error": "checksum"} if request["id"] is None else carry_out(request["op"], request)
        text = json.dumps({"id": request["id"]} | reply).encode()
        board["last"] = request["id"], b"%s*%08X\n" % (text, zlib.crc32(text))
    return board["last"][1]


own, port = pty.openpty()  # in place of the wires of a serial port
tty.setraw(port)
threading.Thread(target=lambda: [os.write(own, answer(line)) for line in os.fdopen(own, "rb")], daemon=True).start()
scenario = nudgelab.load("board", {"hardware.port": os.ttyname(port)})
result = scenario.run()
print(result.answer)
