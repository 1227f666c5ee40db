"""Text from outside costs time in proportion to its length: no cell or message can stop us.

Every pattern of ours, and every function that is given such text, gets texts with long runs in
them, and the same texts sixteen times shorter. What counts is the processor's time of this
thread, which a busy machine does not change, and how it grows: sixteenfold is linear, and 256fold
the square. Nothing fails for being slow.
"""

import ast
import importlib
import io
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import regex

from blueprints.addresses import read_id
from rollcall import logs
from rollcall.accounts.audit_words import say_value
from rollcall.accounts.sessions import say_browser
from rollcall.errors import InvalidInput
from rollcall.messages.mail import (
    encode_header,
    lay_out_mail,
    web_address,
    wire_address,
    write_html,
)
from rollcall.messages.parts import count_parts
from rollcall.messages.placeholders import compile_template
from rollcall.messages.words import read_text
from rollcall.people.picking import _contact
from rollcall.people.reading.amounts import read_amount, read_currency
from rollcall.people.reading.cells import clean_cell
from rollcall.people.reading.columns import heading_key
from rollcall.people.reading.contacts import split_name
from rollcall.people.reading.emails import normalise_email
from rollcall.people.reading.errors import UnreadableFile, UnreadableValue
from rollcall.people.reading.mapping import propose_mapping
from rollcall.people.reading.people import PersonRow, Rejection, read_people_rows
from rollcall.people.reading.phones import (
    looks_like_phone,
    normalise_phone,
    possible_phones,
    read_local_phone,
)
from rollcall.people.reading.places import read_country, read_phone_country, read_timezone
from rollcall.people.reading.statuses import read_status
from rollcall.people.reading.table import Table, _labels
from rollcall.people.reading.times import read_moment
from rollcall.providers.smtp.answers import read_code
from rollcall.sending.references import read_reference
from rollcall.text import check_slug, fold, make_slug, normalize

ROOT = Path(__file__).parents[1]
LONG, SHORT = 4_000, 250
WORTH_MEASURING = 0.01  # seconds; the square of LONG takes longer in the quickest pattern
LINEAR_AT_MOST = 80  # between 16 and 256
PLACES = 6  # of a seed, at which runs are put into it

RUNS = (
    *(" ", "\n", "0", "7", "a", "Z", "é", "_", ".", ",", ";", ":", "-", "/", "@", "%", "#"),
    *("<", ">", "(", '"', "“", "=", "\\", "[", "\u0301\u0323", "\u200d", "👍", "ﷺ"),
    *("a ", "1.", "a.", "a-", "a@", "%%a", "%%a%% ", "1 ", ";e", "no ", "x1", "\n ", "http://"),
)

# At least one of them is found by each pattern, which is then tried with runs in each place.
SEEDS = (
    "",
    *("+1 416 555 0123", "tel: 4165550123 ext. 12", "4.16555E+09", "4165550123.0", "416–555–0123"),
    *("+49 (0) 151 23456789", "0049 151", "Work Fax", "federal republic of germany"),
    *("4165550123 or 6475550123", "+4165550123", "12345", "(416) 555-0123"),
    *("sarah.lee@example.org", "Sarah Lee <sarah@example.org>", "a@b.ca; c@d.ca", "example"),
    *("2026-11-28", "28/11/2026", "28th November 2026, 7:30 pm +02:00", "19:30:00.5 pm +02:00"),
    *(" at 19:30", "Sat, 28 Nov 2026", "2026-11-28T19:30:00.5+02:00"),
    *("CAD 1,234.50", "25", "25.00", "7a7", "CAD", '="4165550123"', "a b", "First_name"),
    *("Liked “Doors open at 7”", "please dont text me", "st.op", "Hello\r\nyou\n\nand you"),
    *("See https://example.org/a?b=c, please", "Hello %%FIRST_NAME%%", "/?u=%%hash%%", "[foot]\n"),
    *(
        "2xx",
        "Content-Type",
        "{reference}",
        "art-battle-toronto",
        "now:v3",
        "v3",
        "17",
        "1-1-0000000000000001",
        "recipe-1-yield",
    ),
    *("recipe-1", "recipes-1-name", "recipes-1", "items.slug-slug", "a.Bc.De"),
    *("/api/<int:id>", "a\tb", "Hello { } €", "héllo €漢", "5.1.1 no such user", "relay denied"),
    *("250 queued as <4F2C@mx>", "stat:DELIVRD err:001", "NACK/Rejected/no", "id:1 stat:DELIVRD"),
    f"12:{'0f' * 32}",
    "e" + "\u0301" * 40,
    "don't",
    "Some.Name",
    "#/components/schemas/Some.Name",
    "Mozilla/5.0 (X11; Linux) Edg/1 OPR/1 SamsungBrowser/1 Firefox/1 Chrome/1 Safari/1",
    "iPhone iPad Android CrOS Windows Macintosh",
)

