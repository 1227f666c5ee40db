"""The audit trail in words: what was done, and values as people read them."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rollcall.wording import SOURCE_LABELS, say_count, say_money, say_state, say_time

NOTHING = "nothing"
LONGEST_LIST = 12

# By the first word of the action: what it is about, and each thing that can be done.
ACTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "alert": ("Alerts", {"close": "Alert closed"}),
    "attendance": (
        "Attendance",
        {
            "record": "Attendance recorded",
            "import_begin": "Import of attendance begun",
            "import": "Attendance imported",
            "cancelled": "Registration cancelled",
            "refunded": "Registration refunded",
            "attending": "Registration taken up again",
        },
    ),
    "campaign": (
        "Campaigns",
        {
            "create": "Campaign written",
            "edit": "Campaign edited",
            "edit_held": "Campaign edited that an event held",
            "schedule": "Campaign scheduled",
            "adopt_version": "Campaign moved to its segment's newer version",
            "keep_version": "Campaign kept on its segment's version",
            "bring_forward": "Campaign sent now",
            "prepare": "Campaign started",
            "stop_for_review": "Campaign stopped for review",
            "hold": "Campaign held, as its event changed",
            "hold_again": "Campaign held again, as its event changed",
            "keep_time": "Campaign kept at its time",
            "move_time": "Campaign moved with its event",
            "look_again": "Decision asked for again, as the audience had changed",
            "approve": "Campaign decided on",
            "start_sending": "Sending begun",
            "pause": "Campaign paused",
            "resume": "Campaign resumed",
            "send_again": "Campaign sent again",
            "complete": "Campaign completed",
            "fail": "Campaign failed",
            "cancel": "Campaign cancelled",
            "rehearse": "Campaign rehearsed",
            "test": "Test message sent",
            "resolve_doubt": "Messages in doubt decided on",
            "ask_provider": "Provider asked about messages in doubt",
        },
    ),
    "event": (
        "Events",
        {
            "create": "Event created",
            "edit": "Event edited",
            "cancel": "Event cancelled",
            "reopen": "Event taken up again",
        },
    ),
    "import": ("Imports", {"discard": "Import discarded", "restart": "Import started again"}),
    "inbox": ("Inbox", {"decide": "Reply decided on"}),
    "installation": ("Installation", {"confirm_restored": "Restored backup confirmed"}),
    "organisation": (
        "Organisation",
        {
            "create": "Organisation created",
            "edit": "Settings changed",
            "limits": "Limits changed",
        },
    ),
    "people": (
        "Imports of people",
        {"import_begin": "Import of people begun", "import": "People imported"},
    ),
    "person": (
        "People",
        {
            "add": "Person added",
            "edit": "Person edited",
            "block": "Person blocked",
            "unblock": "Person unblocked",
            "opt_out": "Person opted out",
            "opt_in": "Person opted in",
        },
    ),
    "plan": (
        "Plans",
        {
            "edit": "Plan written",
            "lock": "Plan locked",
            "unlock": "Plan unlocked",
            "start": "Production started",
            "complete": "Production completed",
            "amend": "Plan amended",
        },
    ),
    "provider": ("Providers", {"test": "Provider tested"}),
    "purchases": (
        "Imports of purchases",
        {"import_begin": "Import of purchases begun", "import": "Purchases imported"},
    ),
    "rfm": ("Scores", {"compute": "Scores computed"}),
    "segment": (
        "Segments",
        {
            "create": "Segment created",
            "edit": "Segment edited",
            "bump": "New version of a segment",
            "snapshot": "Snapshot of a segment taken",
        },
    ),
    "staff": (
        "Staff",
        {
            "create": "Staff member added",
            "edit": "Staff member edited",
            "invite": "Staff member invited",
            "accept_invitation": "Invitation accepted",
            "withdraw_invitation": "Invitation withdrawn",
            "deactivate": "Staff member deactivated",
            "reactivate": "Staff member reactivated",
            "set_password": "Password set for somebody",
            "change_own_password": "Own password changed",
            "request_reset": "New password asked for",
            "make_reset_link": "Link for a new password made",
            "reset_password": "New password chosen by a link",
            "log_in": "Logged in",
            "log_out": "Logged out",
            "end_sessions": "Logged out of browsers",
            "mail_notices": "E-mails of notices chosen",
        },
    ),
    "token": ("API tokens", {"create": "API token made", "revoke": "API token revoked"}),
}
FIELDS = {
    "is": "value",
    "audience_mode": "audience at send time",
    "dry_run_address": "dry run to",
    "dry_run_limit": "dry run, at most",
    "guard_limits": "limits",
    "min_growth": "re-process from a growth of (percent)",
    "not_after": "not after",
    "on_failure": "if re-processing fails",
    "scheduled_at": "goes out",
    "targeting_criteria": "audience",
}
# Fields whose values are words of the program, and how people say those.
WORDS = {
    "reprocess": "re-processed",
    "frozen": "frozen",
    "removals": "only removals",
    "additions": "only additions",
    "sms": "SMS",
    "email": "e-mail",
    "estimate": "the estimate list",
    "final": "the final list",
    **SOURCE_LABELS,
}
WORD_FIELDS = ("audience_mode", "on_failure", "channel", "source", "sources", "decision")
STATE_FIELDS = ("state", "status")
MONEY_FIELDS = ("budget", "cost", "amount")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def say_action(action: str) -> str:
    """Return what was done: "campaign.schedule" becomes "Campaign scheduled"."""
    about, _, done = action.partition(".")
    known = ACTIONS.get(about, ("", {}))[1].get(done)
    return known or action.replace(".", ": ").replace("_", " ").capitalize()


def list_actions() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return all that can be asked for: first word, what it is about, and each of its actions."""
    groups = [
        (about, label, [(f"{about}.{done}", text) for done, text in actions.items()])
        for about, (label, actions) in ACTIONS.items()
    ]
    return sorted(groups, key=lambda group: group[1])


