"""Slugs and segments are looked up once: previews and explanations take a few statements."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rollcall.audience.criteria import CampaignChoice, Criteria, ScoreRange, SegmentChoice
from rollcall.campaigns.draft_preview import preview_draft
from rollcall.campaigns.drafts import create_campaign
from rollcall.events.attendance import cancel_attendance
from rollcall.explanations.explain import explain_campaign
from rollcall.models import Source
from rollcall.people.records import block_person
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment
from rollcall.segments.snapshots import ensure_segment_snapshot
from tests.campaigns.stage import SUNDAY, SUNDAY_UTC, Stage
from tests.counting import counted_statements
from tests.factories import make_event

MOST_OF_A_PREVIEW = 5
MOST_OF_AN_EXPLANATION = 9
ON_VIP = Criteria(segment=SegmentChoice("vip"))
CRITERIA = {
    "events": Criteria(events=("show", "fair"), sources=(Source.REGISTRATION, Source.QR_SCAN)),
    "segment": ON_VIP,
    "pinned": Criteria(segment=SegmentChoice("vip", version=1)),
    "narrowed": Criteria(events=("show",), segment=SegmentChoice("vip"), cities=("Toronto",)),
    "scores": Criteria(events=("show",), recency=ScoreRange(1, 5), cities=("Toronto",)),
    "excluded": replace(ON_VIP, exclude_events=("gala",)),
}


@pytest.fixture
def set_up(stage: Stage) -> dict[str, int]:
    """An event's people by what becomes of them, a segment of it, and an earlier campaign."""
    for slug in ("fair", "gala"):
        make_event(stage.organisation, slug)
    kept, left, blocked = stage.people(3)
    [nobody] = stage.people(1, attending=None)
    create_segment(stage.actor, SegmentDraft("VIP", Criteria(events=("show",))))
    return {"kept": kept, "left": left, "blocked": blocked, "nobody": nobody}


@pytest.mark.parametrize("snapshot", [False, True], ids=["live", "snapshot"])
@pytest.mark.parametrize("name", CRITERIA)
def test_a_preview_takes_five_statements(stage: Stage, set_up: Any, name: str, snapshot: bool):
    if snapshot:
        ensure_segment_snapshot(stage.actor, "vip")
    draft = stage.draft(criteria=CRITERIA[name], local_time=SUNDAY)
    if draft.criteria.segment is not None:
        draft = replace(draft, snapshot_mode="reuse")
    with counted_statements() as statements:
        organisation = stage.organisation
        statements.clear()
        preview = preview_draft(organisation, draft)
    assert preview.audience is not None, preview.problems
    assert len(statements) <= MOST_OF_A_PREVIEW, "\n".join(statements)


@pytest.mark.parametrize("state", ["draft", "scheduled", "sent"])
@pytest.mark.parametrize("name", CRITERIA)
def test_an_explanation_takes_nine_statements(stage: Stage, set_up: Any, name: str, state: str):
    draft = stage.draft(criteria=CRITERIA[name])
    if state == "draft":
        campaign_id = create_campaign(stage.actor, draft)
    else:
        campaign_id = stage.for_sunday(True, criteria=CRITERIA[name])
    stage.clock.shift(timedelta(days=1))
    [set_up["joined"]] = stage.people(1, attending=None)
    stage.attend([set_up["joined"]])
    cancel_attendance(stage.actor, stage.event_id, set_up["left"])
    block_person(stage.actor, set_up["blocked"], "a test")
    edit_segment(stage.actor, "vip", SegmentDraft("VIP", Criteria(events=("show", "fair"))))
    if state == "sent":
        stage.run_due(SUNDAY_UTC)
    for who, person_id in set_up.items():
        with counted_statements() as statements:
            said = explain_campaign(stage.organisation_id, campaign_id, person_id)
        listed = "\n".join(statements)
        assert len(statements) <= MOST_OF_AN_EXPLANATION, f"{who}: {said.sentence}\n{listed}"


def test_leaving_out_a_campaign_costs_one_more_look_up(stage: Stage, set_up: Any):
    """What can be named at all, all at once: segments, events and campaigns are one look each."""
    earlier = stage.at_once()
    stage.run_due()
    everything = replace(
        CRITERIA["narrowed"],
        recency=ScoreRange(1, 5),
        exclude_events=("gala",),
        exclude_segments=(SegmentChoice("vip", version=1),),
        exclude_campaigns=(CampaignChoice(earlier),),
    )
    draft = replace(stage.draft(criteria=everything, local_time=SUNDAY), snapshot_mode="reuse")
    with counted_statements() as statements:
        organisation = stage.organisation
        statements.clear()
        assert preview_draft(organisation, draft).audience is not None
    assert len(statements) <= MOST_OF_A_PREVIEW + 1, "\n".join(statements)
