"""`flask campaign`: write, schedule, watch and stop campaigns."""

from typing import Any

import click
from flask import current_app

from rollcall.actors import Actor
from rollcall.audience.comparison import compare_with_now
from rollcall.audience.funnel import STEPS
from rollcall.campaigns.copies import top_up_campaign
from rollcall.campaigns.document import campaign_document
from rollcall.campaigns.drafts import NEEDS_TIME, CampaignDraft, create_campaign, find_campaign
from rollcall.campaigns.listing import list_campaigns
from rollcall.campaigns.scheduling import (
    cancel_campaign,
    pause_campaign,
    resume_campaign,
    schedule_campaign,
    send_campaign_now,
)
from rollcall.campaigns.segment_base import describe_segment_base
from rollcall.cli.common import acting, acting_options, command_group, emit, json_option
from rollcall.cli.criteria import create_people_option, criteria_options, read_criteria
from rollcall.errors import InvalidInput
from rollcall.explanations.recipients import (
    export_recipients,
    list_recipients,
    read_recipient_filter,
)
from rollcall.extensions import db
from rollcall.models import AudienceMode, Campaign, Channel, OnFailure, Organisation, QuietHours
from rollcall.monitoring.chores import run_chores
from rollcall.sending.due import run_due_campaigns
from rollcall.sending.review import REVIEW_DECISIONS, review_campaign
from rollcall.wording import (
    say_change,
    say_count,
    say_money,
    say_number,
    say_people,
    say_reason,
    say_state,
    say_time,
    say_wait,
)


def dry_run_lines(document: dict[str, Any]) -> list[str]:
    """Return what a campaign's document says of its dry run; nothing for one that is none."""
    found = document["dry_run"]
    if found is None:
        return []
    lines = [
        f"Dry run            at most {found['limit']} messages, all to {found['address']}; "
        "nobody of the list is messaged"
    ]
    if found["cost"] is not None:
        lines.append(f"  the real one costs about {say_money(found['cost'], found['currency'])}")
    lines += [f"  would have stopped for review: {text}" for text in found["would_stop"]]
    lines += [f"  would have warned: {text}" for text in found["warnings"]]
    if found["quiet_hours"] and found["quiet_hours"]["people"]:
        lines.append(f"  in their quiet hours: {say_people(found['quiet_hours']['people'])}")
    for message in found["messages"]:
        text = " | ".join(filter(None, (message["subject"], message["message"])))
        lines.append(f"  {message['outcome'].replace('_', ' ')}: {text} – {message['answer']}")
    return lines


@command_group("campaign")
def campaign_commands() -> None:
    """Write, schedule, watch and stop campaigns."""


