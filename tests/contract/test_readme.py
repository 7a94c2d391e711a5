"""The README's way to a first warning, word for word, against a running installation."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks(page: str) -> list[str]:
    """The shell blocks of the page, in order."""
    return re.findall(r"^```bash\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@contextmanager
def installation(folder: Path) -> Iterator[dict[str, str]]:
    """What `make run` starts, in a folder of its own; yields the environment of a shell beside it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    settings = {name: value for name, value in os.environ.items() if not name.startswith("ZHENGAI_")}
    environment = settings | {"ZHENGAI_HOME": str(folder / "var"), "ZHENGAI_PORT": port}
    process = subprocess.Popen(
        [sys.executable, "-m", "services.app"],
        cwd=ROOT,
        env=environment | {"ZHENGAI_DEMO": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=(folder / "log").open("w"),
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith("Zhengai is ready at http://"), (folder / "log").read_text()
        yield environment
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def test_who_follows_the_readme_reads_one_warning_and_its_improvement(tmp_path: Path) -> None:
    """`test_docs.py` holds the README in Chinese to the same commands."""
    *first, last, _ = blocks("README.md")
    with installation(tmp_path) as environment:
        # What a person's pace gives by itself: the warning is there before it is asked for.
        script = "\n".join(["set -e", "shopt -s expand_aliases", *first, "zhengai wait --school hbpt", "echo; echo ANSWERS", last])
        script = script.replace(".venv/bin/zhengai", str(Path(sys.executable).parent / "zhengai"))
        script = script.replace("127.0.0.1:8000", f"127.0.0.1:{environment['ZHENGAI_PORT']}").replace("curl ", "curl -sS --fail ")

        ended = subprocess.run(["bash"], input=script, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    said, _, answers = ended.stdout.partition("ANSWERS\n")
    assert said.count('{"accepted":1}') == 3
    decoder = json.JSONDecoder()
    warnings, end = decoder.raw_decode(answers)
    improvements, _ = decoder.raw_decode(answers[end:].lstrip())
    assert [(each["subject"], each["numerator"], each["denominator"]) for each in warnings["items"]] == [("CNC101-2026S", 0, 3)]
    assert [each["warning"] for each in improvements["items"]] == [warnings["items"][0]["id"]]


def test_who_sets_a_school_up_from_its_documents_has_it_as_the_readme_says(tmp_path: Path) -> None:
    alias, documents = blocks("README.md")[0].splitlines()[0], blocks("README.md")[-1]
    with installation(tmp_path) as environment:
        script = f"shopt -s expand_aliases\n{alias}\n{documents}"
        script = script.replace(".venv/bin/zhengai", str(Path(sys.executable).parent / "zhengai"))
        address = f"http://127.0.0.1:{environment['ZHENGAI_PORT']}"
        script = script.replace("zhengai ", f"zhengai --url {address} ").replace(
            f"alias zhengai --url {address} ", "alias zhengai "
        )

        ended = subprocess.run(["bash"], input=script, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "plan-without-review" in ended.stdout
    assert len(json.loads((tmp_path / "hbzy.json").read_text(encoding="utf-8"))["standards"]) > 0
