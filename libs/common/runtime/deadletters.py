"""Putting aside what can never be handled."""

from __future__ import annotations

import base64
import hashlib

import structlog

from libs.common.database import Transaction
from libs.common.errors import Invalid
from libs.common.events.deadletters import DeadLettered
from libs.common.telemetry import DEAD_LETTERS

log = structlog.get_logger()

LETTER_BYTES = 1 << 20
LETTER_EXCERPT = 64 << 10


def put_aside(tx: Transaction, service: str, topic: str, key: str, payload: bytes, error: Invalid) -> None:
    """Publish a dead letter with its cause; the same payload put aside again is the same letter.

    Of a payload over 1 MiB, which no event may have, only the beginning is kept: the letter itself must travel.
    """
    letter = hashlib.blake2b(
        b"\0".join((service.encode(), topic.encode(), key.encode("utf-8", "replace"), payload)), digest_size=16
    )
    detail = "; ".join([error.detail, *(f"{e['pointer']}: {e['detail']}" for e in error.errors)])
    kept = payload
    if len(payload) > LETTER_BYTES:
        kept = payload[:LETTER_EXCERPT]
        detail += f" (of {len(payload)} bytes the first {len(kept)} are kept)"
    try:
        text, exact = kept.decode(), None
        if "\0" in text:
            raise UnicodeError("PostgreSQL keeps no NUL in text")  # noqa: TRY301 - both roads lead to the escaped form
    except UnicodeError:
        text = kept.decode("utf-8", "backslashreplace")
        exact = base64.b64encode(kept).decode()
    fact = DeadLettered(
        letter=letter.hexdigest(),
        service=service,
        topic=topic,
        key=_without_nul(key),
        payload=_without_nul(text),
        payload_base64=exact,
        problem=error.slug,
        detail=_without_nul(detail),
    )
    tx.publish(fact, cause=f"deadletter:{letter.hexdigest()}", school=tx.school or fact.key)
    DEAD_LETTERS.labels(service, topic).inc()
    log.warning("put aside", service=service, topic=topic, letter=fact.letter, reason=fact.detail)


def _without_nul(text: str) -> str:
    return text.replace("\0", "\\x00")
