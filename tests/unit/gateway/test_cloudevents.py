"""What a body of no use is called, before anybody looks for events in it."""

import pytest

from libs.common.errors import Malformed
from services.gateway.sources.cloudevents import BATCHED, STRUCTURED, read_binary, read_body


@pytest.mark.parametrize("body", [b"", b" \r\n\t"])
def test_an_empty_body_is_called_empty(body: bytes) -> None:
    for media_type in (STRUCTURED, BATCHED):
        with pytest.raises(Malformed, match="the body is empty"):
            read_body(media_type, body)
    with pytest.raises(Malformed, match="the body is empty"):
        read_binary({"ce-specversion": "1.0"}, body)
