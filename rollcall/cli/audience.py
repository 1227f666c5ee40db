"""`flask audience`: who would get a message, and why the others would not."""

from datetime import datetime
from typing import Any

import click

from rollcall.audience.funnel import EXCLUSIONS
from rollcall.audience.preview import Preview, preview_audience
from rollcall.cli.common import acting, acting_options, command_group, emit, json_option
from rollcall.cli.criteria import criteria_options, read_criteria
from rollcall.extensions import db
from rollcall.models import Channel, Organisation
from rollcall.walltime import resolve_wall_time
from rollcall.wording import say_clock, say_count, say_money, say_number, say_reason, say_source

# An exclusion was asked for, so that its line is shown also where it leaves out nobody.
EXCLUDED = tuple(reason.key for reason in EXCLUSIONS)


@command_group("audience")
def audience_commands() -> None:
    """See who a campaign would reach."""


@audience_commands.command("preview")
@criteria_options
@click.option("--channel", type=click.Choice([channel.value for channel in Channel]), default="sms")
@click.option("--at", "local_time", metavar="2026-11-29T10:00", help="As of this local time.")
@click.option("--timezone", help="The zone of --at (default: the organisation's).")
@acting_options
@json_option
def preview(
    channel: str,
    local_time: str | None,
    timezone: str | None,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
    **targeting: Any,
) -> None:
    """Show the funnel: matched, each step that leaves people out, reachable."""
    actor = acting(org_slug, as_email)
    organisation = db.session.get_one(Organisation, actor.organisation_id)
    found = preview_audience(
        organisation.id,
        read_criteria(organisation, targeting),
        Channel(channel),
        _moment(local_time, timezone or organisation.timezone),
    )
    emit(found.to_json(), as_json, preview_lines(found, channel))


def _moment(local_time: str | None, timezone: str) -> datetime | None:
    if local_time is None:
        return None
    return resolve_wall_time(local_time, timezone, field="--at", timezone_field="--timezone")


def preview_lines(preview: Preview, channel: str) -> list[str]:
    """Return the funnel as lines for people."""
    funnel = preview.funnel.to_json()
    lines = [f"{say_number(funnel['reachable']):>9}  people will get this"]
    lines += [
        f"{say_number(people):>9}  {say_source(source)}"
        for source, people in preview.funnel.by_source_json().items()
        if people
    ]
    lines.append(f"of {say_number(funnel['matched'])} matched; left out:")
    lines += [
        f"{say_number(people):>9}  {say_reason(step, people, channel)}"
        for step, people in funnel.items()
        if step not in ("matched", "reachable") and (people or step in EXCLUDED)
    ]
    if preview.quiet and preview.quiet.people:
        lines.append(
            f"{say_number(preview.quiet.people)} of these "
            f"{'is' if preview.quiet.people == 1 else 'are'} in their quiet hours at that time "
            f"and would wait until {say_clock(preview.quiet.hours.opens)} at theirs"
        )
    lines.append(
        f"cost {say_money(preview.cost, preview.currency)}, "
        f"{say_count(preview.parts_each, 'SMS part')} each"
        if channel == Channel.SMS
        else f"cost {say_money(preview.cost, preview.currency)}"
    )
    return lines
