"""Plant each known bug in a copy of the tree and see the tests that are to catch it turn red.

usage: make planted                        all of them; writes docs/planted-bugs.md
       python -m tests.planted WORD        those whose name contains the word; writes nothing

First the named tests must be green on an unchanged copy: a test that is always red proves nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.planted.bug import Bug
from tests.planted.bugs import BUGS
from tests.planted.page import PAGE, written
from tests.servers import as_program, kafka_server, postgres_server, prepared

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "var", "__pycache__", "*.egg-info")
AT_ONCE = 2
RED = re.compile(r"^(?:FAILED|ERROR) (\S+?)(?:\[.*)?(?: - .*)?$", re.MULTILINE)


def copied(folder: Path) -> Path:
    """The tree without its environment and history."""
    return Path(shutil.copytree(ROOT, folder / "main", ignore=LEFT_OUT))


def red(tree: Path, tests: Iterable[str], servers: Mapping[str, str]) -> set[str]:
    """Those of the tests that fail there. Raises RuntimeError where pytest itself does not get that far."""
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=no", *sorted(tests)]
    environment = {**os.environ, **servers, "PYTHONPATH": str(tree), "COLUMNS": "1000", "HYPOTHESIS_STORAGE_DIRECTORY": str(tree)}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in {0, 1}:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return set(RED.findall(done.stdout))


def try_out(bug: Bug, servers: Mapping[str, str]) -> list[str]:
    """Plant the bug; return what is wrong with that: nothing where all its tests turned red."""
    with tempfile.TemporaryDirectory(prefix="zhengai-planted-") as name:
        tree = copied(Path(name))
        try:
            for edit in bug.edits:
                edit.apply(tree)
            turned = red(tree, bug.tests, servers if bug.servers else {})
        except (ValueError, RuntimeError) as error:
            return [str(error)]
    return [f"stays green: {test}" for test in bug.tests if test not in turned]


def green(bugs: Sequence[Bug], servers: Mapping[str, str]) -> list[str]:
    """Return what is red without any bug."""
    with tempfile.TemporaryDirectory(prefix="zhengai-planted-") as name:
        tree = copied(Path(name))
        alone = {test for bug in bugs for test in bug.tests if not bug.servers}
        beside = {test for bug in bugs for test in bug.tests if bug.servers}
        found = red(tree, alone, {}) | (red(tree, beside, servers) if beside else set())
    return [f"red without a bug: {test}" for test in sorted(found)]


def run(bugs: Sequence[Bug], servers: Mapping[str, str]) -> int:
    """Try all; return how many nothing catches."""
    failed = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tried = pool.map(lambda bug: try_out(bug, servers), bugs)
        for n, (bug, wrong) in enumerate(zip(bugs, tried, strict=True), 1):
            failed += bool(wrong)
            print(f"{n} of {len(bugs)}: {bug.name}: {'NOT CAUGHT' if wrong else 'caught'}", flush=True)
            for each in wrong:
                print(f"  {each}", flush=True)
    return failed


def main(arguments: Sequence[str]) -> int:
    bugs = [bug for bug in BUGS if all(word.lower() in bug.name.lower() for word in arguments)]
    with ExitStack() as context:
        servers: dict[str, str] = {}
        if any(bug.servers for bug in bugs):
            folder = Path(context.enter_context(tempfile.TemporaryDirectory(prefix="zhengai-planted-")))
            folder.chmod(0o711)  # the user postgres passes through it to its own folder
            print("starting Kafka and PostgreSQL ...", flush=True)
            servers["TEST_KAFKA"] = context.enter_context(kafka_server(prepared(folder / "kafka"))).address
            servers["TEST_POSTGRES"] = context.enter_context(postgres_server(prepared(folder / "postgres"))).url
        print(f"the tests of {len(bugs)} bugs, without any bug ...", flush=True)
        for each in (always_red := green(bugs, servers)):
            print(f"  {each}", flush=True)
        failed = run(bugs, servers)
    if not arguments and not failed and not always_red:
        PAGE.write_text(written(BUGS), encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")
    print(f"{len(bugs) - failed} passed, {failed + len(always_red)} failed")
    return 1 if failed or always_red else 0


if __name__ == "__main__":
    as_program(main)
