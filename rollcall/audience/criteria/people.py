"""People picked by hand."""

from collections.abc import Hashable
from typing import Annotated, Any

from pydantic import Field as Limit

from rollcall.audience.criteria.criterion import (
    Asked,
    Criterion,
    Field,
    FormData,
    Given,
    Lack,
    Lookup,
    Moved,
    Option,
    Recorded,
    Rule,
    Shown,
    Values,
    mentions_nothing,
    nothing_wrong,
    shows_nothing,
)
from rollcall.audience.criteria.reading import is_id
from rollcall.audience.criteria.values import MAX_PEOPLE, Criteria, Names
from rollcall.errors import InvalidInput
from rollcall.models.types import IdList, IsOneOf

LARGEST_ID = 2**31 - 1


def _read(value: Any) -> dict[str, Any]:
    if not isinstance(value, list | tuple) or not all(type(number) is int for number in value):
        raise ValueError("Give a list of the people's numbers (ids).")
    if len(value) > MAX_PEOPLE:
        raise ValueError(f"At most {MAX_PEOPLE:,} people can be picked by hand.")
    return {"people": tuple(sorted(set(value)))}


def _write(criteria: Criteria) -> dict[str, Any]:
    return {} if criteria.people is None else {"people": list(criteria.people)}


def _bind(criteria: Criteria, lookup: Lookup) -> tuple[Hashable, Values] | None:
    return None if criteria.people is None else (True, {"people": list(criteria.people)})


def _now(asked: Asked) -> Any:
    return IsOneOf(asked.facts.person_id, asked.bound("people", type_=IdList))


def _proved_by(wanted: Criteria, met: Criteria) -> bool:
    if wanted.people is None:
        return True
    return met.people is not None and set(met.people) <= set(wanted.people)


def _says(criteria: Criteria, names: Names) -> str:
    return "" if criteria.people is None else f"{len(criteria.people):,} people picked by hand"


def _take(form: FormData, name: str) -> tuple[int, ...]:
    words = [*form.getlist(name), *form.get("more_people", "").split(",")]
    numbers = {
        int(word) for word in words if word.isascii() and word.isdecimal() and len(word) < 12
    }
    return tuple(sorted(filter(is_id, numbers)))


def _read_form(values: Shown) -> list[int]:
    if not (values["people"] or values["unknown"] or values["file_problem"]):
        raise InvalidInput({"people": "Pick at least one person."})
    return list(values["people"])


PEOPLE = Criterion(
    key="people",
    holds=("people",),
    suffices=True,
    read=_read,
    write=_write,
    check=nothing_wrong,
    mentions=mentions_nothing,
    opening=1,
    says=_says,
    rules=(
        Rule(
            key="people",
            noun="a list of people",
            bind=_bind,
            now=_now,
            history=Recorded(
                then=_now,  # the list is part of the criteria
                moves=Moved(
                    joined=("picked", "was picked by hand", "were picked by hand"),
                    left=("unpicked", "is no longer picked", "are no longer picked"),
                ),
            ),
            implies=(),
            step=None,
            proved_by=_proved_by,
            asks=lambda criteria, names: "people picked by hand",
            came=lambda criteria, names: "picked by hand",
            went=lambda criteria, names: "no longer picked by hand",
            reads=(),
            shows=shows_nothing,
            lacks=lambda stored: Lack(
                f"{stored.verb} not among the people picked by hand", then=False
            ),
        ),
    ),
    form=Field(
        ways=frozenset(("people",)),
        place="people",
        template="campaigns/criteria/_people.html",
        inputs={"people": _take},
        fill=lambda criteria: {"people": criteria.people or ()},
        read=_read_form,
    ),
    option=Option(
        "--people",
        "file",
        False,
        None,
        "Exactly the people of this CSV.",
        lambda given: given,
    ),
    given=Given(
        list[Annotated[int, Limit(ge=1, le=LARGEST_ID)]],
        MAX_PEOPLE,
        "Ids of people picked by hand.",
    ),
)
