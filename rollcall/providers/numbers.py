"""Phone numbers as gateways write them."""

import re

_PUNCTUATION = re.compile(r"[\s().-]")


def write_international(number: str) -> str:
    """Return a phone number with its plus; networks often leave it out, or write 00 for it.

    What has too few digits for a whole number, or begins with a zero, is left as it is.
    """
    number = _PUNCTUATION.sub("", number)
    if number.startswith("00"):
        return "+" + number[2:]
    if number.isascii() and number.isdigit() and len(number) > 8 and number[0] != "0":
        return "+" + number
    return number
