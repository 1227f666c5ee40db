"""One true sentence for a person and a campaign: before, between and after (A6, G1)."""

from datetime import timedelta

import pytest

from rollcall.audience.criteria import CampaignChoice, Criteria, ScoreRange, SegmentChoice
from rollcall.campaigns.drafts import create_campaign
from rollcall.campaigns.scheduling import cancel_campaign
from rollcall.errors import NotFound
from rollcall.events.attendance import cancel_attendance, record_attendance
from rollcall.explanations.explain import explain_campaign, list_past, list_planned
from rollcall.explanations.verdicts import Explanation, Verdict
from rollcall.extensions import db, write
from rollcall.models import AudienceMode, Campaign, Channel, LeftOut, Person, Recipient, Source
from rollcall.people.consent import opt_in_person, opt_out_person
from rollcall.people.details import PersonDraft
from rollcall.people.records import block_person, edit_person, unblock_person
from rollcall.segments.records import SegmentDraft, create_segment, edit_segment
from tests.campaigns.stage import FRIDAY, SUNDAY_UTC, Stage
from tests.factories import make_event, make_organisation, make_people, set_facts

FROZEN = "Fri 27 Nov 2026, 12:00 America/Toronto"
SATURDAY = "Sat 28 Nov 2026, 12:00 America/Toronto"
SENT = "Sun 29 Nov 2026, 10:00 America/Toronto"
ONE_DAY = timedelta(days=1)


def ask(stage: Stage, campaign_id: int, person_id: int) -> Explanation:
    db.session.expire_all()
    return explain_campaign(stage.organisation_id, campaign_id, person_id)


def say(stage: Stage, campaign_id: int, person_id: int) -> str:
    return ask(stage, campaign_id, person_id).sentence


def came(stage: Stage, person_id: int, source: Source = Source.QR_SCAN) -> None:
    """Through the verb, so that it is recorded at the moment at which it happens."""
    record_attendance(stage.actor, stage.event_id, [person_id], source)


