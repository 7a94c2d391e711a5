"""Published bytes stay readable: golden files are added, never edited."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from libs.common.errors import Invalid
from libs.common.event import Event, UnknownVersion, decode, encode
from tests.contract.write_golden import GOLDEN, every_event, golden

EVENTS = every_event()
FILES = sorted(GOLDEN.glob("*.json"))


def wanted(path: Path) -> set[str]:
    """The type whose golden file this is."""
    return {path.stem.rpartition(".v")[0]}


def changed(path: Path, **attributes: Any) -> bytes:
    """The golden payload with other attributes of its envelope, or other `data`."""
    return json.dumps(json.loads(path.read_bytes()) | attributes).encode()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_payload_ever_published_decodes_to_a_latest_event(path: Path) -> None:
    message = decode(path.read_bytes(), wanted(path))

    assert message is not None
    assert message.event.upgrade() is message.event


@pytest.mark.parametrize(("type_", "version"), sorted(EVENTS))
def test_every_event_version_has_a_golden_file_without_stray_fields(type_: str, version: int) -> None:
    path = golden(type_, version)
    assert path.exists(), "make golden writes it"
    payload = json.loads(path.read_text())

    event = EVENTS[type_, version].model_validate(payload["data"], extra="forbid")

    assert payload["type"] == event.wire_type()


@pytest.mark.parametrize(("type_", "version"), sorted(EVENTS))
def test_a_golden_file_names_every_field_of_its_version(type_: str, version: int) -> None:
    data = json.loads(golden(type_, version).read_text())["data"]
    required = {name for name, field in EVENTS[type_, version].model_fields.items() if field.is_required()}

    assert required <= data.keys() <= EVENTS[type_, version].model_fields.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_event_of_the_latest_version_is_published_as_it_was_read(path: Path) -> None:
    message = decode(path.read_bytes(), wanted(path))
    assert message is not None
    published, kept = json.loads(encode(message)), json.loads(path.read_text())

    if published["type"] == kept["type"]:
        assert {name: published["data"][name] for name in kept["data"]} == kept["data"]
        assert {name: value for name, value in published.items() if name != "data"} == {
            name: value for name, value in kept.items() if name != "data"
        }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_field_that_a_newer_producer_added_is_ignored(path: Path) -> None:
    data = json.loads(path.read_bytes())["data"] | {"added_later": [1]}
    newer, known = decode(changed(path, data=data, extension="x"), wanted(path)), decode(path.read_bytes(), wanted(path))

    assert newer == known


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_version_that_only_a_newer_build_knows_blocks_instead_of_being_lost(path: Path) -> None:
    (type_,) = wanted(path)

    with pytest.raises(UnknownVersion):
        decode(changed(path, type=f"cn.zhengai.{type_}.v999"), wanted(path))


def test_a_type_that_nobody_here_wants_is_skipped() -> None:
    assert decode(changed(FILES[0], type="cn.zhengai.gateway.never_heard_of.v1"), {"gateway.school_added"}) is None


@pytest.mark.parametrize("version", ["", ".vx", ".v-1", ".v1.5"])
def test_a_type_without_a_version_can_never_be_read(version: str) -> None:
    with pytest.raises(Invalid):
        decode(changed(FILES[0], type=f"cn.zhengai.gateway.school_added{version}"), wanted(FILES[0]))


@pytest.mark.parametrize("cls", EVENTS.values(), ids=lambda cls: cls.wire_type())
def test_every_event_says_what_it_means_and_what_it_is_about(cls: type[Event]) -> None:
    assert cls.__doc__
    assert cls.__doc__ != Event.__doc__
    assert cls.about_field in cls.model_fields
    assert cls.__module__ == f"libs.common.events.{cls.producer()}"


@pytest.mark.parametrize("type_", sorted({type_ for type_, _ in EVENTS}))
def test_versions_of_a_type_follow_one_another_and_each_upgrades_to_the_next(type_: str) -> None:
    versions = sorted(version for each, version in EVENTS if each == type_)

    assert versions == list(range(1, len(versions) + 1))
    for version in versions[:-1]:
        old = EVENTS[type_, version]
        assert old.upgrade is not Event.upgrade, f"{old.__name__} has no upgrade()"
