"""A provider's settings: declared once, as fields of a frozen dataclass, and read at the start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

_Kind = TypeVar("_Kind")


class WrongSetting(Exception):
    """A setting can't be used; the message begins with its name and says how to mend it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its name in the environment, what it means, and what holds without it.

    `meaning` is what documents say, in Markdown. `read` makes the value of the text; it is given
    the whole environment as well and raises ValueError, in words that go on after the name.
    """

    name: str
    meaning: str
    default: str
    read: Callable[[str, Mapping[str, str]], Any]


def setting(
    name: str,
    meaning: str,
    *,
    default: str = "",
    read: Callable[[str, Mapping[str, str]], Any] = lambda text, _environ: text,
) -> Any:
    """Declare a field of a provider's settings as one that the environment gives."""
    return field(metadata={"setting": Setting(name, meaning, default, read)})


def list_settings(kind: type) -> tuple[Setting, ...]:
    """Return the settings that a provider declares, in their order."""
    return tuple(one.metadata["setting"] for one in fields(kind))


def read_settings(kind: type[_Kind], environ: Mapping[str, str]) -> _Kind:
    """Return a provider's settings as the environment gives them.

    Raises WrongSetting for a value that can't be used. One that is missing is no error here: the
    provider itself says so, since only one that is in use needs it.
    """
    values = {}
    for one in fields(kind):  # type: ignore[arg-type]
        declared: Setting = one.metadata["setting"]
        text = (environ.get(declared.name) or declared.default).strip()
        try:
            values[one.name] = declared.read(text, environ)
        except ValueError as error:
            raise WrongSetting(f"{declared.name} {error}") from error
    return kind(**values)


@dataclass(frozen=True, repr=False)
class ProviderSettings:
    """The settings of all providers, each a frozen dataclass of its own kind."""

    values: tuple[Any, ...]

    def of(self, kind: type[_Kind]) -> _Kind:
        """Return the settings of that kind; KeyError for one that no provider declares."""
        for value in self.values:
            if isinstance(value, kind):
                return value
        raise KeyError(kind)

    def changed(self, *changed: Any) -> "ProviderSettings":
        """Return the same with these in the place of those of their kinds."""
        kinds = {type(value): value for value in changed}
        return replace(self, values=tuple(kinds.get(type(one), one) for one in self.values))


def read_number(text: str, _environ: Mapping[str, str]) -> int:
    """Read a whole number above 0, for `setting`."""
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) < 1_000_000):
        raise ValueError(f"must be a number above 0, not {text!r}")
    return int(text)
