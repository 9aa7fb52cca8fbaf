"""The rules of the house that no tool checks by itself, read from the source: where one is broken, the file and line are named."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gridmgmt.settings import CONCERNS, PREFIX

ROOT = Path(__file__).parents[2]
PACKAGES = ("geo", "gridmgmt", "api")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST = 350

Trees = dict[Path, ast.Module]


@pytest.fixture(scope="module")
def trees() -> Trees:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in (*SOURCES, *TESTS)}


def found(trees: Trees, paths: list[Path], broken: Callable[[ast.AST], bool]) -> list[str]:
    """File and line of every node that breaks a rule."""
    return [f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}" for path in paths for node in ast.walk(trees[path]) if broken(node)]


def called(node: ast.AST) -> str | None:
    """Last word of the name that a call calls."""
    if not isinstance(node, ast.Call):
        return None
    return node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else None


def test_imports_point_one_way() -> None:
    done = subprocess.run([Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


PROBE = """
import os, sys, pkgutil, importlib
root, packages = sys.argv[1], sys.argv[2:]
sys.path.insert(0, root)
ours = tuple(os.path.join(root, package) + os.sep for package in packages)
told = []

def asker():
    frame = sys._getframe(2)
    while os.path.basename(frame.f_code.co_filename) in ("os.py", "_collections_abc.py") or "_collections_abc" in frame.f_code.co_filename:
        frame = frame.f_back
    return frame.f_code.co_filename

class Environment(type(os.environ)):
    def __getitem__(self, key):
        if asker().startswith(ours):
            told.append("reads " + str(key) + " in " + asker())
        return super().__getitem__(key)
    def __iter__(self):
        if asker().startswith(ours):
            told.append("lists the environment in " + asker())
        return super().__iter__()

os.environ.__class__ = Environment

def hook(event, arguments):
    if event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir", "os.remove", "os.rename"):
        told.append(event)
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        told.append("writes " + str(arguments[0]))

sys.addaudithook(hook)
sys.dont_write_bytecode = True
for package in packages:
    for module in pkgutil.walk_packages([os.path.join(root, package)], package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            importlib.import_module(package)
print("\\n".join(told))
"""


def test_importing_every_module_in_an_empty_environment_reads_and_opens_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE, str(ROOT), *PACKAGES], capture_output=True, text=True, check=False, cwd="/", env={})
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("library", ["scipy", "pyarrow", "pyogrio", "typst"])
def test_the_server_starts_without_what_few_of_its_answers_need(library: str) -> None:
    """Each is tens of megabytes of every process that serves."""
    words = [sys.executable, "-c", "import sys, api.app; print(sys.argv[1] in sys.modules)", library]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_only_the_database_module_commits(trees: Trees) -> None:
    assert {line.split(":")[0] for line in found(trees, SOURCES, lambda node: called(node) == "commit")} == {"gridmgmt/database.py"}


SENDERS = frozenset({"execute", "executemany", "exec_driver_sql", "text", "scalar", "scalars", "stream", "copy", "literal_column", "SQL"})


def pasted(node: ast.AST) -> bool:
    """Whether a call that sends SQL is given a text with something pasted into it."""
    if called(node) not in SENDERS or not isinstance(node, ast.Call) or not node.args:
        return False
    first = node.args[0]
    if isinstance(first, ast.Call) and called(first) == "encode" and isinstance(first.func, ast.Attribute):
        first = first.func.value
    formatted = isinstance(first, ast.JoinedStr) and any(isinstance(part, ast.FormattedValue) for part in first.values)
    added = isinstance(first, ast.BinOp) and isinstance(first.op, ast.Add | ast.Mod)
    return (
        formatted
        or added
        or (called(first) == "format" and isinstance(first, ast.Call) and first.func.__class__ is ast.Attribute and literal(first))
    )


def literal(call: ast.Call) -> bool:
    """Whether a method of a plain text is called, and not of psycopg's `sql.SQL`, which quotes what it is given."""
    return isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Constant)


def test_text_is_never_pasted_into_sql(trees: Trees) -> None:
    assert found(trees, SOURCES, pasted) == []


def test_lint_of_pasted_sql_sees_what_it_should() -> None:
    bad = (
        'execute(f"SELECT {x}")',
        'text("SELECT " + x)',
        'execute("SELECT %s" % x)',
        'text("SELECT {}".format(x))',
        'execute(f"{x}".encode())',
    )
    good = ('execute("SELECT 1")', "execute(statement, [x])", 'execute(sql.SQL("SELECT {}").format(x))', 'text("SELECT :x")')
    assert [pasted(ast.parse(line, mode="eval").body) for line in (*bad, *good)] == [True] * len(bad) + [False] * len(good)


