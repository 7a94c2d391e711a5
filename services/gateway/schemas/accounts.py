"""Schools, sources, users, sign-in and dead letters as callers see them."""

from datetime import date, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from libs.common.http import Body, View

_NO_CONTROL = r"^[^\x00-\x1f\x7f-\x9f]*$"
CODE = r"^[a-z0-9][a-z0-9_-]{0,63}$"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("not a time zone of the IANA list, such as Asia/Shanghai") from error
    return name


def _day_of_year(value: str) -> str:
    try:
        date.fromisoformat(f"2001-{value}")
    except ValueError as error:
        raise ValueError("not a day of every year, such as 09-01") from error
    return value


def _readable(payload: object) -> object:
    return payload.decode("utf-8", "backslashreplace") if isinstance(payload, bytes) else payload


Code = Annotated[str, StringConstraints(pattern=CODE)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NO_CONTROL)]
RosterId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_NO_CONTROL)]
Uri = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=_NO_CONTROL)]
Username = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
Password = Annotated[str, StringConstraints(min_length=10, max_length=256)]
Zone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]
MonthDay = Annotated[str, StringConstraints(pattern=r"^\d{2}-\d{2}$"), AfterValidator(_day_of_year)]


class SchoolIn(Body):
    """A school to add."""

    code: Code
    name: Name
    timezone: Zone = "Asia/Shanghai"
    year_start: MonthDay = "09-01"
    template: Code | None = None


class SchoolView(View):
    """A school."""

    code: str
    name: str
    timezone: str
    year_start: str
    template: str | None
    added_at: datetime


Label = Literal["measured", "imported", "by_hand"]
"""How the numbers of a source arise: a system measures them, a file was imported, a person entered them."""


class SourceIn(Body):
    """A campus system to add; without `uris` it may send `urn:campus:<school>:<name>`. `label` is shown beside its observations."""

    name: Code
    uris: list[Uri] | None = Field(None, min_length=1, max_length=20)
    label: Label = "measured"


class KeyView(View):
    """A key of a source, without the key."""

    id: str
    added_at: datetime
    revoked_at: datetime | None = None


class NewKeyView(BaseModel):
    """A key, shown this once."""

    id: str
    key: str


class SourceView(BaseModel):
    """A campus system."""

    name: str
    school: str
    uris: list[str]
    label: str
    keys: list[KeyView]


class NewSourceView(BaseModel):
    """A campus system with its first key, shown this once."""

    name: str
    school: str
    uris: list[str]
    label: str
    key_id: str
    key: str


class UserIn(Body):
    """An account to add; without a password one is made and answered once."""

    username: Username
    person: RosterId
    password: Password | None = None


class UserChange(Body):
    """What to change of an account."""

    disabled: bool | None = None
    password: Password | None = None


class UserView(View):
    """An account."""

    username: str
    school: str
    person: str
    disabled: bool
    added_at: datetime


class NewUserView(UserView):
    """An account just added; `password` is there where it was made here."""

    password: str | None = None


class SignIn(BaseModel):
    """OAuth2's password form."""

    model_config = ConfigDict(extra="forbid")

    username: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_NO_CONTROL)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    grant_type: Literal["password"] = "password"
    scope: str = ""
    client_id: str | None = None
    client_secret: str | None = None


class TokenView(BaseModel):
    """OAuth2's answer; `expires_in` is in seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - OAuth2's word for how it is sent
    expires_in: int


class PostView(View):
    """A post held today; `end` is exclusive, None is open."""

    post: str
    object: str | None
    start: date | None
    end: date | None


class MeView(BaseModel):
    """Who is signed in; `permissions` say over which places each right holds (`*`: the whole school)."""

    kind: Literal["person", "source", "operator"]
    id: str
    username: str | None
    name: str | None
    school: str | None
    posts: list[PostView]
    permissions: dict[str, list[str]]


class LetterView(View):
    """A record that could never be handled, and why; undecodable bytes of `payload` are escaped."""

    id: str
    school: str
    service: str
    topic: str
    key: str
    payload: Annotated[str, BeforeValidator(_readable)]
    problem: str
    detail: str
    at: datetime
    replayed_at: datetime | None


class PositionView(BaseModel):
    """A place in what was accepted; whether all before it has taken hold is the answer's status."""

    position: str
