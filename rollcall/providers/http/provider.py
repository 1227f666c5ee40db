"""Text messages over HTTP, one request each, through a gateway that a file describes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rollcall.providers.base import Finding, Outcome, OutgoingMessage, ProviderError
from rollcall.providers.declaration import Declaration, Provider
from rollcall.providers.http.file import Described, Gateway, Send, read_gateway
from rollcall.providers.http.filling import fill, fill_text, values_of, write_form, write_json
from rollcall.providers.http.judging import NO_LOG_IN, fits_status, judge, say_rules
from rollcall.providers.http.proofs import prove
from rollcall.providers.http.webhooks import INBOUND, REPORTS, ROUTES
from rollcall.providers.http_line import (
    Address,
    GatewayLine,
    HttpLine,
    is_loopback,
    read_address,
)
from rollcall.providers.settings import setting

_CHECK_SECONDS = 5.0
_AGENT = {"User-Agent": "Rollcall"}
_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}
_PROVED = {
    "refused": "refused for this recipient",
    "opted_out": "refused, since the recipient is opted out at the carrier",
    "later": "not taken now; tried again later for this recipient",
    "too_many": "too many requests; the whole provider rests",
    "account": "nothing is taken from our account; the provider stops",
}


@dataclass(frozen=True)
class HttpSettings:
    """The gateway that text messages go through, None where no file describes one."""

    described: Described | None = setting(
        "HTTP_PROVIDER_FILE",
        "the path of the file that describes the gateway. A mistake in it stops the start, with "
        "the field's name",
        read=read_gateway,
    )


class HttpProvider(Provider):
    """Hands messages to a gateway one at a time, over kept lines."""

    def __init__(self, settings: HttpSettings) -> None:
        self._described = settings.described
        self.declaration = _declare(settings.described)
        self.address = read_address(self._gateway.send.url) if settings.described else None

    @property
    def _gateway(self) -> Gateway:
        assert self._described is not None
        return self._described.gateway

    @property
    def host(self) -> str | None:
        """The machine that takes the messages."""
        return self.address.host if self.address else None

    def connect(self, timeout: float) -> GatewayLine:
        """Return a line that is opened when first used."""
        return GatewayLine(self, timeout)

    def missing(self) -> list[str]:
        """Say that no gateway is described, where none is: mistakes in a file stop the start."""
        if self._described is not None:
            return []
        return ["HTTP_PROVIDER_FILE is not set: write a file that describes the gateway."]

    def reports_to(self, public_url: str) -> bool:
        """Return False where the gateway reports nothing, or could not reach the address."""
        if self._described is None or self._gateway.receipts is None:
            return False
        return not is_loopback(public_url) or is_loopback(self._gateway.send.url)

    def hand_over(self, line: HttpLine, message: OutgoingMessage) -> Outcome:
        """Ask once for one message and judge the answer by the file's rules."""
        assert self._described is not None
        assert self.address is not None
        request = describe_request(self._gateway.send, self.address, message)
        answer = line.ask(request.method, request.target, request.headers, request.body)
        return judge(self._described, answer, message.token)

    def check(self) -> list[Finding]:
        """Look whether the gateway can be reached, and lets us in where the file says how to ask.

        Sends nothing to anybody.
        """
        missing = self.missing()
        if missing or self.address is None:
            return [Finding(False, text) for text in missing]
        findings = [Finding(True, "The file that describes the gateway is complete.")]
        try:
            return [*findings, self._ask()]
        except ProviderError as error:
            return [*findings, Finding(False, error.text)]

    def _ask(self) -> Finding:
        """Ask what the file's table `check` names; without one only open a line and close it."""
        table = self._gateway.check_with
        address = read_address(table.url) if table else self.address
        assert address is not None
        line = HttpLine(address, _CHECK_SECONDS)
        try:
            if table is None:
                line.reach()
                text = f"{address.authority} takes connections; whether it lets us in is not tried."
                return Finding(True, text)
            auth = self._gateway.send.auth
            proof = prove(auth, table.url, _AGENT, b"") if auth else {}
            answer = line.ask("GET", address.target, _AGENT | proof)
        finally:
            line.close()
        said = f"{address.authority} answers {answer.status}"
        if fits_status(table.status, answer.status):
            return Finding(True, f"{said}, as it should.")
        if fits_status(NO_LOG_IN.status, answer.status):
            return Finding(False, f"{said}: it does not accept the log-in. Check send.auth.")
        return Finding(False, f"{said} and not {' or '.join(table.status)}: check check.url.")


@dataclass(frozen=True)
class Request:
    """A request as it goes over the line."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def describe_request(send: Send, address: Address, message: OutgoingMessage) -> Request:
    """Return the request that sends one message."""
    fields = fill(send.fields, message)
    target, body = address.target, b""
    if send.body == "query":
        joint = "&" if "?" in target else "?"
        target += joint + write_form(fields).decode("ascii")
    else:
        body = write_json(fields) if send.body == "json" else write_form(fields)
    values = values_of(message)
    headers = dict(_AGENT)
    if send.body in _TYPES:
        headers["Content-Type"] = _TYPES[send.body]
    headers |= {name: fill_text(text, values) for name, text in send.headers.items()}
    if send.auth is not None:
        given = {name.lower(): value for name, value in headers.items()}
        url = f"{address.scheme}://{address.authority}{target}"
        headers |= prove(send.auth, url, given, body)
    return Request(send.method, target, headers, body)


def _declare(described: Described | None) -> Declaration:
    """Return what the provider declares, with what the file says of the gateway."""
    if described is None:
        return DECLARATION
    gateway = described.gateway
    return replace(
        DECLARATION,
        label=gateway.label,
        rate=gateway.rate,
        receipts="webhook" if gateway.receipts else "none",
        proves_refusal=(DECLARATION.proves_refusal[0], *say_rules(described, _PROVED)),
        inbound=INBOUND if gateway.inbound else None,
        reports=REPORTS if gateway.receipts and not gateway.sends_receipt_url else None,
    )


DECLARATION = Declaration(
    name="http",
    label="HTTP gateway",
    channels=("sms",),
    settings=HttpSettings,
    make=lambda settings, _folder: HttpProvider(settings),
    proves_refusal=(
        "The gateway's name is unknown, or it can't be connected to.",
        "An answer that a rule of its file calls a refusal.",
        "401 and 407: it does not accept the log-in. 429: too many requests.",
    ),
    leaves_doubt=(
        "The request went out and no answer came in time, or only a part of one.",
        "The line broke after the request began to go out.",
        "An answer that no rule of the gateway's file knows.",
    ),
    receipts="webhook",
    ids_in_receipts=True,
    routes=ROUTES,
    inbound=INBOUND,
    reports=REPORTS,
)
HttpProvider.declaration = DECLARATION
