"""Generated requests against a running gateway: nothing is a server error, and every answer is as `/openapi.json` says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.flow.stack import Process, Stack

ROOT = Path(__file__).parents[2]


def _token(stack: Stack, username: str) -> str:
    demo = json.loads((stack.gateway.folder / "demo.json").read_text(encoding="utf-8"))
    password = next(account["password"] for account in demo["accounts"] if account["username"] == username)
    form = {"grant_type": "password", "username": username, "password": password}
    answer = httpx.post(f"{stack.url}/api/v1/auth/token", data=form, timeout=30)
    token: str = answer.raise_for_status().json()["access_token"]
    return token


@pytest.mark.servers
@pytest.mark.timeout(600)
@pytest.mark.parametrize("account", ["quality", "operator"])
def test_schemathesis_finds_no_failure(tmp_path: Path, account: str) -> None:
    stack = Stack([Process("all", tmp_path / "home", {"ZHENGAI_DEMO": "1"})])
    stack.start()
    try:
        operator = (stack.gateway.folder / "operator.token").read_text().strip()
        token = operator if account == "operator" else _token(stack, account)
        program = Path(sys.executable).parent / "schemathesis"
        options = ["--continue-on-failure", "--seed", "1", "--no-color", "-H", f"Authorization: Bearer {token}"]
        command = [str(program), "--config-file", "tests/flow/schemathesis.toml", "run", f"{stack.url}/openapi.json", *options]
        run = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)  # noqa: PLW1510 - looked at below
        assert run.returncode == 0, run.stdout[-20_000:] + run.stderr
    finally:
        stack.stop()
