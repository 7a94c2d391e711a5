"""Services believe a principal only where the gateway signed it, for them, just now."""

import base64
import json
import time

import jwt
import pytest

from libs.common.auth import Grant, Principal, sign, verify
from libs.common.errors import Forbidden, Unauthorized

SECRET, OTHER = b"s" * 32, b"o" * 32
TEACHER = Principal(
    "person",
    "T1",
    "demo",
    (
        Grant(frozenset({"warning.read", "improvement.work"}), frozenset({"class:a", "class:b"})),
        Grant(frozenset({"warning.read"}), frozenset({"course:x"})),
        Grant(frozenset({"metric.read"}), frozenset({"*"})),
    ),
)


def claims(**changed: object) -> dict[str, object]:
    token = sign(TEACHER, "planning", SECRET)
    return {**jwt.decode(token, SECRET, algorithms=["HS256"], audience="planning"), **changed}


def unsigned() -> str:
    parts = [{"alg": "none", "typ": "JWT"}, claims()]
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts), ""])


def changed_payload() -> str:
    header, _, signature = sign(TEACHER, "planning", SECRET).split(".")
    payload = base64.urlsafe_b64encode(json.dumps(claims(sub="T2")).encode()).decode().rstrip("=")
    return f"{header}.{payload}.{signature}"


def without(name: str) -> str:
    return jwt.encode({k: v for k, v in claims().items() if k != name}, SECRET, algorithm="HS256")


def test_what_the_gateway_signed_is_believed_whole() -> None:
    assert verify(sign(TEACHER, "planning", SECRET), "planning", SECRET) == TEACHER


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(None, id="none at all"),
        pytest.param("", id="empty"),
        pytest.param("a.b.c", id="no token"),
        pytest.param(sign(TEACHER, "planning", OTHER), id="signed with another secret"),
        pytest.param(sign(TEACHER, "monitoring", SECRET), id="for another service"),
        pytest.param(sign(TEACHER, "planning", SECRET, now=time.time() - 61), id="a minute old"),
        pytest.param(sign(TEACHER, "planning", SECRET, now=time.time() + 3 * 24 * 3600), id="by a clock that is days ahead"),
        pytest.param(unsigned(), id="unsigned"),
        pytest.param(changed_payload(), id="changed after it was signed"),
        pytest.param(jwt.encode(claims(), SECRET * 2, algorithm="HS512"), id="another algorithm"),
        pytest.param(without("exp"), id="for ever"),
        pytest.param(without("aud"), id="for anybody"),
        pytest.param(without("sub"), id="of nobody"),
    ],
)
def test_anything_else_is_refused(token: str | None) -> None:
    with pytest.raises(Unauthorized):
        verify(token, "planning", SECRET)


def test_a_permission_covers_the_places_of_every_post_that_has_it() -> None:
    scope = TEACHER.scope("warning.read")
    assert scope.covers(["class:a"])
    assert scope.covers(["student:1", "course:x"])
    assert not scope.covers(["class:c"])
    assert not TEACHER.scope("improvement.work").covers(["course:x"])


def test_a_post_over_the_whole_school_covers_everything_of_it() -> None:
    scope = TEACHER.scope("metric.read")
    assert scope.school == "demo"
    assert scope.covers([])
    assert scope.covers(["class:c"])


def test_a_permission_that_no_post_has_is_forbidden() -> None:
    with pytest.raises(Forbidden, match=r"metric\.write"):
        TEACHER.scope("metric.write")
    assert not TEACHER.may("metric.write")
