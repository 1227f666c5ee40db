"""What messages cost (requirement C4), in Decimal, by the country that they go to."""

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import phonenumbers

_PRICES_FILE = Path(__file__).with_name("prices.json")


@dataclass(frozen=True, slots=True)
class Prices:
    """A price list: amounts in one currency, countries as two capital letters (ISO 3166-1)."""

    currency: str
    email: Decimal
    sms_part_elsewhere: Decimal
    sms_part: dict[str, Decimal]

    def of_sms_part(self, country: str | None) -> Decimal:
        """Give the price of one SMS part; an unlisted or unknown country pays the one elsewhere."""
        return self.sms_part.get((country or "").upper(), self.sms_part_elsewhere)


def read_prices(path: Path = _PRICES_FILE) -> Prices:
    """Read a price list from JSON, where every amount is a decimal string."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    return Prices(
        currency=raw["currency"],
        email=Decimal(raw["email"]),
        sms_part_elsewhere=Decimal(raw["sms_part_elsewhere"]),
        sms_part={country: Decimal(price) for country, price in raw["sms_part"].items()},
    )


DEFAULT_PRICES = read_prices()


def price_of_parts(country: str | None, parts: int, prices: Prices = DEFAULT_PRICES) -> Decimal:
    """Give the price of a number of SMS parts to one country, exact and not rounded to cents."""
    return parts * prices.of_sms_part(country)


def price_of_emails(emails: int, prices: Prices = DEFAULT_PRICES) -> Decimal:
    """Give the price of a number of e-mails: nothing, unless the price list sets one."""
    return emails * prices.email


# Countries that share a calling code part ways within the first seven digits. Asking the library
# takes 50 microseconds a number, so with a hundred thousand people the answers are worth keeping.
_TELLING_CHARACTERS = len("+") + 7
_MOST_KEPT = 100_000
_country_by_prefix: dict[str, str] = {}
_NO_COUNTRY = ("001", "ZZ")


def country_of_phone(e164: str) -> str | None:
    """Give the country of a phone number in E.164 as two capital letters.

    A number that no country has given out counts to the main country of its calling code; None
    where there is no such code, or it belongs to no country (satellite phones).
    """
    prefix = e164[:_TELLING_CHARACTERS]
    known = _country_by_prefix.get(prefix)
    if known:
        return known
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return None
    country = phonenumbers.region_code_for_number(number)
    # Only a number that was given out speaks for the others that begin like it.
    if country and country not in _NO_COUNTRY and len(_country_by_prefix) < _MOST_KEPT:
        _country_by_prefix[prefix] = country
    country = country or phonenumbers.region_code_for_country_code(number.country_code or 0)
    return None if country in _NO_COUNTRY else country
