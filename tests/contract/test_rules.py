"""Rules of this code that no tool knows, read from its syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Rule = Callable[[ast.AST], bool]


def called(node: ast.AST) -> str:
    """`a.b` for the call `x.a.b()`: its last two words; empty where it is no call."""
    if not isinstance(node, ast.Call):
        return ""
    words: list[str] = []
    function: ast.AST = node.func
    while isinstance(function, ast.Attribute):
        words.insert(0, function.attr)
        function = function.value
    if isinstance(function, ast.Name):
        words.insert(0, function.id)
    return ".".join(words[-2:]) if len(words) > 1 else f".{words[0]}" if words and isinstance(node.func, ast.Attribute) else ""


def commits(node: ast.AST) -> bool:
    return called(node).endswith((".commit", ".rollback"))


def reads_the_clock(node: ast.AST) -> bool:
    return called(node) in {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}


def reads_the_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr in {"environ", "environb", "getenv"}
    return isinstance(node, ast.ImportFrom) and node.module == "os" and any(n.name in {"environ", "getenv"} for n in node.names)


def swallows_everything(node: ast.AST) -> bool:
    """Catching every exception; not where it is only to tidy up, and raised again."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    names = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)} if node.type else {"BaseException"}
    again = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
    return bool(names & {"Exception", "BaseException"}) and not again


def suppresses_everything(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != "suppress":
        return False
    return any(isinstance(each, ast.Name) and each.id in {"Exception", "BaseException"} for each in node.args)


def knows_a_school(node: ast.AST) -> bool:
    """Naming one of the documents' schools, but for docstrings, which say where a rule comes from."""
    if isinstance(node, ast.Expr):
        return False
    texts = [each.value for each in ast.iter_child_nodes(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    names = [getattr(node, field, None) for field in ("id", "attr", "name", "arg")]
    return any(isinstance(each, str) and SCHOOLS.search(each) is not None for each in (*texts, *names))


SCHOOLS = re.compile("hubei|hunan|yanbu|foshan|mongolia|湖北|湖南|盐步|内蒙", re.IGNORECASE)
RULES: dict[str, tuple[Rule, tuple[str, ...]]] = {
    "only the database commits; a bus, and who tells it how far it got, has a `commit` of its own": (
        commits,
        ("libs/common/database", "libs/common/bus_sqlite", "libs/common/bus_kafka", "libs/common/runtime"),
    ),
    "business code sees the database's clock, which a test can set": (reads_the_clock, ("libs/common/database",)),
    "one file reads the environment": (reads_the_environment, ("libs/common/settings",)),
    "an error nobody expected is handled in one place; the embedded bus hands it to each of those who wait": (
        swallows_everything,
        ("libs/common/runtime", "libs/common/bus_sqlite"),
    ),
    "an error nobody expected is never dropped": (suppresses_everything, ("libs/common/runtime",)),
    "no code knows a school by name: schools are data; the command's help names a template": (
        knows_a_school,
        ("services/cli/schools",),
    ),
}
"""Each rule, and the modules (a file, or the package of the same name) that are meant to do it."""


def breaches(source: str, rule: Rule) -> Iterator[int]:
    """The lines that break the rule."""
    return (getattr(node, "lineno", 0) for node in ast.walk(ast.parse(source)) if rule(node))


@pytest.mark.parametrize("name", RULES)
def test_the_code_keeps_the_rule(name: str) -> None:
    rule, allowed = RULES[name]
    files = [path for folder in ("libs", "services") for path in (ROOT / folder).rglob("*.py")]
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted(files)
        if not str(path.relative_to(ROOT)).startswith(tuple(f"{module}{end}" for module in allowed for end in (".py", "/")))
        for line in breaches(path.read_text(encoding="utf-8"), rule)
    ]

    assert files
    assert not found, f"{name}: {', '.join(found)}"


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (commits, "async def f(tx):\n await tx.session.commit()"),
        (commits, "session().rollback()"),
        (reads_the_clock, "import datetime\nnow = datetime.datetime.now(datetime.UTC)"),
        (reads_the_clock, "from datetime import date\nd = date.today()"),
        (reads_the_environment, "import os\nx = os.environ['A']"),
        (reads_the_environment, "import os\nx = os.getenv('A')"),
        (reads_the_environment, "from os import environ"),
        (swallows_everything, "try:\n f()\nexcept Exception:\n pass"),
        (swallows_everything, "try:\n f()\nexcept (OSError, Exception) as e:\n print(e)"),
        (swallows_everything, "try:\n f()\nexcept:\n pass"),
        (suppresses_everything, "with suppress(ValueError, Exception):\n f()"),
        (knows_a_school, "if school.template == 'hubei-polytechnic':\n f()"),
        (knows_a_school, "LADDERS = {'湖南': 3}"),
        (knows_a_school, "def only_yanbu():\n pass"),
    ],
)
def test_a_breach_is_seen(rule: Rule, source: str) -> None:
    assert list(breaches(source, rule))


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (commits, "x = tx.session.committed()"),
        (reads_the_clock, "now = tx.now"),
        (swallows_everything, "try:\n f()\nexcept BaseException:\n undo()\n raise"),
        (swallows_everything, "try:\n f()\nexcept OSError:\n pass"),
        (suppresses_everything, "with suppress(TimeoutError):\n f()"),
        (knows_a_school, "def f():\n '''Hunan's three raters.'''\n return 'school' "),
    ],
)
def test_what_is_no_breach_is_left_alone(rule: Rule, source: str) -> None:
    assert not list(breaches(source, rule))