class TestPlanned:
    def test_a_draft_says_by_what_it_matches(self, stage: Stage):
        [inside], [outside] = stage.people(1, attending=None), stage.people(1, attending=None)
        came(stage, inside, Source.REGISTRATION)
        campaign_id = create_campaign(stage.actor, stage.draft())
        found = ask(stage, campaign_id, inside)
        assert (found.verdict, found.gets_it) == (Verdict.WOULD_GET, True)
        assert found.sentence == f"Would get it as things stand: registered for Show on {FROZEN}."
        assert found.evidence[0].to_json()["event"] == "show"
        found = ask(stage, campaign_id, outside)
        assert (found.verdict, found.gets_it) == (Verdict.NOT_MATCHED, False)
        assert found.sentence == "Not matched as things stand: is not at Show."

    @pytest.mark.parametrize(
        ("values", "why"),
        [
            ({"phone": None}, "has no phone number"),
            ({"phone_invalid": True}, "has an invalid phone number"),
            ({"blocked": True}, f"blocked since {FROZEN}: “a test”"),
            ({"opted_out": "sms"}, "opted out"),
        ],
    )
    def test_a_draft_names_the_first_reason_that_applies(self, stage: Stage, values, why):
        [person_id] = make_people(stage.organisation, [values])
        stage.attend([person_id])
        campaign_id = create_campaign(stage.actor, stage.draft())
        assert say(stage, campaign_id, person_id) == f"Left out as things stand: {why}."

    @pytest.mark.parametrize(
        ("criteria", "why"),
        [
            ({"events": ("show",), "sources": (Source.QR_SCAN,)}, "has no QR scan at Show"),
            ({"recency": 3}, "has a recency score of 2, and 3 to 5 is asked for"),
            ({"frequency": 3}, "has no frequency score, and 3 to 5 is asked for"),
            ({"cities": ("Ottawa",)}, "lives in Toronto, and Ottawa is asked for"),
            ({"people": ()}, "is not among the people picked by hand"),
            ({"segment": SegmentChoice("vip")}, "is not in the segment VIP"),
        ],
    )
    def test_the_first_criterion_that_is_not_met_is_named(self, stage: Stage, criteria, why):
        scores = {
            name: ScoreRange(value, 5)
            for name, value in criteria.items()
            if name in ("recency", "frequency")
        }
        create_segment(stage.actor, SegmentDraft("VIP", people=(), slug="vip"))
        [person_id] = make_people(
            stage.organisation, [{"city": "Toronto", "scores": (2, None, None)}]
        )
        stage.attend([person_id], Source.REGISTRATION)
        if "people" in criteria:
            criteria = {"people": tuple(stage.people(1))}
        draft = stage.draft(criteria=Criteria(**{**criteria, **scores}))
        campaign_id = create_campaign(stage.actor, draft)
        assert say(stage, campaign_id, person_id) == f"Not matched as things stand: {why}."

    def test_a_cancelled_registration_is_named(self, stage: Stage):
        [person_id] = stage.people(1)
        cancel_attendance(stage.actor, stage.event_id, person_id, "refunded")
        campaign_id = create_campaign(stage.actor, stage.draft())
        assert say(stage, campaign_id, person_id) == (
            f"Not matched as things stand: got the money back for Show on {FROZEN}."
        )

    def test_a_reprocessing_campaign_asks_for_the_moment_of_sending(self, stage: Stage):
        """A message today is no reason on Sunday where the window is a day."""
        [person_id] = stage.people(1)
        first = stage.at_once(name="Doors open at 7")
        stage.run_due()
        short = Criteria(events=("show",), window_hours=24)
        assert ask(stage, stage.for_sunday(True, criteria=short), person_id).gets_it
        now = create_campaign(stage.actor, stage.draft(criteria=short))
        found = ask(stage, now, person_id)
        assert found.sentence == (
            f"Left out as things stand: had “Doors open at 7” on {FROZEN}, seconds before "
            "this one (window 24 h)."
        )
        assert found.evidence[0].details["campaign_id"] == first

    def test_a_reprocessing_campaign_takes_in_whoever_comes_later(self, stage: Stage):
        campaign_id = stage.for_sunday(True)
        [late] = stage.people(1, attending=None)
        stage.clock.shift(ONE_DAY)
        came(stage, late)
        found = ask(stage, campaign_id, late)
        assert (found.gets_it, found.change) == (True, "joined")
        assert found.sentence == (
            f"Would join the list that was frozen on {FROZEN}, and get it: "
            f"scanned a QR code at Show on {SATURDAY}."
        )

    def test_whoever_would_leave_is_told_so(self, stage: Stage):
        [person_id] = stage.people(1)
        campaign_id = stage.for_sunday(True)
        stage.clock.shift(ONE_DAY)
        opt_out_person(stage.actor, person_id, Channel.SMS, "stop word")
        found = ask(stage, campaign_id, person_id)
        assert (found.cause, found.change) == ("opted_out", "left")
        assert found.sentence == (
            f"Would leave the list that was frozen on {FROZEN}: "
            f"opted out of texts on {SATURDAY} (stop word)."
        )

    def test_a_frozen_list_takes_in_nobody_later(self, stage: Stage):
        [early] = stage.people(1)
        [late] = stage.people(1, attending=None)
        campaign_id = stage.for_sunday(False)
        stage.clock.shift(ONE_DAY)
        came(stage, late)
        assert say(stage, campaign_id, early) == (
            f"Would get it: on the list since it was frozen on {FROZEN}, and nothing holds the "
            "message back as things stand."
        )
        found = ask(stage, campaign_id, late)
        assert found.verdict is Verdict.NOT_ON_LIST
        assert found.sentence == (
            f"Not on the list: scanned a QR code at Show on {SATURDAY}, "
            f"after the list was frozen on {FROZEN}."
        )

    def test_on_a_frozen_list_an_opt_out_still_counts(self, stage: Stage):
        [person_id] = stage.people(1)
        campaign_id = stage.for_sunday(False)
        opt_out_person(stage.actor, person_id, Channel.SMS, "staff")
        found = ask(stage, campaign_id, person_id)
        assert not found.gets_it
        assert found.sentence == (
            f"Would be held back as things stand: opted out of texts on {FROZEN} (staff); "
            f"on the list since it was frozen on {FROZEN}."
        )

    def test_damaged_criteria_are_said_and_break_nothing(self, stage: Stage):
        [person_id] = stage.people(1)
        campaign_id = stage.for_sunday(True)
        with write():
            db.session.get_one(Campaign, campaign_id).targeting_criteria = "{"
        assert say(stage, campaign_id, person_id) == (
            "Nobody can say: the campaign's criteria are damaged."
        )
        stage.run_on_sunday()
        assert say(stage, campaign_id, person_id) == (
            f"Not sent: the campaign failed on {SENT} before their message went out; "
            f"on the list since it was frozen on {FROZEN}."
        )


