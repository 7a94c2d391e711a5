"""What campus systems send, one file a format; each turns a request into observations."""

from services.gateway.sources.cloudevents import BATCH_EVENTS, BATCHED, EVENT_BYTES, STRUCTURED, Sent, read_binary, read_body

__all__ = ["BATCHED", "BATCH_EVENTS", "EVENT_BYTES", "STRUCTURED", "Sent", "read_binary", "read_body"]
