"""Guards: limits on how far the final audience may differ from the estimate (D4).

Whoever scheduled a campaign decides by their role how far it may go; the organisation may set
other limits for each role, and a campaign stricter ones of its own. Numbers go in, blockers and
warnings come out as sentences.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from rollcall.actors import Actor, record
from rollcall.audience.difference import AudienceChange, FinalList
from rollcall.audience.preview import cost_of
from rollcall.errors import InvalidInput
from rollcall.extensions import db, write
from rollcall.messages.parts import count_parts
from rollcall.messages.placeholders import compile_template
from rollcall.messages.pricing import DEFAULT_PRICES
from rollcall.models import Campaign, Channel, Organisation, Role
from rollcall.wording import say_change, say_money, say_number, say_people

LARGEST = 1_000_000_000


@dataclass(frozen=True)
class GuardLimits:
    """How far an audience may change before somebody has to decide; None is no limit.

    `growth_percent` and `growth_people` over the estimate, `ceiling` and `minimum` for the
    final audience, `fall_percent` under the estimate (which warns, unless `fall_stops`),
    `budget` for the cost.
    """

    growth_percent: int | None = 1_000
    growth_people: int | None = 50_000
    ceiling: int | None = 100_000
    fall_percent: int | None = 90
    fall_stops: bool = False
    minimum: int | None = None
    budget: Decimal | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the limits as they are stored and as the API gives them."""
        data = asdict(self)
        return data | {"budget": None if self.budget is None else str(self.budget)}


DEFAULT_LIMITS = {
    Role.STAFF: GuardLimits(growth_percent=100),
    Role.ADMIN: GuardLimits(growth_percent=500),
    Role.SUPER: GuardLimits(growth_percent=2_000),
}
# Where nobody's role is known: whoever scheduled the campaign is gone.
NOBODYS_LIMITS = GuardLimits()

LABELS = {
    "growth_percent": "growth in percent",
    "growth_people": "growth in people",
    "ceiling": "largest audience",
    "fall_percent": "fall in percent",
    "fall_stops": "whether a fall stops",
    "minimum": "smallest audience",
    "budget": "budget",
}


@dataclass(frozen=True)
class GuardVerdict:
    """What the guards say of a change: blockers stop it for review, warnings go with it."""

    blockers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        """Return whether somebody has to decide."""
        return bool(self.blockers)

    def to_json(self) -> dict[str, list[str]]:
        """Return the verdict as it is stored and as the API gives it."""
        return {"blockers": list(self.blockers), "warnings": list(self.warnings)}


@dataclass
class _Findings:
    blockers: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def evaluate_guards(
    limits: GuardLimits, change: AudienceChange, cost: Decimal, currency: str = "USD"
) -> GuardVerdict:
    """Return what the limits say of a final audience that costs so much.

    A change that reaches a limit exactly is within it.
    """
    found = _Findings()
    _check_growth(limits, change, found)
    _check_size(limits, change, found)
    _check_fall(limits, change, found)
    if limits.budget is not None and cost > limits.budget:
        found.blockers.append(
            f"It would cost {say_money(cost, currency)}; "
            f"the budget is {say_money(limits.budget, currency)}."
        )
    return GuardVerdict(tuple(found.blockers), tuple(found.warnings))


def _check_growth(limits: GuardLimits, change: AudienceChange, found: _Findings) -> None:
    grown = change.absolute
    if grown <= 0:
        return
    percent = limits.growth_percent
    if change.estimate == 0 and percent is not None:
        found.warnings.append(
            "Nobody was on the estimate, so that a limit in percent can't judge the growth: "
            f"{say_people(change.final)} would get it."
        )
    elif percent is not None and grown * 100 > percent * change.estimate:
        found.blockers.append(f"{_grew(change)}; the limit is {say_number(percent)} %.")
    if limits.growth_people is not None and grown > limits.growth_people:
        found.blockers.append(
            f"The audience grew by {say_people(grown)}; "
            f"the limit is {say_number(limits.growth_people)}."
        )


def _check_size(limits: GuardLimits, change: AudienceChange, found: _Findings) -> None:
    if limits.ceiling is not None and change.final > limits.ceiling:
        found.blockers.append(
            f"The final audience has {say_people(change.final)}; "
            f"the limit is {say_number(limits.ceiling)}."
        )
    if limits.minimum is not None and change.final < limits.minimum:
        found.blockers.append(
            f"The final audience has {say_people(change.final)}; "
            f"at least {say_number(limits.minimum)} are asked for."
        )


