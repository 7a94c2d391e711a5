"""Documents say what is so, and code stays of a size that one can read."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libs.common.settings import Settings
from services.gateway.domain.policy import LEVELS, POSTS
from services.gateway.domain.posts import ALIASES, LEVEL_ALIASES
from tests.contract.write_docs import DOCS, PAGES

ROOT = DOCS.parent
PAGES_IN_WORDS = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
MODULE_LINES, FUNCTION_LINES = 400, 40
LONG: dict[str, str] = {
    "tests/service/reporting/test_overview.py:test_every_step_of_a_warning_and_its_task_is_told_in_words_and_fields": "one story",
}
"""What may be longer, as `path` or `path:function`, and why."""


def modules() -> Iterator[Path]:
    for folder in ("libs", "services", "tests"):
        yield from (path for path in sorted((ROOT / folder).rglob("*.py")) if "migrations" not in path.parts)


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring: explaining is not what is to be short."""
    told = ast.get_docstring(function, clean=False)
    return (function.end_lineno or 0) - function.lineno + 1 - (len(told.splitlines()) if told else 0)


def too_long() -> Iterator[tuple[str, int]]:
    for path in modules():
        name, text = str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        if (lines := len(text.splitlines())) > MODULE_LINES:
            yield name, lines
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > FUNCTION_LINES:
                yield f"{name}:{node.name}", length(node)


def test_modules_have_at_most_400_lines_and_functions_40() -> None:
    found = dict(too_long())

    assert {name: lines for name, lines in found.items() if name not in LONG} == {}
    assert LONG.keys() <= found.keys(), "the list of what may be longer names what is not"


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_says_what_the_code_says(name: str) -> None:
    page = DOCS / name

    assert page.exists(), f"make docs writes docs/{name}"
    assert page.read_text(encoding="utf-8") == PAGES[name](), f"docs/{name} is stale: make docs"


def test_operations_md_names_every_post_that_a_file_may_hold() -> None:
    told = (DOCS / "operations.md").read_text(encoding="utf-8").partition("### The posts CSV")[2].partition("\n## ")[0]

    assert [post for post in POSTS if f"`{post}`" not in told] == []
    assert [name for name in ALIASES if name not in told] == []
    assert [level for level in (*LEVELS, *LEVEL_ALIASES) if level not in told] == []


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def links() -> list[tuple[str, str]]:
    return [
        (str(page.relative_to(ROOT)), target)
        for page in PAGES_IN_WORDS
        for target in re.findall(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize(("page", "target"), links())
def test_every_link_between_documents_leads_somewhere(page: str, target: str) -> None:
    assert ((ROOT / page).parent / target).exists()


def test_every_file_that_a_document_names_exists() -> None:
    roots = ("libs/", "services/", "tests/", "deploy/", "docs/", ".ci/")
    named = {
        (str(page.relative_to(ROOT)), path)
        for page in PAGES_IN_WORDS
        for path in re.findall(r"`([\w./-]+)`", page.read_text(encoding="utf-8"))
        if path.startswith(roots)
    }

    assert named
    assert [each for each in sorted(named) if not (ROOT / each[1]).exists()] == []


def shell(page: Path) -> Iterator[str]:
    """Every command line of a document: of its code blocks, and inside its sentences."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:bash)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE) + re.findall(
        r"^    (\S.*)$", text, re.MULTILINE
    )
    for block in blocks:
        yield from re.split(r"\n|\$\(|\)", block.replace("\\\n", " "))
    yield from re.findall(r"`([^`\n]+)`", text)


@pytest.mark.parametrize("page", PAGES_IN_WORDS, ids=lambda page: page.name)
def test_every_make_target_that_a_document_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {words[1] for line in shell(page) if len(words := line.split()) > 1 and words[0] == "make"}

    assert named <= targets


def wrong(line: str) -> str | None:
    """What the `zhengai` command would not understand of a line; None where it is none of its lines, or right."""
    import typer.main

    from services.cli import hoisted
    from services.cli.commands import app

    words = shlex.split(line, comments=True)
    if len(words) < 2 or words[0] != "zhengai" or any(char in line for char in "…|="):
        return None
    command: Any = typer.main.get_command(app)
    rest = hoisted(words[1:])
    while hasattr(command, "commands"):
        options = [rest.pop(0) for _ in range(len(rest)) if rest[0].startswith("-")]
        if not rest:
            return None if not options else f"{options} without a command"
        if rest[0] not in command.commands:
            return f"no command {rest[0]!r}"
        command = command.commands[rest.pop(0)]
    known = {name for parameter in command.params for name in parameter.opts}
    return next((f"no option {word!r}" for word in rest if word.startswith("--") and word not in known), None)


@pytest.mark.parametrize("page", PAGES_IN_WORDS, ids=lambda page: page.name)
def test_every_zhengai_command_that_a_document_shows_exists(page: Path) -> None:
    assert [(line, fault) for line in shell(page) if line.startswith("zhengai ") and (fault := wrong(line))] == []


def test_a_command_that_does_not_exist_would_be_found() -> None:
    assert wrong("zhengai school add hbpt --name 某校  # a comment") is None
    assert wrong("zhengai school remove hbpt") == "no command 'remove'"
    assert wrong("zhengai wait --school hbpt --patience 3") == "no option '--patience'"


def test_both_languages_of_the_readme_show_the_same_commands() -> None:
    def commands(name: str) -> list[str]:
        blocks = re.findall(r"^```bash\n(.*?)^```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        return [line.partition("  #")[0].rstrip() for block in blocks for line in block.splitlines()]

    assert commands("README.zh-CN.md") == commands("README.md")
    assert commands("README.md")


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_all_its_parts_and_names_what_enforces_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)

    assert text.startswith(f"# {int(page.name[:4])}. ")
    assert [part.partition("\n")[0] for part in parts[1:]] == ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]
    assert re.search(r"\*\*.+?\*\*", parts[2], re.DOTALL), "one imperative sentence, in bold, is the decision"
    assert "test" in parts[5]


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_every_package_that_runs_is_explained_in_decision_6() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {re.split(r"[\[><=;]", line)[0].strip() for line in project["project"]["dependencies"]}
    table = "\n".join(
        line for line in (DOCS / "decisions" / "0006-dependencies.md").read_text().splitlines() if line.startswith("|")
    )

    assert {name for name in wanted if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", table)} == set()
