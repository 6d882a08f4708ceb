"""Damaged data files of every form are taken or refused in words."""

import pytest

from scenarios.language.named_files import FILE_KEYS
from tests.scenarios.data.data_fuzz import FORMS, attempt


def test_every_key_that_names_a_file_is_tried():
    assert {form.key for form in FORMS.values()} == {".".join(key) for key in FILE_KEYS}


@pytest.mark.parametrize("name", FORMS)
def test_no_damage_ends_in_a_traceback(name):
    taken, refused = attempt(name, 25)
    assert taken + refused == 25
    assert refused
