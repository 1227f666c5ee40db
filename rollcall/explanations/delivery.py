"""What became of somebody's message on its way out, as a sentence's first half."""

from dataclasses import dataclass

from rollcall.explanations.context import Context
from rollcall.explanations.verdicts import Standing, Verdict
from rollcall.models import Attempt, CampaignState, Reason, Recipient, RecipientState

_WAITS = {
    Reason.QUIET_HOURS: "it is too early or too late in the day where they are",
    Reason.PROVIDER_BUSY: "the provider could not take it, and it will be tried again",
}
_AGAIN = "Whether the first message went out can't be known, and staff decided to send it again"


@dataclass(frozen=True)
class Fate:
    """What became of a message: the verdict, and the words without a full stop."""

    verdict: Verdict
    text: str


def say_fate(context: Context, standing: Standing, held: str = "") -> Fate:
    """Return what became of the message of somebody on the final list.

    `held` says why it was held back, where it was.
    """
    recipient = standing.recipient
    if recipient is None:
        return Fate(Verdict.NOT_ON_LIST, "Not on the list")
    again = _say_decided(standing, recipient)
    if again is not None:
        return again
    state, attempt = recipient.state, standing.last_attempt
    if state == RecipientState.HELD_BACK:
        when = f" on {context.say(recipient.held_at)}" if recipient.held_at else ""
        return Fate(Verdict.HELD_BACK, f"Held back{when}: {held}")
    if state == RecipientState.CANCELLED:
        return Fate(Verdict.NOT_SENT, _say_ended(context))
    if state in (RecipientState.QUEUED, RecipientState.CLAIMED):
        return Fate(Verdict.WAITING, _say_waiting(context, recipient))
    return _say_attempt(context, state, attempt)


def _say_attempt(context: Context, state: RecipientState, attempt: Attempt | None) -> Fate:
    on = f" on {context.say(attempt.started_at)}" if attempt is not None else ""
    if state == RecipientState.WIRING:
        return Fate(Verdict.WAITING, f"On its way to the provider, handed over{on}")
    if state == RecipientState.FAILED:
        return Fate(Verdict.FAILED, f"Failed{on}: {_say_error(attempt)}")
    if state == RecipientState.IN_DOUBT:
        return Fate(
            Verdict.IN_DOUBT,
            f"In doubt: whether the message that was tried{on} went out can't be known",
        )
    if state == RecipientState.DELIVERED:
        arrived = attempt.receipt_at if attempt is not None else None
        reported = f", and reported as delivered on {context.say(arrived)}" if arrived else ""
        return Fate(Verdict.GOT, f"Got it: sent{on}{reported or ', and delivered'}")
    return Fate(Verdict.GOT, f"Got it: sent{on}")


def _say_error(attempt: Attempt | None) -> str:
    if attempt is None or not (attempt.error_text or attempt.error_code):
        return "the provider refused it"
    return f"the provider said “{attempt.error_text or attempt.error_code}”"


def _say_ended(context: Context) -> str:
    campaign = context.campaign
    when = f" on {context.say(campaign.completed_at)}" if campaign.completed_at else ""
    verb = "failed" if campaign.state == CampaignState.FAILED else "was cancelled"
    return f"Not sent: the campaign {verb}{when} before their message went out"


def _say_waiting(context: Context, recipient: Recipient) -> str:
    if recipient.state == RecipientState.CLAIMED:
        return "About to go out"
    if context.campaign.state == CampaignState.NEEDS_REVIEW:
        return "Waiting for a decision in review"
    if context.campaign.state == CampaignState.PAUSED:
        return "Waiting to go out: the campaign is paused"
    if recipient.held_reason is None:
        return "Waiting to go out"
    until = f" until {context.say(recipient.not_before)}" if recipient.not_before else ""
    return f"Waiting{until}: {_WAITS.get(recipient.held_reason, 'it can’t go out yet')}"


def _say_decided(standing: Standing, recipient: Recipient) -> Fate | None:
    """Return what is said where staff decided on a message in doubt, None where they did not."""
    decided, state = standing.decided, recipient.state
    if decided is None:
        return None
    if decided.resolution == "sent":
        if state != RecipientState.SENT:
            return None  # what came later is known for sure
        return Fate(
            Verdict.GOT,
            "Counted as sent by staff: whether the message went out can't be known",
        )
    said = {
        RecipientState.QUEUED: (Verdict.WAITING, "that one is waiting to go out"),
        RecipientState.CLAIMED: (Verdict.WAITING, "that one is about to go out"),
        RecipientState.WIRING: (Verdict.WAITING, "that one is on its way to the provider"),
        RecipientState.SENT: (Verdict.GOT, "that one was sent, so they may have it twice"),
        RecipientState.DELIVERED: (Verdict.GOT, "one was delivered, and they may have it twice"),
        RecipientState.IN_DOUBT: (Verdict.IN_DOUBT, "that one is in doubt as well"),
    }.get(state)
    return Fate(said[0], f"{_AGAIN}: {said[1]}") if said else None
