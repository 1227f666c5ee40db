"""The targeting rules of an audience: a table of criteria, one row for each.

`values` says what criteria are, `criterion` what a row is; each other module holds the rows of
one subject, and `table` puts them together.
"""

from rollcall.audience.criteria.table import (
    campaign_criteria,
    check_chooses_somebody,
    criteria_from_json,
    criteria_from_text,
    criteria_to_json,
    criteria_to_text,
    describe_criteria,
)
from rollcall.audience.criteria.values import (
    DEFAULT_WINDOW_HOURS,
    MAX_EXCLUSIONS,
    MAX_PEOPLE,
    MAX_WINDOW_HOURS,
    SCORES,
    CampaignChoice,
    Criteria,
    Names,
    Reached,
    ScoreRange,
    SegmentChoice,
    either,
)

__all__ = [
    "DEFAULT_WINDOW_HOURS",
    "MAX_EXCLUSIONS",
    "MAX_PEOPLE",
    "MAX_WINDOW_HOURS",
    "SCORES",
    "CampaignChoice",
    "Criteria",
    "Names",
    "Reached",
    "ScoreRange",
    "SegmentChoice",
    "campaign_criteria",
    "check_chooses_somebody",
    "criteria_from_json",
    "criteria_from_text",
    "criteria_to_json",
    "criteria_to_text",
    "describe_criteria",
    "either",
]
