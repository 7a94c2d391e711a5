"""The 32 random bytes that sign principals between gateway and services."""

import os
import secrets
from pathlib import Path

from libs.common.settings import Settings

SIZE = 32


def load_secret(settings: Settings) -> bytes:
    """Read the secret; embedded, make it on the first start. Raises SystemExit with one sentence."""
    path = settings.secret_file or settings.home / "secret"
    if settings.embedded and settings.secret_file is None and not path.exists():
        write_private(path, secrets.token_bytes(SIZE))
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise SystemExit(f"ZHENGAI_SECRET_FILE {path} cannot be read: {error.strerror}") from error
    if len(secret) < SIZE:
        raise SystemExit(f"ZHENGAI_SECRET_FILE {path} holds {len(secret)} bytes: {SIZE} random bytes are needed")
    return secret


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read; either whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
