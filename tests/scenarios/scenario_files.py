"""A good scenario file, and what the tests of reading do with it."""

import pytest

from scenarios.build import make_setup
from scenarios.language.faults import ScenarioError
from scenarios.language.load import load_scenario

GOOD = """\
schema = 1
name = "good"
seed = 7

[network]
layers = { in = 4, l1 = 8, out = 2 }
connections = ["in-l1", "l1-out", "out-l1"]
activation = "sigmoid"
asymmetry = { angle = "90 degree" }

[dynamics]
dt = 0.25
free = { steps = 10 }

[devices.feedback]
mismatch_sigma = "10 %"

[learning]
schemes = [
  { kind = "centred", beta = 0.2 },
  { kind = "circle", beta = 0.1, points = 4 },
]

[task]
kind = "bundled"

[experiment]
kind = "measure"
samples = 16
"""


def write(folder, text, name="s.toml"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def faults_of(path, *overrides):
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path, overrides)
    return caught.value.faults


def only_fault(path, *overrides):
    (fault,) = faults_of(path, *overrides)
    return fault


def assert_tells(fault, path, message, hint):
    """Assert that a fault names a place such as ``devices.update.kind``, says `message` and advises `hint`."""
    assert ".".join(map(str, fault.path)) == path
    assert message in fault.message
    assert hint is None or hint in (fault.hint or "")


def changed(old, new):
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def line_of(text, part):
    (line,) = [i for i, row in enumerate(text.split("\n"), 1) if part in row]
    return line


def faults_of_files(loaded):
    """Return what is wrong with the files of a scenario."""
    with pytest.raises(ScenarioError) as error:
        make_setup(loaded)
    return error.value.faults
