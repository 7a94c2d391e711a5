"""Files that come as the body of a request."""

from collections.abc import Collection
from typing import Any

from fastapi import Request

from libs.common.errors import TooLarge, UnsupportedMediaType

DISCARDED_MOST = 64 * 2**20


async def read_upload(request: Request, types: Collection[str], most: int) -> bytes:
    """Return the body. Raises UnsupportedMediaType, or TooLarge once the rest is read and thrown away (up to 64 MiB)."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in types:
        raise UnsupportedMediaType(f"send the file as {' or '.join(types)}, not {media or 'nothing'}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("send the file as it is, without a Content-Encoding")
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= most:
            body += chunk
        elif size > most + DISCARDED_MOST:
            break
        else:
            body.clear()
    if size > most:
        raise TooLarge(f"the file is larger than {most / 2**20:g} MiB")
    return bytes(body)


def described(*media: str) -> dict[str, Any]:
    """What `/openapi.json` says of such a body."""
    return {
        "requestBody": {"required": True, "content": {each: {"schema": {"type": "string", "format": "binary"}} for each in media}}
    }
