"""The glossary is the authority on the words of the project: complete, in order and true.

A public name has one meaning, too.
"""

import ast
import itertools
import re
from collections import Counter, defaultdict
from typing import Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from learning.oracle.ledger.vectors import TERMS
from scenarios.experiments.alarms import KINDS as ALARMS
from scenarios.experiments.kind import list_kinds
from scenarios.schema.scenario import ScenarioSpec
from substrate.chip.causes import CAUSES, UNFINISHED
from substrate.protocol import Status
from tests.golden.golden import SCENARIOS, stored
from tests.test_house import DEFINITIONS, DOOR, PACKAGES, ROOT, public, sources

FILE = ROOT / "docs" / "glossary.md"


def plain(term):
    """Return a term as it is compared and sorted: small letters, blanks for hyphens and underscores."""
    return re.sub("[-_]", " ", term.casefold())


def entries(text):
    """Return the terms and their definitions, as pairs in the order of the page."""
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)[1:]
    return list(zip(map(plain, parts[::2]), (part.strip() for part in parts[1::2]), strict=True))


PAGE = FILE.read_text(encoding="utf-8")
ENTRIES = entries(PAGE)
SOURCES = sources((*PACKAGES, DOOR))
DOCS = ROOT / "docs"
PAGES = {p.relative_to(DOCS).as_posix(): p.read_text(encoding="utf-8") for p in DOCS.rglob("*.md") if p != FILE}
PROJECT = "\n".join([*SOURCES.values(), *PAGES.values(), (ROOT / "README.md").read_text(encoding="utf-8")])


# Terms


def disorder(terms):
    """Return the terms that are defined twice, and those that stand before one of an earlier letter."""
    twice = [term for term, count in Counter(terms).items() if count > 1]
    return twice + [after for before, after in itertools.pairwise(terms) if after < before]


def test_each_term_is_defined_once_in_alphabetical_order():
    assert disorder([term for term, _ in ENTRIES]) == []


def test_disorder_is_reported():
    assert disorder(["a", "a", "b"]) == ["a"]
    assert disorder(["b", "a"]) == ["a"]


def test_a_definition_is_one_short_paragraph():
    assert {term: words for term, words in ENTRIES if not words or "\n\n" in words or len(words) > 800} == {}


def unused(terms, text):
    """Return the terms that a text does not use, in the singular or with an s."""
    text = " ".join(plain(text).split())
    return [term for term in terms if not re.search(rf"\b{re.escape(term)}s?\b", text)]


def test_every_term_is_used():
    assert unused([term for term, _ in ENTRIES], PROJECT) == []
    assert unused(["state", "dead unit"], "States of dead_units, dead\nunit") == []
    assert unused(["state"], "restate, stated") == ["state"]


PRINTED = {
    "term of the ledger": TERMS,
    "cause": (*CAUSES, *UNFINISHED),
    "status": [status.words for status in Status],
    "kind of experiment": [kind.name for kind in list_kinds()],
    "alarm": list(ALARMS),
}
"""Names that results print."""


@pytest.mark.parametrize("sort", PRINTED)
def test_every_printed_name_has_an_entry_that_says_what_it_is(sort):
    words = {term: plain(" ".join(text.split())) for term, text in ENTRIES}
    assert PRINTED[sort]
    assert [name for name in PRINTED[sort] if not re.search(rf"\b{sort}\b", words.get(plain(name), ""))] == []


# Keys, variables, names


