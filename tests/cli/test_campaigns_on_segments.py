"""Campaigns on segments, exclusions, hand-picked files and top-ups on the command line."""

from typing import Any

import pytest
import time_machine

from rollcall.actors import Actor
from rollcall.audience.criteria import Criteria
from rollcall.cli.common import acting
from rollcall.extensions import db
from rollcall.models import Campaign, Person
from rollcall.segments.records import SegmentDraft, create_segment
from rollcall.segments.snapshots import ensure_segment_snapshot
from tests.campaigns.stage import SUNDAY_UTC
from tests.cli.test_story import AT, Shell, create, shell

__all__ = ["shell"]


@pytest.fixture
def vip(shell: Shell) -> Actor:
    """The segment VIP of whoever is at the show, with the people of 3 registrations."""
    shell.ok("people", "import", shell.people(0, 3), "--event", "show")
    actor = acting(None, None)
    create_segment(actor, SegmentDraft("VIP", Criteria(events=("show",))))
    return actor


def settings(campaign: Any) -> Any:
    return campaign["settings"]


def test_a_campaign_stands_on_a_segment_and_says_so(shell: Shell, vip: Actor):
    ensure_segment_snapshot(vip, "vip")
    shell.ok("people", "import", shell.people(3, 2), "--event", "show")
    campaign = create(shell, "--segment", "vip", *AT)
    assert settings(campaign)["segment_snapshot"]["count"] == 3
    shown = shell.ok("campaign", "show", str(campaign["id"]))
    assert (
        "Segment            VIP (version 1), snapshot of Fri 27 Nov 2026, 12:00 America/Toronto, "
        "3 people (reuse)" in shown
    )
    fresh = create(shell, "--segment", "vip@1", "--snapshot-mode", "refresh", *AT)
    assert settings(fresh)["segment_snapshot"]["count"] == 5
    bumped = create(shell, "--segment", "vip", "--bump-version", *AT)
    assert settings(bumped)["segment_version"] == 2
    forced = create(shell, "--segment", "vip", "--force", *AT)
    assert settings(forced)["segment_snapshot"]["number"] == 2
    draft = create(shell, "--segment", "vip", "--force", "--draft")
    assert "a new snapshot is taken on scheduling (reuse)" in shell.ok(
        "campaign", "show", str(draft["id"])
    )


@pytest.mark.usefixtures("vip")
def test_an_unsupported_mode_fails_at_once(shell: Shell):
    words = ("campaign", "create", "--name", "N", "--channel", "sms", "--message", "Hello")
    said = shell.refused(*words, "--segment", "vip", "--snapshot-mode", "x")
    assert "Unsupported snapshot mode 'x': use reuse or refresh" in said
    assert "--snapshot-mode" in said
    said = shell.refused(*words, "--segment", "vip@1", "--bump-version")
    assert "--bump-version" in said
    assert db.session.query(Campaign).count() == 0


@pytest.mark.usefixtures("vip")
def test_each_exclusion_has_its_line_also_where_it_leaves_out_nobody(shell: Shell):
    earlier = create(shell, "--event", "show", "--now")
    words = ["audience", "preview", "--segment", "vip", "--window", "0"]
    said = shell.ok(*words, "--exclude-campaign", f"{earlier['id']}:sent")
    assert "        0  are of an earlier campaign that is left out" in said
    assert "        3  people will get this" in said
    said = shell.ok(*words, "--exclude-campaign", str(earlier["id"]), "--exclude-segment", "vip@1")
    assert "        3  are in a segment that is left out" in said
    assert "        0  are of an earlier campaign that is left out" in said
    funnel = shell.json(*words, "--exclude-event", "show")["funnel"]
    assert (funnel["excluded_event"], funnel["reachable"]) == (3, 0)


@pytest.mark.usefixtures("vip")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--segment", "vip@x"], "--segment: 'vip@x' can't be read; write SLUG or SLUG@4."),
        (["--segment", "nobody"], "--segment: There is no segment 'nobody'."),
        (["--segment", "vip@9"], "has no version 9, only 1"),
        (["--event", "show", "--exclude-segment", "no"], "--exclude-segment: There is no segment"),
        (["--event", "show", "--exclude-event", "no"], "--exclude-event: There is no event 'no'"),
        (["--event", "show", "--exclude-campaign", "7"], "--exclude-campaign: There is no"),
        (["--event", "show", "--exclude-campaign", "7:all"], "with one of planned, sent,"),
        (["--event", "show", "--exclude-campaign", "x"], "--exclude-campaign: 'x' can't be read"),
    ],
)
def test_what_there_is_not_is_said_by_its_option(shell: Shell, words: list[str], sentence: str):
    assert sentence in shell.refused("audience", "preview", *words)


def test_a_top_up_waits_as_a_draft(shell: Shell, vip: Actor):
    campaign = create(shell, "--segment", "vip", "--window", "0", *AT)
    said = shell.refused("campaign", "top-up", str(campaign["id"]), code=1)
    assert "A top-up follows a campaign that is completed; this one is scheduled." in said
    with time_machine.travel(SUNDAY_UTC, tick=False):
        shell.ok("campaign", "send-due")
        shell.ok("people", "import", shell.people(3, 2), "--event", "show")
        top_up = shell.json("campaign", "top-up", str(campaign["id"]))
        assert (top_up["status"], top_up["name"]) == ("draft", "Top-up of Story")
        sent = shell.json("campaign", "send", str(top_up["id"]))
    assert sent["total_recipients"] == 2


def test_unknown_people_of_a_file_are_added_when_asked(shell: Shell):
    shell.ok("people", "import", shell.people(0, 1))
    file = shell.people(0, 3)
    said = shell.refused(
        *("campaign", "create", "--name", "N", "--channel", "sms", "--message", "Hi"),
        *("--people", file, "--draft"),
    )
    assert "line 3: nobody in this organisation has this address" in said
    campaign = create(shell, "--people", file, "--create-people", "--draft")
    assert campaign["targeting_criteria"]["people"] == [1, 2, 3]
    assert db.session.query(Person).count() == 3
    said = shell.refused(
        *("campaign", "create", "--name", "N", "--channel", "sms", "--message", "Hi"),
        *("--event", "show", "--create-people"),
    )
    assert "--create-people: This is for --people FILE.csv" in said
