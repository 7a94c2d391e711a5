"""URLs of the Kafka bus, and the names of a group's members."""

from pathlib import Path

import pytest

from libs.common.bus_kafka import KafkaBus
from libs.common.bus_kafka.subscription import member_name, text


@pytest.fixture(autouse=True)
def _places_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


async def test_a_url_names_servers_and_a_prefix() -> None:
    bus = KafkaBus.from_url("kafka://a:9092,b:9093/campus.")
    assert (bus._cluster.servers, bus._cluster.prefix) == (["a:9092", "b:9093"], "campus.")


@pytest.mark.parametrize("url", ["kafka://a", "kafka://a/"])
async def test_port_and_prefix_have_defaults(url: str) -> None:
    bus = KafkaBus.from_url(url)
    assert (bus._cluster.servers, bus._cluster.prefix) == (["a:9092"], "zhengai.")


@pytest.mark.parametrize("url", ["kafka://", "kafka:///zhengai.", "sqlite:a", "kafka://a:9092/two/parts", "kafka://a/中文"])
async def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not the URL of a Kafka bus"):
        KafkaBus.from_url(url)


def test_members_on_one_machine_have_different_names() -> None:
    with member_name("g", ["t"]) as one, member_name("g", ["t"]) as two, member_name("other", ["t"]) as elsewhere:
        assert one != two
        assert one == elsewhere


def test_who_comes_next_takes_over_the_name_of_who_is_gone() -> None:
    with member_name("g", ["t"]) as first:
        pass
    with member_name("g", ["t"]) as again:
        assert again == first


def test_other_topics_make_another_name() -> None:
    with member_name("g", ["t"]) as before, member_name("h", ["t", "u"]) as after:
        assert before != after


def test_without_a_folder_to_lock_a_place_in_each_name_is_new(tmp_path: Path) -> None:
    (tmp_path / "zhengai-members").write_text("in the way")
    with member_name("g", ["t"]) as one:
        pass
    with member_name("g", ["t"]) as two:
        assert one != two


@pytest.mark.parametrize(("key", "read"), [(None, ""), (b"", ""), (b"\xff", ""), (b"demo", "demo")])
def test_a_key_that_cannot_be_read_is_the_empty_key(key: bytes | None, read: str) -> None:
    assert text(key) == read