# Functions that are given text from outside, each with texts that lead far into it.
FUNCTIONS: dict[Callable[[str], Any], tuple[str, ...]] = {
    lambda text: normalise_phone(text, "CA"): ("+1 416 555 0123", "4165550123 or ", "tel:x"),
    looks_like_phone: ("+1 416 555 0123", "4.1E+9"),
    normalise_email: ("sarah.lee@example.org", "Sarah <sarah@example.org>"),
    clean_cell: ("é", '="a"'),
    heading_key: ("E-mail é",),
    split_name: ("Lee, Sarah",),
    read_status: ("checked in",),
    read_country: ("Canada", "Germany (+49)", "Islamic Republic of Iran"),
    lambda text: read_phone_country(text, "CA"): ("+49", "DE - Germany"),
    lambda text: possible_phones(text, "CA"): ("0049 (0) 151 23456789",),
    lambda text: read_local_phone(text, "DE", "CA"): ("0049 (0) 151 23456789", "a ::: b"),
    read_timezone: ("America/Toronto",),
    read_amount: ("CAD 1,234.50",),
    read_currency: ("CAD",),
    lambda text: read_moment(text, ZoneInfo("UTC"), False): ("28 Nov 2026 19:30", "2026-11-28"),
    lambda text: _read_table(f"Name,Phone,Date\n{text},1,2\n"): ('"a"', "a"),
    lambda text: _read_table(f"{text}\n{text}\n"): ("Name,Phone", "a,a"),
    lambda text: _contact(text, "CA"): ("Sarah <sarah@example.org>",),
    read_text: ("Liked “stop”", "please stop", "s t o p", "ﷺé"),
    count_parts: ("Hello €", "é漢\u0301"),
    compile_template: ("Hello %%FIRST_NAME%%", "%%nobody%%"),
    write_html: ("See https://example.org/.\n\nand you", "a"),
    lambda text: encode_header(text, 9): ("Doors open", "é"),
    lambda text: lay_out_mail("news@example.org", text, text): ("a", "é\n"),
    wire_address: ("sarah.lee@example.org",),
    web_address: ("https://example.org/",),
    make_slug: ("Art Battle Montréal",),
    check_slug: ("art-battle",),
    fold: ("Sarah  Léa",),
    say_browser: ("Mozilla/5.0 Edg/",),
    lambda text: read_code((550, text.encode("utf-8", "replace"))): ("5.1.1 no such user",),
    read_reference: ("1-1-0000000000000001",),
    read_id: ("17",),
    lambda text: say_value("name", text): ("2026-11-28T19:30:00.5Z",),
    lambda text: logs.remove_personal_data(None, "", {"event": text}): ("a@b", "+1 416 555 0123"),
}


def _read_table(text: str) -> None:
    table = Table(io.BytesIO(text.encode("utf-8", "replace")))
    propose_mapping(table.header, table.sample, "people", "CA")
    list(table.rows())


def test_no_pattern_takes_more_than_its_share_of_a_long_text():
    failures = []
    for name, use in _pattern_uses():
        seeds = [seed for seed in SEEDS if use(seed)]
        if not seeds:
            failures.append(f"{name} finds nothing in any of SEEDS: add a text that it finds")
        failures += _too_fast_growing(name, use, ["", *seeds[:2]], PLACES)
    assert not failures, "\n" + "\n".join(failures)


def test_no_function_takes_more_than_its_share_of_a_long_text():
    failures: list[str] = []
    for number, (function, seeds) in enumerate(FUNCTIONS.items()):
        name = f"{number}: {function.__name__}({seeds[0]!r})"
        failures += _too_fast_growing(name, _without_refusals(function), ["", *seeds], 2)
    assert not failures, "\n" + "\n".join(failures)


def test_growth_is_noticed():
    """The measure itself, on what was once in the house."""
    square = re.compile(r"[\s,;]*(;ext=|ext|x|#)[\s.:]*\d{1,7}$")
    line = re.compile(r"(?<![\s,;])[\s,;]*(;ext=|ext|x|#)[\s.:]*\d{1,7}$")
    assert list(_too_fast_growing("square", lambda text: square.sub("", text), [""], 1))
    assert not list(_too_fast_growing("line", lambda text: line.sub("", text), [""], 1))


