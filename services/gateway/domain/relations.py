"""What a person has to do with the school, each part dated: the ground of everything they may see and do."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Post:
    """A post (任职) over an object, from `start` (inclusive) to `end` (exclusive); None is open.

    `object` is the bare id of a unit, course, class or level, a place `kind:id` for the named objects of an outside
    expert, and None for the whole school.
    """

    post: str
    object: str | None = None
    start: date | None = None
    end: date | None = None

    def holds_on(self, day: date) -> bool:
        """Whether the post is held that day."""
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class Relations:
    """One person's posts, and what the roster says of them today.

    `teaches` and `homerooms_led` are ids of classes, `children` ids of students bound to the person, `roles` the
    OneRoster roles held.
    """

    posts: tuple[Post, ...] = ()
    teaches: tuple[str, ...] = ()
    homerooms_led: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
