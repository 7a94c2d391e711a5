"""Each command makes the call that the contract words, and ends as the contract words it."""

import io
import socket
import zipfile
from pathlib import Path

import pytest

from libs.common.secret import write_private
from tests.unit.cli.conftest import DROPPED, TOKEN, Answer, Installation, Zhengai, refusal

POSITION = {"Zhengai-Position": "1772400000000-0a1b2c3d"}
SCHOOL = ("--school", "demo")
COUNTS = {"rows": 3, "new": 2, "changed": 1, "inactive": 0}


def test_school_add_creates_the_school_with_what_was_given(zhengai: Zhengai, installation: Installation) -> None:
    installation.on("POST", "/api/v1/schools", Answer(201, {"code": "demo"}, POSITION))

    ending = zhengai("school", "add", "demo", "--name", "示范学院", "--timezone", "Asia/Urumqi")

    assert ending.status == 0, ending.err
    (request,) = installation.sent("POST", "/api/v1/schools")
    assert request.json == {"code": "demo", "name": "示范学院", "timezone": "Asia/Urumqi"}
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


def test_a_change_returns_only_when_every_service_works_by_it(zhengai: Zhengai, installation: Installation) -> None:
    installation.on("POST", "/api/v1/schools", Answer(201, {"code": "demo"}, POSITION))
    not_yet = Answer(202, {"position": POSITION["Zhengai-Position"]})
    installation.on(
        "GET",
        "/api/v1/progress",
        not_yet,
        DROPPED,
        refusal(503, "starting", Retry_After="0"),
        not_yet,
        Answer(200, {"position": "x"}),
    )

    ending = zhengai("school", "add", "demo", "--name", "x")

    assert ending.status == 0, ending.err
    polls = installation.sent("GET", "/api/v1/progress")
    assert [poll.query for poll in polls] == [{"school": "demo", "after": POSITION["Zhengai-Position"]}] * 5


def test_source_add_prints_the_key_alone(zhengai: Zhengai, installation: Installation) -> None:
    installation.on("POST", "/api/v1/sources", Answer(201, {"name": "attendance", "key": "a-key_1"}, POSITION))

    ending = zhengai("source", "add", "attendance", *SCHOOL, "--uri", "urn:x:1", "--uri", "urn:x:2")

    assert (ending.status, ending.out, ending.err) == (0, "a-key_1\n", "")
    (request,) = installation.sent("POST", "/api/v1/sources")
    assert request.query == {"school": "demo"}
    assert request.json == {"name": "attendance", "uris": ["urn:x:1", "urn:x:2"]}


def test_user_add_takes_the_password_from_standard_input(
    zhengai: Zhengai, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.on("POST", "/api/v1/users", Answer(201, {"username": "wang"}, POSITION))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("口令 with spaces\n".encode()), "utf-8"))

    ending = zhengai("user", "add", "wang", "--person", "T0042", *SCHOOL, "--ask-password")

    assert ending.status == 0, ending.err
    (request,) = installation.sent("POST", "/api/v1/users")
    assert request.json == {"username": "wang", "person": "T0042", "password": "口令 with spaces"}
    assert "口令" not in ending.out


def test_user_add_prints_the_password_that_was_made(zhengai: Zhengai, installation: Installation) -> None:
    installation.on("POST", "/api/v1/users", Answer(201, {"username": "wang", "password": "made-up"}, POSITION))

    ending = zhengai("user", "add", "wang", "--person", "T0042", *SCHOOL)

    assert (ending.status, ending.out) == (0, "made-up\n"), ending.err
    assert installation.sent("POST", "/api/v1/users")[0].json == {"username": "wang", "person": "T0042"}


def test_roster_import_sends_a_folder_as_one_zip(zhengai: Zhengai, installation: Installation, tmp_path: Path) -> None:
    installation.on("PUT", "/api/v1/roster", Answer(200, {"orgs": COUNTS, "courses": COUNTS}, POSITION))
    (tmp_path / "orgs.csv").write_text("sourcedId,name\nhbpt,某学院\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not part of it")

    ending = zhengai("roster", "import", tmp_path, *SCHOOL)

    assert ending.status == 0, ending.err
    assert "courses            3 rows: 2 new, 1 changed, 0 now inactive" in ending.out
    (request,) = installation.sent("PUT", "/api/v1/roster")
    assert request.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(request.body)) as archive:
        assert archive.namelist() == ["orgs.csv"]
        assert archive.read("orgs.csv").decode() == "sourcedId,name\nhbpt,某学院\n"


