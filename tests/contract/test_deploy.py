"""What is deployed fits the code: settings exist, metrics exist, alerts fire and resolve. No container is started here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from libs.common import telemetry
from libs.common.settings import PREFIX, Settings
from tests.bench.peers.servers import SETTINGS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
EVERY = Settings.model_fields["services"].default
OF_PROMETHEUS = {"up": {"job", "component", "instance"}}


def exported() -> dict[str, set[str]]:
    """Each series that a process exports, with its labels."""
    assert telemetry.EVENTS_ACCEPTED  # importing it declared the metrics
    series: dict[str, set[str]] = {}
    for collector in set(REGISTRY._collector_to_names):
        for metric in collector.describe() if hasattr(collector, "describe") else ():
            labels = set(getattr(collector, "_labelnames", ()))
            series |= {name: labels | {"job", "component", "instance", "le"} for name in names_of(metric.type, metric.name)}
    return series


def names_of(kind: str, name: str) -> list[str]:
    """The series of one metric."""
    if kind == "histogram":
        return [f"{name}_bucket", f"{name}_count", f"{name}_sum"]
    return [f"{name}_total"] if kind == "counter" else [name]


def queries() -> list[str]:
    """Every query of the dashboard."""
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]


def alerts() -> list[dict[str, Any]]:
    return [
        rule for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"] for rule in group["rules"]
    ]


def strangers(query: str) -> set[str]:
    """The metrics of a query that no process exports, and the labels that the metrics of a query do not have."""
    known = exported() | OF_PROMETHEUS
    metrics = set(re.findall(r"\b(?:zhengai_\w+|up)\b(?=[{\[)\s]|$)", query))
    assert metrics, f"no metric of ours in {query}"
    labels = {name for inner in re.findall(r"\{([^}]*)\}", query) for name in re.findall(r"(\w+)\s*(?:=|!=|=~|!~)", inner)}
    labels |= {name.strip() for names in re.findall(r"\bby\s*\(([^)]*)\)", query) for name in names.split(",")}
    has = {label for metric in metrics for label in known.get(metric, ())}
    return (metrics - known.keys()) | (labels - has)


@pytest.mark.parametrize("query", queries())
def test_every_query_of_the_dashboard_names_metrics_and_labels_that_exist(query: str) -> None:
    assert not strangers(query)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_every_alert_names_metrics_and_labels_that_exist_and_is_explained(rule: dict[str, Any]) -> None:
    assert not strangers(rule["expr"])
    assert f"`{rule['alert']}`" in (ROOT / "docs" / "operations.md").read_text()


def test_a_query_of_a_metric_or_label_that_does_not_exist_would_be_found() -> None:
    assert strangers("sum by (colour) (rate(zhengai_event_accepted_total[5m]))") == {"zhengai_event_accepted_total", "colour"}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run promtool, which comes with Prometheus; without it nothing is checked, except under CI, where it must be there."""
    if shutil.which("promtool") is None:
        assert not os.environ.get("CI"), "promtool is missing: install prometheus"
        pytest.skip("promtool is not installed")
    return subprocess.run(
        ["promtool", *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")])
def test_prometheus_reads_its_files_and_each_alert_fires_and_resolves(arguments: tuple[str, ...]) -> None:
    result = promtool(*arguments)

    assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_has_a_test_that_sees_it_fire_and_one_that_sees_it_resolve() -> None:
    tests = yaml.safe_load((DEPLOY / "prometheus" / "alerts_test.yml").read_text())["tests"]
    seen = [(each["alertname"], bool(each["exp_alerts"])) for test in tests for each in test["alert_rule_test"]]

    for rule in alerts():
        fired = [firing for name, firing in seen if name == rule["alert"]]
        assert True in fired, f"{rule['alert']} is never seen to fire"
        assert False in fired[fired.index(True) :], f"{rule['alert']} is never seen to resolve"


def test_every_query_of_the_dashboard_is_promql(tmp_path: Path) -> None:
    rules = [{"record": f"q{n}", "expr": query.replace("$__rate_interval", "5m")} for n, query in enumerate(queries())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    result = promtool("check", "rules", str(tmp_path / "rules.yml"))

    assert result.returncode == 0, result.stdout + result.stderr


def test_our_metrics_keep_the_naming_rules_of_prometheus() -> None:
    from prometheus_client import generate_latest

    if shutil.which("promtool") is None:
        assert not os.environ.get("CI"), "promtool is missing: install prometheus"
        pytest.skip("promtool is not installed")
    ours = b"".join(line + b"\n" for line in generate_latest().splitlines() if b"zhengai_" in line)
    result = subprocess.run(["promtool", "check", "metrics"], input=ours, capture_output=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


def test_prometheus_scrapes_every_service_where_compose_runs_it() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    names = config["scrape_configs"][0]["dns_sd_configs"][0]["names"]

    assert tuple(names) == EVERY
    assert set(EVERY) <= COMPOSE.keys()


def environment(service: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that a container of compose has, read as the process reads them."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    given = {"POSTGRES_PASSWORD": "abc"}
    for name, value in COMPOSE[service]["environment"].items():
        filled = re.sub(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}", lambda m: given.get(m[1], m[2] or ""), str(value))
        monkeypatch.setenv(name, filled)
    return Settings.load()


@pytest.mark.parametrize("service", [*EVERY, "migrate"])
def test_compose_gives_every_process_settings_that_it_accepts(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = environment(service, monkeypatch)

    assert settings.services == ((service,) if service != "migrate" else EVERY)
    assert (
        settings.database_for("planning")
        == "postgresql+psycopg://zhengai:abc@postgres:5432/zhengai?options=-csearch_path%3Dplanning"
    )
    assert settings.bus == "kafka://kafka:9092"
    assert settings.service_url.format(service="planning") == "http://planning:8000"


def test_every_file_that_compose_mounts_exists() -> None:
    mounted = [volume.split(":")[0] for each in COMPOSE.values() for volume in each.get("volumes", ()) if volume.startswith(".")]

    assert mounted
    assert [path for path in mounted if not (DEPLOY / path).is_file()] == []


def test_every_image_is_pinned_to_a_version() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    images = [each["image"] for each in COMPOSE.values()] + re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)

    assert [image for image in images if not re.search(r":v?\d+\.\d+", image)] == []


def test_the_image_holds_all_that_the_processes_import_and_runs_as_nobody_special() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()

    copied = set(re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE))
    assert {"libs", "services"} <= copied
    assert all((ROOT / name).exists() for names in copied for name in names.split())
    assert re.search(r"^USER 10001:10001$", dockerfile, re.MULTILINE)
    assert "HEALTHCHECK" in dockerfile
    assert "--require-hashes -r pyproject.toml -c requirements.lock" in dockerfile


def test_the_broker_takes_the_largest_record_that_the_gateway_writes() -> None:
    assert int(COMPOSE["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"]) > 5 * 2**20


def test_whatever_installs_packages_compiles_them_so_that_no_start_has_to() -> None:
    """Where Python may write no bytecode, each start would otherwise compile every package anew: 2.5 of 4.8 seconds."""
    for recipe in ("Makefile", "deploy/Dockerfile"):
        text = (ROOT / recipe).read_text(encoding="utf-8").replace("\\\n", " ")
        installs = re.findall(r"uv pip (?:sync|install) .*--require-hashes.*", text)
        assert installs, recipe
        assert [line for line in installs if "--compile-bytecode" not in line] == [], recipe


def test_speed_is_measured_on_a_database_that_is_set_up_as_the_compose_file_does() -> None:
    assert COMPOSE["postgres"]["command"] == ["postgres", *(part for setting in SETTINGS for part in ("-c", setting))]