def _too_fast_growing(
    name: str, use: Callable[[str], Any], seeds: list[str], places: int
) -> Iterator[str]:
    for seed in seeds:
        for place in sorted({len(seed) * number // places for number in range(places + 1)}):
            for run in RUNS:
                before, after = seed[:place], seed[place:]
                for end in (after, f"{after}\0") if not after else (after,):
                    ratio = _growth(use, before, run, end)
                    if ratio > LINEAR_AT_MOST:
                        yield f"{name}: {before!r} + {run!r} × n + {end!r} grows {ratio:.0f}fold"
                        return


def _growth(use: Callable[[str], Any], before: str, run: str, after: str) -> float:
    """How much longer the long text takes than the short one; 0 where it takes no time."""

    def seconds(length: int) -> float:
        text = before + (run * length)[:length] + after
        began = time.thread_time()
        use(text)
        return time.thread_time() - began

    took = seconds(LONG)
    if took < WORTH_MEASURING:
        return 0
    # One short run may seem to take no time at all where the processor was taken away from it.
    return min(took, seconds(LONG)) / median(seconds(SHORT) for _ in range(5))


def _without_refusals(function: Callable[[str], Any]) -> Callable[[str], Any]:
    def use(text: str) -> Any:
        try:
            return function(text)
        except (UnreadableValue, UnreadableFile, InvalidInput, ValueError):
            return None

    return use


# Our patterns, found in the code: those compiled and named, and those written where they are used.

METHODS = ("search", "match", "fullmatch", "sub", "split", "findall", "finditer")
PATTERN_TYPES = (re.Pattern, type(regex.compile("")))


def _pattern_uses() -> Iterator[tuple[str, Callable[[str], Any]]]:
    """Each pattern of ours with each way in which it is used."""
    for path in sorted([*ROOT.glob("rollcall/**/*.py"), *ROOT.glob("blueprints/**/*.py")]):
        source = path.read_text("utf-8")
        if not re.search(r"\b(re|regex)\b", source):
            continue
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        module = importlib.import_module(name.removesuffix(".__init__"))
        calls = _calls_in(ast.parse(source), module)
        for variable, pattern in _compiled_in(module):
            for method in sorted(calls.pop(variable, set()) or {"search"}):
                yield f"{name}.{variable}.{method}", _use(pattern, method)
        for pattern, methods in calls.items():
            for method in methods:
                yield f"{name}: {method} of {pattern}", _use(re.compile(pattern), method)


def _compiled_in(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The patterns that a module names, by itself or inside of tuples."""
    for variable, value in vars(module).items():
        waiting = [value]
        while waiting:
            one = waiting.pop()
            if isinstance(one, PATTERN_TYPES):
                yield variable, one
            elif isinstance(one, tuple):
                waiting += one


def _calls_in(tree: ast.Module, module: ModuleType) -> dict[str, set[str]]:
    """How each pattern is used: by its variable, or by its text where it has none."""
    calls: dict[str, set[str]] = defaultdict(set)
    for node in ast.walk(tree):
        match node:
            # A pattern from the settings can't be known here: its search has a time limit.
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="re" | "regex"), attr=method),
                keywords=keywords,
            ) if method in METHODS and "timeout" not in {keyword.arg for keyword in keywords}:
                assert isinstance(node.args[0], ast.Constant), (
                    f"{module.__name__}:{node.lineno}: compile this pattern under a name of the "
                    "module, where this test finds it"
                )
                calls[str(node.args[0].value)].add(method)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=variable), attr=method)) if (
                isinstance(getattr(module, variable, None), PATTERN_TYPES)
            ):
                calls[variable].add(method)
    return calls


def _use(pattern: Any, method: str) -> Callable[[str], Any]:
    if method == "sub":
        return lambda text: pattern.subn("", text)[1]
    if method == "split":
        return lambda text: len(pattern.split(text)) > 1
    if method == "finditer":
        return lambda text: list(pattern.finditer(text))
    return lambda text: getattr(pattern, method)(text)


# What was mended still reads what it read. The answers were written down before it was mended.


@pytest.mark.parametrize(
    ("written", "phone"),
    [
        ("416 555 0123 ext 12", "+14165550123"),
        ("416 555 0123, ;  ext. : 12", "+14165550123"),
        ("416 555 0123;ext=12", "+14165550123"),
        ("416 555 0123  ;ext=12", "+14165550123"),
        ("416 555 0123x1234567", "+14165550123"),
        ("416 555 0123 #1", "+14165550123"),
        ("416 555 0123 Durchwahl 1", "+14165550123"),
        ("416 555 0123 poste:7", "+14165550123"),
    ],
)
def test_an_extension_is_taken_off_as_before(written: str, phone: str):
    assert normalise_phone(written, "CA") == phone


@pytest.mark.parametrize(
    "written",
    [
        "4165550123 or 6475550123",
        "4165550123 ; ; 6475550123",
        "4165550123;6475550123",
        "4165550123 /6475550123",
        "4165550123 und 6475550123",
        "4165550123 , and 6475550123",
    ],
)
def test_two_phones_in_a_cell_are_told_as_before(written: str):
    with pytest.raises(UnreadableValue, match="more than one phone number"):
        normalise_phone(written, "CA")


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("2026/11/28 7:30 pm", "2026-11-28T19:30:00+00:00"),
        ("2026/11/28 7:30pm", "2026-11-28T19:30:00+00:00"),
        ("2026/11/28 7:30   P.M.   +02:00", "2026-11-28T17:30:00+00:00"),
        ("2026/11/28 19:30 Z", "2026-11-28T19:30:00+00:00"),
        ("2026/11/28 19:30:15.25 -0500", "2026-11-29T00:30:15+00:00"),
        ("2026/11/28 12:05 AM UTC", "2026-11-28T00:05:00+00:00"),
        ("2026/11/28 19.30", "2026-11-28T19:30:00+00:00"),
        ("2026/11/28 19h30+02", "2026-11-28T17:30:00+00:00"),
    ],
)
def test_a_time_of_day_is_read_as_before(written: str, iso: str):
    assert read_moment(written, ZoneInfo("UTC"), False).isoformat() == iso


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("call +1 (416) 555-0123 now", "call [removed] now"),
        ("+14165550123abc@example.org", "[removed][removed]"),
        ("(a@b),c@d", "([removed]),[removed]"),
        ("a@b@c", "[removed]"),
        ("user=sarah@example.org;", "user=[removed];"),
        ("@example", "@example"),
        ("sarah@", "sarah@"),
        ("12 34 56", "12 34 56"),
        ("2026-11-28 19:30", "[removed]:30"),
        (f"{'a' * 254}@b", "[removed]"),
        (f"{'a' * 4_000}@b", "[removed]"),
    ],
)
def test_a_log_line_is_cleaned_as_before(text: str, cleaned: str):
    assert logs.remove_personal_data(None, "", {"event": text}) == {"event": cleaned}


def test_equal_headings_are_told_apart_and_too_many_refused_before():
    """Each was compared with all before it, for each number that was taken: the cube of them."""
    with pytest.raises(UnreadableFile, match="the first row has 4000 columns"):
        _read_table(",".join("a" * 4_000))
    assert _labels([["a"] * 500], True)[-1] == "a (500)"
    assert _labels([["a", "a", "a (2)", "a", "", "", "b"]], True) == [
        *("a", "a (2)", "a (2) (2)", "a (3)", "Column 5", "Column 6", "b")
    ]


def test_marks_beyond_what_a_letter_can_carry_are_cut_off():
    assert normalize("NFC", "e\u0301" + "\u0323" * 5) == "\u1eb9" + "\u0323" * 4 + "\u0301"
    assert normalize("NFD", "e" + "\u0301" * 31) == "e" + "\u0301" * 30
    assert normalize("NFKC", "ﬁ") == "fi"


def test_a_cell_that_no_person_fills_in_refuses_its_row_with_the_reason():
    rows = f"Name,Phone,Note\nAnn,+14165550123,{'x' * 9_000}\n{'B' * 1_001},+14165550124,\n"
    table = Table(io.BytesIO(f"{rows}Cid,+14165550125,\n".encode()))
    mapping = propose_mapping(table.header, table.sample, "people", "CA")
    ann, bob, cid = read_people_rows(table, mapping, "CA", ZoneInfo("UTC"))
    assert isinstance(ann, PersonRow)  # nobody reads the note
    assert isinstance(cid, PersonRow)
    assert isinstance(bob, Rejection)
    assert (bob.line, bob.reason) == (
        3,
        "the cell under “Name” has 1,001 characters; at most 1,000 can be read",
    )


def test_of_many_unknown_placeholders_the_first_are_explained_and_the_others_counted():
    text = "".join(f"%%NOBODY_{number}%%" for number in range(1_234))
    with pytest.raises(InvalidInput) as refused:
        compile_template(text)
    said = refused.value.fields["message"]
    assert "%%NOBODY_19%%" in said
    assert "%%NOBODY_20%%" not in said
    assert said.endswith(" 1,214 more do not exist either.")