def test_roster_import_sends_a_zip_as_it_is(zhengai: Zhengai, installation: Installation, tmp_path: Path) -> None:
    installation.on("PUT", "/api/v1/roster", Answer(200, {}, POSITION))
    (tmp_path / "roster.zip").write_bytes(b"PK as it is")

    assert zhengai("roster", "import", tmp_path / "roster.zip", *SCHOOL).status == 0
    assert installation.sent("PUT", "/api/v1/roster")[0].body == b"PK as it is"


def test_posts_import_sends_the_csv(zhengai: Zhengai, installation: Installation, tmp_path: Path) -> None:
    installation.on("PUT", "/api/v1/posts", Answer(200, COUNTS, POSITION))
    table = "person,post,object,from,to\nT1,department_head,stem,2026-02-01,\n"
    (tmp_path / "posts.csv").write_text(table)

    ending = zhengai("posts", "import", tmp_path / "posts.csv", *SCHOOL)

    assert ending.status == 0, ending.err
    (request,) = installation.sent("PUT", "/api/v1/posts")
    assert (request.headers["content-type"], request.body.decode()) == ("text/csv", table)


def test_posts_import_needs_no_school_where_there_is_one_only(zhengai: Zhengai, installation: Installation, tmp_path: Path) -> None:
    installation.on("GET", "/api/v1/schools", Answer(200, {"items": [{"code": "hbpt"}], "next": None}))
    installation.on("PUT", "/api/v1/posts", Answer(200, COUNTS, POSITION))
    (tmp_path / "posts.csv").write_text("person,post,object,from,to\n")

    ending = zhengai("posts", "import", tmp_path / "posts.csv")

    assert ending.status == 0, ending.err
    (request,) = installation.sent("PUT", "/api/v1/posts")
    assert request.query == {"school": "hbpt"}


@pytest.mark.parametrize(("codes", "words"), [(["a", "b"], "2 schools (a, b): add --school"), ([], "no school yet")])
def test_posts_import_asks_for_the_school_where_it_is_not_clear(
    zhengai: Zhengai, installation: Installation, tmp_path: Path, codes: list[str], words: str
) -> None:
    installation.on("GET", "/api/v1/schools", Answer(200, {"items": [{"code": code} for code in codes], "next": None}))
    (tmp_path / "posts.csv").write_text("person,post,object,from,to\n")

    ending = zhengai("posts", "import", tmp_path / "posts.csv")

    assert ending.status == 1
    assert words in ending.err
    assert installation.sent("PUT", "/api/v1/posts") == []


@pytest.mark.parametrize(("content", "said"), [('{"code": "a"}', "1 metric is in force"), ("[{}, {}]", "2 metrics are in force")])
def test_what_was_done_is_counted_in_good_english(
    zhengai: Zhengai, installation: Installation, tmp_path: Path, content: str, said: str
) -> None:
    installation.on("POST", "/api/v1/monitoring/metrics", Answer(201, {"code": "m"}, POSITION))
    (tmp_path / "m.json").write_text(content)

    assert zhengai("metric", "apply", tmp_path / "m.json", *SCHOOL).out.startswith(said)


def test_metric_template_adds_metrics_then_drafts_each_when_the_one_before_has_taken_hold(
    zhengai: Zhengai, installation: Installation
) -> None:
    applied = Answer(200, {"added": ["c-lpr", "c-prv"], "there": ["attendance"]}, POSITION)
    drafted = Answer(200, {"added": ["attendance-class-week"], "there": [], "without_metric": []}, POSITION)
    installation.on("POST", "/api/v1/monitoring/metrics/template", applied)
    installation.on("POST", "/api/v1/standards/indicators/template", drafted)

    ending = zhengai("metric", "template", *SCHOOL, "--effective-from", "2026-09-01", "--trial")

    said = "2 metrics are new at demo, 1 were there; 1 draft is new: activate what holds.\n"
    assert (ending.status, ending.out, ending.err) == (0, said, "")
    paths = [request.path.removeprefix("/api/v1/") for request in installation.requests]
    assert paths == ["monitoring/metrics/template", "progress", "standards/indicators/template", "progress"]
    assert installation.requests[2].json == {"effective_from": "2026-09-01", "trial": True}