def test_tests_replace_nothing_of_our_own(trees: Trees) -> None:
    def mocks(node: ast.AST) -> bool:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            return any(name.split(".")[-1] == "mock" or name == "unittest.mock" for name in names)
        return called(node) in {"setattr", "delattr", "setitem"} and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)

    assert found(trees, TESTS, mocks) == []


def test_no_class_is_a_bag_of_static_methods(trees: Trees) -> None:
    def bag(node: ast.AST) -> bool:
        if not isinstance(node, ast.ClassDef):
            return False
        functions = [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
        return bool(functions) and all(
            any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in function.decorator_list) for function in functions
        )

    assert found(trees, SOURCES, bag) == []


def test_modules_are_no_longer_than_one_subject(trees: Trees) -> None:
    migrations = list((ROOT / "migrations").rglob("*.py"))
    long = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (*SOURCES, *TESTS, *migrations)}
    assert {str(path.relative_to(ROOT)): lines for path, lines in long.items() if lines > LONGEST} == {}


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "misc", "tools"])
def test_no_module_is_named_for_anything_and_everything(word: str) -> None:
    assert [str(path) for path in SOURCES if path.stem == word] == []


def test_sessions_are_declared_once_with_the_scope_of_the_route(trees: Trees) -> None:
    """Without that scope FastAPI commits after the answer; a second spelling would be a second session."""
    declared: list[tuple[str, bool]] = []
    for path in SOURCES:
        for node in ast.walk(trees[path]):
            if called(node) == "Depends" and isinstance(node, ast.Call) and node.args and "session" in ast.unparse(node.args[0]):
                scoped = any(word.arg == "scope" and ast.unparse(word.value) == "'function'" for word in node.keywords)
                declared.append((f"{path.relative_to(ROOT)}: {ast.unparse(node.args[0])}", scoped))
    assert all(scoped for _, scoped in declared)
    assert len({name for name, _ in declared}) == len(declared)
    assert {name.split(":")[0] for name, _ in declared} <= {"api/dependencies.py"}


SETTINGS = [(concern, name) for concern, model in CONCERNS.items() for name in model.model_fields]


@pytest.mark.parametrize(("concern", "name"), SETTINGS, ids=[name for _, name in SETTINGS])
def test_every_setting_is_read_and_documented(trees: Trees, concern: str, name: str) -> None:
    attributes = {node.attr for path in SOURCES for node in ast.walk(trees[path]) if isinstance(node, ast.Attribute)}
    assert name in attributes or f"{name.removesuffix('s')}_folder" in attributes, f"nobody reads {concern}.{name}"
    guide = ROOT / "docs" / "operate.md"
    assert f"{PREFIX}{name.upper()}" in guide.read_text(encoding="utf-8")


def tracked() -> Iterator[tuple[Path, str]]:
    """Every text file that belongs to the project."""
    skipped = {
        ".git",
        ".venv",
        ".gridmgmt",
        "__pycache__",
        ".pytest_cache",
        ".ruff_cache",
        ".hypothesis",
        ".import_linter_cache",
        "build",
        "dist",
    }
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in skipped]
        for name in files:
            try:
                yield Path(folder, name), Path(folder, name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    # spelt apart, so that this file is no find of its own; files of archives (xl/work…) are not places of a machine
    places = re.compile(r"(?<![\w.])/(?:" + "|".join(("work", "home/[a-z]", "root/[.a-z]", "Users/[a-z]")) + r")(?:/|\b)")
    index = re.compile(r"--(?:extra-)?index-url|--find-links")
    finds = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path, content in tracked()
        for match in (*places.finditer(content), *index.finditer(content))
        if path != Path(__file__)
    ]
    assert finds == []


def test_no_test_runs_on_another_database(trees: Trees) -> None:
    addresses = re.compile(r"sqlite(?:\+\w+)?://")
    assert [str(path) for path in (*SOURCES, *TESTS) if path != Path(__file__) and addresses.search(path.read_text(encoding="utf-8"))] == []
    imports = found(
        trees, [*SOURCES, *TESTS], lambda node: isinstance(node, ast.Import) and any(a.name.startswith("sqlite3") for a in node.names)
    )
    assert imports == []
