"""Scenario files of before: every step of the chain has a file of its time here, and what it becomes."""

import copy
from pathlib import Path

import pytest
import tomlkit
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.cli.main import main
from scenarios.language.files import CATALOGUE, RefusalError
from scenarios.language.load import load_scenario
from scenarios.language.migrate import MOVED, STEPS, migrate_document, migrate_file
from scenarios.schema.head import SCHEMA

FILES = Path(__file__).parent
OLD = FILES / "moved-phases.old.toml"
NEW = FILES / "moved-phases.new.toml"


@pytest.mark.parametrize("path", sorted(FILES.glob("*.old.toml")), ids=lambda path: path.stem)
def test_every_kept_file_becomes_what_stands_beside_it(path):
    wanted = path.with_name(path.name.replace(".old.", ".new."))
    assert migrate_file(path).after == wanted.read_text(encoding="utf-8")
    assert not migrate_file(wanted).differs
    load_scenario(wanted)


def test_no_comment_is_lost():
    comments = {line.partition("#")[2] for line in OLD.read_text(encoding="utf-8").splitlines() if "#" in line}
    after = NEW.read_text(encoding="utf-8")
    assert all(comment in after for comment in comments)


def test_there_is_a_step_for_every_version_and_none_changes_its_argument():
    assert {version for version, _ in STEPS} == set(range(1, SCHEMA + 1))
    document = tomlkit.parse(OLD.read_text(encoding="utf-8"))
    before = copy.deepcopy(document)
    for _, step in STEPS:
        step(document)
    assert document == before


def test_plain_tables_are_migrated_as_documents_are():
    found = migrate_document({"schema": 1, "dynamics": {"nudge": "held", "dt": 0.5}})
    assert found == {"schema": 1, "dynamics": {"dt": 0.5}, "phases": {"nudge": "held"}}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            'a = 1\n\n[dynamics]\nnudge = "held"\n\n[task]\nb = 2\n',
            'a = 1\n\n[task]\nb = 2\n[phases]\nnudge = "held"\n',
        ),
        ('[dynamics]\n# why\nnudge = "held"\n', '[dynamics]\n# why\n[phases]\nnudge = "held"\n'),
        ('[dynamics] # why\nnudge = "held"\n', '[dynamics] # why\n[phases]\nnudge = "held"\n'),
        ('[devices.noise]\nphases = "fresh"\n', '[phases]\nnoise = "fresh"\n'),
        ('[devices]\nnoise = { phases = "fresh" }\n', '[phases]\nnoise = "fresh"\n'),
        ("[dynamics]\n\n[devices.noise]\nread = 0.1\n", "[dynamics]\n\n[devices.noise]\nread = 0.1\n"),
        ('dynamics.nudge = "held"\n', '[phases]\nnudge = "held"\n'),
    ],
)
def test_a_table_that_is_emptied_goes_and_one_with_comments_stays(old, new):
    found = tomlkit.dumps(migrate_document(tomlkit.parse(old)))
    assert [line for line in found.splitlines() if line] == [line for line in new.splitlines() if line]
    plain = migrate_document(tomlkit.parse(old).unwrap())
    assert {key: value for key, value in plain.items() if value} == {
        key: value for key, value in tomlkit.parse(new).unwrap().items() if value
    }


@pytest.mark.parametrize("path", sorted(CATALOGUE.rglob("*.toml")), ids=lambda path: path.stem)
def test_nothing_bundled_is_old(path):
    assert not migrate_file(path).differs


@pytest.mark.parametrize("key", MOVED)
def test_a_key_that_moved_is_refused_with_the_command(tmp_path, key):
    path = tmp_path / "old.toml"
    path.write_text(OLD.read_text(encoding="utf-8"), encoding="utf-8")
    done = CliRunner().invoke(main, ["check", str(path)])
    assert done.exit_code == 2
    assert f"it is {MOVED[key]} now: `nudgelab migrate FILE --write` moves it" in done.output


def test_files_are_shown_and_written_only_when_asked(tmp_path):
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    for path in (one, two):
        path.write_bytes(OLD.read_bytes())
    shown = CliRunner().invoke(main, ["migrate", str(one), str(two)])
    assert shown.exit_code == 0
    assert shown.output.count('-nudge = "held"') == 2
    assert one.read_bytes() == OLD.read_bytes()
    written = CliRunner().invoke(main, ["migrate", str(one), "--write"])
    assert written.exit_code == 0
    assert one.read_bytes() == NEW.read_bytes()
    assert (tmp_path / "one.toml.bak").read_bytes() == OLD.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.toml", "one.toml.bak", "two.toml"]
    again = CliRunner().invoke(main, ["migrate", str(one), "--write"])
    assert (again.exit_code, again.output) == (0, f"{one}: nothing to change\n")
    one.write_bytes(OLD.read_bytes())
    refused = CliRunner().invoke(main, ["migrate", str(one), str(two), "--write"])
    assert refused.exit_code == 2
    assert "one.toml.bak is there already" in refused.output
    assert two.read_bytes() == NEW.read_bytes()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schema = 99\n", "needs a newer release"),
        ('schema = "1"\n', "not a whole number"),
        ("schema = true\n", "not a whole number"),
        ("schema = = 1\n", "not valid TOML"),
        ('dynamics.nudge = "held"\nphases.nudge = "held"\n', "says both dynamics.nudge and phases.nudge"),
        ('phases = 3\ndynamics.nudge = "held"\n', "phases is no table"),
    ],
)
def test_what_cannot_be_migrated_is_refused_in_words(tmp_path, text, words):
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RefusalError, match=words):
        migrate_file(path)
    assert CliRunner().invoke(main, ["migrate", str(path), str(tmp_path), "no.toml"]).exit_code == 2


LINES = OLD.read_text(encoding="utf-8").splitlines()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*LINES, "dynamics = 3", "[phases]", "devices.noise.phases = []", "sweep.axis = 1"])))
def test_no_file_of_shuffled_lines_ends_in_a_traceback(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("shuffled") / "some.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    done = CliRunner().invoke(main, ["migrate", str(path)])
    assert done.exit_code in (0, 2), done.exception
    assert done.exception is None or isinstance(done.exception, SystemExit)
