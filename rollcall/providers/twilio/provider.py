"""Twilio: messages over its HTTP API, one request each, with no retry of its own."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode

from rollcall.providers.base import Finding, Outcome, OutgoingMessage, ProviderError
from rollcall.providers.declaration import Declaration, Provider
from rollcall.providers.http_line import (
    GatewayLine,
    HttpLine,
    HttpResponse,
    doubt,
    is_loopback,
    read_address,
    read_retry_after,
)
from rollcall.providers.settings import setting
from rollcall.providers.twilio.codes import error_of
from rollcall.providers.twilio.webhooks import FAILED, INBOUND, ROUTES, read_code

_CHECK_SECONDS = 5.0
_FIND_SECONDS = 10.0
_NEWEST_LOOKED_AT = 100
# Twilio's clock and ours may differ a little.
_CLOCKS_DIFFER = timedelta(seconds=5)
_LONGEST_NAME = 11  # of an alphanumeric sender
_TRIAL_PREFIX = "Sent from your Twilio trial account - "


@dataclass(frozen=True)
class TwilioSettings:
    """Twilio's HTTP API; `sender` is a number, an alphanumeric sender or a service (MG…)."""

    base_url: str = setting(
        "TWILIO_BASE_URL",
        "only for another region or for tests; else `https://api.twilio.com`",
        default="https://api.twilio.com",
        read=lambda text, _environ: text.rstrip("/"),
    )
    account_sid: str = setting(
        "TWILIO_ACCOUNT_SID", "stands on the first page of Twilio's console (`AC…`)"
    )
    auth_token: str = setting(
        "TWILIO_AUTH_TOKEN",
        "stands beside it. It also proves that a receipt really comes from Twilio",
    )
    sender: str = setting(
        "TWILIO_FROM",
        "a number of the account (`+1…`), a sender's name of up to 11 characters, or a messaging "
        "service (`MG…`)",
    )


class Twilio(Provider):
    """Hands messages to Twilio one at a time, over kept lines; can be asked what it took."""

    def __init__(self, settings: TwilioSettings) -> None:
        self._settings = settings
        self.address = read_address(settings.base_url)

    @property
    def host(self) -> str | None:
        """The machine that answers as Twilio."""
        return self.address.host if self.address else None

    def reports_to(self, public_url: str) -> bool:
        """Return False where Twilio could not reach the address: it would refuse the message."""
        return not is_loopback(public_url) or is_loopback(self._settings.base_url)

    def connect(self, timeout: float) -> GatewayLine:
        """Return a line that is opened when first used."""
        return GatewayLine(self, timeout)

    def missing(self) -> list[str]:
        """Say which settings are missing or unusable, one sentence each."""
        values = self._settings
        found = []
        if self.address is None:
            found.append("TWILIO_BASE_URL is no web address: it begins with http:// or https://.")
        if not values.account_sid:
            found.append("TWILIO_ACCOUNT_SID is not set: it stands in Twilio's console (AC…).")
        if not values.auth_token:
            found.append("TWILIO_AUTH_TOKEN is not set: it stands beside the account's SID.")
        if not values.sender:
            found.append(
                "TWILIO_FROM is not set: give a number of the account, a sender's name, or a "
                "messaging service (MG…)."
            )
        return found

    def check(self) -> list[Finding]:
        """Look whether the settings are complete, Twilio answers and the account may send."""
        missing = self.missing()
        if missing:
            return [Finding(False, text) for text in missing]
        findings = [Finding(True, "The settings are complete.")]
        try:
            answer = self._ask_once(self.target(".json"), _CHECK_SECONDS)
        except ProviderError as error:
            return [*findings, Finding(False, error.text)]
        host = self.address.authority if self.address else ""
        findings.append(Finding(True, f"{host} answers."))
        account = _read_json(answer)
        if answer.status == 200 and _text(account, "status"):
            return findings + _judge_account(account)
        error = read_refusal(answer)
        unlike = f"{host} does not answer as Twilio does ({answer.status})."
        return [*findings, Finding(False, unlike if error.in_doubt else error.text)]

    def find(self, message: OutgoingMessage, since: datetime) -> Outcome | None:
        """Return what became of the message at Twilio, None where it knows nothing of it.

        It is known by its number, its text and the time that Twilio took it, `since` or later:
        Twilio keeps no reference of ours. Raises ProviderError where Twilio can't be asked.
        """
        if self.missing():
            raise ProviderError("settings", " ".join(self.missing()), provider_wide=True)
        # Not by DateSent: a message that Twilio has queued was not sent yet, and has none.
        query = urlencode({"To": message.address, "PageSize": _NEWEST_LOOKED_AT})
        answer = self._ask_once(self.target(f"/Messages.json?{query}"), _FIND_SECONDS)
        if answer.status != 200:
            raise read_refusal(answer)
        for record in _read_json(answer).get("messages") or []:
            if _is_of(record, message, since - _CLOCKS_DIFFER):
                return _outcome_of(record, message.token)
        return None

    def target(self, rest: str) -> str:
        """Return the path of the account's resource."""
        root = self.address.target.rstrip("/") if self.address else ""
        return f"{root}/2010-04-01/Accounts/{quote(self._settings.account_sid, safe='')}{rest}"

    def headers(self) -> dict[str, str]:
        """Return what goes with each request, the log-in included."""
        log_in = f"{self._settings.account_sid}:{self._settings.auth_token}".encode()
        return {
            "Authorization": "Basic " + b64encode(log_in).decode("ascii"),
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "Rollcall",
        }

    def describe(self, message: OutgoingMessage) -> bytes:
        """Return the form that sends one message."""
        sender = self._settings.sender
        is_service = sender.startswith("MG") and len(sender) > _LONGEST_NAME
        values = {
            "To": message.address,
            "MessagingServiceSid" if is_service else "From": sender,
            "Body": message.text,
        }
        if message.receipt_url is not None:
            values["StatusCallback"] = message.receipt_url
        return urlencode(values, errors="replace").encode("ascii")

    def hand_over(self, line: HttpLine, message: OutgoingMessage) -> Outcome:
        """Ask once for one message and read the answer."""
        target = self.target("/Messages.json")
        answer = line.ask("POST", target, self.headers(), self.describe(message))
        record = _read_json(answer)
        if answer.status in (200, 201) and _text(record, "sid"):
            return _outcome_of(record, message.token)
        return Outcome(message.token, error=read_refusal(answer))

    def _ask_once(self, target: str, timeout: float) -> HttpResponse:
        assert self.address is not None
        line = HttpLine(self.address, timeout)
        try:
            return line.ask("GET", target, self.headers())
        finally:
            line.close()


