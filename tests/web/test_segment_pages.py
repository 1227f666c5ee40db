"""Segments in the browser: the list, the form, one segment with its snapshots and its campaigns."""

import json
from typing import Any

import pytest
import sqlalchemy as sa

from rollcall.audience.criteria import CampaignChoice, Criteria, SegmentChoice, criteria_to_text
from rollcall.extensions import db
from rollcall.models import Segment, SegmentKind, SegmentSnapshot, Source
from rollcall.segments.records import (
    SegmentDraft,
    create_segment,
    edit_segment,
    find_segment,
    find_version,
    listed_people,
    version_criteria,
)
from rollcall.segments.snapshots import ensure_segment_snapshot
from tests.factories import attend, make_people
from tests.web.campaigns import Desk, words

ON_VIP = Criteria(segment=SegmentChoice("vip"), window_hours=0)


def rules(**changes: Any) -> dict[str, Any]:
    return {"name": "Guests", "mode": "events", "events": ["night"], "action": "save", **changes}


def picked(desk: Desk, *people: int, **changes: Any) -> dict[str, Any]:
    form = {"name": "VIP", "mode": "people", "people": list(people), "action": "save"}
    return {**form, **changes}


def segments() -> list[Segment]:
    db.session.rollback()
    return list(db.session.scalars(sa.select(Segment).order_by(Segment.id)))


def live(desk: Desk, slug: str) -> Any:
    db.session.rollback()
    db.session.expire_all()
    return find_version(find_segment(desk.organisation.id, slug))


@pytest.fixture
def vip(desk: Desk) -> int:
    """A list of the first two of the three people."""
    return create_segment(desk.actor, SegmentDraft("VIP", people=tuple(desk.people[:2])))


def test_the_empty_list_says_what_a_segment_is(desk: Desk):
    page = desk.read("/segments")
    assert "No segments yet" in page
    assert "A segment is a set of people with a name" in page
    assert "New segment" in page


def test_the_list_shows_what_is_cheap_and_is_searched(desk: Desk, vip: int):
    create_segment(desk.actor, SegmentDraft("Guests", Criteria(events=("night",))))
    desk.scheduled(criteria=ON_VIP)
    page = desk.read("/segments")
    assert "VIP A list 1 2 people now 1" in page
    assert "Guests Rules 1 none yet 0" in page
    assert "Guests" not in desk.read("/segments?q=vip")
    assert "No segment is called so" in desk.read("/segments?q=nothing")


def test_the_list_goes_on_where_a_page_ended(desk: Desk):
    for number in range(51):
        create_segment(desk.actor, SegmentDraft(f"Set {number:02}", people=()))
    first = desk.browser.get("/segments").text
    assert "Set 50" in first
    assert "Set 00" not in first
    following = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
    assert "Set 00" in desk.read(following)


def test_a_segment_by_rules_is_made_with_its_slug(desk: Desk):
    earlier = desk.scheduled(name="Earlier")
    form = rules(slug="loyal", sources=["qr_scan"], cities="Toronto, Ottawa", r_min="3")
    form |= {"exclude_campaigns": [str(earlier)], "exclude_segments": ["vip"]}
    response = desk.browser.post("/segments/new", form)
    assert response.location == "/segments/loyal"
    criteria = version_criteria(live(desk, "loyal"))
    assert criteria is not None
    assert criteria.sources == (Source.QR_SCAN,)
    assert criteria.cities == ("Toronto", "Ottawa")
    assert criteria.exclude_campaigns == (CampaignChoice(earlier),)
    assert criteria.window_hours == 0
    page = desk.read("/segments/loyal")
    assert "People who scanned a QR code at Gala Night, with a recency score of 3 to 5" in page
    edit = desk.browser.get("/segments/loyal/edit").text
    assert 'value="Toronto, Ottawa"' in edit
    assert 'id="r_min" name="r_min" min="1" max="5" value="3"' in edit
    assert f'name="exclude_campaigns" value="{earlier}" checked' in edit


def test_a_list_is_picked_ticked_and_pasted(desk: Desk):
    ann, bob, cid = desk.people
    response = desk.browser.post("/segments/new", picked(desk, ann, pasted=f"{bob}\n{cid}"))
    assert response.location == "/segments/vip"
    assert listed_people(live(desk, "vip")) == (ann, bob, cid)
    assert segments()[0].kind == SegmentKind.STATIC


