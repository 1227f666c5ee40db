"""`flask provider`: who carries the messages, and whether that works."""

import click
from flask import current_app

from rollcall.actors import Actor
from rollcall.cli.common import Failure, acting, acting_options, command_group, emit, json_option
from rollcall.models import Channel
from rollcall.providers.registry import provider_for
from rollcall.sending.providers import (
    check_provider,
    inbound_address,
    list_providers,
    read_provider,
    reports_address,
)
from rollcall.sending.trial import describe_answer, send_trial

CHANNELS = click.Choice([channel.value for channel in Channel])


@command_group("provider")
def provider_commands() -> None:
    """Who carries the messages, and whether that works."""


@provider_commands.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show for each channel its provider, how that does, and where people's replies are to come."""
    settings = current_app.extensions["rollcall"]
    lines, documents = [], []
    for one in list_providers(settings):
        provider = provider_for(settings, one.channel)
        addresses = {
            "inbound_address": inbound_address(settings, provider),
            "receipts_address": reports_address(settings, provider),
        }
        urls = {name: address.url if address else None for name, address in addresses.items()}
        documents.append({**one.to_json(), **urls})
        lines.append(f"{one.channel:<5}  {one.declaration.label}  {one.sentence}")
        for what, url in zip(("replies", "receipts"), urls.values(), strict=True):
            if url:
                lines.append(f"       {what} are to come to {url}")
    emit(documents, as_json, lines)


@provider_commands.command("check")
@click.argument("channel", type=CHANNELS, required=False)
@acting_options
@json_option
def check(channel: str | None, org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """Ask the provider of one channel, or of both, whether it can be reached; sends nothing."""
    actor = acting(org_slug, as_email)
    channels = [Channel(channel)] if channel else list(Channel)
    documents, lines = zip(*(_check(actor, one) for one in channels), strict=True)
    emit(documents, as_json, [line for some in lines for line in some])
    if any(not finding["ok"] for document in documents for finding in document["findings"]):
        raise click.exceptions.Exit(1)


def _check(actor: Actor, channel: Channel) -> tuple[dict, list[str]]:
    settings = current_app.extensions["rollcall"]
    label = read_provider(settings, channel).declaration.label
    findings = check_provider(actor, settings, channel)
    document = {
        "channel": str(channel),
        "findings": [{"ok": finding.ok, "text": finding.text} for finding in findings],
    }
    lines = [
        f"{'ok' if finding.ok else 'mend':<5} {label} ({channel}): {finding.text}"
        for finding in findings
    ]
    return document, lines


@provider_commands.command("test")
@click.argument("channel", type=CHANNELS)
@click.option("--phone", default="", help="Where a text message is to go.")
@acting_options
def test(channel: str, phone: str, org_slug: str | None, as_email: str | None) -> None:
    """Send one test: an e-mail to whoever acts, a text message to --phone."""
    settings = current_app.extensions["rollcall"]
    actor = acting(org_slug, as_email)
    outcome = send_trial(actor, settings, Channel(channel), phone)
    said = describe_answer(settings, Channel(channel), outcome)
    if outcome.error is not None:
        raise Failure(said)
    click.echo(said)
