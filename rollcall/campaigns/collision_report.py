"""What staff are told of campaigns that want the same people: whom this one loses, and to whom."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rollcall.audience.preview import AudienceMember
from rollcall.campaigns.collision_search import (
    Contender,
    Contest,
    count_collided,
    every_kind,
    find_contest,
    list_people,
    lists_ready,
)
from rollcall.campaigns.collisions import (
    Loss,
    Order,
    count_losses,
    find_best_order,
    follow_people,
)
from rollcall.errors import InvalidInput, NotFound
from rollcall.models import Campaign
from rollcall.wording import moment_json, say_count, say_number, say_people

SIDES = ("loses", "takes")
LARGE = 50_000  # people on all the lists together; about a fifth of a second
THIS = 0  # its place among the contenders


@dataclass(frozen=True)
class Rival:
    """Another campaign, and how many people one of the two loses to the other."""

    id: int
    name: str
    at: datetime
    window_hours: int
    people: int

    def to_json(self) -> dict[str, Any]:
        """Return the rival as the API gives it."""
        return {
            "campaign_id": self.id,
            "name": self.name,
            "scheduled_at": moment_json(self.at),
            "recent_message_hours": self.window_hours,
            "people": self.people,
        }


@dataclass(frozen=True)
class Collisions:
    """Who a campaign will lose to others and take from them, as everything stands now.

    Of the `people` on its list whom it could reach, `already` have had a message within the
    window. `lost` counts for all these campaigns together how many messages are not sent because
    of one before, `best` the same for the order in which that are fewest; `more` campaigns close
    to it were not looked at.
    """

    at: datetime
    window_hours: int
    people: int
    already: int
    loses: list[Rival]
    takes: list[Rival]
    lost: int
    best: int
    best_order: list[str]
    campaigns: int
    dynamic: list[str]
    more: int

    @property
    def gets(self) -> int:
        """Return how many people the campaign would reach."""
        return self.people - self.already - sum(rival.people for rival in self.loses)

    @property
    def is_any(self) -> bool:
        """Return whether anybody is lost to a campaign, here or there."""
        return bool(self.loses or self.takes)

    def to_json(self) -> dict[str, Any]:
        """Return the collisions as the API gives them."""
        return {
            "at": moment_json(self.at),
            "recent_message_hours": self.window_hours,
            "people": self.people,
            "already_messaged": self.already,
            "loses": [rival.to_json() for rival in self.loses],
            "takes": [rival.to_json() for rival in self.takes],
            "would_get_it": self.gets,
            "messages_lost": self.lost,
            "best_order": {"campaigns": self.best_order, "messages_lost": self.best},
            "dynamic_audiences": self.dynamic,
            "not_looked_at": self.more,
            "sentences": self.sentences(),
        }

    def sentences(self) -> list[str]:
        """Return everything that staff should know, a sentence each; none where all is well."""
        if not self.is_any:
            return []
        said = [f"{say_number(rival.people)} {self.say_loss(rival)}." for rival in self.loses]
        said += [f"{say_number(rival.people)} {self.say_taking(rival)}." for rival in self.takes]
        return [*said, self.say_outcome(), self.say_order(), *self.notes()]

    def say_loss(self, rival: Rival) -> str:
        """Return what follows the number of people whom this campaign loses."""
        before = say_gap(self.at - rival.at)
        when = f"{before} before" if before else "at the same time"
        return (
            f"of these {say_number(self.people)} will have had “{rival.name}” {when} "
            f"(window {self.window_hours} h)"
        )

    def say_taking(self, rival: Rival) -> str:
        """Return what follows the number of people whom another campaign loses to this one."""
        before = say_gap(rival.at - self.at)
        when = f"{before} before it" if before else "at the same time"
        return (
            f"will miss “{rival.name}”: they will have had this one {when} "
            f"(its window {rival.window_hours} h)"
        )

    def say_outcome(self) -> str:
        """Return how many this campaign reaches."""
        had = f", after {say_people(self.already)} who had a message lately" if self.already else ""
        return f"So {say_people(self.gets)} of {say_number(self.people)} would get this one{had}."

    def say_order(self) -> str:
        """Return which order loses the fewest messages."""
        if self.best == self.lost:
            return "No other order of these times loses fewer."
        fewer = say_count(self.best, "message") if self.best else "no message"
        if self.campaigns == 2:
            return f"Sent the other way round, {fewer} would be missed instead of {self.lost:,}."
        order = ", ".join(f"“{name}”" for name in self.best_order)
        return (
            f"Sent at the same times in the order {order}, "
            f"{fewer} would be missed instead of {self.lost:,}."
        )

    def notes(self) -> list[str]:
        """Return what these numbers leave out."""
        said = []
        if self.dynamic:
            names = ", ".join(f"“{name}”" for name in self.dynamic)
            said.append(
                f"The audience of {names} is computed again when it goes out: "
                "here it counts with its list as that stands now."
            )
        if self.more:
            others = say_count(self.more, "more campaign")
            said.append(
                f"{others} close to this time {'is' if self.more == 1 else 'are'} left out."
            )
        return said


def takes_a_while(campaign: Campaign) -> bool:
    """Return whether finding the collisions is too much for a page that somebody waits for."""
    contest = find_contest(campaign)
    return contest is not None and contest.size > LARGE


def find_collisions(campaign: Campaign) -> Collisions | None:
    """Return whom a draft or scheduled campaign loses to others and takes from them.

    None where no other campaign comes near enough. Raises InvalidInput where a draft's criteria
    can't be run.
    """
    contest = find_contest(campaign)
    if contest is None:
        return None
    with lists_ready(campaign):
        groups = count_collided(contest)
    found = follow_people(contest.plans, groups)
    losses = count_losses(found)
    today, best = find_best_order(contest.plans, groups)
    this = contest.contenders[THIS]
    return Collisions(
        at=this.plan.at,
        window_hours=_hours(this),
        people=sum(group.people for group in groups if group.lists >> THIS & 1),
        already=losses[Loss(THIS, None)],
        loses=_rivals(contest, {loss.winner: n for loss, n in losses.items() if not loss.loser}),
        takes=_rivals(
            contest, {loss.loser: n for loss, n in losses.items() if loss.winner == THIS}
        ),
        lost=today.lost,
        best=best.lost,
        best_order=_names(contest, best),
        campaigns=len(contest.contenders),
        dynamic=[one.plan.name for one in contest.contenders if one.dynamic],
        more=contest.more,
    )


def list_collided(
    campaign: Campaign,
    side: str,
    rival_id: int,
    after: int = 0,
    limit: int = 50,
    text: str = "",
) -> list[AudienceMember]:
    """Return whom the campaign `loses` to the rival, or `takes` from it, as `side` says.

    Raises InvalidInput for another side, NotFound for a campaign that is no rival of it.
    """
    if side not in SIDES:
        raise InvalidInput({"side": f"Use one of {', '.join(SIDES)}."})
    contest = find_contest(campaign)
    places = {plan.id: place for place, plan in enumerate(contest.plans)} if contest else {}
    if contest is None or places.get(rival_id, THIS) == THIS:
        raise NotFound(f"Campaign {rival_id} wants nobody of this one at the same time.")
    other = places[rival_id]
    wanted = Loss(THIS, other) if side == "loses" else Loss(other, THIS)
    with lists_ready(campaign):
        found = follow_people(contest.plans, every_kind(contest))
        return list_people(contest, found.get(wanted, []), after, limit, text)


def say_gap(gap: timedelta) -> str:
    """Return a stretch of time in the unit that suits it: "16 h", "3 days", "20 min", "" for none.

    Hours up to two days, since windows are in hours.
    """
    minutes = round(gap / timedelta(minutes=1))
    if minutes < 1:
        return ""
    if minutes < 60:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours <= 168 else say_count(round(hours / 24), "day")


def _rivals(contest: Contest, people: dict[int | None, int]) -> list[Rival]:
    """Return the campaigns at these places with their numbers, the earliest first."""
    found = []
    for place, number in people.items():
        if place is None:
            continue
        one = contest.contenders[place]
        found.append(Rival(one.plan.id, one.plan.name, one.plan.at, _hours(one), number))
    return sorted(found, key=lambda rival: (rival.at, rival.id))


def _names(contest: Contest, order: Order) -> list[str]:
    return [contest.plans[place].name for place in order.places]


def _hours(contender: Contender) -> int:
    return round(contender.plan.window / timedelta(hours=1))
