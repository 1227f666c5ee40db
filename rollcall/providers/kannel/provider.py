"""Kannel: a gateway of one's own, asked over the HTTP interface of its smsbox.

The answers are those of gw/smsbox.c, version 1.4.5, and of the user's guide, chapter 6 ("SMS
push") and chapter 7 (delivery reports).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus, urlencode

from rollcall.providers.base import Finding, Outcome, OutgoingMessage, ProviderError
from rollcall.providers.declaration import Declaration, Provider
from rollcall.providers.http_line import (
    GatewayLine,
    HttpLine,
    HttpResponse,
    doubt,
    read_address,
    read_retry_after,
)
from rollcall.providers.kannel.webhooks import INBOUND, ROUTES, fits_gsm
from rollcall.providers.settings import setting

# Delivered, failed, taken by the network, refused by it: all but "buffered" (4), which says no
# more than "taken" does.
_RECEIPTS_WANTED = 1 + 2 + 8 + 16
_ACCEPTED = ("0: Accepted for delivery", "3: Queued for later delivery", "Sent.")
_NO_LOG_IN = "Authorization failed"
_NOT_ROUTABLE = "Not routable"
_TRY_LATER = "Temporal failure"
_NO_RECEIVER = "Missing receiver"
_CHECK_SECONDS = 5.0
_CHECK_LOG_IN = (
    "Kannel did not accept the log-in: check KANNEL_USERNAME, KANNEL_PASSWORD, and whether "
    "user-allow-ip of its sendsms-user lets this machine in."
)

# What smsbox says with 400, how it reads for staff, and whether everybody's message would meet
# the same.
_REFUSALS = (
    (
        "Number(s) has/have been denied",
        "The gateway's white or black list refuses this number, or it is no phone number.",
        False,
    ),
    (_NO_RECEIVER, "The gateway got no phone number.", False),
    ("Empty receiver", "The gateway got no phone number.", False),
    (
        "Sender missing",
        "The gateway knows no sender: set KANNEL_FROM, or global-sender in its settings.",
        True,
    ),
    (
        "DLR-URL field misformed",
        "The gateway can't use the address for receipts: PUBLIC_URL must begin with http:// or "
        "https://.",
        True,
    ),
    ("Charset or body misformed", "The gateway can't read the text of this message.", False),
)


@dataclass(frozen=True)
class KannelSettings:
    """Kannel's sendsms interface."""

    url: str = setting(
        "KANNEL_URL",
        "the whole address of sendsms: `http://127.0.0.1:13013/cgi-bin/sendsms`. What stands "
        "after a `?` there is sent along each time (`?smsc=…`, for example)",
    )
    username: str = setting("KANNEL_USERNAME", "the `username` of Kannel's `sendsms-user`")
    password: str = setting("KANNEL_PASSWORD", "its `password`")
    sender: str = setting(
        "KANNEL_FROM",
        "the sender: a number, a short code or a name. Left out, the gateway's own "
        "`global-sender` holds",
    )


