"""Every kind of experiment is found by its folder, and offers all that those need who run, report and sweep it."""

import importlib
from typing import get_args

import pytest

from scenarios.experiments.circuits.plans import PLANS as CIRCUIT_PLANS
from scenarios.experiments.estimate import CostEstimate
from scenarios.experiments.figures import list_registered_figures
from scenarios.experiments.kind import ExperimentKind, find_kind, find_result_kind, list_kinds
from scenarios.report.answer import make_answer
from scenarios.schema.experiments import PLANS
from tests.scenarios import result_files

CIRCUITS = {get_args(plan.model_fields["kind"].annotation)[0] for plan in get_args(get_args(CIRCUIT_PLANS)[0])}
"""Kinds of experiments with circuits."""


def test_every_folder_with_a_plan_is_a_kind():
    assert {"settle", "measure", "nudge", "train", "evaluate"} <= PLANS.keys()
    assert {kind.name for kind in list_kinds()} == PLANS.keys() | CIRCUITS | {"measured-chip"}  # measure, on a board
    assert CIRCUITS - PLANS.keys() == {"self-learning"}
    marks = [kind.mark for kind in list_kinds()]
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize("name", PLANS)
def test_a_kind_offers_what_it_has_to(name):
    kind = find_kind(name)
    assert PLANS[name].model_fields["kind"].annotation.__args__ == (name,)
    for needed in ("run", "sentence"):
        assert getattr(type(kind), needed) is not getattr(ExperimentKind, needed)
    assert kind.headlines
    assert {headline.group for headline in kind.headlines} <= set(kind.kept)
    estimate = importlib.import_module(f"scenarios.experiments.{name}.estimate").ESTIMATE
    for needed in ("count", "times"):
        assert getattr(type(estimate), needed) is not getattr(CostEstimate, needed)


@pytest.mark.parametrize("name", sorted(CIRCUITS))
def test_a_kind_with_circuits_is_run_and_told(name):
    module = importlib.import_module(f"scenarios.experiments.circuits.{name.replace('-', '_')}")
    assert callable(module.RUN)
    kind = find_kind(name)
    assert kind.name == name
    assert type(kind).sentence is not ExperimentKind.sentence
    assert {headline.group for headline in kind.headlines} <= set(kind.kept)


@pytest.mark.parametrize("kind", list_kinds(), ids=lambda kind: kind.name)
def test_a_page_of_every_kind_begins_with_a_figure_and_numbers(kind):
    assert set(kind.main_figures) <= set(list_registered_figures())
    assert kind.main_figures
    assert type(kind).key_numbers is not ExperimentKind.key_numbers
    assert kind.mark


@pytest.mark.parametrize(
    ("groups", "name"),
    [
        (result_files.measured(), "measure"),
        (result_files.measured() | {"metrics": result_files.metrics(3)}, "train"),
        ({"nudge": result_files.nudges()}, "nudge"),
        (result_files.evaluated().groups, "evaluate"),
    ],
)
def test_the_richest_kind_speaks_for_a_result(groups, name):
    assert find_result_kind(result_files.result(groups)).name == name


def test_a_result_of_no_kind_says_so():
    assert find_result_kind(result_files.result({})) is None
    assert make_answer(result_files.result({})) == "This result holds no experiment."


def test_captions_begin_with_a_name_and_tell_how_to_read():
    for name, figure in list_registered_figures().items():
        head, stop, rest = figure.caption.partition(". ")
        assert head, name
        assert stop, name
        assert rest.endswith("."), name
