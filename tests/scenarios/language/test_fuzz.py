"""Damaged scenario files of all kinds get an answer: the faults, or what the file says."""

import pytest

from scenarios.language import load
from scenarios.language.places import CATALOGUE
from tests.scenarios.language import fuzz


@pytest.mark.parametrize("first", range(0, 30, 10))
def test_damaged_scenarios_get_an_answer(first):
    assert all(fuzz.answer(fuzz.case(number)) for number in range(first, first + 10))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(30, 530, 100))
def test_many_damaged_scenarios_get_an_answer(first):
    assert all(fuzz.answer(fuzz.case(number)) for number in range(first, first + 100))


def test_cases_are_functions_of_their_numbers_and_reach_beyond_the_first_fault():
    cases = [fuzz.case(number) for number in range(40)]
    assert cases == [fuzz.case(number) for number in range(40)]
    assert len(set(cases)) > 35
    answers = [fuzz.answer(text) for text in cases[10:30]]
    assert 0 < sum(text.startswith("schema") for text in answers) < 20


def test_an_error_of_the_program_is_no_answer(monkeypatch):
    monkeypatch.setattr(load, "_find_network_faults", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fuzz.answer(CATALOGUE.joinpath("ideal.toml").read_text())