@campaign_commands.command("create")
@click.option("--name", required=True)
@click.option("--channel", type=click.Choice([channel.value for channel in Channel]), required=True)
@click.option("--message", required=True)
@click.option("--subject", default="")
@click.option("--link", default="", help="What %%LINK%% becomes.")
@criteria_options
@create_people_option
@click.option("--at", "local_time", metavar="2026-11-29T10:00", help="Schedule for local time.")
@click.option("--timezone", help="The zone of --at (default: the organisation's).")
@click.option(
    "--repeated", type=click.Choice(["earlier", "later"]), help="For an hour that comes twice."
)
@click.option(
    "--quiet-hours",
    type=click.Choice([choice.value for choice in QuietHours]),
    default="wait",
    show_default=True,
    help="Let people in their quiet hours wait, skip them, or send all the same (admins only).",
)
@click.option("--not-after", metavar="2026-11-29T18:00", help="Send nothing after this local time.")
@click.option("--now", "at_once", is_flag=True, help="Send as soon as the scheduler looks.")
@click.option(
    "--snapshot-mode",
    metavar="reuse|refresh",
    help="With --segment: freeze from its snapshot (reuse, default) or a new one (refresh).",
)
@click.option(
    "--bump-version", is_flag=True, help="With --segment: make a new version of it first."
)
@click.option(
    "--force",
    "force_snapshot",
    is_flag=True,
    help="With --segment: take another snapshot even where there is one.",
)
@click.option("--draft", is_flag=True, help="Only store it; schedule it later.")
@click.option(
    "--dry-run",
    "dry_run_address",
    metavar="ADDRESS",
    help="Message nobody: go the whole way, and send some of the messages to ADDRESS only.",
)
@click.option("--dry-run-limit", type=int, metavar="N", help="How many, at most 50 (default: 5).")
@click.option("--reprocess", is_flag=True, help="Compute the audience again at send time.")
@click.option(
    "--audience-mode",
    type=click.Choice([mode.value for mode in AudienceMode]),
    help="Instead of --reprocess; removals and additions change the frozen list one way only.",
)
@click.option(
    "--min-growth", type=int, metavar="P", help="Re-process only from a growth of P percent."
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=VALUE",
    help="A stricter limit: growth_percent, growth_people, ceiling, fall_percent, fall_stops, "
    "minimum or budget.",
)
@click.option(
    "--on-failure", type=click.Choice([choice.value for choice in OnFailure]), default="fail"
)
@acting_options
@json_option
def create(org_slug: str | None, as_email: str | None, as_json: bool, **options: Any) -> None:
    """Create a campaign; with --at or --now it is scheduled and its audience frozen."""
    actor = acting(org_slug, as_email)
    draft = _read_draft(actor, db.session.get_one(Organisation, actor.organisation_id), options)
    campaign_id = create_campaign(actor, draft)
    if options["at_once"] and not options["draft"]:
        _send(actor, campaign_id)
    elif draft.local_time and not options["draft"]:
        _schedule(actor, campaign_id)
    show_campaign(actor, campaign_id, as_json)


def _read_draft(actor: Actor, organisation: Organisation, options: dict[str, Any]) -> CampaignDraft:
    if options["at_once"] and options["local_time"]:
        raise InvalidInput({"--now": "Choose --now or --at, not both."})
    if _read_mode(options).computes_again and not options["local_time"]:
        raise InvalidInput({"--reprocess": NEEDS_TIME})
    return CampaignDraft(
        name=options["name"],
        channel=Channel(options["channel"]),
        message=options["message"],
        subject=options["subject"],
        link=options["link"],
        criteria=read_criteria(organisation, options, actor if options["create_people"] else None),
        audience_mode=_read_mode(options),
        min_growth=options["min_growth"],
        guard_limits=_read_limits(options["limits"]),
        on_failure=OnFailure(options["on_failure"]),
        local_time=options["local_time"],
        timezone=options["timezone"] or organisation.timezone,
        repeated=options["repeated"],
        quiet_hours=QuietHours(options["quiet_hours"]),
        not_after=options["not_after"],
        snapshot_mode=options["snapshot_mode"],
        bump_version=options["bump_version"],
        force_snapshot=options["force_snapshot"],
        dry_run_address=options["dry_run_address"],
        dry_run_limit=options["dry_run_limit"],
    )


def _read_mode(options: dict[str, Any]) -> AudienceMode:
    mode = options["audience_mode"]
    if mode is None:
        return AudienceMode.REPROCESS if options["reprocess"] else AudienceMode.FROZEN
    if options["reprocess"] and mode == AudienceMode.FROZEN:
        raise InvalidInput({"--audience-mode": "A frozen list is not re-processed: choose one."})
    return AudienceMode(mode)


def _read_limits(given: tuple[str, ...]) -> dict[str, Any] | None:
    limits: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput({"--limit": f"{text!r} can't be read; write growth_percent=50."})
        limits[name.strip()] = value == "true" if name.strip() == "fall_stops" else value
    return limits or None


def _schedule(actor: Actor, campaign_id: int) -> None:
    schedule_campaign(actor, campaign_id, real_email=_sends_real_email())


def _send(actor: Actor, campaign_id: int) -> None:
    send_campaign_now(actor, campaign_id, real_email=_sends_real_email())


def _sends_real_email() -> bool:
    return current_app.extensions["rollcall"].reaches_people(Channel.EMAIL)


