"""What the router says no with, as every subcommand that asks it tells people: no more is imported for it."""


class RouterSaidNo(Exception):
    """The router refused or could not be reached; the message is for people. `status` is None without an answer."""

    def __init__(self, words: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(words)
