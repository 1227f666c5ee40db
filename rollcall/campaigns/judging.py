"""A campaign before the guards: its own limits, and what its final list would cost."""

from decimal import Decimal

from rollcall.audience.preview import cost_of
from rollcall.campaigns.guards import (
    GuardLimits,
    GuardVerdict,
    evaluate_guards,
    limits_for,
    role_limits,
)
from rollcall.campaigns.results import AudienceChange
from rollcall.messages.parts import count_parts
from rollcall.messages.placeholders import compile_template
from rollcall.messages.pricing import DEFAULT_PRICES
from rollcall.models import Campaign, Channel, Role
from rollcall.sending.difference import FinalList


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