def test_metric_list_names_both_codes(zhengai: Zhengai, installation: Installation) -> None:
    metric = {"code": "p-emp", "alias": "P-EMP", "kind": "ratio", "grain": ["programme"], "name": "就业率", "active": False}
    installation.on("GET", "/api/v1/monitoring/metrics", Answer(200, {"items": [metric], "next": None}))

    ending = zhengai("metric", "list", *SCHOOL)

    assert ending.out.split() == ["p-emp", "P-EMP", "ratio", "programme", "就业率", "(switched", "off)"]


def test_metric_apply_sends_each_of_a_list_as_it_is_written(zhengai: Zhengai, installation: Installation, tmp_path: Path) -> None:
    installation.on("POST", "/api/v1/monitoring/metrics", Answer(201, {"code": "m"}, POSITION))
    (tmp_path / "m.json").write_text('[{"code": "a", "x": 0.80}, {"code": "b", "x": 0.1000000000000000055511151}]')

    ending = zhengai("metric", "apply", tmp_path / "m.json", *SCHOOL)

    assert ending.status == 0, ending.err
    bodies = [request.body for request in installation.sent("POST", "/api/v1/monitoring/metrics")]
    assert bodies == [b'{"code": "a", "x": 0.80}', b'{"code": "b", "x": 0.1000000000000000055511151}']


def test_indicator_apply_creates_and_activates(zhengai: Zhengai, installation: Installation, tmp_path: Path) -> None:
    created = {"code": "week", "version": 3, "status": "draft"}
    path = "/api/v1/standards/indicators/week/versions/3/activate"
    installation.on("POST", "/api/v1/standards/indicators", Answer(201, created))
    installation.on("POST", path, Answer(200, created | {"status": "active"}, POSITION))
    (tmp_path / "i.json").write_text('{"code": "week"}')

    ending = zhengai("indicator", "apply", tmp_path / "i.json", *SCHOOL)

    assert ending.status == 0, ending.err
    assert "week version 3" in ending.out
    assert installation.sent("POST", path)[0].query == {"school": "demo"}


def test_deadletters_list_follows_every_page(zhengai: Zhengai, installation: Installation) -> None:
    def letter(name: str) -> dict[str, str]:
        known = {"at": "2026-03-02T08:05:00Z", "school": "demo", "service": "monitoring", "topic": "observations"}
        return {"id": name, "detail": "no such metric"} | known

    first, second = Answer(200, {"items": [letter("aa")], "next": "c"}), Answer(200, {"items": [letter("bb")], "next": None})
    installation.on("GET", "/api/v1/deadletters", first, second)

    ending = zhengai("deadletters", "list", *SCHOOL)

    assert [line.split()[0] for line in ending.out.splitlines()] == ["aa", "bb"]
    assert [request.query.get("cursor") for request in installation.sent("GET", "/api/v1/deadletters")] == [None, "c"]


def test_deadletters_replay_hands_each_in_again(zhengai: Zhengai, installation: Installation) -> None:
    for letter in ("aa", "bb"):
        installation.on("POST", f"/api/v1/deadletters/{letter}/replay", Answer(202, {}, POSITION))

    ending = zhengai("deadletters", "replay", "aa", "bb", *SCHOOL)

    assert ending.status == 0, ending.err
    assert [request.path.split("/")[4] for request in installation.requests if request.method == "POST"] == ["aa", "bb"]


def test_wait_asks_for_a_position_and_returns_when_it_is_reached(zhengai: Zhengai, installation: Installation) -> None:
    installation.on("GET", "/api/v1/progress", Answer(202, {"position": "p"}), Answer(202, {"position": "p"}), Answer(200, {}))

    ending = zhengai("wait", *SCHOOL)

    assert ending.status == 0, ending.err
    assert [poll.query.get("after") for poll in installation.sent("GET", "/api/v1/progress")] == [None, "p", "p"]


def test_wait_ends_with_a_failure_after_its_timeout(zhengai: Zhengai, installation: Installation) -> None:
    installation.on("GET", "/api/v1/progress", Answer(202, {"position": "p"}))

    ending = zhengai("wait", *SCHOOL, "--timeout", "0.05")

    assert ending.status == 1
    assert "not everything was taken in after 0.05 s" in ending.err


def test_a_refusal_is_one_sentence_with_every_fault_and_ends_with_1(zhengai: Zhengai, installation: Installation) -> None:
    answer = refusal(422, "the request has invalid values", ("/code", "too long"), ("/timezone", "no such zone"))
    installation.on("POST", "/api/v1/schools", answer)

    ending = zhengai("school", "add", "demo", "--name", "x")

    assert (ending.status, ending.out) == (1, "")
    assert ending.err == "zhengai: the request has invalid values; /code: too long; /timezone: no such zone\n"
    assert not installation.sent("GET", "/api/v1/progress")


