"""Which column holds phones where its heading is none of those that are known."""

from collections.abc import Callable, Sequence

from rollcall.people.reading.columns import heading_key
from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.phones import (
    TYPED_AT_HOME,
    is_written_as_phone,
    looks_like_phone,
    normalise_phone,
)

_ENOUGH = 0.6  # of the filled samples must be phones where the heading says that they are
_NEARLY_ALL = 0.9
_PHONE_WORDS = frozenset(
    """phone phones telephone mobile cell cellphone cellular tel sms whatsapp handy handynummer
    telefon telefonnummer mobilnummer mobiltelefon rufnummer portable telefono movil celular
    telefone telemovel cellulare telefoon telefoonnummer mobiel gsm tlf puhelin komorka""".split()
)
_SOMEBODY_ELSES = frozenset(
    """emergency notfall urgence emergencia parent parents guardian assistant company organizer
    organiser organization organisation venue doctor supervisor manager partner spouse fax pager
    hotline support referrer sponsor agent employer school""".split()
)
_OTHER_NUMBERS = frozenset(
    """number numbers no nr num id ids key code codes order orders attendee record ticket tickets
    barcode barcodes transaction invoice receipt booking reservation registration reference ref
    payment position seat row line item sku serial account member membership customer client user
    guest participant date time timestamp created updated birthday birth dob age year amount total
    price sum paid fee tax vat revenue balance quantity qty count zip postcode postal plz cap
    latitude longitude lat lng ip iban bic card token uuid guid hash url bestellung rechnung kunde
    betrag datum summe preis commande montant numero number pedido order nummer""".split()
)
_ENDINGS_OF_NUMBERS = ("nummer", "nr", "code", "barcode", "number", "nummern", "numer", "id")


def is_column_of_phones(
    heading: str | None, values: Sequence[str], country: str, *, is_only_address: bool
) -> bool:
    """Return whether the filled cells of a column can only be phones.

    Digits alone prove nothing, as order numbers make valid phones by the thousand: each cell
    needs a + or the form in which its country writes phones, and no heading may speak against
    it. Digits alone will do under a heading that names a phone, and in a list without headings
    (`heading` is None) that has no other address.
    """
    if not values:
        return False
    words = set(heading_key(heading or "").split())
    if words & _SOMEBODY_ELSES:
        return False
    if words & _PHONE_WORDS:
        return _share(values, lambda text: _is_readable(text, country)) >= _ENOUGH
    if "#" in (heading or "") or words & _OTHER_NUMBERS:
        return False
    if any(word.endswith(_ENDINGS_OF_NUMBERS) for word in words):
        return False
    written = _share(values, lambda text: is_written_as_phone(text, country))
    if written >= _ENOUGH:
        return True
    if heading is not None or not is_only_address:
        return False
    readable = _share(values, lambda text: _is_readable(text, country))
    return readable >= (_ENOUGH if written else _NEARLY_ALL) and not _is_a_series(values)


def _share(values: Sequence[str], fits: Callable[[str], bool]) -> float:
    return sum(map(fits, values)) / len(values)


def _is_readable(text: str, country: str) -> bool:
    try:
        return bool(normalise_phone(text, country, TYPED_AT_HOME))
    except UnreadableValue:
        return "E+" in text.upper() and looks_like_phone(text)


def _is_a_series(values: Sequence[str]) -> bool:
    """Return whether the values count up, as numbers do that a program gave out."""
    beginnings = {value[:-4] for value in values}
    return len(values) > 2 and len(beginnings) <= len(values) / 2
