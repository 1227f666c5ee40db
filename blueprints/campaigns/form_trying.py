"""The part of the campaign form about safety: a dry run, and a test of the message to oneself."""

from dataclasses import dataclass
from typing import Any

from flask import current_app

from blueprints.access import current_actor, current_staff
from rollcall.audience.preview import MessageText
from rollcall.campaigns.draft_preview import DraftPreview
from rollcall.campaigns.dry_run import USUAL_MESSAGES
from rollcall.errors import InvalidInput, TooOften
from rollcall.models import Campaign
from rollcall.sending.message_trial import (
    FilledIn,
    TrialAnswer,
    fill_in_for_nobody,
    last_test_phone,
    send_message_test,
)

TEXTS = ("message", "subject", "link")


@dataclass(frozen=True)
class FormTest:
    """What became of a test that was asked for in the form: the answer, or what is wrong."""

    answer: TrialAnswer | None = None
    error: str | None = None


def dry_run_values(campaign: Campaign) -> dict[str, Any]:
    """Return the fields as a stored campaign has them."""
    return {
        "dry_run": campaign.is_dry_run,
        "dry_run_address": campaign.dry_run_address or "",
        "dry_run_limit": str(campaign.dry_run_limit or USUAL_MESSAGES),
    }


def read_dry_run(values: Any, problems: dict[str, str]) -> dict[str, Any]:
    """Return what the draft is given; what can't be read is named in the problems."""
    if not values.dry_run:
        return {}
    text = values.dry_run_limit.strip()
    limit: int | None = USUAL_MESSAGES
    if text and (not text.isdecimal() or len(text) > 6):
        problems["dry_run_limit"] = "Give a whole number, such as 5."
    elif text:
        limit = int(text)
    return {"dry_run_address": values.dry_run_address, "dry_run_limit": limit}


def own_test_phone() -> str:
    """Return the phone that whoever is logged in had their last test sent to."""
    return last_test_phone(current_staff().id)


def send_form_test(
    values: Any, preview: DraftPreview, sample_id: int | None, campaign_id: int | None
) -> FormTest:
    """Send the message as it stands in the form, filled in for the sample person shown there."""
    try:
        wrong = [preview.problems[name] for name in TEXTS if name in preview.problems]
        if wrong:
            return FormTest(error=" ".join(wrong))
        answer = send_message_test(
            current_actor(),
            current_app.extensions["rollcall"],
            _fill_in(preview, sample_id),
            values.test_phone,
            campaign_id,
        )
    except InvalidInput as error:
        return FormTest(error=" ".join(error.fields.values()))
    except TooOften as error:
        return FormTest(error=str(error))
    return FormTest(answer=answer)


def _fill_in(preview: DraftPreview, sample_id: int | None) -> FilledIn:
    draft = preview.draft
    samples = preview.audience.samples if preview.audience else []
    chosen = next((one for one in samples if one.person_id == sample_id), None)
    if chosen is not None:
        return FilledIn(draft.channel, chosen.subject, chosen.text, chosen.person_id)
    text = MessageText(draft.subject, draft.message, draft.link)
    return fill_in_for_nobody(draft.channel, text)
