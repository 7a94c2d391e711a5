"""Calls of the HTTP API: each failure becomes one plain sentence."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from services.cli import Failure

POSITION = "zhengai-position"
AGAIN = frozenset({429, 502, 503, 504})
"""Answers that say nothing about the request: the same one may succeed later. 502 and 504 come from a proxy in front."""
PATIENCE_S = 10.0
FAULTS_SHOWN = 10


class Client:
    """One installation, as whoever holds `token`."""

    def __init__(self, url: str, token: str) -> None:
        target = httpx.URL(url)
        if target.scheme not in {"http", "https"} or not target.host:
            raise Failure(f"--url {url} is not a web address: it looks like http://127.0.0.1:8000")
        self.url = url.rstrip("/")
        # A proxy named in the environment is for other machines.
        alone = target.host in {"127.0.0.1", "::1", "localhost"}
        self.http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(300, connect=10),  # a roster of a large school takes its time
            trust_env=not alone,
            verify=target.scheme == "https",  # loading the certificates takes longer than most calls
        )

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return the answer. Raises Failure for anything but success."""
        try:
            answer = self.http.request(method, path, **options)
        except httpx.TransportError as error:
            raise Failure(f"{self.url} cannot be reached ({reason(error)}): is Zhengai running there?") from error
        if not answer.is_success:
            raise Failure(sentence(answer))
        return answer

    def change(self, method: str, path: str, school: str | None, settle_in: str, **options: Any) -> Any:
        """Make a change, and return its answer's JSON once every service works by it."""
        answer = self.call(method, path, params=of(school), **options)
        self.settle(settle_in, answer.headers.get(POSITION))
        return answer.json() if answer.content else {}

    def settle(self, school: str, position: str | None = None, seconds: float | None = None) -> None:
        """Return when everything accepted before `position` (None: before now) has taken hold in every service.

        A lost connection or a restart in between only makes it longer. Raises Failure after `seconds`, if given.
        """
        patience = Patience(f"waiting until every service has taken it in (see {self.url}/readyz) ...")
        started = time.monotonic()
        delay = 0.02
        while True:
            params = {"school": school} if position is None else {"school": school, "after": position}
            answer = self.persist(lambda params=params: self.http.get("/api/v1/progress", params=params))  # type: ignore[misc]  # bound at once
            if not answer.is_success:
                raise Failure(sentence(answer))
            if answer.status_code == httpx.codes.OK:
                return
            position = answer.json()["position"]
            if seconds is not None and time.monotonic() - started > seconds:
                raise Failure(f"not everything was taken in after {seconds:g} s; {self.url}/readyz says what is wrong")
            patience.maybe_say()
            time.sleep(delay)
            delay = min(delay * 1.5, 0.5)

    def persist(self, send: Callable[[], httpx.Response]) -> httpx.Response:
        """Send again after a lost connection, 429 and 503 until there is an answer, waiting as long as it asks for."""
        patience = Patience()
        delay = 0.1
        while True:
            try:
                answer = send()
            except httpx.TransportError as error:
                wait, why = delay, f"{self.url} cannot be reached ({reason(error)})"
            else:
                if answer.status_code not in AGAIN:
                    return answer
                wait, why = retry_after(answer) or delay, sentence(answer)
            patience.maybe_say(f"{why}; trying again until it answers ...")
            time.sleep(wait)
            delay = min(delay * 2, 5.0)

    def pages(self, path: str, school: str | None) -> Iterator[dict[str, Any]]:
        """Every item of a list, page after page."""
        cursor: str | None = None
        while True:
            params = of(school) | {"limit": "500"} | ({"cursor": cursor} if cursor else {})
            body = self.call("GET", path, params=params).json()
            yield from body["items"]
            if (cursor := body["next"]) is None:
                return


class Patience:
    """Says once, on standard error, why something takes long."""

    def __init__(self, words: str = "") -> None:
        self.words, self.said, self.since = words, False, time.monotonic()

    def maybe_say(self, words: str = "") -> None:
        # What has its own words says them at once: something is amiss, not merely slow.
        if not self.said and (words or time.monotonic() - self.since > PATIENCE_S):
            print(f"zhengai: {words or self.words}", file=sys.stderr, flush=True)  # noqa: T201 - a command speaks to its user
            self.said = True


def connect(url: str | None, token: str | None) -> Client:
    """The installation that the options name; without them, this machine's. Raises Failure without a token."""
    if url is None or token is None:
        from libs.common.settings import Settings  # noqa: PLC0415 - costs 0.2 s, and not every call needs it

        settings = Settings.load()
        url = url or f"http://{_reachable(settings.host)}:{settings.port}"
        token = token or _token(settings.home / "operator.token")
    return Client(url, token)


def _reachable(host: str) -> str:
    """Where a client finds what listens on `host`."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _token(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise Failure(
            f"the operator's token {path} cannot be read ({(error.strerror or '').lower()}): "
            "run this where Zhengai runs, set ZHENGAI_HOME to its folder, or give --token"
        ) from error


def of(school: str | None) -> dict[str, str]:
    """The query that names the school, which an operator adds to any call."""
    return {} if school is None else {"school": school}


def reason(error: httpx.TransportError) -> str:
    """Why there was no answer, without a trailing stop."""
    return (str(error) or type(error).__name__).rstrip(".")


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The answer's problem details; empty where it has none (a proxy's page, say)."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def sentence(answer: httpx.Response) -> str:
    """A refusal in one sentence: the problem's detail, then each fault and where it is."""
    body = problem(answer)
    detail = str(body.get("detail") or body.get("title") or f"{answer.url} answered {answer.status_code}").rstrip(".")
    faults = [f"{fault.get('pointer') or '/'}: {fault.get('detail')}" for fault in body.get("errors", [])]
    if len(faults) > FAULTS_SHOWN:
        faults[FAULTS_SHOWN:] = [f"and {len(faults) - FAULTS_SHOWN} more"]
    return "; ".join([detail, *faults])


def retry_after(answer: httpx.Response) -> float | None:
    """The seconds that the answer asks to wait, if it names a number of them."""
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isdecimal() else None
