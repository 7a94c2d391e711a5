"""What cannot run says so in one plain sentence and ends with an error; what can end, ends well and loses nothing."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pysqlite3
import pytest
from sqlalchemy import create_engine, text

from libs.common import migrate
from libs.common.settings import Settings
from libs.common.sqlite import SAFE, check_version
from services.app import listen, load, only_process
from tests.conftest import KAFKA, POSTGRES
from tests.flow.bad_events import SCHOOL, event, written
from tests.flow.campus import Campus
from tests.flow.stack import Process, Stack, embedded, until

ROOT = Path(__file__).parents[2]
OLD_SQLITE = """
import pysqlite3, runpy
pysqlite3.sqlite_version_info = (3, 40, 1)
runpy.run_module("services.app", run_name="__main__")
"""


def _environment(home: Path, settings: dict[str, str]) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ZHENGAI_")}
    return {**clean, "ZHENGAI_HOME": str(home), "ZHENGAI_PORT": "0", "ZHENGAI_DEMO": "0", **settings}


def refusal(home: Path, *arguments: str, **settings: str) -> str:
    """Start what must refuse to; return the one sentence with which it does."""
    command = [sys.executable, *(arguments or ("-m", "services.app"))]
    ended = subprocess.run(
        command, env=_environment(home, settings), capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert ended.returncode == 1, ended
    assert ended.stdout == "" or "ZHENGAI_SERVICES" in settings  # a service of its own first listens, then looks for its database
    (sentence,) = ended.stderr.splitlines()
    return sentence


def _unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# --- refused ------------------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = refusal(tmp_path / "home", ZHENGAI_PORT=str(port))
    assert sentence == (f"cannot listen on 127.0.0.1:{port}: Address already in use; free the port or set ZHENGAI_PORT to another")


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(SystemExit, match=r"^cannot listen on 192\.0\.2\.1:0: Cannot assign requested address; "):
        listen("192.0.2.1", 0)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert refusal(file) == f"ZHENGAI_HOME {file} cannot be written: File exists; make it writable or name another folder"
    with pytest.raises(SystemExit, match="cannot be written: Not a directory; "), only_process(file / "below"):
        pass


def test_an_unknown_setting_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    assert refusal(tmp_path, ZHENGAI_PROT="1") == "unknown settings: ZHENGAI_PROT (docs/settings.md lists all)"
    assert list(tmp_path.iterdir()) == []


POSTGRESQL, A_BROKER = "postgresql+psycopg://127.0.0.1/x", "kafka://127.0.0.1:9092"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"PORT": "http"}, "ZHENGAI_PORT: "),
        ({"PORT": "65536"}, "ZHENGAI_PORT: "),
        ({"LOG_LEVEL": "loud"}, "ZHENGAI_LOG_LEVEL: "),
        ({"SERVICES": "planing"}, "no service is called planing: there are gateway, "),
        ({"SERVICES": "planning"}, "the embedded bus has one process"),
        ({"BUS_URL": A_BROKER}, "SQLite goes with the embedded bus and PostgreSQL with Kafka"),
        ({"DATABASE_URL": POSTGRESQL}, "SQLite goes with the embedded bus and PostgreSQL with Kafka"),
        ({"DATABASE_URL": POSTGRESQL, "BUS_URL": A_BROKER}, "ZHENGAI_SECRET_FILE is required"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], sentence: str) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"ZHENGAI_{name}", value)
    with pytest.raises(SystemExit) as refused:
        Settings.load()
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_old_sqlite_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "-c", OLD_SQLITE).startswith("SQLite 3.40.1 can corrupt data in WAL mode: install ")
    check_version(SAFE)
    with pytest.raises(SystemExit, match=r"^SQLite 3\.51\.2 can corrupt"):
        check_version((3, 51, 2))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """An installation that ran once, with one school."""
    with embedded(tmp_path_factory.mktemp("refusals")) as stack:
        Campus(stack).only_good_events_count()
    return stack


@pytest.fixture
def running(stopped: Stack) -> Iterator[Stack]:
    stopped.start()
    yield stopped
    stopped.stop()


def test_a_second_process_on_the_same_folder_is_refused(running: Stack) -> None:
    assert running.gateway.running is not None
    assert refusal(running.gateway.folder) == f"already running, pid {running.gateway.running.pid}"
    assert running.is_ready()


def test_a_database_newer_than_the_code_is_refused_and_left_alone(stopped: Stack) -> None:
    home = stopped.gateway.folder
    database = pysqlite3.connect(home / "planning.db")
    (known,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.commit()
    sentence = refusal(home)
    assert sentence == (
        f"the database of planning is at version 9999, newer than this code ({known}): "
        "start the newer release, or restore the backup made before the upgrade"
    )
    assert database.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    database.execute("UPDATE alembic_version SET version_num = ?", (known,))
    database.commit()
    database.close()


# --- waited for -----------------------------------------------------------------------------------------------------------


def test_where_broker_and_database_cannot_be_reached_it_keeps_trying_and_says_so(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * 32)
    nobody = _unused_port()
    process = Process(
        "planning",
        tmp_path / "planning",
        {
            "ZHENGAI_SERVICES": "planning",
            "ZHENGAI_BUS_URL": f"kafka://127.0.0.1:{nobody}",
            "ZHENGAI_DATABASE_URL": f"postgresql+psycopg://postgres@127.0.0.1:{nobody}/postgres",
            "ZHENGAI_SECRET_FILE": str(secret),
        },
    )
    process.start()
    try:
        client = httpx.Client(base_url=f"http://127.0.0.1:{process.port}", timeout=30)

        def both_named() -> bool:
            problems = client.get("/readyz").json()["problems"]
            return all(str(nobody) in problems.get(name, "") for name in ("bus", "planning"))

        until(both_named, "the broker and the database are named")
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
        assert client.get("/healthz").status_code == 200
        assert process.running is not None
        process.running.send_signal(signal.SIGTERM)
        assert process.running.wait(30) == 0
    finally:
        process.kill()


@pytest.mark.servers
def test_a_process_whose_postgresql_is_newer_than_the_code_ends(tmp_path: Path) -> None:
    assert KAFKA, "make test-servers starts Kafka"
    assert POSTGRES, "make test-servers starts PostgreSQL"
    (tmp_path / "secret").write_bytes(b"s" * 32)
    schema = f"t{uuid4().hex}"
    url = f"{POSTGRES}?options=-csearch_path%3D{schema}"
    migrate.upgrade(load("planning"), url)
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        sentence = refusal(
            tmp_path / "home",
            ZHENGAI_SERVICES="planning",
            ZHENGAI_DATABASE_URL=url,
            ZHENGAI_BUS_URL=f"kafka://{KAFKA}/{schema}.",
            ZHENGAI_SECRET_FILE=str(tmp_path / "secret"),
        )
        assert sentence.startswith("the database of planning is at version 9999, newer than this code (")
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        engine.dispose()


# --- ending -------------------------------------------------------------------------------------------------------------


class _Sender:
    """Posts single events until nobody answers; counts those sent and those accepted."""

    def __init__(self, campus: Campus) -> None:
        self.campus, self.sent, self.accepted = campus, 0, 0

    def run(self) -> None:
        while True:
            self.sent += 1
            try:
                answer = self.campus.send(written([event(f"sent-{self.sent}")]))
            except httpx.TransportError:
                return
            assert answer.status_code == 202, answer.text
            self.accepted += 1


def test_ctrl_c_and_sigterm_end_with_0_and_lose_nothing(tmp_path: Path) -> None:
    with embedded(tmp_path) as stack:
        campus = Campus(stack)
        sender = _Sender(campus)
        for number in (signal.SIGINT, signal.SIGTERM):
            process = stack.gateway
            assert process.running is not None
            with campus.school.http.stream("GET", f"{stack.url}/api/v1/reporting/stream?school={SCHOOL}") as stream:
                assert stream.status_code == 200
                before, running = sender.accepted, threading.Thread(target=sender.run, daemon=True)
                running.start()
                until(lambda: sender.accepted > before + 20, "events are accepted")  # noqa: B023 - called here
                process.running.send_signal(number)
                *_, last, _ = stream.iter_lines()
                assert last.startswith("retry:")
                assert process.running.wait(10) == 0
            running.join(10)
            assert "Traceback" not in (process.folder / "log").read_text()
            stack.start()
            campus.accepted(campus.send(written([event(f"after {number}")])))
            campus.school.settle()
            assert sender.accepted + campus.good <= campus.counted("school") <= sender.sent + campus.good
