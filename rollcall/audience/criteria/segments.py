"""People of a segment, and people of other segments who are left out."""

from collections.abc import Hashable, Mapping
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic import Field as Limit

from rollcall.audience.criteria.criterion import (
    EVERY_WAY,
    Asked,
    Criterion,
    Field,
    FormData,
    Given,
    Lack,
    Lookup,
    Mentions,
    Moved,
    Option,
    Recorded,
    Rule,
    Shown,
    Stored,
    Unkept,
    Values,
    nothing_wrong,
    shows_nothing,
    take_text,
)
from rollcall.audience.criteria.reading import at_most, is_id, is_number
from rollcall.audience.criteria.values import (
    MAX_EXCLUSIONS,
    Criteria,
    Names,
    SegmentChoice,
    either,
)
from rollcall.errors import InvalidInput
from rollcall.models import Reason

LARGEST_ID = 2**31 - 1
_SAY = 'Give a segment\'s slug, or {"slug": "vip", "version": 4}.'
_ID = {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}
_SLUG = {"type": "string", "minLength": 1, "maxLength": 200}


class SegmentReference(BaseModel):
    """A segment by its slug: live, or one of its versions."""

    model_config = ConfigDict(extra="forbid")

    slug: Annotated[str, Limit(min_length=1, max_length=200)]
    version: Annotated[int, Limit(ge=1, le=LARGEST_ID)] | None = None


def or_plain(
    key: str, kind: type, plain: dict[str, Any], rest: dict[str, Any], say: str
) -> tuple[Any, Any]:
    """Let a plain slug or number stand for the object that holds nothing else."""

    def read(value: Any) -> Any:
        if not isinstance(value, dict) and type(value) is not kind:
            raise ValueError(say)
        return value if isinstance(value, dict) else {key: value}

    described = {
        "anyOf": [
            plain,
            {
                "type": "object",
                "properties": {key: plain, **rest},
                "required": [key],
                "additionalProperties": False,
            },
        ]
    }
    return BeforeValidator(read), WithJsonSchema(described)


_VERSION = {"anyOf": [_ID, {"type": "null"}], "description": "The live one when left out."}
SegmentGiven = Annotated[
    SegmentReference, *or_plain("slug", str, _SLUG, {"version": _VERSION}, _SAY)
]


def _read_choice(value: Any) -> SegmentChoice:
    given: Any = {"slug": value} if isinstance(value, str) else value
    if not isinstance(given, Mapping) or given.keys() - {"slug", "version", "snapshot"}:
        raise ValueError(_SAY)
    slug = given.get("slug")
    if not isinstance(slug, str) or not slug.strip():
        raise ValueError("Give the segment's slug.")
    numbers = {name: given.get(name) for name in ("version", "snapshot")}
    for name, number in numbers.items():
        if number is not None and not is_id(number):
            raise ValueError(f"The {name} of a segment is a whole number from 1.")
    return SegmentChoice(slug.strip(), numbers["version"], numbers["snapshot"])


def _read_word(text: str) -> dict[str, Any]:
    slug, at, version = text.partition("@")
    if at and not is_number(version):
        raise ValueError(f"{text!r} can't be read; write SLUG or SLUG@4.")
    return {"slug": slug, "version": int(version) if at else None}


# In this segment.


def _bind(criteria: Criteria, lookup: Lookup) -> tuple[Hashable, Values] | None:
    return lookup.set_of(criteria.segment, "s_") if criteria.segment else None


def _members(asked: Asked) -> Any:
    return asked.people_of(asked.shape, f"{asked.prefix}s_")


def _members_then(asked: Asked) -> Any:
    # A list and a snapshot stay as they are; whom rules gave then is not kept.
    return _members(asked) if isinstance(asked.shape, str) else None


def _lacks(stored: Stored) -> Lack:
    choice = stored.criteria.segment
    name = stored.names.segment(choice) if choice else "chosen"
    return Lack(f"{stored.verb} not in the segment {name}")


def _says(criteria: Criteria, names: Names) -> str:
    return f"of the segment {names.segment(criteria.segment)}" if criteria.segment else ""


def _name(criteria: Criteria, names: Names) -> str:
    return names.segment(criteria.segment) if criteria.segment else ""


def _fill(criteria: Criteria) -> dict[str, Any]:
    choice = criteria.segment if criteria.people is None else None
    return {
        "segment": choice.slug if choice else "",
        "segment_version": str(choice.version or "") if choice else "",
    }


def _read_form(values: Shown) -> dict[str, Any] | None:
    if values["mode"] != "segment":
        return None
    if not values["segment"]:
        raise InvalidInput({"segment": "Choose a segment."})
    version = values["segment_version"].strip()
    if version and not is_number(version):
        raise InvalidInput({"segment": "Choose one of the segment's versions, or the live one."})
    return {"slug": values["segment"], "version": int(version) if version else None}


