"""The forms that a release is handed out in."""

from collections.abc import Mapping
from typing import Final, Literal

from gridmgmt.errors import InvalidError
from gridmgmt.reports.issue import Issue
from gridmgmt.reports.wording import Language

Form = Literal["pdf", "xlsx"]
MEDIA: Final[Mapping[Form, str]] = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def find_form(word: str) -> Form:
    """The form of a file's ending. Raises InvalidError for another."""
    for form in MEDIA:
        if form == word:
            return form
    raise InvalidError(f"a bulletin is one of {', '.join(MEDIA)}", field="file")


def make(issue: Issue, form: Form, language: Language) -> bytes:
    """The file, the same bytes for the same release. Raises BusyError and TypesettingError as `bulletin` does."""
    if form == "pdf":
        from gridmgmt.reports.bulletin import bulletin as made  # noqa: PLC0415  # whoever serves loads neither until it is asked for
    else:
        from gridmgmt.reports.workbook import workbook as made  # noqa: PLC0415
    return made(issue, language)


def name_of(quarter: str, edition: int, form: Form, language: Language) -> str:
    """The file's name: bulletin-2011Q4-1.zh.pdf."""
    return f"bulletin-{quarter}-{edition}.{language}.{form}"
