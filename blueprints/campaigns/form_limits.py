"""The part of the campaign form about re-processing: in which direction, from when, how far."""

from typing import Any

from rollcall.models import AudienceMode, Campaign

# The limits that a campaign can set for itself in the form, by their names as limits.
LIMITS = ("growth_percent", "ceiling", "minimum", "budget")
PREFIX = "limit_"
DIRECTIONS = tuple(mode.value for mode in AudienceMode if mode.computes_again)


def reprocess_values(campaign: Campaign) -> dict[str, Any]:
    """Return the fields as a stored campaign has them."""
    mode = AudienceMode(campaign.audience_mode)
    limits = campaign.guard_limits or {}
    return {
        "reprocess": mode.computes_again,
        "direction": mode.value if mode.computes_again else AudienceMode.REPROCESS.value,
        "min_growth": "" if campaign.min_growth is None else str(campaign.min_growth),
        **{PREFIX + name: "" if limits.get(name) is None else str(limits[name]) for name in LIMITS},
    }


def read_reprocessing(values: Any, problems: dict[str, str]) -> dict[str, Any]:
    """Return what the draft is given; what can't be read is named in the problems."""
    if not values.reprocess:
        return {"audience_mode": AudienceMode.FROZEN}
    if values.direction not in DIRECTIONS:
        problems["direction"] = f"Choose one of {', '.join(DIRECTIONS)}."
        return {"audience_mode": AudienceMode.REPROCESS}
    typed = {name: getattr(values, PREFIX + name).strip() for name in LIMITS}
    return {
        "audience_mode": AudienceMode(values.direction),
        "min_growth": _whole_percent(values.min_growth, problems),
        "guard_limits": {name: text for name, text in typed.items() if text} or None,
    }


def _whole_percent(typed: str, problems: dict[str, str]) -> int | None:
    text = typed.replace("%", "").replace(",", "").strip()
    if not text:
        return None
    if not text.isdecimal() or len(text) > 6:
        problems["min_growth"] = "Give whole percent, such as 20, or leave it empty."
        return None
    return int(text)
