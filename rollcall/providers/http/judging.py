"""What a gateway's answer comes to, by the rules of its file; what no rule knows is in doubt."""

from collections.abc import Mapping
from typing import Any

import regex

from rollcall.providers.base import Outcome, ProviderError
from rollcall.providers.http.file import AnswerRule, AnswerTable, Condition, Described
from rollcall.providers.http.pointers import find_all, find_text, read_document
from rollcall.providers.http_line import HttpResponse, doubt, read_retry_after

LONGEST_ID = 120
_LONGEST_CODE = 40
_LONGEST_TEXT = 160
_PATTERN_SECONDS = 1.0
_LONGEST_SEARCHED = 10_000

# Statuses that say by the standards of HTTP that the request was not acted upon, and why: RFC
# 9110, sections 15.5.2 and 15.5.8, and RFC 6585, section 4. A file's own rules come before them.
NO_LOG_IN = AnswerRule(outcome="account", status=("401", "407"))
STANDARD_RULES = (NO_LOG_IN, AnswerRule(outcome="too_many", status=("429",)))

_SENTENCES = {
    "refused": "{label} refused the message.",
    "opted_out": "Opted out at the carrier.",
    "later": "{label} can't take this message at the moment.",
    "too_many": "{label} asks for fewer messages at a time.",
    "account": "{label} does not accept our log-in or our account: check HTTP_PROVIDER_FILE.",
    "doubt": "{label} answered {status}: nobody knows if it took the message.",
}


def judge(described: Described, answer: HttpResponse, token: int) -> Outcome:
    """Return what became of the message that this is the answer to."""
    table = described.gateway.answer
    document = read_document(answer.body)
    rule = find_rule(table, answer, document)
    if rule is not None and rule.outcome == "accepted":
        message_id = find_text(document, table.id)[:LONGEST_ID]
        return Outcome(token, provider_message_id=message_id or None)
    outcome = rule.outcome if rule is not None else "doubt"
    return Outcome(token, error=_describe(described, answer, document, outcome))


def find_rule(table: AnswerTable, answer: HttpResponse, document: Any) -> AnswerRule | None:
    """Return the first rule that fits the answer, None where none does."""
    for rule in (*table.rules, *STANDARD_RULES):
        if rule.status and not fits_status(rule.status, answer.status):
            continue
        if holds(rule, document, answer.text):
            return rule
    return None


def fits_status(wanted: tuple[str, ...], status: int) -> bool:
    """Return whether a status is one of these, of which some stand for all of a kind (2xx)."""
    return str(status) in wanted or f"{status // 100}xx" in wanted


def holds(condition: Condition, document: Any, whole: str = "") -> bool:
    """Return whether a condition holds: of every value at its place, and there is at least one.

    Without a place, a pattern is looked for in the `whole` text.
    """
    if condition.field is None:
        return condition.matches is None or _is_in(condition.matches, whole)
    found = find_all(document, condition.field)
    return bool(found) and all(text is not None and _suits(condition, text) for text in found)


def _suits(condition: Condition, text: str) -> bool:
    if condition.equals and text not in condition.equals:
        return False
    return condition.matches is None or _is_in(condition.matches, text)


def _is_in(pattern: str, text: str) -> bool:
    try:
        found = regex.search(pattern, text[:_LONGEST_SEARCHED], timeout=_PATTERN_SECONDS)
    except TimeoutError:
        return False
    return found is not None


def _describe(
    described: Described, answer: HttpResponse, document: Any, outcome: str
) -> ProviderError:
    table, label = described.gateway.answer, described.gateway.label
    code = hide(find_text(document, table.code), described)[:_LONGEST_CODE] or str(answer.status)
    text = _SENTENCES[outcome].format(label=label, status=answer.status)
    known = table.codes.get(code)
    said = hide(find_text(document, table.text), described)[:_LONGEST_TEXT]
    if known:
        text = known
    elif said:
        text = f"{text} It says: {said}"
    if outcome == "doubt":
        return doubt(code, text)
    return ProviderError(
        code,
        text,
        permanent=outcome not in ("later", "too_many"),
        provider_wide=outcome in ("too_many", "account"),
        retry_after=read_retry_after(answer.headers) if outcome == "too_many" else None,
        opted_out=outcome == "opted_out",
    )


def hide(text: str, described: Described) -> str:
    """Return a gateway's words on one line, without a secret that it may have repeated."""
    for secret in described.secrets:
        text = text.replace(secret, "…")
    return " ".join("".join(c if c.isprintable() else " " for c in text[:2000]).split())


def say_rules(described: Described, outcomes: Mapping[str, str]) -> tuple[str, ...]:
    """Return the rules with these outcomes as sentences for staff."""
    rules = (*described.gateway.answer.rules, *STANDARD_RULES)
    return tuple(
        f"{_say_rule(rule)}: {outcomes[rule.outcome]}."
        for rule in rules
        if rule.outcome in outcomes
    )


def _say_rule(rule: AnswerRule) -> str:
    said = [" or ".join(rule.status)] if rule.status else []
    if rule.field is not None:
        said.append(f"{rule.field} is {', '.join(rule.equals)}" if rule.equals else rule.field)
    if rule.matches:
        said.append(f"“{rule.matches}”")
    return " with ".join(said)
