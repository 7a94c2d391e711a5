"""Bearer tokens and keys: opaque, random, kept only as their SHA-256."""

import hashlib
import re
import secrets
from datetime import timedelta
from typing import Literal

BEARER = re.compile(r"bearer +([A-Za-z0-9][A-Za-z0-9_-]{0,255})", re.IGNORECASE)
KINDS = {"operator": "zo", "person": "zp", "source": "zk"}
ATTEMPTS_MOST = 10
ATTEMPTS_SPAN = timedelta(minutes=15)
KEYS_MOST = 2
"""Live keys of a source: the one in use, and its successor."""


def new_token(kind: Literal["operator", "person", "source"]) -> str:
    """Return 32 random bytes as text that begins with a letter, which says what it is for."""
    return f"{KINDS[kind]}_{secrets.token_urlsafe(32)}"


def new_password() -> str:
    """Return a password that a person can copy: 96 random bits, no characters that look alike."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def digest(token: str) -> bytes:
    """What is kept of a token, and looked up by: 32 random bytes need no salt, and a lookup by hash leaks no prefix."""
    return hashlib.sha256(token.encode()).digest()


def bearer(authorization: str | None) -> str | None:
    """Return the token of an `Authorization` header; None for anything else."""
    match = BEARER.fullmatch(authorization or "")
    return match and match[1]
