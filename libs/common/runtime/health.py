"""What a process knows to be wrong with itself."""


class Health:
    """What is wrong now, by name of the work that fails; empty means ready."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}

    def failed(self, name: str, reason: object) -> None:
        self.problems[name] = str(reason)

    def works(self, name: str) -> None:
        self.problems.pop(name, None)
