"""The command in this process, for what needs no process of its own, and the embedded database that it works on."""

from collections.abc import Callable

import pytest

from gridmgmt import cli
from tests.embedded import Embedded, Said, embedded
from tests.installed import installed

__all__ = ["embedded", "installed"]

Run = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run one command with the variables given; `embedded` or `installed` have theirs."""

    def command(*words: str, variables: dict[str, str] | None = None) -> Said:
        for name, value in (variables or {}).items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        code = cli.run(words)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return command


@pytest.fixture
def demo(run: Run, embedded: Embedded) -> Run:
    """Run one command on the demo district."""
    return lambda *words: run(*words, variables=embedded.variables)