class TestLeftOut:
    def test_the_message_in_the_window_is_named_with_its_distance(self, stage: Stage):
        [person_id] = stage.people(1)
        stage.clock.move_to(SUNDAY_UTC - timedelta(hours=16))
        stage.at_once(name="Doors open at 7")
        stage.run_due()
        campaign_id = stage.for_sunday(False)
        stage.run_on_sunday()
        stage.clock.shift(timedelta(days=30))
        found = ask(stage, campaign_id, person_id)
        assert found.verdict is Verdict.LEFT_OUT
        assert found.sentence == (
            "Left out when the list was frozen on Sat 28 Nov 2026, 18:00 America/Toronto: had "
            "“Doors open at 7” on Sat 28 Nov 2026, 18:00 America/Toronto, 16 h before this one "
            "(window 72 h)."
        )
        shown = found.evidence[0].to_json()
        assert (shown["window_hours"], shown["hours_before"]) == (72, 16.0)
        assert shown["at"] == "2026-11-28T23:00:00Z"

    def test_of_two_who_share_a_phone_the_second_is_told_who_comes_first(self, stage: Stage):
        first, second = make_people(
            stage.organisation, [{"phone": "+14165550123", "first_name": "A", "last_name": "B"}] * 2
        )
        stage.attend([first, second])
        campaign_id = stage.for_sunday(False)
        assert ask(stage, campaign_id, first).gets_it
        sentence = (
            f"Left out when the list was frozen on {FROZEN}: "
            f"shared +14165550123 with A B (person {first}), who comes first."
        )
        assert say(stage, campaign_id, second) == sentence
        # Once one of them has another phone nobody can show any more that they shared one.
        stage.clock.shift(ONE_DAY)
        edit_person(stage.actor, first, PersonDraft(phone="+14165550199"))
        assert say(stage, campaign_id, second) == (
            f"Left out when the list was frozen on {FROZEN}: "
            "shared a phone number with somebody listed."
        )

    def test_a_past_reason_is_told_from_then_and_not_from_today(self, stage: Stage):
        blocked, opted_out = stage.people(2)
        block_person(stage.actor, blocked, "a bot")
        opt_out_person(stage.actor, opted_out, Channel.SMS, "stop word")
        campaign_id = stage.for_sunday(False)
        stage.clock.shift(ONE_DAY)
        unblock_person(stage.actor, blocked)
        opt_in_person(stage.actor, opted_out, Channel.SMS, "staff")
        stage.run_on_sunday()
        stage.clock.shift(ONE_DAY)
        block_person(stage.actor, blocked, "another thing")
        opt_out_person(stage.actor, opted_out, Channel.SMS, "staff")
        lead = f"Left out when the list was frozen on {FROZEN}"
        assert say(stage, campaign_id, blocked) == f"{lead}: blocked since {FROZEN}: “a bot”."
        assert say(stage, campaign_id, opted_out) == (
            f"{lead}: opted out of texts on {FROZEN} (stop word)."
        )

    def test_an_opt_out_of_another_phone_is_no_evidence(self, stage: Stage):
        [person_id, other] = make_people(stage.organisation, [{"phone": "+14165550101"}] * 1 + [{}])
        stage.attend([person_id, other])
        opt_out_person(stage.actor, person_id, Channel.SMS, "staff")
        stage.clock.shift(timedelta(hours=1))
        opt_out_person(stage.actor, other, Channel.SMS, "staff")
        phone = db.session.get_one(Person, other).phone or ""
        stage.clock.shift(timedelta(hours=1))
        edit_person(stage.actor, person_id, PersonDraft(phone=phone))
        stage.clock.shift(timedelta(hours=1))
        campaign_id = stage.for_sunday(False)
        found = ask(stage, campaign_id, person_id)
        assert found.sentence.endswith("America/Toronto: opted out.")
        assert found.evidence == ()

    def test_what_excludes_somebody_is_named(self, stage: Stage):
        event = make_event(stage.organisation, "gala")
        at_gala, listed, in_segment = stage.people(3, attending=None)
        for person_id in (at_gala, listed, in_segment):
            came(stage, person_id, Source.REGISTRATION)
        record_attendance(stage.actor, event.id, [at_gala], Source.QR_SCAN)
        create_segment(stage.actor, SegmentDraft("VIP", people=(in_segment,), slug="vip"))
        earlier = stage.for_sunday(False, name="First", criteria=Criteria(people=(listed,)))
        criteria = Criteria(
            events=("show",),
            exclude_events=("gala",),
            exclude_segments=(SegmentChoice("vip"),),
            exclude_campaigns=(CampaignChoice(earlier),),
        )
        campaign_id = stage.for_sunday(False, criteria=criteria)
        lead = f"Left out when the list was frozen on {FROZEN}"
        assert say(stage, campaign_id, at_gala) == (
            f"{lead}: scanned a QR code at Gala on {FROZEN}, which is left out."
        )
        assert (
            say(stage, campaign_id, listed) == f"{lead}: on the list of “First”, which is left out."
        )
        assert say(stage, campaign_id, in_segment) == (
            f"{lead}: was in the segment VIP, which is left out."
        )

    def test_a_campaign_frozen_by_an_earlier_version_says_what_is_known(self, stage: Stage):
        blocked, [stranger] = stage.people(1)[0], stage.people(1, attending=None)
        block_person(stage.actor, blocked, "a test")
        campaign_id = stage.for_sunday(False)
        with write():
            db.session.query(LeftOut).delete()
        assert say(stage, campaign_id, blocked) == "Not on the list: nothing that is kept says why."
        assert say(stage, campaign_id, stranger) == (
            f"Not on the list: was not at Show when the list was frozen on {FROZEN}."
        )


