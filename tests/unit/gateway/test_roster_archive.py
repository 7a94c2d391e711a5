from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from typing import Any

import pytest

from libs.common.errors import Invalid, Malformed, ServiceError, TooLarge
from services.gateway.domain.roster import archive as module
from services.gateway.domain.roster.parse import parse_roster
from tests.unit.gateway.roster_files import FILES, files, zipped


def refusal(body: bytes) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        parse_roster(body)
    return caught.value


def pointers(error: ServiceError) -> list[str]:
    return [fault["pointer"] for fault in error.errors]


def with_entry(info: zipfile.ZipInfo | str, content: bytes = b"x") -> bytes:
    buffer = io.BytesIO(zipped())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(info, content)
    return buffer.getvalue()


@pytest.mark.parametrize("body", [b"", b"PK", b"not a zip at all", zipped()[:-30], zipped()[: len(zipped()) // 2], b"PK\x05\x06"])
def test_what_is_no_whole_zip_is_malformed(body: bytes) -> None:
    assert isinstance(refusal(body), Malformed)


@pytest.mark.parametrize("seed", range(40))
def test_a_zip_with_flipped_bytes_is_refused_or_read_and_never_a_crash(seed: int) -> None:
    noise = zlib.crc32(str(seed).encode())
    body = bytearray(zipped())
    for n in range(1 + seed % 4):
        body[(noise * (n + 1)) % len(body)] ^= 1 << (noise + n) % 8
    try:
        parse_roster(bytes(body))
    except (Malformed, Invalid, TooLarge) as error:
        assert error.detail  # noqa: PT017 - both ends are right, a crash is not


def test_a_damaged_file_inside_is_malformed() -> None:
    body = bytearray(zipped(method=zipfile.ZIP_STORED))
    at = body.index("机电学院".encode())
    body[at] ^= 0x02
    assert isinstance(refusal(bytes(body)), Malformed)


@pytest.mark.parametrize(
    "name", ["../orgs.csv", "roster/../../orgs.csv", "/etc/passwd", "C:\\orgs.csv", "a\\orgs.csv", "C:orgs.csv", "..", "../"]
)
def test_a_path_that_climbs_out_is_refused_by_name(name: str) -> None:
    error = refusal(with_entry(name))
    assert isinstance(error, Invalid)
    assert len(error.errors) == 1


def test_a_link_is_refused() -> None:
    info = zipfile.ZipInfo("demographics.csv")
    info.external_attr = (0o120777) << 16
    assert pointers(refusal(with_entry(info, b"/etc/passwd"))) == ["/demographics.csv"]


def test_files_in_one_common_folder_are_taken_and_in_several_refused() -> None:
    assert parse_roster(zipped(folder="roster/")).rows["orgs"] == 4
    assert isinstance(refusal(zipped(folder="a/b/")), Invalid)
    content = {("x/" if name == "orgs.csv" else "") + name: text for name, text in FILES.items()}
    assert isinstance(refusal(zipped(content)), Invalid)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_refused() -> None:
    assert pointers(refusal(with_entry("orgs.csv", FILES["orgs.csv"].encode()))) == ["/orgs.csv"]


def test_an_encrypted_file_is_refused() -> None:
    body = bytearray(zipped())
    directory = body.index(b"PK\x01\x02")
    body[directory + 8] |= 1
    error = refusal(bytes(body))
    assert isinstance(error, Invalid)
    assert "password" in error.errors[0]["detail"]


def test_another_packing_than_deflate_is_refused() -> None:
    assert isinstance(refusal(zipped(method=zipfile.ZIP_LZMA)), Invalid)
    assert isinstance(refusal(zipped(method=zipfile.ZIP_BZIP2)), Invalid)


def test_a_file_that_onerooster_does_not_have_is_refused() -> None:
    assert pointers(refusal(zipped(files() | {"readme.txt": "hello"}))) == ["/readme.txt"]


def bomb(size: int) -> bytes:
    return zipped(files() | {"users.csv": FILES["users.csv"].encode() + (b" " * 1023 + b"\n") * (size // 1024)})


def test_a_bomb_is_refused_long_before_it_is_unpacked() -> None:
    body = bomb(64 * 2**20)
    assert len(body) < 2**18
    error = refusal(body)
    assert isinstance(error, TooLarge)
    assert "100 times" in error.detail


def test_a_bomb_that_lies_about_its_size_is_refused_too() -> None:
    body = bytearray(bomb(20 * 2**20))
    for at in range(len(body) - 46):
        if body[at : at + 4] == b"PK\x01\x02" and body[at + 46 : at + 55] == b"users.csv":
            struct.pack_into("<I", body, at + 24, 100)
    assert isinstance(refusal(bytes(body)), (TooLarge, Malformed))


def test_what_unpacks_to_more_than_the_limit_is_refused_whatever_its_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_INFLATED", 3 * 2**20)
    noise = "\n".join(os.urandom(30).hex() for _ in range(70_000))
    error = refusal(zipped(files(users=FILES["users.csv"] + noise)))
    assert isinstance(error, TooLarge)
    assert "MiB" in error.detail


def test_one_endless_line_is_refused() -> None:
    noise = os.urandom(2**20).hex()
    assert isinstance(refusal(zipped(files(users=FILES["users.csv"] + noise))), TooLarge)


def test_a_zip_of_very_many_files_is_refused_before_they_are_listed() -> None:
    content: dict[str, Any] = {f"{n}.csv": "" for n in range(2000)}
    assert isinstance(refusal(zipped(content)), TooLarge)
