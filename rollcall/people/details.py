"""What a form, a call or a command says of a person, checked and brought to one form."""

from collections.abc import Callable
from dataclasses import dataclass, fields

from rollcall.errors import InvalidInput
from rollcall.people.reading.cells import clean_cell
from rollcall.people.reading.emails import normalise_email
from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.phones import TYPED_AT_HOME, read_local_phone
from rollcall.people.reading.places import read_country, read_timezone

LONGEST_TEXT = 200
_PLACES = {"country": ("country", "CA or Canada"), "timezone": ("time zone", "America/Toronto")}


@dataclass(frozen=True)
class PersonDraft:
    """A person as typed: any way of writing a phone, a country by name or by its two letters."""

    phone: str = ""
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    city: str = ""
    country: str = ""
    timezone: str = ""


@dataclass(frozen=True)
class CheckedPerson:
    """A person as stored: phone in E.164, e-mail in lower case; unknown texts are empty."""

    phone: str | None = None
    email: str | None = None
    first_name: str = ""
    last_name: str = ""
    city: str = ""
    country: str = ""
    timezone: str = ""


PERSON_FIELDS = tuple(field.name for field in fields(PersonDraft))


def check_person(draft: PersonDraft, default_country: str) -> CheckedPerson:
    """Return the person as stored; raises InvalidInput naming every field that is wrong.

    A phone without a country code is one of the person's country, else of `default_country`.
    """
    problems: dict[str, str] = {}
    country = _read_place(draft.country, "country", read_country, problems)
    timezone = _read_place(draft.timezone, "timezone", read_timezone, problems)
    phone = _read_address(
        draft.phone,
        "phone",
        lambda text: read_local_phone(
            text, country or default_country, default_country, TYPED_AT_HOME
        ),
        problems,
    )
    email = _read_address(draft.email, "email", normalise_email, problems)
    texts = {
        name: _read_text(getattr(draft, name), name, problems)
        for name in ("first_name", "last_name", "city")
    }
    if not (phone or email or {"phone", "email"} & problems.keys()):
        problems["phone"] = "Give a phone or an e-mail address: one of them at least."
    if problems:
        raise InvalidInput(problems)
    return CheckedPerson(phone=phone, email=email, country=country, timezone=timezone, **texts)


def _read_address(
    text: str, name: str, normalise: Callable[[str], str], problems: dict[str, str]
) -> str | None:
    if not clean_cell(text):
        return None
    try:
        return normalise(text)
    except UnreadableValue as error:
        problems[name] = f"{error.reason[:1].upper()}{error.reason[1:]}."
        return None


def _read_place(
    text: str, name: str, read: Callable[[str], str | None], problems: dict[str, str]
) -> str:
    written = clean_cell(text)
    found = read(written) if written else ""
    if found is None:
        what, example = _PLACES[name]
        problems[name] = f"{written[:60]!r} is not a {what} that is known; write {example}."
    return found or ""


def _read_text(text: str, name: str, problems: dict[str, str]) -> str:
    cleaned = clean_cell(text)
    if len(cleaned) > LONGEST_TEXT:
        problems[name] = f"Use at most {LONGEST_TEXT} characters."
    return cleaned
