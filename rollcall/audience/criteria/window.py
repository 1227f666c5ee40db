"""The anti-spam window: who had a message shortly before is a step of every funnel.

It leaves nobody out of whom the criteria match, so that it has no rule: how it is judged stands
in `rollcall.audience.query.exclusion_reason`, which sending asks once more.
"""

from typing import Annotated, Any

from pydantic import Field as Limit

from rollcall.audience.criteria.criterion import (
    EVERY_WAY,
    Criterion,
    Field,
    FormData,
    Given,
    Option,
    Shown,
    mentions_nothing,
    nothing_wrong,
    take_text,
)
from rollcall.audience.criteria.reading import whole_number
from rollcall.audience.criteria.values import (
    DEFAULT_WINDOW_HOURS,
    MAX_WINDOW_HOURS,
    Criteria,
    Names,
)


def _read(value: Any) -> dict[str, Any]:
    if type(value) is not int or not 0 <= value <= MAX_WINDOW_HOURS:
        raise ValueError(f"Give whole hours from 0 (off) to {MAX_WINDOW_HOURS:,}, for example 72.")
    return {"window_hours": value}


def _says(criteria: Criteria, names: Names) -> str:
    hours = criteria.window_hours
    return f"who had no message in the last {hours} hours" if hours else ""


def _take(form: FormData, name: str) -> str:
    # A segment's form has no window, as each campaign sets its own.
    return take_text(form, name) if name in form else str(DEFAULT_WINDOW_HOURS)


def _read_form(values: Shown) -> Any:
    return whole_number(values["recent_message_hours"])


RECENT_MESSAGE_HOURS = Criterion(
    key="recent_message_hours",
    holds=("window_hours",),
    suffices=False,
    read=_read,
    write=lambda criteria: {"recent_message_hours": criteria.window_hours},
    check=nothing_wrong,
    mentions=mentions_nothing,
    opening=None,
    says=_says,
    rules=(),
    form=Field(
        ways=EVERY_WAY,
        place="always",
        template="campaigns/criteria/_window.html",
        inputs={"recent_message_hours": _take},
        fill=lambda criteria: {"recent_message_hours": str(criteria.window_hours)},
        read=_read_form,
    ),
    option=Option(
        "--window",
        "number",
        False,
        None,
        "Anti-spam window in hours, 0 for off.",
        lambda hours: DEFAULT_WINDOW_HOURS if hours is None else hours,
    ),
    given=Given(
        Annotated[int, Limit(ge=0, le=MAX_WINDOW_HOURS)],
        None,
        "Leave out who had a message within so many hours; 72 when left out, 0 is off.",
    ),
)