class TestAfterwards:
    def test_what_is_foretold_of_a_frozen_list_is_what_happens(self, stage: Stage):
        kept, blocked, opted_out = stage.people(3)
        campaign_id = stage.for_sunday(False)
        stage.clock.shift(ONE_DAY)
        block_person(stage.actor, blocked, "a test")
        opt_out_person(stage.actor, opted_out, Channel.SMS, "staff")
        foretold = {one: ask(stage, campaign_id, one).gets_it for one in (kept, blocked, opted_out)}
        stage.run_due(SUNDAY_UTC)
        assert foretold == {kept: True, blocked: False, opted_out: False}
        assert stage.reached(campaign_id) == [kept]
        since = f"on the list since it was frozen on {FROZEN}"
        found = ask(stage, campaign_id, kept)
        assert (found.verdict, found.change) == (Verdict.GOT, "kept")
        assert found.sentence == f"Got it: sent on {SENT}; {since}."
        found = ask(stage, campaign_id, blocked)
        assert (found.verdict, found.cause) == (Verdict.HELD_BACK, "blocked")
        assert found.sentence == (
            f"Held back on {SENT}: blocked since {SATURDAY}: “a test”; {since}."
        )
        assert say(stage, campaign_id, opted_out) == (
            f"Held back on {SENT}: opted out of texts on {SATURDAY} (staff); {since}."
        )

    def test_two_who_lost_their_phones_share_none(self, stage: Stage):
        lost = stage.people(2)
        campaign_id = stage.for_sunday(False)
        for person_id in lost:
            edit_person(stage.actor, person_id, PersonDraft(email=f"p{person_id}@example.org"))
        stage.run_due(SUNDAY_UTC)
        assert [ask(stage, campaign_id, who).cause for who in lost] == ["no_address"] * 2

    def test_a_row_held_back_before_that_was_kept_is_said_without_evidence(self, stage: Stage):
        [person_id] = stage.people(1)
        campaign_id = stage.for_sunday(False)
        block_person(stage.actor, person_id, "a test")
        stage.run_due(SUNDAY_UTC)
        with write():
            db.session.get_one(Recipient, (campaign_id, person_id)).held_at = None
        found = ask(stage, campaign_id, person_id)
        assert found.sentence == (
            f"Held back: was blocked; on the list since it was frozen on {FROZEN}."
        )
        assert found.evidence == ()

    def test_after_reprocessing_each_change_is_explained(self, stage: Stage):
        kept, left, cancelled = stage.people(3)
        joined, stranger = stage.people(2, attending=None)
        campaign_id = stage.for_sunday(True)
        stage.clock.shift(ONE_DAY)
        block_person(stage.actor, left, "a test")
        cancel_attendance(stage.actor, stage.event_id, cancelled)
        came(stage, joined)
        stage.run_due(SUNDAY_UTC)
        assert ask(stage, campaign_id, kept).gets_it
        found = ask(stage, campaign_id, joined)
        assert (found.verdict, found.change, found.cause) == (Verdict.GOT, "joined", "attended")
        assert found.sentence == (
            f"Got it: sent on {SENT}; joined after the list was frozen on {FROZEN}: "
            f"scanned a QR code at Show on {SATURDAY}."
        )
        lead = f"Left the list when it was computed again on {SENT}"
        found = ask(stage, campaign_id, left)
        assert (found.verdict, found.change, found.cause) == (Verdict.LEFT, "left", "blocked")
        assert found.sentence == f"{lead}: blocked since {SATURDAY}: “a test”."
        found = ask(stage, campaign_id, cancelled)
        assert (found.change, found.cause) == ("left", "cancelled")
        assert found.sentence == f"{lead}: cancelled Show on {SATURDAY}."
        assert say(stage, campaign_id, stranger) == (
            f"Not on the list: was not at Show when the list was computed again on {SENT}."
        )

    @pytest.mark.parametrize(
        ("cause", "why"),
        [
            ("unblocked", f"was unblocked on {SATURDAY}"),
            ("opted_in", f"opted in again on {SATURDAY} (staff)"),
            ("address_added", "got a phone number since"),
            ("no_longer_duplicate", "no longer shared a phone number with somebody listed"),
            ("no_longer_excluded", "was no longer excluded"),
            ("window_passed", "no longer had a message within the window of 2 h"),
            ("restored", "probably came back to Show after cancelling"),
            ("registered", f"registered for Show on {SATURDAY}"),
        ],
    )
    def test_each_way_to_join_is_told_apart(self, stage: Stage, cause: str, why: str):
        person_id, other = stage.people(2)
        gala, phone = make_event(stage.organisation, "gala").id, "+14165550123"
        mail = f"p{person_id}@example.org"
        stage.clock.shift(timedelta(seconds=1))
        if cause == "unblocked":
            block_person(stage.actor, person_id, "a test")
        elif cause == "opted_in":
            opt_out_person(stage.actor, person_id, Channel.SMS, "stop word")
        elif cause == "address_added":
            edit_person(stage.actor, person_id, PersonDraft(email=mail))
        elif cause == "no_longer_duplicate":
            shared = db.session.get_one(Person, person_id).phone or ""
            [person_id] = make_people(stage.organisation, [{"phone": shared}])
            stage.attend([person_id])
        elif cause == "no_longer_excluded":
            record_attendance(stage.actor, gala, [person_id], Source.REGISTRATION)
        elif cause in ("restored", "registered"):
            if cause == "registered":
                [person_id] = stage.people(1, attending=None)
            else:
                cancel_attendance(stage.actor, stage.event_id, person_id)
        elif cause == "window_passed":
            set_facts(person_id, last_message_at=SUNDAY_UTC - timedelta(hours=1))
        criteria = Criteria(events=("show",), exclude_events=("gala",), window_hours=2)
        campaign_id = stage.for_sunday(True, criteria=criteria)
        frozen = "Fri 27 Nov 2026, 12:00 America/Toronto"
        stage.clock.move_to(FRIDAY + ONE_DAY)
        if cause == "unblocked":
            unblock_person(stage.actor, person_id)
        elif cause == "opted_in":
            opt_in_person(stage.actor, person_id, Channel.SMS, "staff")
        elif cause in ("address_added", "no_longer_duplicate"):
            edit_person(stage.actor, person_id, PersonDraft(phone=phone, email=mail))
        elif cause == "no_longer_excluded":
            cancel_attendance(stage.actor, gala, person_id)
        elif cause in ("restored", "registered"):
            came(stage, person_id, Source.REGISTRATION)
        stage.run_due(SUNDAY_UTC + timedelta(hours=3))
        found = ask(stage, campaign_id, person_id)
        assert (found.verdict, found.change, found.cause) == (Verdict.GOT, "joined", cause)
        assert found.sentence.endswith(f"; joined after the list was frozen on {frozen}: {why}.")
        assert ask(stage, campaign_id, other).change == "kept"

    def test_a_campaign_of_removals_says_that_it_adds_nobody(self, stage: Stage):
        stage.people(3)
        [late] = stage.people(1, attending=None)
        campaign_id = stage.for_sunday(True, audience_mode=AudienceMode.REMOVALS)
        stage.clock.shift(ONE_DAY)
        came(stage, late)
        stage.run_due(SUNDAY_UTC)
        assert say(stage, campaign_id, late) == (
            f"Not on the list: scanned a QR code at Show on {SATURDAY}, after the list was frozen "
            f"on {FROZEN}; matched when it was computed again on {SENT}, but this campaign adds "
            "nobody."
        )

    def test_in_review_both_ways_are_said(self, stage: Stage):
        kept, left = stage.people(2)
        joined = stage.people(60, attending=None)
        campaign_id = stage.for_sunday(True, guard_limits={"growth_percent": 100})
        stage.clock.shift(ONE_DAY)
        for person_id in joined:
            came(stage, person_id)
        block_person(stage.actor, left, "a test")
        stage.run_due(SUNDAY_UTC)
        assert stage.campaign(campaign_id).state == "needs_review"
        endings = {
            kept: "; gets it unless the campaign is cancelled in review.",
            joined[0]: "; gets it only if review sends to the final list.",
            left: "; gets it only if review sends to the frozen list.",
        }
        for person_id, ending in endings.items():
            found = ask(stage, campaign_id, person_id)
            assert found.verdict is Verdict.UNDECIDED
            assert found.sentence.endswith(ending)

    def test_a_new_version_of_the_segment_is_the_cause(self, stage: Stage):
        before, after = stage.people(2)
        create_segment(stage.actor, SegmentDraft("VIP", people=(before,), slug="vip"))
        criteria = Criteria(segment=SegmentChoice("vip"))
        campaign_id = stage.for_sunday(True, criteria=criteria)
        stage.clock.shift(ONE_DAY)
        edit_segment(stage.actor, "vip", SegmentDraft("VIP", people=(after,)))
        stage.run_due(SUNDAY_UTC)
        why = "the segment VIP was at version 2 by then, and the list was frozen from version 1"
        joined, left = ask(stage, campaign_id, after), ask(stage, campaign_id, before)
        assert (joined.cause, left.cause) == ("segment_changed", "segment_changed")
        assert joined.sentence.endswith(f"joined after the list was frozen on {FROZEN}: {why}.")
        assert left.sentence == f"Left the list when it was computed again on {SENT}: {why}."

    def test_a_cancelled_campaign_reached_nobody(self, stage: Stage):
        [person_id] = stage.people(1)
        campaign_id = stage.for_sunday(False)
        cancel_campaign(stage.actor, campaign_id)
        found = ask(stage, campaign_id, person_id)
        assert found.verdict is Verdict.NOT_SENT
        assert found.sentence == (
            f"Not sent: the campaign was cancelled on {FROZEN} before their message went out; "
            f"on the list since it was frozen on {FROZEN}."
        )


