"""Bad input has its clear answer, and nothing is lost or taken: after each refusal exactly the good events are counted."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping

import httpx
import pytest

from tests.flow.bad_events import BAD, SCHOOL, SOURCE, binary, event, padded, written
from tests.flow.campus import BATCHED, LEVELS, STRUCTURED, Campus
from tests.flow.stack import embedded, until
from tests.unit.gateway.roster_files import MANIFEST, files, replaced, with_line, zipped

MIB = 2**20


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campus]:
    with embedded(tmp_path_factory.mktemp("bad")) as stack:
        yield Campus(stack)


# --- events -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BAD)
def test_a_bad_event_is_refused_with_its_reason_and_so_is_the_batch_that_holds_it(campus: Campus, name: str) -> None:
    bad = BAD[name]
    problem = campus.problem(campus.send(bad.raw, STRUCTURED), bad.status)
    assert bad.reason in problem["detail"]
    if bad.status == 422:
        assert [(e["index"], e["pointer"]) for e in problem["errors"]] == [(0, bad.pointer)]
        assert bad.reason in problem["errors"][0]["detail"]
    batch = b"[" + b",".join([written(event("before")), bad.raw, written(event("after"))]) + b"]"
    problem = campus.refused(campus.send(batch), bad.status)
    if bad.status == 422:
        assert [(e["index"], e["pointer"]) for e in problem["errors"]] == [(1, f"/1{bad.pointer}")]
        assert bad.reason in problem["errors"][0]["detail"]


def test_each_bad_event_of_a_batch_is_named(campus: Campus) -> None:
    events = [event("a"), event("b", {"numerator": -1}), event(""), event("d"), event("e", {"metric": "punctuality"})]
    problem = campus.refused(campus.send(written(events)), 422, "3 of 5 events")
    assert [(e["index"], e["pointer"]) for e in problem["errors"]] == [
        (1, "/1/data/numerator"),
        (2, "/2/id"),
        (4, "/4/data/metric"),
    ]


def test_events_of_a_source_that_is_not_the_keys_are_refused(campus: Campus) -> None:
    problem = campus.refused(campus.send(written([event("a"), event("b", source="urn:campus:there:lms")])), 403)
    assert [(e["index"], e["pointer"]) for e in problem["errors"]] == [(1, "/1/source")]
    problem = campus.refused(campus.send(written(event(source="")), STRUCTURED), 403)
    assert problem["detail"].startswith("/source: is not one of this key's: urn:campus:")
    campus.refused(campus.send(written(event()), STRUCTURED, key=campus.other_key), 403)


def test_another_school_than_the_keys_is_refused(campus: Campus) -> None:
    problem = campus.refused(campus.send(written(event(school="there")), STRUCTURED), 422)
    assert problem["errors"][0]["pointer"] == "/school"
    assert (
        campus.stack.operator("there").get("monitoring/measurements", metric="attendance", level="school", window="day")["items"]
        == []
    )


@pytest.mark.parametrize("batch", [b"{}", b"null", b"1", b'"events"', b"[", b"]", b"[,]", b"[{}", b""])
def test_a_batch_that_is_no_array_of_events_is_refused(campus: Campus, batch: bytes) -> None:
    campus.refused(campus.send(batch), 400)


def test_an_empty_batch_is_accepted_and_holds_nothing(campus: Campus) -> None:
    campus.accepted(campus.send(b" [ ] "), 0)
    campus.only_good_events_count()


# --- how much -----------------------------------------------------------------------------------------------------------


def test_a_thousand_events_are_accepted_and_one_more_is_refused(campus: Campus) -> None:
    events = [event(f"many-{i}") for i in range(1001)]
    campus.refused(campus.send(written(events)), 413, "1001 events in one request: at most 1000")
    campus.accepted(campus.send(written(events[:1000])), 1000)


def test_an_event_of_64_kib_is_accepted_and_one_byte_more_is_refused(campus: Campus) -> None:
    size = 64 * 1024
    campus.accepted(campus.send(padded("large", size), STRUCTURED))
    campus.accepted(campus.send(b"[" + padded("large in a batch", size) + b"]"))
    campus.refused(campus.send(padded("too large", size + 1), STRUCTURED), 413, "65537 bytes")
    batch = b"[" + written(event("before")) + b"," + padded("too large", size + 1) + b"]"
    campus.refused(campus.send(batch), 413, "event 1 has 65537 bytes")
    headers = {"ce-specversion": "1.0", "ce-id": "too large", "ce-source": SOURCE, "ce-type": event()["type"]}
    data = written({**event()["data"], "class": "x" * size})
    campus.refused(campus.send(data, "application/json", **headers), 413)


def test_a_body_of_5_mib_is_accepted_and_one_byte_more_is_refused(campus: Campus) -> None:
    events = [padded(f"part-{i}", 64 * 1024) for i in range(79)]
    body = b"[" + b",".join(events) + b"]"
    body += b" " * (5 * MIB - len(body))
    campus.accepted(campus.send(body), 79)
    campus.refused(campus.send(body + b" "), 413, "more than 5242880 bytes")


@pytest.mark.parametrize("how", ["with a length", "in chunks"])
def test_the_sender_of_20_mib_sees_the_answer(campus: Campus, how: str) -> None:
    body = b" " * (20 * MIB)
    parts = (body[i : i + MIB] for i in range(0, len(body), MIB))
    campus.refused(campus.send(body if how == "with a length" else parts), 413)


def test_compressed_events_are_accepted(campus: Campus) -> None:
    campus.accepted(campus.send(gzip.compress(written([event("zip-1"), event("zip-2")])), Content_Encoding="gzip"), 2)
    parts = gzip.compress(b"[" + written(event("zip-3"))) + gzip.compress(b"]")
    campus.accepted(campus.send(parts, Content_Encoding="gzip"))
    campus.only_good_events_count()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (written([event()]), "not gzip"),
        (gzip.compress(written([event()]))[:-9], "ends too early"),
        (gzip.compress(written([event()]))[:-1] + b"\x01", "not gzip"),
        (gzip.compress(written([event()])) + b"more", "not gzip"),
        (b"", "ends too early"),
    ],
)
def test_what_is_said_to_be_gzip_and_is_not_is_refused(campus: Campus, body: bytes, reason: str) -> None:
    campus.refused(campus.send(body, Content_Encoding="gzip"), 400, reason)


def test_what_is_too_large_stays_so_when_it_is_compressed(campus: Campus) -> None:
    campus.refused(campus.send(gzip.compress(b" " * (5 * MIB + 1)), Content_Encoding="gzip"), 413, "more than 5242880 bytes")
    campus.refused(campus.send(gzip.compress(padded("too large", 64 * 1024 + 1)), STRUCTURED, Content_Encoding="gzip"), 413)


def test_a_bomb_is_refused_before_it_is_inflated(campus: Campus) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b"\0" * (16 * MIB)) for _ in range(16)) + packer.flush()
    assert len(bomb) < MIB  # and 256 MiB inflated
    process = campus.stack.gateway
    before = process.memory_mb()
    campus.refused(campus.send(bomb, Content_Encoding="gzip"), 413)
    assert process.memory_mb() < before + 64


@pytest.mark.parametrize("levels", [33, 1_000, 100_000])
@pytest.mark.parametrize(("open_", "close"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("media", [STRUCTURED, BATCHED])
def test_deep_nesting_is_refused(campus: Campus, levels: int, open_: bytes, close: bytes, media: str) -> None:
    body = open_ * levels + b"1" + close * levels
    status = 413 if media == STRUCTURED and len(body) > 64 * 1024 else 400
    campus.refused(campus.send(body, media), status)
    campus.refused(
        campus.send(body[: levels * len(open_)], media), 413 if levels * len(open_) > 64 * 1024 and status == 413 else 400
    )


# --- who ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong", "Basic bG1zOng=", "Bearer zhs_\xe9", "Bearer a b", f"Bearer {'x' * 5000}"],
)
def test_who_shows_no_known_key_is_refused(campus: Campus, authorization: str) -> None:
    headers = {b"authorization": authorization.encode("latin-1"), b"content-type": BATCHED.encode()}
    answer = httpx.post(f"{campus.stack.url}/api/v1/events", content=written([event()]), headers=headers)
    campus.refused(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_only_keys_of_sources_may_post_events(campus: Campus) -> None:
    campus.refused(campus.send(written([event()]), key=None), 401)
    campus.refused(campus.send(written([event()]), key=campus.stack.token), 401)


def test_nothing_comes_in_by_a_revoked_key(campus: Campus) -> None:
    made = campus.school.change("POST", "sources/lms/keys")
    campus.accepted(campus.send(written([event("by the second key")]), key=made["key"]))
    assert campus.school.call("DELETE", f"sources/lms/keys/{made['id']}").status_code == 204
    until(lambda: campus.send(b"[]", key=made["key"]).status_code == 401, "the revocation takes hold", 3)
    campus.refused(campus.send(written([event("too late")]), key=made["key"]), 401)


# --- which answer is first ----------------------------------------------------------------------------------------------

_FOREIGN = event("foreign", source="urn:campus:there:lms")
_INVALID = event("invalid", {"numerator": -1})
_LARGE = event("large", note="x" * 65_536)
_NO_EVENT = {"specversion": "0.3"}


@pytest.mark.parametrize(
    ("status", "key", "media", "body"),
    [
        (401, None, "text/csv", b"x" * (6 * MIB)),
        (415, "", "text/csv", b"x" * (6 * MIB)),
        (415, "", "application/json", written(event())),
        (415, "", "", written(event())),
        (415, "", f"{STRUCTURED}; charset=gbk", written(_INVALID)),
        (413, "", BATCHED, b"x" * (6 * MIB)),
        (413, "", BATCHED, written([_NO_EVENT, _FOREIGN, _INVALID, _LARGE])),
        (413, "", BATCHED, written([_NO_EVENT] * 1001)),
        (413, "", STRUCTURED, b"x" * 65_537),
        (400, "", BATCHED, written([_FOREIGN, _INVALID, _NO_EVENT])),
        (400, "", STRUCTURED, written(_FOREIGN)[:-1]),
        (403, "", BATCHED, written([_INVALID, _FOREIGN])),
        (403, "", STRUCTURED, written({**_FOREIGN, "time": "yesterday"})),
        (422, "", BATCHED, written([event("a"), _INVALID])),
    ],
)
def test_where_several_answers_fit_the_first_is_given(
    campus: Campus, status: int, key: str | None, media: str, body: bytes
) -> None:
    campus.refused(campus.send(body, media, key=key), status)


@pytest.mark.parametrize("media", [f"{STRUCTURED}; charset=utf-8", f'{STRUCTURED};charset="UTF-8"', "Application/CloudEvents+JSON"])
def test_a_media_type_may_be_written_in_any_way(campus: Campus, media: str) -> None:
    campus.accepted(campus.send(written(event(f"by {media}")), media))


def test_another_content_encoding_is_refused(campus: Campus) -> None:
    for encoding in ("br", "deflate", "gzip, gzip", "zstd"):
        campus.refused(campus.send(b"[]", Content_Encoding=encoding), 415)


def test_another_method_is_refused_and_the_right_one_named(campus: Campus) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = campus.school.http.request(
            method, f"{campus.stack.url}/api/v1/events", headers={"Authorization": f"Bearer {campus.key}"}
        )
        assert (answer.status_code, answer.json()["type"]) == (405, "urn:zhengai:problem:method-not-allowed")
        assert answer.headers["allow"] == "POST"


# --- the three modes, and what may stand in an event ----------------------------------------------------------------------


def test_one_event_is_the_same_in_all_three_modes(campus: Campus) -> None:
    campus.accepted(campus.send(written(event("any mode")), STRUCTURED))
    for answer in (
        campus.send(written([event("any mode")])),
        campus.send(written(event()["data"]), "application/json", **binary("any mode")),
        campus.send(written(event()["data"]), "application/json", **binary("any%20mode")),
        campus.send(written(event()["data"]), "application/json; charset=utf-8", **binary("%61ny mode")),
    ):
        assert answer.status_code == 202, answer.text
    campus.only_good_events_count()
    assert list(campus.school.items("monitoring/conflicts")) == []


@pytest.mark.parametrize(
    ("headers", "body", "status", "pointer"),
    [
        (binary("b", **{"ce-specversion": "0.3"}), None, 400, None),
        ({k: v for k, v in binary("b").items() if k != "ce-id"}, None, 400, None),
        (binary("%ff"), None, 400, None),
        (binary("b", **{"ce-data": "{}"}), None, 400, None),
        (binary("b"), b"{", 400, None),
        (binary("b"), b'{"metric": "attendance", "metric": "attendance"}', 400, None),
        (binary("b"), b"", 400, None),
        (binary("a%00b"), None, 422, "/id"),
        (binary("b", **{"ce-time": "2026-03-02T08:05:00"}), None, 422, "/time"),
        (binary("b", **{"ce-type": "cn.zhengai.observation.v9"}), None, 422, "/type"),
        (binary("b", **{"ce-school": "there"}), None, 422, "/school"),
        (binary("b"), b"[]", 422, "/data"),
        (binary("b", **{"ce-source": "urn:campus:there:lms"}), None, 403, "/source"),
    ],
)
def test_a_bad_event_in_binary_mode_is_refused(
    campus: Campus, headers: Mapping[str, str], body: bytes | None, status: int, pointer: str | None
) -> None:
    sent = written(event()["data"]) if body is None else body
    problem = campus.refused(campus.send(sent, "application/json", **headers), status)
    if pointer is not None:
        assert [(e["index"], e["pointer"]) for e in problem["errors"]] == [(0, pointer)]


def test_numbers_count_exactly_however_they_are_written(campus: Campus) -> None:
    text = written(event("exact-N", {"metric": "learning_effect"}))
    numbers = ["0.1", "1e-1", "0.10", "1E-6", "0.000001000", "999999999.999999", "100000000000e-6", "1.5E2", "0", "-0"]
    body = [
        text.replace(b"exact-N", b"exact-%d" % i).replace(b'"numerator": 1', b'"numerator": %b' % n.encode())
        for i, n in enumerate(numbers)
    ]
    answer = campus.send(b"[" + b",".join(body) + b"]")
    assert answer.json() == {"accepted": len(numbers)}, answer.text
    campus.school.settle()
    raw = campus.school.call(
        "GET", "monitoring/measurements", params={"metric": "learning_effect", "level": "class", "window": "day"}
    )
    assert '"numerator":1000100150.300001,' in raw.text


def test_references_are_compared_byte_by_byte_and_extensions_are_kept(campus: Campus) -> None:
    composed, apart = "caf\u00e9", "cafe\u0301"
    extensions = {f"x{i}": "x" for i in range(12)} | {
        "number": 7,
        "flag": True,
        "x" * 20: "longest",
        "school": SCHOOL,
        "subject": "any",
    }
    data = {"metric": "assessment_score", "class": "K1"}
    events = [
        event(f"bytes-{s[:9]}", {**data, "student": s}, **extensions)
        for s in (composed, apart, "\U0001f600", "x" * 128, "  ", "张三")
    ]
    assert campus.send(written(events)).json() == {"accepted": 6}
    campus.school.settle()
    subjects = [
        m["subject"]
        for m in campus.school.items("monitoring/measurements", metric="assessment_score", level="student", window="day")
    ]
    assert sorted(subjects) == sorted([composed, apart, "\U0001f600", "x" * 128, "  ", "张三"])


def test_the_same_id_counts_once_and_other_content_is_listed_once(campus: Campus) -> None:
    first = event("again")
    campus.accepted(campus.send(written([first, first])), 2)
    campus.good -= 1  # accepted twice, counted once
    same = [event("again", time="2026-03-01T00:00:00Z"), event("again", {"numerator": 1.0}), event("again", note="new")]
    other = event("again", {"numerator": 0})
    for body in (*([one] for one in same), same, [other], [first, other], [other]):
        assert campus.send(written(body)).status_code == 202
    campus.only_good_events_count()
    campus.school.settle()
    (conflict,) = campus.school.items("monitoring/conflicts")
    assert (conflict["source"], conflict["id"], conflict["refused"]["data"]["numerator"]) == (SOURCE, "again", 0)
    assert conflict["counted"]["numerator"] == 1


# --- the roster ---------------------------------------------------------------------------------------------------------


def _bomb() -> bytes:
    return zipped(
        {
            **files(),
            "demographics.csv": "sourcedId\n" + ("x" * 1023 + "\n") * 51_200,
            "manifest.csv": MANIFEST.replace("absent", "bulk"),
        }
    )


@pytest.mark.parametrize(
    ("make", "status", "pointer", "reason"),
    [
        (lambda: b"not a zip", 400, None, "zip"),
        (lambda: zipped(files())[:200], 400, None, "zip"),
        (lambda: zipped(files(users=None)), 422, "/users.csv", "is missing"),
        (lambda: zipped(files(users=replaced("users", "S1,,,true", "S1,,,perhaps"))), 422, "/users.csv/2/enabledUser", "perhaps"),
        (
            lambda: zipped(files(enrollments=with_line("enrollments", "E9,,,NOWHERE,mech,S1,student,,,"))),
            422,
            "/enrollments.csv/7/classSourcedId",
            "there is no class 'NOWHERE'",
        ),
        (
            lambda: zipped(files(orgs=replaced("orgs", "机电学院,department,,hbpt", "机电学院,department,,cnc"))),
            422,
            "/orgs.csv/3/parentSourcedId",
            "circle",
        ),
        (lambda: zipped({**files(), "../orgs.csv": "x"}), 422, "/..~1orgs.csv", "out of the zip"),
        (_bomb, 413, None, "100 times"),
    ],
)
def test_a_bad_roster_is_refused_and_nothing_of_it_is_taken(
    campus: Campus, make: Callable[[], bytes], status: int, pointer: str | None, reason: str
) -> None:
    zip_ = {"Content-Type": "application/zip"}
    if not campus.school.get("roster")["imported_at"]:
        campus.school.change("PUT", "roster", content=zipped(), headers=zip_)
    before = campus.school.get("roster")
    problem = campus.refused(campus.school.call("PUT", "roster", content=make(), headers=zip_), status)
    assert reason in problem["detail"] + json.dumps(problem.get("errors", []), ensure_ascii=False)
    if pointer is not None:
        assert pointer in [e["pointer"] for e in problem["errors"]]
    assert campus.school.get("roster") == before


# --- afterwards ---------------------------------------------------------------------------------------------------------


def test_after_all_of_this_exactly_the_good_events_are_counted_everywhere(campus: Campus) -> None:
    campus.only_good_events_count()
    campus.school.settle()
    assert {(level, window): campus.counted(level, window) for level in LEVELS for window in ("day", "week", "month", "year")} == {
        (level, window): campus.good for level in LEVELS for window in ("day", "week", "month", "year")
    }
    assert list(campus.school.items("deadletters")) == []
    assert httpx.get(f"{campus.stack.url}/readyz").status_code == 200