def test_unknown_ones_are_reported_and_nothing_typed_is_lost(desk: Desk):
    ann = desk.people[0]
    form = picked(desk, ann, slug="my-vip", pasted=f"{desk.people[1]}\nnobody@example.org")
    response = desk.browser.post("/segments/new", form)
    assert response.status_code == 422
    page = words(response.text)
    assert "nobody@example.org: nobody in this organisation has this address" in page
    assert "Picked: 2 people" in page
    for kept in ('value="my-vip"', 'value="VIP"', "nobody@example.org</textarea>"):
        assert kept in response.text
    assert segments() == []
    added = desk.browser.post("/segments/new", {**form, "action": "add"})
    assert "1 person was added and picked" in words(added.text)
    assert "Picked: 3 people" in words(added.text)
    assert segments() == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": ""}, "Give the segment a name"),
        ({"events": []}, "Choose who gets this"),
        ({"events": ["nothing"]}, "There is no event 'nothing'"),
        ({"slug": "Not a slug"}, "A slug has small letters"),
        ({"slug": "new"}, "choose another slug"),
        ({"r_min": "9"}, "Recency: use whole numbers from 1 to 5"),
        ({"mode": "people"}, "Pick at least one person"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(desk: Desk, changes: dict[str, Any], told: str):
    response = desk.browser.post("/segments/new", rules(**changes))
    assert response.status_code == 422
    assert told in words(response.text)
    assert segments() == []


def test_a_slug_that_is_taken_is_refused(desk: Desk, vip: int):
    response = desk.browser.post("/segments/new", rules(slug="vip"))
    assert response.status_code == 422
    assert "There is a segment 'vip' already" in words(response.text)
    assert len(segments()) == 1


def test_the_preview_counts_while_one_types_and_stores_nothing(desk: Desk):
    assert "3 people now" in preview(desk, rules())
    assert "Gala Night" in preview(desk, rules())
    assert "had no message" not in preview(desk, rules())
    assert "0 people now" in preview(desk, rules(sources=["qr_scan"]))
    assert "2 people now" in preview(desk, picked(desk, *desk.people[:2]))
    assert "nobody chosen yet" in preview(desk, rules(events=[]))
    assert "There is no event 'x'" in preview(desk, rules(events=["x"]))
    # Without JavaScript the form's first button asks for the same.
    page = desk.browser.post("/segments/new", rules(action="preview"))
    assert page.status_code == 200
    assert "3 people now" in words(page.text)
    assert segments() == []


def preview(desk: Desk, form: dict[str, Any]) -> str:
    response = desk.browser.post("/segments/preview", form, headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert "<html" not in response.text
    return words(response.text)


def test_an_edit_says_whom_it_affects_and_makes_a_version(desk: Desk, vip: int):
    desk.scheduled(criteria=ON_VIP)
    page = desk.read("/segments/vip/edit")
    assert "1 scheduled campaign uses this segment" in page
    assert "saving makes version 2" in page
    same = desk.browser.post("/segments/vip/edit", picked(desk, *desk.people[:2], name="V. I. P."))
    assert same.location == "/segments/vip"
    assert segments()[0].version == 1
    form = picked(desk, desk.people[2], version="1")
    desk.browser.post("/segments/vip/edit", form)
    assert listed_people(live(desk, "vip")) == (desk.people[2],)
    stale = desk.browser.post("/segments/vip/edit", picked(desk, desk.people[0], version="1"))
    assert stale.status_code == 409
    assert "at version 2 now" in words(stale.text)
    assert "Picked: 1 person Ann" in words(stale.text), "what was picked is still there"
    assert listed_people(live(desk, "vip")) == (desk.people[2],)


def test_the_kind_of_a_segment_stays_whatever_is_sent(desk: Desk, vip: int):
    desk.browser.post("/segments/vip/edit", rules())
    assert segments()[0].kind == SegmentKind.STATIC
    assert listed_people(live(desk, "vip")) == tuple(desk.people[:2])


def test_snapshots_are_taken_by_three_buttons(desk: Desk):
    create_segment(desk.actor, SegmentDraft("Guests", Criteria(events=("night",))))
    page = desk.read("/segments/guests")
    assert "Take a snapshot" in page
    assert "Take another" not in page
    take(desk, "")
    attend(desk.event, make_people(desk.organisation, 1))
    assert "There is a snapshot already: version 1, 3 people" in take(desk, "")
    assert "A snapshot was taken: version 1, 4 people" in take(desk, "force")
    page = take(desk, "bump")
    assert "A snapshot was taken: version 2, 4 people" in page
    assert "Take another" in page
    rows = db.session.scalars(sa.select(SegmentSnapshot).order_by(SegmentSnapshot.id)).all()
    assert [(row.version, row.number, row.people) for row in rows] == [
        (1, 1, 3),
        (1, 2, 4),
        (2, 1, 4),
    ]
    assert "3 people in version 1, as of" in desk.read(
        f"/segments/guests/members?snapshot={rows[0].id}"
    )


def take(desk: Desk, way: str) -> str:
    response = desk.browser.post("/segments/guests/snapshots", {"way": way})
    assert response.location == "/segments/guests#snapshots"
    return desk.read("/segments/guests")


def test_each_campaign_keeps_its_version_or_adopts_the_new_one(desk: Desk, vip: int):
    kept = desk.scheduled(criteria=ON_VIP, name="Kept")
    adopted = desk.scheduled(criteria=ON_VIP, name="Adopted")
    edit_segment(desk.actor, "vip", SegmentDraft("VIP", people=tuple(desk.people[1:])))
    page = desk.read("/segments/vip")
    assert "Version 2 affects 2 scheduled campaigns" in page
    assert "2 people: 1 would join, 1 would leave" in page
    assert "“Kept” keeps its version: its list stays at 2 people" in decide(desk, kept, "keep")
    page = decide(desk, adopted, "adopt")
    assert "“Adopted” stands on the newest version now: 2 people" in page
    assert "affects" not in page
    campaign = desk.campaign(kept)
    assert json.loads(campaign.targeting_criteria or "")["segment"]["version"] == 1
    snapshot = desk.campaign(adopted).segment_snapshot
    assert snapshot is not None
    assert snapshot.version == 2
    stale = desk.browser.post("/segments/vip/decide", form_of(kept, "adopt", 1))
    assert stale.status_code == 409
    assert "Somebody else has changed this campaign" in words(stale.text)


def test_only_campaigns_of_this_segment_are_decided_on(desk: Desk, vip: int):
    create_segment(desk.actor, SegmentDraft("Crew", people=(desk.people[0],)))
    campaign = desk.scheduled(criteria=ON_VIP)
    for path, form, status in (
        ("/segments/crew/decide", form_of(campaign, "keep"), 404),
        ("/segments/vip/decide", form_of(999, "keep"), 404),
        ("/segments/vip/decide", {"decision": "keep"}, 404),
        ("/segments/vip/decide", form_of(campaign, "drop"), 400),
    ):
        assert desk.browser.post(path, form).status_code == status, form
    assert "pinned" not in desk.read("/segments/vip")


def form_of(campaign_id: int, decision: str, version: int | None = None) -> dict[str, Any]:
    form = {"campaign": str(campaign_id), "decision": decision}
    return form if version is None else {**form, "version": str(version)}


def decide(desk: Desk, campaign_id: int, decision: str) -> str:
    version = desk.campaign(campaign_id).version
    form = form_of(campaign_id, decision, version)
    assert desk.browser.post("/segments/vip/decide", form).location == "/segments/vip#used"
    return desk.read("/segments/vip")


def test_who_leaves_the_segment_out_is_named(desk: Desk, vip: int):
    desk.scheduled(
        name="The others",
        criteria=Criteria(events=("night",), exclude_segments=(SegmentChoice("vip"),)),
    )
    page = desk.read("/segments/vip")
    assert "Campaigns that leave its people out The others Scheduled" in page


def test_members_are_listed_searched_and_downloaded(desk: Desk, vip: int):
    taken = ensure_segment_snapshot(desk.actor, "vip").id
    edit_segment(desk.actor, "vip", SegmentDraft("VIP", people=(desk.people[2],)))
    page = desk.read("/segments/vip/members")
    assert "1 person in version 2 as it stands now" in page
    assert "Cid" in page
    then = f"/segments/vip/members?snapshot={taken}"
    assert "Ann" in desk.read(f"{then}&q=ann")
    assert "Bob" not in desk.read(f"{then}&q=ann")
    assert "Nobody here has this" in desk.read(f"{then}&q=xyz")
    file = desk.browser.get(f"/segments/vip/members.csv?snapshot={taken}")
    assert file.mimetype == "text/csv"
    assert [line.split(",")[1].split()[0] for line in file.text.splitlines()[1:]] == ["Ann", "Bob"]
    for wrong in ("version=9", "snapshot=99", "version=x", f"snapshot={taken}&version=2"):
        assert desk.browser.get(f"/segments/vip/members?{wrong}").status_code == 404


def test_long_histories_are_paged(desk: Desk, vip: int):
    for _ in range(11):
        ensure_segment_snapshot(desk.actor, "vip", bump_version=True)
    page = desk.read("/segments/vip")
    assert "Version 12 " in page
    assert "Version 2 2 " not in page
    first = desk.browser.get("/segments/vip").text
    for anchor in ("snapshots", "versions"):
        part = first.split(f'id="{anchor}"')[1]
        following = part.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
        assert following.endswith(f"#{anchor}")
        assert "Rollcall" in desk.read(following.replace("&amp;", "&").split("#")[0])
    assert "A list of 2 people" in desk.read("/segments/vip?before=3")


def test_a_definition_whose_event_is_gone_can_still_be_looked_at(desk: Desk):
    segment_id = create_segment(desk.actor, SegmentDraft("Guests", Criteria(events=("night",))))
    damaged = criteria_to_text(Criteria(events=("gone",), window_hours=0))
    version = find_version(db.session.get_one(Segment, segment_id))
    version.definition = damaged
    db.session.commit()
    assert "What it names is gone" in desk.read("/segments/guests")
    assert "There is no event 'gone'" in desk.read("/segments/guests/edit")
    assert desk.browser.get("/segments/guests/members").status_code == 400
