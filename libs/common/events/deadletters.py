"""What could never be handled, published by the service that put it aside; the gateway keeps the list."""

from libs.common.event import Event


class DeadLettered(Event, type="deadletters.put_aside", about="letter"):
    """A record, or one event of a record, that the service will not try again.

    `payload` is the event's own bytes as text (undecodable bytes escaped, `payload_base64` then has them exactly);
    `problem` is the stable type of the failure, `detail` a sentence.
    """

    letter: str
    service: str
    topic: str
    key: str
    payload: str
    payload_base64: str | None = None
    problem: str
    detail: str
