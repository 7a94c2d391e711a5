"""A rate that the operator has set for each source."""

from dataclasses import dataclass


@dataclass
class Bucket:
    """Holds one second's worth of events; time is any clock in seconds that never goes back."""

    rate: int
    level: float = 0.0
    at: float = 0.0

    def take(self, events: int, now: float) -> float:
        """Take room for the events and return 0, or take none and return the seconds to wait.

        A request larger than the whole bucket is let in when the bucket is empty: it could never be sent otherwise.
        """
        self.level = max(0.0, self.level - (now - self.at) * self.rate)
        self.at = now
        if self.level > 0 and self.level + events > self.rate:
            return (self.level + events - self.rate) / self.rate
        self.level += events
        return 0.0