def read_refusal(answer: HttpResponse) -> ProviderError:
    """Return the error that an answer stands for which is no acceptance."""
    status, said = answer.status, _read_json(answer)
    retry_after = read_retry_after(answer.headers)
    code = said.get("code")
    if 400 <= status < 500 and isinstance(code, int):
        return error_of(code, status, _shorten(_text(said, "message")), retry_after)
    if status == 429:
        return error_of(20429, status, "", retry_after)
    if status in (401, 403, 404, 405, 407):
        # None of Twilio's answers. Each of these says that the request was not let through, so
        # that a server between us and Twilio turned it away.
        text = f"A server before Twilio turned the request away ({status}): check TWILIO_BASE_URL."
        return ProviderError(str(status), text, provider_wide=True)
    return doubt(str(status), f"Twilio answered {status}: nobody knows if it took the message.")


def _judge_account(account: Mapping[str, Any]) -> list[Finding]:
    status = _text(account, "status")
    if status != "active":
        text = f"The Twilio account is {_shorten(status)}: look at its console."
        return [Finding(False, text)]
    findings = [Finding(True, "Twilio accepts the log-in, and the account is active.")]
    if _text(account, "type") == "Trial":
        text = "This is a trial account, which sends only to numbers verified in its console."
        findings.append(Finding(False, text))
    return findings


def _is_of(record: Any, message: OutgoingMessage, since: datetime) -> bool:
    if not isinstance(record, dict) or not _text(record, "direction").startswith("outbound"):
        return False
    body = _text(record, "body").removeprefix(_TRIAL_PREFIX).strip()
    if _text(record, "to") != message.address or body != message.text.strip():
        return False
    try:
        return parsedate_to_datetime(_text(record, "date_created")) >= since
    except (ValueError, TypeError):
        return False


def _outcome_of(record: Mapping[str, Any], token: int) -> Outcome:
    if _text(record, "status") not in FAILED:
        return Outcome(token, provider_message_id=_text(record, "sid"))
    code = read_code(record.get("error_code"))
    if code is None:
        text = "Twilio took the message and could not send it."
        return Outcome(token, error=ProviderError(_text(record, "status"), text))
    return Outcome(token, error=error_of(code, 400, _text(record, "error_message"), None))


def _read_json(answer: HttpResponse) -> dict[str, Any]:
    """Return the object in an answer's body, an empty one where there is none."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""


def _shorten(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text[:2000]).split())[:200]


DECLARATION = Twilio.declaration = Declaration(
    name="twilio",
    label="Twilio",
    channels=("sms",),
    settings=TwilioSettings,
    make=lambda settings, _folder: Twilio(settings),
    proves_refusal=(
        "Twilio's name is unknown, or it can't be connected to.",
        "4xx with one of Twilio's error codes: refused, as the code says.",
        "401, 403, 404, 405 or 407 from a server between: it did not pass the request on.",
        "429: too many requests.",
    ),
    leaves_doubt=(
        "The request went out and no answer came in time, or only a part of one.",
        "The line broke after the request began to go out.",
        "500, 502, 503, 504, or any answer without Twilio's own words.",
    ),
    receipts="webhook",
    lookup=True,
    routes=ROUTES,
    inbound=INBOUND,
)
