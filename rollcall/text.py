"""Texts that people type: how they are compared, and the slugs that are made of them."""

import re
import unicodedata

from rollcall.errors import InvalidInput

LONGEST_SLUG = 80
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")


def make_slug(name: str) -> str:
    """Return a slug for a name: "Art Battle Montréal" becomes "art-battle-montreal".

    A name without any Latin letter or digit gives "", as nothing useful can be derived.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())
    return "-".join(words)[:LONGEST_SLUG].strip("-")


def check_slug(slug: str, field: str = "slug") -> str:
    """Return the slug; raises InvalidInput naming `field` when it can't serve as one."""
    if len(slug) > LONGEST_SLUG or not _SLUG.match(slug):
        raise InvalidInput(
            {
                field: "A slug has small letters, digits and single hyphens, at most "
                f"{LONGEST_SLUG} of them, as in art-battle-toronto."
            }
        )
    return slug


def fold(text: str) -> str:
    """Return what the text is compared by: no case, one form of each accent, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
