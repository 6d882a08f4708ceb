"""Every worker of a sweep has an accelerator of its own."""

import os
from types import SimpleNamespace

import pytest

from scenarios.sweeps.accelerators import OneAccelerator, list_accelerators


def test_accelerators_are_those_that_cuda_is_told_of(tmp_path):
    for name in ("nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert list_accelerators({"CUDA_VISIBLE_DEVICES": "3, 1"}, tmp_path) == ["3", "1"]
    assert list_accelerators({"CUDA_VISIBLE_DEVICES": ""}, tmp_path) == []
    assert list_accelerators({}, tmp_path) == ["2", "10"]
    assert list_accelerators({}, tmp_path / "none") == []


@pytest.mark.parametrize(("number", "device"), [(0, "a"), (1, "b"), (2, "a")])
def test_workers_take_them_in_turn(monkeypatch, number, device):
    for name in ("CUDA_VISIBLE_DEVICES", "XLA_PYTHON_CLIENT_PREALLOCATE"):
        monkeypatch.setenv(name, "before")
    OneAccelerator(["a", "b"]).setup(SimpleNamespace(name=number))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == device
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


def test_without_any_nothing_is_said(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "before")
    OneAccelerator([]).setup(SimpleNamespace(name=0))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "before"