def _check_fall(limits: GuardLimits, change: AudienceChange, found: _Findings) -> None:
    fallen, percent = -change.absolute, limits.fall_percent
    if percent is None or fallen <= 0 or fallen * 100 <= percent * change.estimate:
        return
    told = found.blockers if limits.fall_stops else found.warnings
    told.append(f"{_grew(change)}; a fall of over {say_number(percent)} % is one to look at.")


def _grew(change: AudienceChange) -> str:
    return (
        f"The audience went from {say_number(change.estimate)} to {say_people(change.final)} "
        f"({say_change(change.absolute, change.percent)})"
    )


def describe_limits(limits: GuardLimits, currency: str = "USD") -> str:
    """Return in one sentence, without its full stop, beyond what a campaign stops."""
    percent, people, ceiling = limits.growth_percent, limits.growth_people, limits.ceiling
    parts = [
        f"growth of over {say_number(percent)} %" if percent is not None else "",
        f"over {say_people(people)} more" if people is not None else "",
        f"over {say_people(ceiling)} in all" if ceiling is not None else "",
        f"fewer than {say_people(limits.minimum)}" if limits.minimum is not None else "",
        f"a fall of over {say_number(limits.fall_percent)} %"
        if limits.fall_stops and limits.fall_percent is not None
        else "",
        f"a cost of over {say_money(limits.budget, currency)}" if limits.budget is not None else "",
    ]
    said = [part for part in parts if part]
    if not said:
        return "Nothing stops it"
    text = " or ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else said[0]
    return text[0].upper() + text[1:]


def limits_for(role: Role | None, organisation_limits: Any, campaign_limits: Any) -> GuardLimits:
    """Return the limits of a campaign that somebody of that role scheduled.

    The organisation's replace the defaults, and the campaign's replace the organisation's.
    """
    limits = role_limits(role, organisation_limits)
    return replace(limits, **_stored(campaign_limits))


def role_limits(role: Role | None, organisation_limits: Any) -> GuardLimits:
    """Return the organisation's limits for a role; None is somebody who is gone."""
    defaults = DEFAULT_LIMITS[role] if role else NOBODYS_LIMITS
    return replace(defaults, **_stored((organisation_limits or {}).get(role)))


def _stored(given: Any) -> dict[str, Any]:
    values = dict(given or {})
    if values.get("budget") is not None:
        values["budget"] = Decimal(values["budget"])
    return values