def test_an_installation_that_is_not_there_is_one_sentence(zhengai: Zhengai) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

    ending = zhengai("school", "add", "demo", "--name", "x", options=("--url", url, "--token", "t"))

    assert ending.status == 1
    assert ending.err.startswith(f"zhengai: {url} cannot be reached (")
    assert ending.err.count("\n") == 1


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://x", "http://", "x"])
def test_a_url_that_is_none_is_refused(zhengai: Zhengai, url: str) -> None:
    ending = zhengai("wait", *SCHOOL, options=("--url", url, "--token", "t"))

    assert ending.status == 1
    assert "is not a web address" in ending.err


def test_without_a_token_option_this_machines_token_file_is_used(
    zhengai: Zhengai, installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_private(tmp_path / "operator.token", b"from-the-file\n")
    monkeypatch.setenv("ZHENGAI_HOME", str(tmp_path))
    monkeypatch.setenv("ZHENGAI_PORT", installation.url.rpartition(":")[2])

    ending = zhengai("wait", *SCHOOL, options=())

    assert ending.status == 0, ending.err
    assert installation.requests[0].headers["authorization"] == "Bearer from-the-file"


def test_a_missing_token_file_is_one_sentence_that_says_what_to_do(
    zhengai: Zhengai, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZHENGAI_HOME", str(tmp_path))

    ending = zhengai("wait", *SCHOOL, options=())

    assert ending.status == 1
    assert "operator.token cannot be read (no such file or directory)" in ending.err
    assert "give --token" in ending.err


@pytest.mark.parametrize("content", ["", "[1, ", '{"a": 1} x'])
def test_a_file_that_is_not_json_is_refused_before_anything_is_sent(
    zhengai: Zhengai, installation: Installation, tmp_path: Path, content: str
) -> None:
    (tmp_path / "i.json").write_text(content)

    ending = zhengai("indicator", "apply", tmp_path / "i.json", *SCHOOL)

    assert ending.status == 1
    assert "is not JSON" in ending.err
    assert not installation.requests


def test_migrate_brings_every_database_of_this_installation_up_to_date(
    zhengai: Zhengai, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZHENGAI_HOME", str(tmp_path / "var"))

    ending = zhengai("migrate", options=())

    assert ending.status == 0, ending.err
    assert {path.stem for path in (tmp_path / "var").glob("*.db")} == {
        "gateway",
        "standards",
        "monitoring",
        "planning",
        "reporting",
    }


def test_migrate_says_in_one_sentence_that_a_database_cannot_be_reached(
    zhengai: Zhengai, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_bytes(b"s" * 32)
    monkeypatch.setenv("ZHENGAI_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("ZHENGAI_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("ZHENGAI_BUS_URL", "kafka://127.0.0.1:1")
    monkeypatch.setenv("ZHENGAI_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/nothing")

    ending = zhengai("migrate", options=())

    assert ending.status == 1
    assert ending.err.startswith("zhengai: the database of gateway cannot be reached: ")
    assert ending.err.count("\n") == 1


def test_lint_names_each_finding_and_how_to_mend_it_and_ends_with_one_where_one_is_an_error(
    zhengai: Zhengai, installation: Installation
) -> None:
    finding = {
        "code": "goal-without-owner",
        "severity": "error",
        "kind": "goal",
        "object": "G1",
        "sentence": "nobody answers for it",
        "mend": "name one",
    }
    found = {"counts": {"goal-without-owner": 501}, "errors": 501, "items": [finding], "more": True}
    waits = {"counts": {"plan-without-review": 1}, "errors": 0, "items": [{**finding, "severity": "todo"}], "more": False}
    installation.on("GET", "/api/v1/planning/lint", Answer(200, found), Answer(200, waits))

    ending = zhengai("lint", *SCHOOL, "--code", "goal-without-owner")

    assert (ending.status, ending.err) == (1, "")
    for part in (*finding.values(), "501", "Only the first 1"):
        assert str(part) in ending.out
    (request,) = installation.sent("GET", "/api/v1/planning/lint")
    assert request.query == {"school": "demo", "code": "goal-without-owner", "limit": "500"}
    assert zhengai("lint", *SCHOOL).status == 0