def keys_of(annotation, place=""):
    """Yield the dotted path of every key of a table, or of the tables that a key may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            path = f"{place}.{field.alias or name}".lstrip(".")
            yield path
            yield from keys_of(field.annotation, path)
    elif get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from keys_of(part, place)


LINK = re.compile(r"\[`([^`]+)`\]\(reference/keys\.md#([^)]*)\)")


def sections(text):
    """Return the anchor of every table of the reference of keys, by the place of the table."""
    found = {}
    for heading in re.findall(r"^## (.*)$", text, re.MULTILINE):
        anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        found |= dict.fromkeys(re.findall("`([^`]+)`", heading) or [""], anchor)
    return found


def wrong_links(text, keys, anchors):
    """Return the keys that do not exist, and those whose link does not lead to their table."""
    return [
        key
        for key, anchor in LINK.findall(text)
        if key not in keys or anchor not in (anchors.get(key), anchors.get(key.rpartition(".")[0]))
    ]


def test_every_key_exists_and_is_linked_to_its_table():
    keys, anchors = set(keys_of(ScenarioSpec)), sections(PAGES["reference/keys.md"])
    assert len(LINK.findall(PAGE)) > 50
    assert wrong_links(PAGE, keys, anchors) == []
    assert wrong_links("[`chip.instant`](reference/keys.md#chip)", keys, anchors) == ["chip.instant"]
    assert wrong_links("[`chip.instance`](reference/keys.md#task)", keys, anchors) == ["chip.instance"]


def unlinked(text):
    """Return the names in code marks that are no links."""
    return re.findall(r"`([^`]+)`", LINK.sub("", text))


def test_every_variable_is_in_a_result():
    found = {f"/{name}" for scenario in SCENARIOS for name in stored(scenario)}
    known = "\n".join(found | {name.rpartition("/")[0] for name in found})
    named = [re.sub("<[^>]*>", "[a-z0-9]+", re.escape(name)) for name in unlinked(PAGE) if name.startswith("/")]
    assert len(named) > 10
    assert [name for name in named if not re.search(f"^{name}$", known, re.MULTILINE)] == []


def test_every_name_in_code_is_known():
    named = [name for name in unlinked(PAGE) if re.fullmatch(r"[A-Za-z_]{2,}(\.\w+)*", name)]
    known = set(re.findall(r"\w+", PROJECT))
    assert [name for name in named if not known.issuperset(name.split("."))] == []


# One meaning per public name

LAW = "one protocol, which every law of drift implements"
COMMAND = "a command, and the function of the front door that it calls"
WORK = "the same, and the function that does the work"
PLAN = "a table of the scenario language, and what is made of it"
TWIN = "the reference in NumPy, and its twin in the kernels"
ENGINES = "the same thing on another engine"

PLACES = {
    LAW: ("substrate/laws/",),
    COMMAND: ("scenarios/cli/", "scenarios/front/"),
    WORK: ("scenarios/cli/", "scenarios/front/", "scenarios/sweeps/sweep.py"),
    PLAN: ("scenarios/schema/", "scenarios/front/", "scenarios/experiments/", "scenarios/results/", "substrate/"),
    TWIN: ("devices/", "substrate/engine/cpu/kernels/"),
    ENGINES: ("substrate/engine/cpu/", "substrate/engine/jax/"),
}
"""Where a name may be defined more than once, by the reason."""

TWICE = {
    **dict.fromkeys(("drift", "energy", "respond", "stiffness", "stiffness_matrix"), LAW),
    **dict.fromkeys(("compare", "fit", "identify", "report"), COMMAND),
    **dict.fromkeys(("merge", "sweep"), WORK),
    **dict.fromkeys(("Chip", "Sweep"), PLAN),
    **dict.fromkeys(("logistic",), TWIN),
    **dict.fromkeys(("Course", "Tile", "Window", "check_convergence", "extrapolate_anderson"), ENGINES),
    **dict.fromkeys(("find_worst_drift", "limit_slew", "search_rest"), ENGINES),
}
"""Public names that two modules define, each with its reason."""


def doubles(texts):
    """Return the public classes and functions that two modules define on their top level, with these modules."""
    found = defaultdict(list)
    for path, text in texts.items():
        for name in {node.name for node in ast.parse(text).body if isinstance(node, DEFINITIONS)}:
            if public(name):
                found[name].append(path)
    return {name: paths for name, paths in found.items() if len(paths) > 1}


def without_reason(found, twice):
    """Return the doubles that stand on no list, or in a module that their reason does not cover."""
    places = {name: PLACES[reason] for name, reason in twice.items()}
    return {
        name: wrong
        for name, paths in found.items()
        if (wrong := [path for path in paths if not path.startswith(places.get(name, ()))])
    }


def test_a_public_name_has_one_meaning():
    found = doubles(sources(PACKAGES))
    assert without_reason(found, TWICE) == {}
    assert TWICE.keys() - found.keys() == set(), "a name leaves the list when it is defined once"
    assert PLACES.keys() == set(TWICE.values()), "a reason leaves the list with its last name"


def test_a_second_meaning_is_reported():
    twice = {"a.py": "def f(): pass\nclass _A: pass", "b.py": "class f: pass\nclass _A: pass"}
    assert doubles(twice) == {"f": ["a.py", "b.py"]}
    assert doubles({"a.py": "def f(): pass", "b.py": "class A:\n    def f(self): pass"}) == {}
    assert without_reason({"f": ["a.py", "b.py"]}, {}) == {"f": ["a.py", "b.py"]}
    laws = ["substrate/laws/a.py", "substrate/laws/b.py"]
    assert without_reason({"f": laws}, {"f": LAW}) == {}
    assert without_reason({"f": [*laws, "a.py"]}, {"f": LAW}) == {"f": ["a.py"]}