def known_actions() -> set[str]:
    """Return every action there are words for, and the first words."""
    groups = list_actions()
    return {about for about, _, _ in groups} | {one for *_, some in groups for one, _ in some}


def say_field(field: str) -> str:
    """Return a field's name as people read it: "scheduled_at" becomes "goes out"."""
    return FIELDS.get(field, field.replace("_", " "))


def say_value(field: str, value: Any, zone: str = "UTC", currency: str = "USD") -> str:
    """Return a stored value as people read it: moments in the zone, money, states, lists."""
    if value is None or value in ("", [], {}):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return _say_mapping(value, zone, currency)
    if isinstance(value, list | tuple):
        return _say_list(field, list(value), zone, currency)
    if isinstance(value, str):
        return _say_text(field, value, zone, currency)
    return f"{value:,}" if isinstance(value, int) and not field.endswith("id") else str(value)


def _say_text(field: str, value: str, zone: str, currency: str) -> str:
    if field in STATE_FIELDS:
        return say_state(value)
    if field in WORD_FIELDS:
        return WORDS.get(value, value.replace("_", " "))
    if field in MONEY_FIELDS and re.fullmatch(r"\d+(\.\d+)?", value):
        return say_money(value, currency)
    if field == "targeting_criteria" and (criteria := _read_object(value)) is not None:
        return say_value("", criteria, zone, currency)
    if _MOMENT.fullmatch(value):
        return say_time(datetime.fromisoformat(value), zone)
    return value


def _read_object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _say_mapping(value: Mapping[str, Any], zone: str, currency: str) -> str:
    said = [
        f"{say_field(str(name))}: {say_value(str(name), part, zone, currency)}"
        for name, part in value.items()
        if part is not None and part not in ("", [], {})
    ]
    return "; ".join(said) or NOTHING


def _say_list(field: str, values: list[Any], zone: str, currency: str) -> str:
    between = " · " if any(isinstance(value, Mapping) for value in values) else ", "
    said = between.join(say_value(field, value, zone, currency) for value in values[:LONGEST_LIST])
    more = len(values) - LONGEST_LIST
    return f"{said} and {say_count(more, 'more', 'more')}" if more > 0 else said
