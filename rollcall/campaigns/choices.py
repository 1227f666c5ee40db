"""What staff chose for the moment of sending, in words: on the plan, and again on the results."""

from rollcall.campaigns.guards import describe_limits
from rollcall.campaigns.judging import campaign_limits
from rollcall.campaigns.segment_base import SegmentBase
from rollcall.models import AudienceMode, Campaign, OnFailure

MODE_WORDS = {
    AudienceMode.FROZEN: "The list stays as it is frozen",
    AudienceMode.REPROCESS: "The audience is computed again",
    AudienceMode.REMOVALS: "Those who no longer match are left out, and nobody joins",
    AudienceMode.ADDITIONS: "Those who match since join, and nobody leaves",
}


def describe_choices(campaign: Campaign, base: SegmentBase | None) -> list[tuple[str, str]]:
    """Return each choice as a label and a sentence without its full stop.

    A frozen campaign has only the one: its list is not computed again, so nothing can stop it.
    """
    mode = AudienceMode(campaign.audience_mode)
    if not mode.computes_again:
        return [("At send time", MODE_WORDS[mode])]
    failing = campaign.on_failure == OnFailure.ESTIMATE
    choices = [("At send time", f"{MODE_WORDS[mode]}{_describe_base(base)}")]
    if campaign.min_growth is not None:
        text = f"{campaign.min_growth} % or more; else the frozen list is used"
        choices.append(("Only if it grew by", text))
    return [
        *choices,
        ("Stops for review", describe_limits(campaign_limits(campaign))),
        ("If that fails", "The frozen list is used" if failing else "Nothing is sent"),
    ]


def _describe_base(base: SegmentBase | None) -> str:
    if base is None:
        return ""
    return f", by version {base.version}'s definition" if base.pinned else ", by the live segment"
