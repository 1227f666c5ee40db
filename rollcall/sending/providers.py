"""How the providers of this installation do, in sentences for staff.

Nothing here holds a password or a token. The addresses to be entered at a provider are for
admins only, since most hold the secret by which webhooks prove themselves.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rollcall import clock
from rollcall.actors import Actor
from rollcall.config import Settings
from rollcall.extensions import db, end_reading
from rollcall.models import Channel, ProviderState, Role
from rollcall.providers.base import Finding
from rollcall.providers.declaration import Declaration, Provider
from rollcall.providers.registry import provider_for
from rollcall.providers.webhooks import SECRET, EnteredAddress
from rollcall.sending.references import webhook_url
from rollcall.wording import say_relative, say_time

_RECEIPTS = {
    "webhook": "They come back by webhook.",
    "session": "They come back over the session.",
    "none": "None: what was accepted stays “sent”.",
}
TONES = {
    "works": "good",
    "untried": "neutral",
    "doubtful": "warn",
    "resting": "warn",
    "failing": "bad",
    "not_set_up": "bad",
}


@dataclass(frozen=True)
class ProviderOverview:
    """One channel, who carries it, and how that does: `state` in a word, `sentence` for people."""

    channel: Channel
    name: str
    declaration: Declaration
    state: str
    sentence: str
    rate: float | None
    last_success_at: datetime | None

    @property
    def tone(self) -> str:
        """Return how the state is coloured."""
        return TONES[self.state]

    @property
    def limit(self) -> str:
        """Return the rate limit in words."""
        if self.rate is None:
            return "None"
        return f"{self.rate:g} messages a second, of all processes together"

    @property
    def receipts(self) -> str:
        """Return in words how delivery receipts come back."""
        return _RECEIPTS[self.declaration.receipts]

    def to_json(self) -> dict[str, Any]:
        """Return the overview as the API and the command line give it."""
        return {
            "channel": str(self.channel),
            "provider": self.name,
            "label": self.declaration.label,
            "state": self.state,
            "sentence": self.sentence,
            "rate": self.rate,
            "receipts": self.declaration.receipts,
            "proves_refusal": list(self.declaration.proves_refusal),
            "leaves_doubt": list(self.declaration.leaves_doubt),
            "last_success_at": (
                self.last_success_at.strftime("%Y-%m-%dT%H:%M:%SZ")
                if self.last_success_at
                else None
            ),
        }


def list_providers(settings: Settings, zone: str = "UTC") -> list[ProviderOverview]:
    """Return for each channel its provider and how that does, moments as clocks in `zone` show."""
    return [read_provider(settings, channel, zone) for channel in Channel]


def read_provider(settings: Settings, channel: Channel, zone: str = "UTC") -> ProviderOverview:
    """Return who carries a channel and how that does, as far as any process knows."""
    provider = provider_for(settings, channel)
    row = db.session.get(ProviderState, provider.name)
    state, sentence = _judge(provider, row, zone)
    return ProviderOverview(
        channel=channel,
        name=provider.name,
        declaration=provider.declaration,
        state=state,
        sentence=sentence,
        rate=settings.send_rate or provider.declaration.rate,
        last_success_at=row.succeeded_at if row else None,
    )


def check_provider(actor: Actor, settings: Settings, channel: Channel) -> list[Finding]:
    """Ask the channel's provider whether it can be reached with our settings; sends nothing.

    Takes an admin.
    """
    actor.require(Role.ADMIN)
    end_reading()  # the provider may take seconds
    return provider_for(settings, channel).check()


@dataclass(frozen=True)
class AddressToEnter:
    """An address that staff enter at the provider, and where it is entered there.

    `secret`: it holds the secret of this installation.
    """

    label: str
    url: str
    secret: bool


def inbound_address(settings: Settings, provider: Provider) -> AddressToEnter | None:
    """Return where the provider is to bring what people write; None for no such address."""
    return _address(settings, provider, provider.declaration.inbound)


def reports_address(settings: Settings, provider: Provider) -> AddressToEnter | None:
    """Return where the provider is to report; None where each message carries the address."""
    return _address(settings, provider, provider.declaration.reports)


def addresses_to_enter(settings: Settings, channel: Channel) -> list[AddressToEnter]:
    """Return the addresses that are to be entered at the channel's provider."""
    provider = provider_for(settings, channel)
    found = (inbound_address(settings, provider), reports_address(settings, provider))
    return [address for address in found if address is not None]


def _address(
    settings: Settings, provider: Provider, entered: EnteredAddress | None
) -> AddressToEnter | None:
    route = provider.declaration.route(entered.route) if entered else None
    if entered is None or route is None:
        return None
    url = webhook_url(settings, provider.name, route.path)
    query = f"?{entered.query}" if entered.query else ""
    return AddressToEnter(entered.label, url + query, SECRET in route.path)


def _judge(provider: Provider, row: ProviderState | None, zone: str) -> tuple[str, str]:
    missing = provider.missing()
    if missing:
        return "not_set_up", f"Not set up: {' '.join(missing)}"
    if row is None:
        return "untried", "Set up, and no message has gone through it yet."
    said = _end_sentence(row.error_text)
    if row.open_since is not None:
        return "failing", (
            f"Failing since {say_time(row.open_since, zone)}: {said} Its campaigns are paused: "
            "mend it, send a test, and resume them."
        )
    now = clock.now()
    if row.resting_until is not None and row.resting_until > now:
        until = row.resting_until.astimezone(ZoneInfo(zone))
        return "resting", (
            f"Resting until {until:%H:%M:%S}: {said} Nothing is lost: whoever is left waits."
        )
    if row.failures:
        return "doubtful", (
            f"The last answer was no success: {said} One message goes first, to try it."
        )
    if row.succeeded_at is None:
        return "untried", "Set up, and no message has gone through it yet."
    return "works", f"Works: the last message was taken {say_relative(row.succeeded_at, now)}."


def _end_sentence(text: str) -> str:
    text = text.strip() or "it gave no reason"
    return text if text[-1] in ".!?…" else f"{text}."
