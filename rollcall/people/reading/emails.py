"""E-mail addresses, checked by their form alone: nothing here asks the network."""

import re

from rollcall.people.reading.cells import clean_cell, shown
from rollcall.people.reading.errors import UnreadableValue

# RFC 5321: 64 characters before the @, 254 in all. Quoted local parts are legal and unused.
_LONGEST = 254
_LONGEST_LOCAL = 64
_LOCAL = re.compile(r"^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")
_LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
_IN_ANGLES = re.compile(r"<([^<>]*)>\s*$")
_SEVERAL = re.compile(r"[;,\s/|]+")


def normalise_email(text: str) -> str:
    """Return the address in lower case, its domain in ASCII; raises UnreadableValue.

    "Sarah Lee <Sarah@Example.com>" and "mailto:" are read too. The part before the @ is
    lowered as well: RFC 5321 lets a host tell the cases apart, none does, and people's
    telephones write a capital first letter.
    """
    address = _bare(text)
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        raise UnreadableValue(f"{shown(address)} is not an e-mail address: {_missing(address)}")
    if "@" in local:
        raise UnreadableValue(_too_many(address))
    if len(local) > _LONGEST_LOCAL or not _LOCAL.match(local):
        raise UnreadableValue(
            f"{shown(address)} is not an e-mail address: check what stands before the @"
        )
    host = _ascii_domain(domain)
    if host is None or len(local) + 1 + len(host) > _LONGEST:
        raise UnreadableValue(
            f"{shown(address)} is not an e-mail address: check what stands after the @"
        )
    return f"{local}@{host}"


def looks_like_email(text: str) -> bool:
    """Return whether a cell holds an e-mail address rather than a heading."""
    try:
        normalise_email(text)
    except UnreadableValue:
        return False
    return True


def _bare(text: str) -> str:
    address = clean_cell(text)
    angles = _IN_ANGLES.search(address)
    address = angles.group(1).strip() if angles else address
    return address.lower().removeprefix("mailto:").strip()


def _missing(address: str) -> str:
    if "@" not in address:
        return "it has no @"
    return "there is nothing before the @" if address.startswith("@") else "it ends at the @"


def _too_many(address: str) -> str:
    if sum("@" in part for part in _SEVERAL.split(address)) > 1:
        return f"{shown(address)} has more than one e-mail address; leave one"
    return f"{shown(address)} is not an e-mail address: it has more than one @"


def _ascii_domain(domain: str) -> str | None:
    """Return the domain as the DNS knows it, or None where it can't be one."""
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    labels = domain.split(".")
    if len(labels) < 2 or not all(_LABEL.match(label) for label in labels):
        return None
    top = labels[-1]
    return domain if top.startswith("xn--") or (top.isalpha() and len(top) >= 2) else None
