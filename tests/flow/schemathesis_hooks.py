"""What generated requests need to know beside the API's description."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/zip", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
def send_as_it_is(_: Any, value: Any) -> Any:
    """A generated body of bytes is sent as it is."""
    return value
