"""What a look at the installation found, as one line."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckResult:
    """One thing that was looked at: whether it is in order, and else how to mend it."""

    subject: str
    ok: bool
    text: str
    mend: str = ""

    def __str__(self) -> str:
        found = f"{'ok' if self.ok else 'mend':<5} {self.subject}: {self.text}"
        return f"{found} {self.mend}".rstrip()

    def to_json(self) -> dict[str, str | bool]:
        """Return the line as programs read it."""
        return {"subject": self.subject, "ok": self.ok, "text": self.text, "mend": self.mend}


def good(subject: str, text: str) -> CheckResult:
    """Return a line for what is in order."""
    return CheckResult(subject, True, text)


def mend(subject: str, text: str, how: str) -> CheckResult:
    """Return a line for what must be mended, and how."""
    return CheckResult(subject, False, text, how)