SEGMENT = Criterion(
    key="segment",
    holds=("segment",),
    suffices=True,
    read=lambda value: {"segment": _read_choice(value)},
    write=lambda criteria: {"segment": criteria.segment.to_json()} if criteria.segment else {},
    check=nothing_wrong,
    mentions=lambda criteria: Mentions(segments=(criteria.segment,) if criteria.segment else ()),
    opening=2,
    says=_says,
    rules=(
        Rule(
            key="segment",
            noun="a segment",
            bind=_bind,
            now=_members,
            history=Recorded(
                then=_members_then,
                moves=Moved(
                    joined=("entered_segment", "came into the segment", "came into the segment"),
                    left=("left_segment", "left the segment", "left the segment"),
                ),
            ),
            implies=(),
            step=None,
            proved_by=lambda wanted, met: wanted.segment is None or wanted.segment == met.segment,
            asks=lambda criteria, names: f"people of the segment {_name(criteria, names)}",
            came=lambda criteria, names: f"now in the segment {_name(criteria, names)}",
            went=lambda criteria, names: f"no longer in the segment {_name(criteria, names)}",
            reads=(),
            shows=shows_nothing,
            lacks=_lacks,
        ),
    ),
    form=Field(
        ways=frozenset(("segment",)),
        place="segment",
        template="campaigns/criteria/_segment.html",
        inputs={"segment": take_text, "segment_version": take_text},
        fill=_fill,
        read=_read_form,
    ),
    option=Option(
        "--segment",
        "text",
        False,
        "SLUG[@VERSION]",
        "The people of this segment, live or as one of its versions says.",
        lambda text: _read_word(text) if text else None,
    ),
    given=Given(SegmentGiven, None, "People of a segment."),
)


# In none of these segments.


def _read_several(value: Any) -> dict[str, Any]:
    if not isinstance(value, list | tuple):
        raise ValueError("Give a list of segments' slugs.")
    return {"exclude_segments": at_most(tuple(dict.fromkeys(map(_read_choice, value))))}


def _write_several(criteria: Criteria) -> dict[str, Any]:
    choices = [choice.to_json() for choice in criteria.exclude_segments]
    return {"exclude_segments": choices} if choices else {}


def _bind_several(criteria: Criteria, lookup: Lookup) -> tuple[Hashable, Values] | None:
    shapes: list[Hashable] = []
    values: Values = {}
    for number, choice in enumerate(criteria.exclude_segments):
        shape, more = lookup.set_of(choice, f"x{number}_")
        shapes.append(shape)
        values |= more
    return (tuple(shapes), values) if shapes else None


def _several(asked: Asked) -> Any:
    sets = [
        asked.people_of(shape, f"{asked.prefix}x{number}_")
        for number, shape in enumerate(asked.shape)
    ]
    return sets[0] if len(sets) == 1 else sa.union_all(*sets)


def _say_several(criteria: Criteria, names: Names) -> str:
    return either([names.segment(choice) for choice in criteria.exclude_segments])


def _says_not(criteria: Criteria, names: Names) -> str:
    on = bool(criteria.exclude_segments)
    return f"who are not in the segment {_say_several(criteria, names)}" if on else ""


def _lacks_none(stored: Stored) -> Lack:
    said = _say_several(stored.criteria, stored.names)
    return Lack(f"{stored.verb} in the segment {said}, which is left out")


def _take(form: FormData, name: str) -> tuple[SegmentChoice, ...]:
    """Return the ticked ones, each SLUG or SLUG@VERSION."""
    found = []
    for text in form.getlist(name):
        slug, _, version = text.partition("@")
        found.append(SegmentChoice(slug, int(version) if is_number(version) else None))
    return tuple(dict.fromkeys(found))


EXCLUDE_SEGMENTS = Criterion(
    key="exclude_segments",
    holds=("exclude_segments",),
    suffices=False,
    read=_read_several,
    write=_write_several,
    check=nothing_wrong,
    mentions=lambda criteria: Mentions(segments=criteria.exclude_segments),
    opening=None,
    says=_says_not,
    rules=(
        Rule(
            key="exclude_segments",
            noun="a segment that is left out",
            bind=_bind_several,
            now=_several,
            history=Unkept("segments", "segment", "segment"),
            implies=(),
            step=Reason.EXCLUDED_SEGMENT,
            proved_by=lambda wanted, met: set(wanted.exclude_segments) <= set(met.exclude_segments),
            asks=lambda criteria, names: f"nobody of {_say_several(criteria, names)}",
            came=lambda criteria, names: f"no longer in {_say_several(criteria, names)}",
            went=lambda criteria, names: f"now in {_say_several(criteria, names)}",
            reads=(),
            shows=shows_nothing,
            lacks=_lacks_none,
        ),
    ),
    form=Field(
        ways=EVERY_WAY,
        place="leave_out",
        template="campaigns/_exclusions.html",
        inputs={"exclude_segments": _take},
        fill=lambda criteria: {"exclude_segments": criteria.exclude_segments},
        read=lambda values: [choice.to_json() for choice in values["exclude_segments"]],
    ),
    option=Option(
        "--exclude-segment",
        "text",
        True,
        "SLUG[@VERSION]",
        "Leave out the people of this segment.",
        lambda texts: list(map(_read_word, texts)),
    ),
    given=Given(list[SegmentGiven], MAX_EXCLUSIONS, "Leave out the people of these segments."),
)
