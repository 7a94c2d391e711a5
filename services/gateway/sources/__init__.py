"""What campus systems send, one file a format; each turns a request into observations."""

from services.gateway.sources.cloudevents import BATCHED, STRUCTURED, Sent, read_binary, read_body

__all__ = ["BATCHED", "STRUCTURED", "Sent", "read_binary", "read_body"]
