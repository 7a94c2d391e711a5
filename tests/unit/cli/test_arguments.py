"""Options that may stand anywhere, and what a process loads for a short call."""

import subprocess
import sys

import pytest

from services.cli import hoisted
from tests.unit.cli.conftest import TOKEN, Answer, Installation, Zhengai


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        (["wait", "--school", "a"], ["wait", "--school", "a"]),
        (["wait", "--url", "http://x", "--school", "a"], ["--url", "http://x", "wait", "--school", "a"]),
        (["school", "add", "a", "--url=http://x", "--json"], ["--url=http://x", "--json", "school", "add", "a"]),
        (["--json", "wait"], ["--json", "wait"]),
        (["replay", "--", "--json"], ["replay", "--", "--json"]),
        (["wait", "--url"], ["--url", "wait"]),
    ],
)
def test_url_token_and_json_may_stand_anywhere_before_a_double_dash(written: list[str], understood: list[str]) -> None:
    assert hoisted(written) == understood


@pytest.mark.parametrize("place", [0, 1, 2, 5])
def test_the_options_mean_the_same_before_and_after_the_subcommand(
    zhengai: Zhengai, installation: Installation, place: int
) -> None:
    installation.on("POST", "/api/v1/sources", Answer(201, {"name": "attendance", "key": "k-1"}))
    words = ["source", "add", "attendance", "--school", "demo"]
    options = ["--url", installation.url, "--token", TOKEN, "--json"]

    ending = zhengai(*words[:place], *options, *words[place:], options=())

    assert ending.status == 0, ending.err
    assert ending.out == '{"name": "attendance", "key": "k-1"}\n'


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["wait"], "Missing option"),
        (["school", "remove"], "No such command"),
        (["wait", "--school", "a", "--sooner"], "No such option"),
        (["school", "add", "a"], "Missing option"),
    ],
)
def test_wrong_usage_is_one_sentence_and_ends_with_2(zhengai: Zhengai, arguments: list[str], sentence: str) -> None:
    ending = zhengai(*arguments)

    assert ending.status == 2
    assert sentence in ending.err
    assert ending.err.count("\n") == 1
    assert not ending.out


def test_a_call_of_the_api_loads_neither_the_services_nor_their_libraries() -> None:
    program = (
        "import sys, services.cli, services.cli.commands, services.cli.client, services.cli.replay\n"
        "heavy = {'fastapi', 'sqlalchemy', 'aiokafka', 'pydantic', 'alembic'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {sorted(heavy)}' if heavy else 0)"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (result.returncode, result.stderr) == (0, "")


def test_help_names_every_command_of_the_contract(zhengai: Zhengai) -> None:
    ending = zhengai("--help", options=())

    assert ending.status == 0
    for command in (
        "school",
        "source",
        "user",
        "roster",
        "posts",
        "metric",
        "indicator",
        "replay",
        "wait",
        "deadletters",
        "migrate",
    ):
        assert command in ending.out
