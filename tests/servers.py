"""Start a real Kafka and a real PostgreSQL, run the tests that need them, stop both.

usage: python -m tests.servers [pytest arguments]
       python -m tests.servers -- COMMAND [arguments]     another command with the servers' addresses in its environment

Kafka comes from Maven Central's jars (deploy/kafka/pom.xml) and is kept in ~/.cache/zhengai-kafka-VERSION, or in the folder
that KAFKA_LIB names; PostgreSQL is the system's own. Both keep their data in a folder that is deleted at the end.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

DEPLOY = Path(__file__).parents[1] / "deploy" / "kafka"
KAFKA_VERSION = "4.1.1"
START_S = 60.0


class Missing(Exception):
    """What the servers need and this machine lacks, in one sentence."""


class Server:
    """A process of a server that can be killed and started again on the same port and data."""

    name = "server"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        """Start, and return when it answers."""
        log = (self.folder / "log").open("ab")
        self._log_from = log.tell()
        with log:
            # A group of its own: a Ctrl-C in the terminal goes to this program, which then stops the servers.
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.folder
            )
        until = time.monotonic() + START_S
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise Missing(f"{self.name} does not start; the end of its log:\n{self.log()[-2000:]}")
            time.sleep(0.05)

    def log(self) -> str:
        """What it has written since it was started last."""
        return (self.folder / "log").read_bytes()[self._log_from :].decode(errors="replace")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """End it in an orderly way, or after ten seconds as `kill` does."""
        if self.process is not None:
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                self.process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown; the Java machine stops as on SIGTERM
                self.process.wait(10)
            self.kill()


class Kafka(Server):
    """One broker that is its own controller."""

    name = "Kafka"

    def __init__(self, folder: Path, jars: Path) -> None:
        super().__init__(folder)
        self._classpath = f"{jars}/*"
        template = (DEPLOY / "server.properties").read_text()
        self._properties = folder / "server.properties"
        self._properties.write_text(template.format(port=self.port, controller_port=free_port(), folder=folder))
        command = self._java("kafka.tools.StorageTool", "format", "-t", "emhlbmdhaS10ZXN0cy1vbg", "-c", str(self._properties))
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise Missing(f"Kafka's data folder cannot be made: {made.stderr or made.stdout}")

    def _java(self, *arguments: str) -> list[str]:
        return ["java", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", self._classpath, *arguments]

    def command(self) -> Sequence[str]:
        return self._java("kafka.Kafka", str(self._properties))

    def ready(self) -> bool:
        return "Kafka Server started" in self.log() and answers(self.port)


class Postgres(Server):
    """A cluster of its own, with fsync on; runs as the user `postgres` where this program is root."""

    name = "PostgreSQL"

    def __init__(self, folder: Path, programs: Path) -> None:
        super().__init__(folder)
        self._programs = programs
        self._as_user = as_postgres(folder)
        self._run("initdb", "-D", str(folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, str(self._programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder)
        if done.returncode:
            raise Missing(f"PostgreSQL's data folder cannot be made: {done.stderr or done.stdout}")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://postgres@{self.address}/postgres"

    def command(self) -> Sequence[str]:
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder), "max_connections": "200"}
        given = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
        return [
            *self._as_user,
            str(self._programs / "postgres"),
            "-D",
            str(self.folder / "data"),
            "-p",
            str(self.port),
            *given,
        ]

    def ready(self) -> bool:
        return "database system is ready to accept connections" in self.log() and answers(self.port)

    def kill(self) -> None:
        """Kill its children too: they are groups of their own, and a new server waits for the last of them."""
        children = children_of(self.process.pid) if self.process is not None else ()
        super().kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


@contextmanager
def kafka_server(folder: Path) -> Iterator[Kafka]:
    """A broker whose data lie in `folder`. Raises Missing where it cannot be had."""
    server = Kafka(prepared(folder), kafka_jars())
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def postgres_server(folder: Path) -> Iterator[Postgres]:
    """A PostgreSQL whose data lie in `folder`. Raises Missing where it cannot be had."""
    server = Postgres(prepared(folder), postgres_programs())
    try:
        server.start()
        yield server
    finally:
        server.stop()


def prepared(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def kafka_jars() -> Path:
    """Return the folder of the broker's jars; fetch them the first time."""
    if shutil.which("java") is None:
        raise Missing("Kafka needs Java 17 or newer: install it (Debian: apt install openjdk-17-jre-headless)")
    default = Path.home() / ".cache" / f"zhengai-kafka-{KAFKA_VERSION}"
    jars = Path(os.environ.get("KAFKA_LIB", default))
    if not any(jars.glob(f"kafka_2.13-{KAFKA_VERSION}.jar")):
        if shutil.which("mvn") is None:
            raise Missing(
                "Kafka's jars are fetched with Maven: install it (Debian: apt install maven), or name their folder in KAFKA_LIB"
            )
        print(f"fetching Kafka {KAFKA_VERSION} into {jars} (once, 120 MB) ...", flush=True)
        draft = prepared(jars.parent) / f".{jars.name}.{os.getpid()}"
        command = ["mvn", "-q", "-B", "-f", str(DEPLOY / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={draft}"]
        fetched = subprocess.run(command, capture_output=True, text=True, check=False)
        if fetched.returncode:
            shutil.rmtree(draft, ignore_errors=True)
            raise Missing(f"Maven could not fetch Kafka's jars: {(fetched.stdout or fetched.stderr).strip().splitlines()[0]}")
        shutil.rmtree(jars, ignore_errors=True)
        draft.replace(jars)
    return jars


def postgres_programs() -> Path:
    """Return the folder of the newest PostgreSQL of this machine."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    if (program := shutil.which("postgres")) is not None:
        return Path(program).resolve().parent
    raise Missing("PostgreSQL's server programs are missing: install them (Debian: apt install postgresql)")


def as_postgres(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: then its folder is given to the user `postgres`, and this starts its command."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise Missing("PostgreSQL does not run as root, and setpriv (util-linux) is missing: run this as another user")
    try:
        shutil.chown(folder, "postgres", "postgres")
    except LookupError as error:
        raise Missing("PostgreSQL does not run as root, and there is no user postgres: run this as another user") from error
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def children_of(parent: int) -> list[int]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = (line.split() for line in listed.stdout.splitlines())
    return [int(pid) for pid, ppid in pairs if int(ppid) == parent]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run to the end. A Ctrl-C reaches the command from the terminal, and its own end is waited for."""
    process = subprocess.Popen(command, env={**os.environ, **environment})
    interrupted = 0
    try:
        while True:
            try:
                return process.wait() or interrupted
            except KeyboardInterrupt:
                interrupted = 130  # also where the command's own status was lost with the interrupted wait
    finally:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def main(arguments: Sequence[str]) -> int:
    # The whole of it two files at a time: half of the time a story waits for processes to start and for what they agreed to do.
    pytest = [sys.executable, "-m", "pytest", "-q", "-m", "servers", *(arguments or ("-n", "2", "--dist", "loadfile"))]
    command = arguments[1:] if arguments[:1] == ["--"] else pytest
    with tempfile.TemporaryDirectory(prefix="zhengai-servers-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the user postgres passes through it to its own folder
        print("starting Kafka ...", flush=True)
        with kafka_server(folder / "kafka") as kafka:
            print("starting PostgreSQL ...", flush=True)
            with postgres_server(folder / "postgres") as postgres:
                print(f"Kafka answers at {kafka.address}, PostgreSQL at {postgres.address}", flush=True)
                places = {"TEST_KAFKA": kafka.address, "TEST_POSTGRES": postgres.url}
                return run(command, {**places, "TMPDIR": str(prepared(folder / "tmp"))})


def terminated(_: int, __: FrameType | None) -> None:
    sys.exit("terminated")


def as_program(main: Callable[[list[str]], int | None]) -> NoReturn:
    """Run to the end; what is missing, a Ctrl-C and SIGTERM end it with a word, and what it started with it."""
    signal.signal(signal.SIGTERM, terminated)
    try:
        sys.exit(main(sys.argv[1:]))
    except Missing as missing:
        sys.exit(str(missing))
    except KeyboardInterrupt:
        sys.exit("interrupted")


if __name__ == "__main__":
    as_program(main)
