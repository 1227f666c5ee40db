"""How many of the world's phones are read right, however they are written, and none wrong.

    python -m benchmarks.phones [--share 1.0]

The numbers are the example landline and mobile phone of every country that the library knows.
Each is written in many ways, with and without its country beside it, and read in organisations
of ten countries. The answer is the very number, or a reason why not; another number is wrong.
What is written as at home, without its country beside it, is asked in its own country only:
elsewhere nothing in the file says whose number it is.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from rollcall.people.reading.country_names import REGION_OF_THREE_LETTERS
from rollcall.people.reading.errors import UnreadableValue
from rollcall.people.reading.phones import (
    UNKNOWN,
    Habit,
    find_phone_habit,
    normalise_phone,
    read_local_phone,
)
from rollcall.people.reading.places import country_name, read_phone_country

ORGANISATIONS = ("CA", "US", "GB", "DE", "AT", "FR", "NL", "AU", "IN", "BR")
BESIDE = (
    "nothing",
    "name",
    "two letters",
    "three letters",
    "dialling code",
    "dialling code with +",
)
_ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
_FULL_WIDTH = str.maketrans("0123456789+", "０１２３４５６７８９＋")
_THREE_LETTERS = {region: code for code, region in REGION_OF_THREE_LETTERS.items()}


@dataclass(frozen=True)
class Example:
    """A number of a country, and the ways in which people write it."""

    region: str
    e164: str
    abroad: dict[str, str]  # with its country code
    at_home: dict[str, str]  # without it


def find_examples() -> list[Example]:
    """Return the example landline and mobile phone of every country, once each."""
    found = {}
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number:
                found[region, phonenumbers.format_number(number, 0)] = number
    return [_write(region, e164, number) for (region, e164), number in found.items()]


def _write(region: str, e164: str, number: PhoneNumber) -> Example:
    digits, code = e164[1:], str(number.country_code)
    spaced = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    bare = phonenumbers.national_significant_number(number)
    ways = {
        "E.164": e164,
        "spaces": spaced,
        "dashes": spaced.replace(" ", "-"),
        "dots": spaced.replace(" ", ".").replace("-", "."),
        "brackets": f"(+{code}) {spaced.split(' ', 1)[1]}",
        "+ apart": f"+ {spaced[1:]}",
        "00": f"00{digits}",
        "00 and spaces": f"00{spaced[1:]}",
        "011": f"011 {spaced[1:]}",
        "no +": digits,
        "no +, spaces": spaced[1:],
        "no +, dashes": spaced[1:].replace(" ", "-"),
        "no +, from Excel": f"{digits}.0",
        "tel:": phonenumbers.format_number(number, PhoneNumberFormat.RFC3966),
        "p:": f"p:{e164}",
        "Arabic digits": e164.translate(_ARABIC),
        "Arabic digits, no +": digits.translate(_ARABIC),
        "Arabic digits, 00": f"00{digits}".translate(_ARABIC),
        "full width": e164.translate(_FULL_WIDTH),
    }
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    trunk = metadata.national_prefix if metadata else None
    if trunk == "0" and not bare.startswith("0"):
        ways["(0)"] = f"+{code} (0){bare}"
        ways["(0) apart"] = f"+{code} (0) {bare}"
        ways["(0), no +"] = f"{code} (0){bare}"
        ways["00 and (0)"] = f"00{code} (0){bare}"
        ways["brackets and 0"] = f"(+{code}) 0{bare}"
    home = {
        "national": national,
        "national, dashes": national.replace(" ", "-"),
        "national, dots": national.replace(" ", ".").replace("-", "."),
        "national, digits": "".join(filter(str.isdigit, national)),
        "national, no trunk": bare,
        "national, from Excel": f"{bare}.0",
        "national, Arabic": national.translate(_ARABIC),
    }
    return Example(region, e164, ways, home)


def countries_beside(region: str, code: str) -> dict[str, str]:
    """Return what may stand in the column beside a phone of the country."""
    return {
        "nothing": "",
        "name": country_name(region),
        "two letters": region,
        "three letters": _THREE_LETTERS.get(region, ""),
        "dialling code": code,
        "dialling code with +": f"+{code}",
    }


def cases(examples: list[Example]) -> Iterator[tuple[Example, str, str, str, str, str]]:
    """Yield each example with way, text, what kind of country stands beside it, it, and where."""
    for example in examples:
        code = str(phonenumbers.country_code_for_region(example.region))
        for kind, beside in countries_beside(example.region, code).items():
            if kind != "nothing" and not beside:
                continue
            for organisation in ORGANISATIONS:
                ways = dict(example.abroad)
                at_home = str(phonenumbers.country_code_for_region(organisation)) == code
                if kind != "nothing" or at_home:
                    ways |= example.at_home
                for way, text in ways.items():
                    yield example, way, text, kind, beside, organisation


def columns_without_plus(examples: list[Example]) -> Iterator[tuple[str, list[Example], Habit]]:
    """Yield columns that lost every +, as marketing tools export them, and their habit."""
    drawn = random.Random(2)
    for organisation in ORGANISATIONS:
        for _ in range(20):
            column = drawn.sample(examples, 50)
            texts = [example.abroad["no +"] for example in column]
            yield organisation, column, find_phone_habit(texts, organisation)


def read(text: str, beside: str, organisation: str, habit: Habit = UNKNOWN) -> str | None:
    """Return the number as an import reads it, or None where it is rejected."""
    home = read_phone_country(beside, organisation) if beside else None
    try:
        if home is None and not beside:
            return normalise_phone(text, organisation, habit)
        return read_local_phone(text, home, organisation, habit) if home else None
    except UnreadableValue:
        return None


def main() -> None:
    """Try what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of all cases, drawn evenly")
    parser.add_argument("--wrong", type=int, default=20, help="print so many wrong ones at most")
    options = parser.parse_args()
    counts: dict[str, Counter[str]] = {}
    wrong = []
    began, drawn = time.perf_counter(), random.Random(1)
    for example, way, text, kind, beside, organisation in cases(find_examples()):
        if options.share < 1 and drawn.random() > options.share:
            continue
        got = read(text, beside, organisation)
        verdict = "right" if got == example.e164 else "rejected" if got is None else "wrong"
        if verdict == "wrong":
            wrong.append((example.region, example.e164, way, text, beside, organisation, got))
        for row in (f"written: {way}", f"beside it: {kind}", f"in {organisation}", "all"):
            counts.setdefault(row, Counter())[verdict] += 1
    for organisation, column, habit in columns_without_plus(find_examples()):
        for example in column:
            got = read(example.abroad["no +"], "", organisation, habit)
            verdict = "right" if got == example.e164 else "rejected" if got is None else "wrong"
            counts.setdefault("columns without any +", Counter())[verdict] += 1
    print(f"{'':32}{'tried':>10}{'right':>10}{'rejected':>10}{'wrong':>8}")  # noqa: T201
    for row, count in counts.items():
        print(  # noqa: T201
            f"{row:32}{count.total():>10,}{count['right']:>10,}{count['rejected']:>10,}"
            f"{count['wrong']:>8,}"
        )
    print(f"{time.perf_counter() - began:.0f} s")  # noqa: T201
    for one in wrong[: options.wrong]:
        print("wrong:", *one)  # noqa: T201


if __name__ == "__main__":
    main()
