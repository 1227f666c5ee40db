"""Why a value or a file can't be read, in words that staff can act on."""


class UnreadableValue(ValueError):
    """One value can't be used; `reason` is a whole sentence without the final stop."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class UnreadableFile(ValueError):
    """The file as a whole can't be read as a table; `str()` says why and what to do."""


def as_sentence(reason: str) -> str:
    """Return a reason as a sentence of its own, with a capital and a full stop."""
    sentence = reason[:1].upper() + reason[1:]
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
