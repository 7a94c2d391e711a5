"""Hashes that an installation alone can make: nobody can construct ids that collide with others' in it."""

from functools import cache
from hashlib import blake2b


def id_hash(source: str, id_: str, key: bytes) -> bytes:
    """16 bytes for (source, id), keyed per installation."""
    digest = _keyed(key).copy()
    digest.update(f"{source}\0{id_}".encode())
    return digest.digest()


@cache
def _keyed(key: bytes) -> blake2b:
    return blake2b(digest_size=16, key=key)