@campaign_commands.command("list")
@acting_options
@json_option
def list_(org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """List the newest campaigns."""
    actor = acting(org_slug, as_email)
    found = list_campaigns(actor.organisation_id, limit=100)
    emit(
        [campaign_document(campaign) for campaign in found] if as_json else None,
        as_json,
        [_line(campaign) for campaign in found] or "There is no campaign yet.",
    )


@campaign_commands.command("show")
@click.argument("campaign_id", metavar="ID", type=int)
@acting_options
@json_option
def show(campaign_id: int, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Show a campaign: what it says, both counts, and what became of it."""
    show_campaign(acting(org_slug, as_email), campaign_id, as_json)


@campaign_commands.command("recipients")
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--status")
@click.option("--change", help="kept, joined or left")
@click.option("--reason")
@click.option("--source")
@acting_options
@json_option
def recipients(
    campaign_id: int,
    as_csv: bool,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
    **filters: str | None,
) -> None:
    """List the people of a campaign and what became of each."""
    actor = acting(org_slug, as_email)
    campaign = find_campaign(actor.organisation_id, campaign_id)
    wanted = read_recipient_filter({name: word or "" for name, word in filters.items()})
    if as_csv:
        for piece in export_recipients(campaign.id, wanted):
            click.echo(piece, nl=False)
        return
    rows = list_recipients(campaign.id, wanted, limit=1_000_000)
    emit(
        [row.to_json() for row in rows] if as_json else None,
        as_json,
        (
            f"{row.person_id:>8}  {row.change:<6}  {row.state.key:<10}  {row.name}"
            + (f"  ({row.reason.key})" if row.reason else "")
            for row in rows
        ),
    )


@campaign_commands.command("preview")
@click.argument("campaign_id", metavar="ID", type=int)
@acting_options
@json_option
def preview(campaign_id: int, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Show who would get it if it were sent now, beside the estimate."""
    actor = acting(org_slug, as_email)
    campaign = find_campaign(actor.organisation_id, campaign_id)
    comparison = compare_with_now(campaign)
    emit(comparison.to_json(), as_json, comparison.sentence())


def _verb(name: str, change: Any, told: str) -> None:
    """Add a command that makes one change of state and says what the campaign is now."""

    @campaign_commands.command(name, help=told)
    @click.argument("campaign_id", metavar="ID", type=int)
    @acting_options
    @json_option
    def command(
        campaign_id: int, org_slug: str | None, as_email: str | None, as_json: bool
    ) -> None:
        actor = acting(org_slug, as_email)
        change(actor, campaign_id)
        show_campaign(actor, campaign_id, as_json)


_verb("schedule", _schedule, "Freeze the audience and put the campaign on the clock.")
_verb("send", _send, "Freeze the audience and make the campaign due at once.")
_verb("cancel", cancel_campaign, "Stop a campaign for good.")
_verb("pause", pause_campaign, "Stop sending within one batch.")
_verb("resume", resume_campaign, "Let a paused campaign go on.")


@campaign_commands.command("top-up")
@click.argument("campaign_id", metavar="ID", type=int)
@acting_options
@json_option
def top_up(campaign_id: int, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Write a draft for those who joined a completed campaign's audience since."""
    actor = acting(org_slug, as_email)
    show_campaign(actor, top_up_campaign(actor, campaign_id), as_json)


@campaign_commands.command("review")
@click.argument("campaign_id", metavar="ID", type=int)
@click.option("--decision", type=click.Choice(REVIEW_DECISIONS), required=True)
@click.option("--reason", default="", help="Why; kept in the audit trail.")
@acting_options
@json_option
def review(
    campaign_id: int,
    decision: str,
    reason: str,
    org_slug: str | None,
    as_email: str | None,
    as_json: bool,
) -> None:
    """Decide on a campaign that waits for it, within what your role allows."""
    actor = acting(org_slug, as_email)
    review_campaign(actor, campaign_id, decision, reason=reason)
    show_campaign(actor, campaign_id, as_json)


@campaign_commands.command("send-due")
@json_option
def send_due(as_json: bool) -> None:
    """Run every campaign that is due, see to what else waits, then exit (for cron)."""
    settings = current_app.extensions["rollcall"]
    run = run_due_campaigns(settings)
    run_chores(settings)
    emit({"campaigns": run}, as_json, f"Ran {say_count(len(run), 'campaign')}.")


def show_campaign(actor: Actor, campaign_id: int, as_json: bool) -> None:
    """Print the campaign as it stands now."""
    db.session.expire_all()
    campaign = find_campaign(actor.organisation_id, campaign_id)
    document = campaign_document(campaign)
    emit(document, as_json, _lines(campaign, document))


def _line(campaign: Campaign) -> str:
    people = campaign.actual_recipients
    if people is None:
        people = campaign.estimated_recipients
    count = "-" if people is None else say_number(people)
    return f"{campaign.id:>6}  {say_state(campaign.state):<13} {count:>9}  {campaign.name}"


def _lines(campaign: Campaign, document: dict[str, Any]) -> list[str]:
    metadata, results = document["metadata"], document["results"]
    lines = [f"Campaign {campaign.id}: {campaign.name} ({say_state(campaign.state)})"]
    if campaign.scheduled_at:
        zone = campaign.scheduled_timezone or campaign.organisation.timezone
        lines.append(f"Scheduled          {say_time(campaign.scheduled_at, zone)}")
    if campaign.not_after:
        zone = campaign.scheduled_timezone or campaign.organisation.timezone
        lines.append(f"Not after          {say_time(campaign.not_after, zone)}")
    lines += [*_segment_lines(campaign), *dry_run_lines(document)]
    if campaign.state_note:
        lines.append(campaign.state_note)
    estimate, final = metadata["estimated_recipients"], metadata["actual_recipients"]
    if estimate is not None:
        lines.append(f"Original estimate  {say_people(estimate)}")
    if final is not None:
        change = say_change(
            metadata["audience_change_absolute"], metadata["audience_change_percent"]
        )
        lines.append(f"Final audience     {say_people(final)}   ({change})")
        lines += _change_lines(document)
        lines.append(
            f"sent {say_number(results['sent'] + results['delivered'])} · "
            f"held back {say_number(results['held_back'])} · "
            f"failed {say_number(results['failed'])} · "
            f"cost {say_money(results['cost'], results['currency'])}"
        )
    lines += _waiting_lines(campaign, results["waiting"])
    for text in (metadata["audience_note"], metadata["reprocess_error"]):
        if text:
            lines.append(text)
    return lines


def _segment_lines(campaign: Campaign) -> list[str]:
    base = describe_segment_base(campaign)
    return [f"Segment            {base}"] if base else []


def _change_lines(document: dict[str, Any]) -> list[str]:
    metadata = document["metadata"]
    lines = []
    if metadata["joined"]:
        lines.append(f"  joined  {say_number(metadata['joined'])}")
    if metadata["left"]:
        reasons = _say_reasons(document, metadata["left_by_reason"])
        lines.append(f"  left    {say_number(metadata['left'])}   ({reasons})")
    funnel = metadata["audience_snapshot"]["at_send"]["funnel"]
    left_out = {step.key: funnel[step.key] for step in STEPS if funnel.get(step.key)}
    if left_out:
        number = say_number(sum(left_out.values()))
        lines.append(f"Left out           {number}   ({_say_reasons(document, left_out)})")
    return lines


def _waiting_lines(campaign: Campaign, waiting: dict[str, int]) -> list[str]:
    said = [
        say_wait(reason, people, campaign.organisation.quiet_until)
        for reason, people in waiting.items()
    ]
    return [", ".join(said)] if said else []


def _say_reasons(document: dict[str, Any], counts: dict[str, int]) -> str:
    criteria = document["targeting_criteria"]
    # Damaged criteria are shown as they stand, as a text: then no window is known.
    hours = criteria["recent_message_hours"] if isinstance(criteria, dict) else 72
    return ", ".join(
        f"{say_number(people)} {say_reason(reason, people, document['channel'], hours)}"
        for reason, people in counts.items()
    )