def read_limits(given: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return limits as they are stored; raises InvalidInput naming each that can't be used.

    Numbers may be texts, as a form has them; an empty one, or None, is no limit. `prefix`
    stands before the names in errors.
    """
    known = {one.name for one in fields(GuardLimits)}
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, value in given.items():
        if name not in known:
            problems[prefix + name] = f"This is not a limit; known are {', '.join(sorted(known))}."
            continue
        try:
            values[name] = _read_limit(name, value)
        except ValueError as error:
            problems[prefix + name] = str(error)
    if problems:
        raise InvalidInput(problems)
    return values


def _read_limit(name: str, value: Any) -> Any:
    if name == "fall_stops":
        if not isinstance(value, bool):
            raise ValueError("Say true or false.")
        return value
    text = "" if value is None else str(value).replace(",", "").strip()
    if not text:
        return None
    if name == "budget":
        return str(_read_budget(text))
    if isinstance(value, bool) or not text.isdecimal() or int(text) > LARGEST:
        raise ValueError(f"Give a whole number from 0 to {LARGEST:,}, or nothing for no limit.")
    if name == "fall_percent" and int(text) > 100:
        raise ValueError("An audience can't fall by more than 100 %.")
    return int(text)


def _read_budget(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise ValueError("Give an amount of money, such as 500 or 499.50.") from error
    if not amount.is_finite() or not 0 <= amount <= LARGEST:
        raise ValueError(f"Give an amount from 0 to {LARGEST:,}.")
    return amount.quantize(Decimal("0.01"))


def check_not_looser(campaign_limits: Mapping[str, Any], allowed: GuardLimits) -> None:
    """Raise InvalidInput where a campaign's own limit goes beyond what the role allows."""
    own = replace(allowed, **_stored(campaign_limits))
    problems: dict[str, str] = {}
    for name in ("growth_percent", "growth_people", "ceiling", "fall_percent", "budget"):
        limit, wanted = getattr(allowed, name), getattr(own, name)
        if limit is not None and (wanted is None or wanted > limit):
            problems[name] = _too_loose(name, limit)
    if allowed.minimum is not None and (own.minimum is None or own.minimum < allowed.minimum):
        problems["minimum"] = _too_loose("minimum", allowed.minimum)
    if allowed.fall_stops and not own.fall_stops:
        problems["fall_stops"] = "For your role a fall stops the campaign."
    if problems:
        raise InvalidInput(problems)


def _too_loose(name: str, limit: int | Decimal) -> str:
    bound = "at least" if name == "minimum" else "at most"
    return f"For your role the {LABELS[name]} is {bound} {say_number(limit)}."


def set_guard_limits(
    actor: Actor, given: Mapping[str, Mapping[str, Any]]
) -> dict[Role, GuardLimits]:
    """Change the limits that are given, by role, and return those that hold then.

    An empty value is no limit; what is not named stays. Takes a super: limits are what keeps
    the others from a mistake. Raises NotAllowed, or InvalidInput naming each as "staff.ceiling".
    """
    actor.require(Role.SUPER)
    wanted = _read(given)
    with write():
        organisation = db.session.get_one(
            Organisation, actor.organisation_id, populate_existing=True, with_for_update=True
        )
        before = organisation.guard_limits or {}
        after = {role.value: {**before.get(role, {}), **wanted.get(role, {})} for role in Role}
        after = {role: _different(Role(role), limits) for role, limits in after.items()}
        after = {role: limits for role, limits in after.items() if limits}
        if after != before:
            organisation.guard_limits = after or None
            changes = {"before": {"limits": before}, "after": {"limits": after}}
            record(actor, "organisation.limits", "organisation", organisation.id, **changes)
        return describe_guard_limits(organisation)


def describe_guard_limits(organisation: Organisation) -> dict[Role, GuardLimits]:
    """Return the limits that hold for campaigns that each role schedules."""
    return {role: role_limits(role, organisation.guard_limits) for role in Role}


def _read(given: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    problems: dict[str, str] = {}
    wanted: dict[str, dict[str, Any]] = {}
    for role, limits in given.items():
        if role not in list(Role):
            problems[role] = f"This is not a role; known are {', '.join(Role)}."
            continue
        try:
            wanted[role] = read_limits(limits, f"{role}.")
        except InvalidInput as error:
            problems |= error.fields
    if problems:
        raise InvalidInput(problems)
    return wanted


def _different(role: Role, limits: dict[str, Any]) -> dict[str, Any]:
    """Return only what differs from the defaults, so that these can change for who left them."""
    defaults = DEFAULT_LIMITS[role].to_json()
    return {name: limit for name, limit in limits.items() if limit != defaults[name]}


def judge_campaign(campaign: Campaign, final: FinalList) -> GuardVerdict:
    """Return what the campaign's guards say of such a final list."""
    change = AudienceChange(campaign.estimated_recipients or 0, final.people)
    cost = estimate_cost(campaign, final)
    return evaluate_guards(campaign_limits(campaign), change, cost, DEFAULT_PRICES.currency)


def judge_for_role(role: Role, campaign: Campaign, final: FinalList) -> GuardVerdict:
    """Return what the organisation's limits for a role say of such a final list."""
    limits = role_limits(role, campaign.organisation.guard_limits)
    change = AudienceChange(campaign.estimated_recipients or 0, final.people)
    cost = estimate_cost(campaign, final)
    return evaluate_guards(limits, change, cost, DEFAULT_PRICES.currency)


def campaign_limits(campaign: Campaign) -> GuardLimits:
    """Return the limits that hold for the campaign, by the role of who scheduled it."""
    scheduled_by = campaign.scheduled_by or campaign.created_by
    role = scheduled_by.rank if scheduled_by else None
    return limits_for(role, campaign.organisation.guard_limits, campaign.guard_limits)


def estimate_cost(campaign: Campaign, final: FinalList) -> Decimal:
    """Return what the list costs, with the parts of the message as its sample fills it in."""
    channel = Channel(campaign.channel)
    text = compile_template(campaign.message).sample(campaign.link)
    return cost_of(final.by_country, channel, count_parts(text).parts)
