"""The demo's segments with their snapshots, and the plan of its event."""

from collections.abc import Sequence
from decimal import Decimal

from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria, ScoreRange
from rollcall.plans.items import BatchDecision, FinishedGood, PlanItems, Recipe
from rollcall.plans.records import lock_plan, set_plan, start_production
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment
from rollcall.segments.snapshots import ensure_segment_snapshot

PLAN = PlanItems(
    recipes=(Recipe("Gift box", "gift-box", Decimal(50)), Recipe("Punch", "punch", Decimal(40))),
    finished_goods=(
        FinishedGood("Gift boxes", "gift-boxes", Decimal(300), Decimal(1)),
        FinishedGood("Glasses of punch", "glasses-of-punch", Decimal(600), Decimal("1.5")),
        FinishedGood("Painted aprons", "painted-aprons", Decimal(24)),
    ),
    batch_decisions=(
        BatchDecision("Gift box", "gift-box", "gift-box", Decimal(6), Decimal(50)),
        BatchDecision("Punch", "punch", "punch", Decimal(15), Decimal(40)),
    ),
)


def add_segments(actor: Actor, event: str, crew: Sequence[int]) -> None:
    """Add a segment that will grow with the event, one by score in two versions, and a list."""
    create_segment(actor, SegmentDraft("At Art Battle Toronto", Criteria(events=(event,))))
    create_segment(actor, SegmentDraft("Regulars", Criteria(frequency=ScoreRange(4, 5))))
    create_segment(actor, SegmentDraft("Crew", people=tuple(crew)))
    for slug in ("at-art-battle-toronto", "regulars", "crew"):
        ensure_segment_snapshot(actor, slug)
    generous = Criteria(frequency=ScoreRange(4, 5), monetary=ScoreRange(4, 5))
    edit_segment(actor, "regulars", SegmentDraft("Regulars", generous))
    ensure_segment_snapshot(actor, "regulars")


def add_plan(actor: Actor, event: str) -> None:
    """Put the event's plan into production while few have registered: it will be outgrown."""
    set_plan(actor, event, PLAN)
    lock_plan(actor, event)
    start_production(actor, event)
