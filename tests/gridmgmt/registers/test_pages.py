"""The search by beginning is a range that holds exactly what begins so, in the order of code points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, literal, select

from gridmgmt.errors import InvalidError
from gridmgmt.models import Building
from gridmgmt.registers.pages import begins, in_area

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=5)


@pytest.mark.parametrize(
    ("name", "prefix", "found"),
    [
        ("张大山", "张", True),
        ("张大山", "张大山", True),
        ("张大山", "张大山山", False),
        ("弡", "张", False),
        ("\ud7ffx", "\ud7ff", True),
        ("\ue000", "\ud7ff", False),
        ("a\U0010ffff\U0010ffff", "a\U0010ffff", True),
        ("b", "a\U0010ffff", False),
        ("\U0010ffff", "\U0010ffff", True),
    ],
)
def test_range_holds_what_begins_so(superuser: Connection, name: str, prefix: str, found: bool) -> None:
    assert superuser.execute(select(begins(literal(name), prefix))).scalar_one() is found


def test_range_and_python_agree_on_any_text(superuser: Connection) -> None:
    @given(TEXT, TEXT.filter(bool))
    def agree(name: str, prefix: str) -> None:
        assert superuser.execute(select(begins(literal(name), prefix))).scalar_one() is name.startswith(prefix)

    agree()


@pytest.mark.parametrize("code", ["", "44", "4403990", "44039x", "４４０３９９"])
def test_what_is_no_area_code_is_refused(code: str) -> None:
    with pytest.raises(InvalidError):
        in_area(Building.__table__, code)
