"""`flask alert`: what staff must know of."""

import click

from rollcall.accounts.alerts import alert_document, close_alert, list_open_alerts
from rollcall.cli.common import acting, acting_options, command_group, emit, json_option


@command_group("alert")
def alert_commands() -> None:
    """What staff must know of, until somebody has seen to it."""


@alert_commands.command("list")
@acting_options
@json_option
def list_(org_slug: str | None, as_email: str | None, as_json: bool) -> None:
    """List the open alerts, the newest first."""
    found = list_open_alerts(acting(org_slug, as_email).organisation_id)
    emit(
        [alert_document(alert) for alert in found],
        as_json,
        [f"{alert.id:>6}  {alert.text}" for alert in found] or "No alert is open.",
    )


@alert_commands.command("close")
@click.argument("alert_id", metavar="ID", type=int)
@acting_options
def close(alert_id: int, org_slug: str | None, as_email: str | None) -> None:
    """Close an alert that somebody has seen to."""
    close_alert(acting(org_slug, as_email), alert_id)
    click.echo("Closed.")
