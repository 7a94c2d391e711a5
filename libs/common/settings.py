"""How a process is told what to run and where its state lives."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "ZHENGAI_"


def _words(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


class Settings(BaseSettings):
    """One field, one environment variable. The defaults need no server at all.

    `{service}` in a URL stands for the service's name and `{home}` for the data folder, so one setting serves all.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    home: Path = Field(Path("var"), description="Folder of all data of an embedded installation, and of the token files.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    services: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        ("gateway", "standards", "monitoring", "planning", "reporting"), description="Services that this process runs."
    )
    database_url: str = Field(
        "sqlite+aiosqlite:///{home}/{service}.db",
        description="Where a service keeps its rows: SQLite, or postgresql+psycopg://… with a schema or database a service.",
    )
    bus_url: str = Field("sqlite:{home}/bus.db", description="Where events travel: sqlite:PATH or kafka://HOST:PORT[/PREFIX].")
    service_url: str = Field(
        "http://{service}:8000",
        description="Where the gateway finds a service that runs elsewhere: a URL with {service}, or a list planning=URL,reporting=URL.",
    )
    secret_file: Path | None = Field(
        None, description="File with 32 random bytes that sign principals; embedded: made in the home. Required on Kafka."
    )
    demo: bool = Field(True, description="Whether the first start creates the demo school and its simulator.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level of log lines: debug, info, warning, error."
    )
    dead_letter_limit: int = Field(1000, ge=1, description="Dead letters in a row after which a consumer stops and says so.")
    backlog_limit: int = Field(
        256 * 2**20, ge=1, description="Bytes of observations not yet counted at which the gateway answers 503."
    )
    ids_in_memory: int = Field(
        50_000_000, ge=1, description="Ids of counted events, of all schools, that one worker keeps in memory: 16 bytes each."
    )
    rate_limit: int | None = Field(None, ge=1, description="Events a second that one source may post; none unless set.")
    bus_retention_days: int = Field(7, ge=1, description="Days that the embedded bus keeps records that everybody has read.")
    inbox_retention_days: int = Field(30, ge=8, description="Days that 'already handled' marks are kept; longer than the bus.")
    feed_retention_days: int = Field(400, ge=1, description="Days that dead letters, stream rows and the timeline are kept.")
    file_max_bytes: int = Field(
        20 * 2**20, ge=1, le=256 * 2**20, description="Bytes of the largest file that people may hand in as evidence."
    )
    token_hours: int = Field(12, ge=1, description="Hours that a person stays signed in.")

    @classmethod
    def load(cls) -> Self:
        """Read the environment; refuse a misspelt variable instead of ignoring it. Raises SystemExit with one sentence."""
        known = {f"{PREFIX}{name}".upper() for name in cls.model_fields}
        if unknown := {v for v in os.environ if v.startswith(PREFIX)} - known:
            raise SystemExit(f"unknown settings: {', '.join(sorted(unknown))} (docs/settings.md lists all)")
        try:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = f"{PREFIX}{first['loc'][0]}".upper() if first["loc"] else "settings"
            raise SystemExit(f"{name}: {first['msg'].removeprefix('Value error, ')}") from error

    @model_validator(mode="after")
    def _supported_stack(self) -> Self:
        if self.embedded != self.bus_url.startswith("sqlite:"):
            raise ValueError(
                "SQLite goes with the embedded bus and PostgreSQL with Kafka: set both ZHENGAI_DATABASE_URL and "
                "ZHENGAI_BUS_URL, or neither"
            )
        if not self.embedded and self.secret_file is None:
            raise ValueError("ZHENGAI_SECRET_FILE is required where services run apart: a file with 32 random bytes")
        every = type(self).model_fields["services"].default
        if unknown := set(self.services) - set(every):
            raise ValueError(f"no service is called {', '.join(sorted(unknown))}: there are {', '.join(every)}")
        if self.embedded and set(self.services) != set(every):
            raise ValueError("the embedded bus has one process: run all services in it, or use Kafka and PostgreSQL")
        return self

    @property
    def embedded(self) -> bool:
        """Whether everything lives in SQLite files of one process."""
        return self.database_url.startswith("sqlite")

    def database_for(self, service: str) -> str:
        return self.database_url.format(service=service, home=self.home)

    def url_of(self, service: str) -> str:
        """Where a service that runs elsewhere is found. Raises SystemExit where the list does not name it."""
        if "=" not in self.service_url:
            return self.service_url.format(service=service)
        urls = dict(each.strip().partition("=")[::2] for each in self.service_url.split(","))
        if service not in urls:
            raise SystemExit(f"ZHENGAI_SERVICE_URL names no URL for {service}")
        return urls[service]

    @property
    def bus(self) -> str:
        return self.bus_url.format(home=self.home)
