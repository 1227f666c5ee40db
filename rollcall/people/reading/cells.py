"""Cells of a spreadsheet as people meant them, without what the eye does not see."""

import re
import unicodedata

from rollcall.text import normalize

# Joiners, direction marks, soft hyphen and byte order mark: copied along from web pages and
# contact lists, invisible to staff, and enough to make two equal phones differ.
_INVISIBLE = dict.fromkeys(
    [
        *(0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF, 0xFFFC),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
    ]
)
_SPACES = re.compile(r"\s+")
# Excel and some exporters wrap text as ="…" so that a phone is not turned into a number.
_TEXT_FORMULA = re.compile(r'^="(.*)"$', re.DOTALL)
_LONGEST_SHOWN = 60
# What a person writes into one field of a form; longer texts are read by nobody.
LONGEST_CELL = 1_000

# What forms and spreadsheets write where nothing is known. "Info Requested" is Eventbrite's.
_NOTHING = {
    *("-", "--", "–", "—", ".", "?", "n/a", "#n/a", "n.a.", "none", "null", "nil", "nan"),
    *("(blank)", "(none)", "unknown", "undefined", "not provided", "not available"),
    *("info requested", "information requested", "k.a.", "keine", "aucun", "aucune"),
}


def clean_cell(text: str) -> str:
    """Return the text on one line, without invisible characters, controls and outer spaces."""
    if text.isascii() and text.isprintable():
        cleaned = text.strip()  # nearly every cell; the work below costs ten times as much
        return cleaned if cleaned[:1] != "=" else _unwrap_formula(cleaned)
    cleaned = normalize("NFC", text.translate(_INVISIBLE))
    cleaned = _SPACES.sub(" ", cleaned)
    cleaned = "".join(c for c in cleaned if unicodedata.category(c) not in ("Cc", "Cs", "Co"))
    return _unwrap_formula(cleaned.strip())


def _unwrap_formula(text: str) -> str:
    match = _TEXT_FORMULA.match(text)
    return match.group(1).strip() if match else text


def says_nothing(text: str) -> bool:
    """Return whether a cleaned cell is empty or one of the usual words for "not known"."""
    return not text or text.casefold() in _NOTHING


def shown(text: str) -> str:
    """Return the text in quotation marks, cut short, for use inside a reason."""
    cut = text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
    return f"“{cut}”"
