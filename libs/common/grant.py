"""What a right is: permissions and the places that they hold over. Pure, so that a domain may speak of it."""

from dataclasses import dataclass

EVERYWHERE = "*"


@dataclass(frozen=True, slots=True)
class Grant:
    """Permissions and the places they hold over (`*`: the whole school)."""

    may: frozenset[str]
    over: frozenset[str]
