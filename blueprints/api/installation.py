"""The installation: its providers, what staff must know of, and whether messages may go out."""

from typing import Literal

from flask import Response, current_app
from pydantic import Field

from blueprints.access import api_scope, current_actor
from blueprints.api import documents
from blueprints.api.answering import answer, answer_page
from blueprints.api.ground import api_blueprint
from blueprints.api.reading import Body
from blueprints.extensions import limiter
from rollcall.accounts.alerts import alert_document, close_alert, list_open_alerts
from rollcall.config import Settings
from rollcall.models import Channel
from rollcall.sending.installation import confirm_restored, installation_document
from rollcall.sending.providers import check_provider, list_providers
from rollcall.sending.trial import describe_answer, send_trial

api = api_blueprint("installation", "Installation")


class ChannelBody(Body):
    """Which channel's provider."""

    channel: Literal["sms", "email"]


class Trial(ChannelBody):
    """One test message: an e-mail goes to the token's own staff member."""

    phone: str = Field("", max_length=40, description="For sms: where it is to go.")


def _limit() -> str:
    return current_app.config["LOGIN_LIMIT"]


@api.get("/alerts")
@api_scope("read")
@api.output(documents.AlertPage)
def alerts() -> Response:
    """List the open alerts, the newest first"""
    found = list_open_alerts(current_actor().organisation_id)
    return answer_page(map(alert_document, found), None)


@api.post("/alerts/<int:alert_id>/close")
@api_scope("write")
@api.output(documents.ClosedDocument)
def close(alert_id: int) -> Response:
    """Close an alert that somebody has seen to

    Closing it twice changes nothing. One for the whole installation takes an admin's token.
    """
    close_alert(current_actor(), alert_id)
    return answer({"id": alert_id, "closed": True})


@api.get("/installation")
@api_scope("read")
@api.output(documents.InstallationDocument)
def show() -> Response:
    """Show whether messages may go out

    They are held after a backup was restored, until a super confirms.
    """
    return answer(installation_document())


@api.post("/installation/confirm")
@api_scope("send")
@api.output(documents.InstallationDocument)
def confirm() -> Response:
    """Let messages go out again after a backup was restored

    Takes a super's token. Campaigns that were stopped stay stopped.
    """
    confirm_restored(current_actor(), _settings())
    return answer(installation_document())


@api.get("/providers")
@api_scope("read")
@api.output(documents.ProviderPage)
def providers() -> Response:
    """List who carries which channel, and how that does"""
    return answer_page((one.to_json() for one in list_providers(_settings())), None)


@api.post("/providers/check")
@limiter.limit(_limit)
@api_scope("send")
@api.input(ChannelBody)
@api.output(documents.CheckDocument)
def check(json_data: ChannelBody) -> Response:
    """Ask a provider whether it can be reached

    Takes an admin's token; nothing is sent to anybody.
    """
    found = check_provider(current_actor(), _settings(), Channel(json_data.channel))
    findings = [{"ok": finding.ok, "text": finding.text} for finding in found]
    return answer({"channel": json_data.channel, "findings": findings})


@api.post("/providers/test")
@limiter.limit(_limit)
@api_scope("send")
@api.input(Trial)
@api.output(documents.TrialDocument)
def test(json_data: Trial) -> Response:
    """Send one test message

    Takes an admin's token.
    """
    channel = Channel(json_data.channel)
    outcome = send_trial(current_actor(), _settings(), channel, json_data.phone)
    error = outcome.error
    return answer(
        {
            "channel": json_data.channel,
            "accepted": error is None,
            "in_doubt": error is not None and error.in_doubt,
            "code": error.code if error else None,
            "text": describe_answer(_settings(), channel, outcome),
        }
    )


def _settings() -> Settings:
    return current_app.extensions["rollcall"]
