"""Damaged scenarios of circuits get an answer, and what the check accepts runs."""

import pytest

from scenarios.circuits import setup

from . import fuzz
from .scenarios_of_circuits import LAYERS


def test_damaged_scenarios_get_an_answer_and_accepted_ones_run():
    answers = [fuzz.answer(fuzz.case(number)) for number in range(50)]
    ran = [text for text in answers if text.startswith("ran: complete")]
    assert 10 < len(ran) < 40
    assert all(answers)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(50, 550, 100))
def test_many_damaged_scenarios_get_an_answer(first):
    assert all(fuzz.answer(fuzz.case(number)) for number in range(first, first + 100))


def test_cases_are_functions_of_their_numbers():
    assert [fuzz.case(number) for number in range(20)] == [fuzz.case(number) for number in range(20)]
    assert len({str(fuzz.case(number)) for number in range(20)}) == 20


def test_an_error_of_the_program_is_no_answer(monkeypatch):
    assert fuzz.answer(LAYERS) == "ran: complete"
    monkeypatch.setattr(setup, "find_circuit_faults", lambda *_: 1 / 0)
    monkeypatch.setattr(setup, "find_floating_nodes", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fuzz.answer(LAYERS)
