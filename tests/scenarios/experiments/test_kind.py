"""Every kind of experiment is found by its folder, and offers all that those need who run, report and sweep it."""

import importlib

import pytest

from scenarios.experiments.estimate import Estimate
from scenarios.experiments.figures import all_figures
from scenarios.experiments.kind import Kind, all_kinds, kind_named, kind_of
from scenarios.report.answer import answer
from scenarios.schema.experiments import PLANS
from tests.scenarios import result_files


def test_every_folder_with_a_plan_is_a_kind():
    assert {"settle", "measure", "nudge", "train", "evaluate"} <= PLANS.keys()
    assert {kind.name for kind in all_kinds()} == PLANS.keys()
    marks = [kind.mark for kind in all_kinds()]
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize("name", PLANS)
def test_a_kind_offers_what_it_has_to(name):
    kind = kind_named(name)
    assert PLANS[name].model_fields["kind"].annotation.__args__ == (name,)
    for needed in ("run", "sentence"):
        assert getattr(type(kind), needed) is not getattr(Kind, needed)
    assert kind.headlines
    assert {headline.group for headline in kind.headlines} <= set(kind.kept)
    estimate = importlib.import_module(f"scenarios.experiments.{name}.estimate").ESTIMATE
    for needed in ("count", "times"):
        assert getattr(type(estimate), needed) is not getattr(Estimate, needed)


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
    assert kind_of(result_files.result(groups)).name == name


def test_a_result_of_no_kind_says_so():
    assert kind_of(result_files.result({})) is None
    assert answer(result_files.result({})) == "This result holds no experiment."


def test_captions_begin_with_a_name_and_tell_how_to_read():
    for name, figure in all_figures().items():
        head, stop, rest = figure.caption.partition(". ")
        assert head, name
        assert stop, name
        assert rest.endswith("."), name