class Kannel(Provider):
    """Hands messages to Kannel one at a time, over kept lines."""

    def __init__(self, settings: KannelSettings) -> None:
        self._settings = settings
        self.address = read_address(settings.url)

    @property
    def host(self) -> str | None:
        """The machine on which smsbox listens."""
        return self.address.host if self.address else None

    def connect(self, timeout: float) -> GatewayLine:
        """Return a line that is opened when first used."""
        return GatewayLine(self, timeout)

    def missing(self) -> list[str]:
        """Say which settings are missing or unusable, one sentence each."""
        values = self._settings
        found = []
        if not values.url:
            found.append(
                "KANNEL_URL is not set: give the whole address of sendsms, such as "
                "http://127.0.0.1:13013/cgi-bin/sendsms."
            )
        elif self.address is None:
            found.append("KANNEL_URL is no web address: it begins with http:// or https://.")
        if not values.username:
            found.append("KANNEL_USERNAME is not set: give the username of Kannel's sendsms-user.")
        if not values.password:
            found.append("KANNEL_PASSWORD is not set: give the password of Kannel's sendsms-user.")
        return found

    def check(self) -> list[Finding]:
        """Look whether the settings are complete, Kannel answers and the log-in is accepted.

        Asks to send a message to nobody, which Kannel refuses after it has looked at the log-in.
        """
        missing = self.missing()
        if missing or self.address is None:
            return [Finding(False, text) for text in missing]
        findings = [Finding(True, "The settings are complete.")]
        line = HttpLine(self.address, _CHECK_SECONDS)
        try:
            answer = line.ask("GET", self.target({}), {})
        except ProviderError as error:
            return [*findings, Finding(False, error.text)]
        finally:
            line.close()
        findings.append(Finding(True, f"{self.address.authority} answers."))
        if answer.status == 400 and answer.text.startswith(_NO_RECEIVER):
            return [*findings, Finding(True, "Kannel accepts the log-in.")]
        error = self.read_refusal(answer)
        if error.in_doubt or not error.provider_wide:
            text = f"{self.address.authority} does not answer as Kannel does ({answer.status})."
            return [*findings, Finding(False, text)]
        return [*findings, Finding(False, error.text)]

    def target(self, values: Mapping[str, str]) -> str:
        """Return what to ask the server for: sendsms with the log-in and the values."""
        log_in = {"username": self._settings.username, "password": self._settings.password}
        query = urlencode({**log_in, **values}, errors="replace")
        target = self.address.target if self.address else "/"
        return f"{target}{'&' if '?' in target else '?'}{query}"

    def describe(self, message: OutgoingMessage) -> dict[str, str]:
        """Return the values of sendsms for one message."""
        values = {
            "to": message.address,
            "text": message.text,
            "charset": "UTF-8",
            "coding": "0" if fits_gsm(message.text) else "2",
        }
        if self._settings.sender:
            values["from"] = self._settings.sender
        if message.receipt_url is not None:
            values["dlr-mask"] = str(_RECEIPTS_WANTED)
            values["dlr-url"] = _receipt_address(message.receipt_url)
        return values

    def hand_over(self, line: HttpLine, message: OutgoingMessage) -> Outcome:
        """Ask once for one message and read the answer; Kannel gives no ids."""
        answer = line.ask("GET", self.target(self.describe(message)), {})
        if answer.status in (200, 202) and answer.text.startswith(_ACCEPTED):
            return Outcome(message.token)
        return Outcome(message.token, error=self.read_refusal(answer))

    def read_refusal(self, answer: HttpResponse) -> ProviderError:
        """Return the error that an answer stands for which is no acceptance."""
        status, code = answer.status, str(answer.status)
        said = self._quote(answer.text)
        if status == 403:
            if said.startswith(_NOT_ROUTABLE):
                return ProviderError(
                    "403-not-routable", "None of the gateway's networks carries this number."
                )
            return ProviderError(code, _CHECK_LOG_IN, provider_wide=True)
        if status == 400:
            return _read_bad_request(said)
        if status == 429:
            return ProviderError(
                code,
                "The gateway asks for fewer messages at a time.",
                permanent=False,
                provider_wide=True,
                retry_after=read_retry_after(answer.headers),
            )
        if status == 503 and said.startswith(_TRY_LATER):
            return ProviderError(
                code,
                "The gateway can't take messages at the moment.",
                permanent=False,
                provider_wide=True,
                retry_after=read_retry_after(answer.headers),
            )
        if status in (401, 404, 405, 407):
            return ProviderError(
                code,
                f"Kannel's sendsms is not at the address in KANNEL_URL: {status} came from there.",
                provider_wide=True,
            )
        return doubt(code, f"The gateway answered {status}: nobody knows if it took the message.")

    def _quote(self, text: str) -> str:
        """Return the first words of an answer, without the password should it stand in them."""
        password = self._settings.password
        for form in {password, quote(password), quote(password, safe=""), quote_plus(password)}:
            text = text.replace(form, "…") if form else text
        line = " ".join("".join(c if c.isprintable() else " " for c in text[:2000]).split())
        return line[:160]


def _receipt_address(url: str) -> str:
    """Return the address for receipts with Kannel's escape codes: the status and its reason."""
    joint = "&" if "?" in url else "?"
    return f"{url.replace('%', '%%')}{joint}status=%d&reply=%A&smsc=%i"


def _read_bad_request(said: str) -> ProviderError:
    for beginning, text, everybody in _REFUSALS:
        if said.startswith(beginning):
            return ProviderError("400", text, provider_wide=everybody)
    return ProviderError("400", f"The gateway refused the message: {said}")


DECLARATION = Kannel.declaration = Declaration(
    name="kannel",
    label="Kannel",
    channels=("sms",),
    settings=KannelSettings,
    make=lambda settings, _folder: Kannel(settings),
    proves_refusal=(
        "The gateway's name is unknown, or it can't be connected to.",
        "400: the gateway names what it does not accept.",
        "403: wrong user name or password, or no network carries this number.",
        "404: the address in KANNEL_URL is not that of sendsms.",
        "429: too many requests.",
        "503 with Kannel's own words “Temporal failure, try again later.”",
    ),
    leaves_doubt=(
        "The request went out and no answer came in time, or only a part of one.",
        "The line broke after the request began to go out.",
        "500, 502, 504, a 503 in other words than Kannel's, or any other answer.",
    ),
    receipts="webhook",
    routes=ROUTES,
    inbound=INBOUND,
)
