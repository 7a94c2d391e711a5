"""Where the comparison finds its harness, its data, the peers' jars and an interpreter that has the harness's packages."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

from tests.conftest import SHARED
from tests.servers import Missing

ROOT = Path(__file__).parents[3]
HARNESS = SHARED / "bench"
CACHE = Path(os.environ.get("BENCH_CACHE", Path.home() / ".cache" / "zhengai-bench-peers"))
PACKAGES = ("confluent-kafka", "orjson")  # of the harness, beside what requirements.lock names
DATASETS = {
    "tiny": ["--events", "2000"],
    "d20k": ["--events", "20000"],
    "d100k": ["--events", "100000"],
    "d500k": [],
    "d1m": ["--events", "1000000"],
    "s5k": ["--students", "5000"],
    "s100k": ["--students", "100000"],
}


def with_packages(arguments: list[str]) -> None:
    """Go on in an interpreter that has the product's locked packages and the harness's; make it the first time."""
    if importlib.util.find_spec("confluent_kafka") is not None:
        return
    locked = ["-r", str(ROOT / "requirements.lock"), *PACKAGES]
    ours = ["--no-build-isolation", "--no-deps", "--editable", str(ROOT)]  # PYTHONPATH says whose code really runs
    python = str(_interpreter(f"python-{_digest(ROOT / 'requirements.lock')}", locked, ours))
    os.environ["PYTHONPATH"] = str(ROOT)
    os.execv(python, [python, "-m", "tests.bench.peers", *arguments])  # noqa: S606 - the same program again


def interpreter_of(peer: str, packages: Sequence[str]) -> Path:
    """An interpreter that has a peer's packages and the harness's: its own, since peers ask for other versions than the product."""
    return _interpreter(f"peer-{peer}", [*packages, *PACKAGES, "msgspec"])


def _interpreter(name: str, *installs: Sequence[str]) -> Path:
    folder = CACHE / name
    if not folder.exists():
        print(f"making {folder} (once, about a minute) ...", flush=True)
        draft = folder.with_name(f".{folder.name}.{os.getpid()}")
        uv = str(Path(sys.executable).with_name("uv"))
        _run([uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(draft)])
        for each in installs:
            _run([uv, "pip", "install", "--quiet", "--python", str(draft / "bin" / "python"), *each])
        draft.replace(folder)
    return folder / "bin" / "python"


def _run(command: list[str], **options: object) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]  # the options are the caller's
    if done.returncode:
        raise Missing(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-500:]}")


def _digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]


def prepare(kafka: str) -> None:
    """Tell the harness where everything is: it reads its settings when it is imported. Compiles the Kafka Streams peer."""
    work = CACHE / f"work-{_digest(HARNESS / 'gen.py', HARNESS / 'common.py')}"
    work.mkdir(parents=True, exist_ok=True)
    places = {"KAFKA_BOOTSTRAP": kafka, "BENCH_WORK": str(work), "KAFKA_LIB": str(jars()), "RESULTS": str(work / "results.json")}
    os.environ.update(places, BENCH_PY=sys.executable, PYTHONPATH=str(ROOT))
    sys.path.insert(0, str(HARNESS))
    classes = work / "classes"
    source = HARNESS / "kstreams" / "ClassroomWatch.java"
    if not (classes / "ClassroomWatch.class").exists():
        classes.mkdir(exist_ok=True)
        _run(["javac", "-nowarn", "-cp", f"{jars()}/*", "-d", str(classes), str(source)])


def jars() -> Path:
    """The folder of Kafka Streams' jars; fetched the first time."""
    pom = Path(__file__).with_name("pom.xml")
    folder = CACHE / f"jars-{_digest(pom)}"
    if not folder.exists():
        if shutil.which("mvn") is None:
            raise Missing("Kafka Streams' jars are fetched with Maven: install it (Debian: apt install maven)")
        print(f"fetching Kafka Streams into {folder} (once, 80 MB) ...", flush=True)
        draft = folder.with_name(f".{folder.name}.{os.getpid()}")
        _run(["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={draft}"])
        draft.replace(folder)
    return folder


@cache
def harness(name: str) -> ModuleType:
    """A module of the harness (`common`, `bench`, `latency`), after `prepare`."""
    return importlib.import_module(name)


def data(name: str) -> Path:
    """The data set's file, made by the harness's generator the first time: its seed is fixed."""
    path: Path = harness("common").DATA / f"{name}.jsonl"
    if not path.with_name(f"{name}.ref.json").exists():
        print(f"making the data set {name} (once) ...", flush=True)
        _run([sys.executable, str(HARNESS / "gen.py"), name, "--no-load", *DATASETS[name]])
    return path


def load(name: str) -> None:
    """Put the data set on the topic that the peers read, once a broker."""
    data(name)
    common = harness("common")
    if f"obs_{name}" not in common.admin().list_topics(timeout=10).topics:
        _run([sys.executable, str(HARNESS / "gen.py"), name, "--load-only"])