class TestWho:
    def test_nobody_of_another_organisation_is_found(self, stage: Stage):
        [ours] = stage.people(1)
        campaign_id = create_campaign(stage.actor, stage.draft())
        elsewhere = make_organisation()
        [theirs] = make_people(elsewhere, 1)
        with pytest.raises(NotFound):
            explain_campaign(elsewhere.id, campaign_id, ours)
        with pytest.raises(NotFound):
            explain_campaign(stage.organisation_id, campaign_id, theirs)

    def test_planned_and_past_campaigns_are_told_apart(self, stage: Stage):
        [person_id] = stage.people(1)
        stranger = stage.people(1, attending=None)[0]
        sent = stage.at_once(name="Sent")
        stage.run_due()
        draft = create_campaign(stage.actor, stage.draft(name="Draft"))
        scheduled = stage.for_sunday(False)
        assert [c.id for c in list_planned(stage.organisation_id)] == [scheduled, draft]
        for asked, on_a_list in ((person_id, True), (stranger, False)):
            [past] = list_past(stage.organisation_id, asked)
            assert (past.campaign.id, past.on_a_list) == (sent, on_a_list)
        assert past.explanation.sentence == "Not on its list."


def test_a_message_in_the_way_may_be_of_any_channel(stage: Stage):
    """What was noted without a message of ours, as by an import, is said without evidence."""
    [person_id] = stage.people(1)
    set_facts(person_id, last_message_at=SUNDAY_UTC - timedelta(days=3))
    campaign_id = stage.for_sunday(False, criteria=Criteria(events=("show",), window_hours=96))
    assert say(stage, campaign_id, person_id) == (
        f"Left out when the list was frozen on {FROZEN}: had a message within the window of 96 h."
    )
