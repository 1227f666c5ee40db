"""`flask message parts`: one text or many, for people or as JSON, without a database."""

import json

import pytest
from click.testing import CliRunner, Result

from rollcall.cli.message import message_commands


def run(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(message_commands, ["parts", *arguments], input=stdin)


def test_prints_for_people():
    result = run("Hello")
    assert result.exit_code == 0
    assert result.output == "1 SMS part, GSM-7\n5 characters, 5 units, 155 left in this part\n"


def test_names_each_character_that_forces_ucs2_once_and_in_order():
    assert run("“It’s” don’t\u00a0ş👨‍👩‍👧‍👦\u200b").output.splitlines()[2:] == [
        "These characters force UCS-2:",
        '  “  LEFT DOUBLE QUOTATION MARK, first at position 0: use " instead',
        "  ’  RIGHT SINGLE QUOTATION MARK, first at position 3: use ' instead",
        '  ”  RIGHT DOUBLE QUOTATION MARK, first at position 5: use " instead',
        "  NO-BREAK SPACE, first at position 12: use a plain space",
        "  ş  LATIN SMALL LETTER S WITH CEDILLA, first at position 13",
        "  👨‍👩‍👧‍👦  MAN and 6 more, first at position 14",
        "  ZERO WIDTH SPACE, first at position 21: leave it out",
    ]


def test_prints_json():
    assert json.loads(run("ok…", "--json").output) == {
        "encoding": "UCS-2",
        "parts": 1,
        "characters": 3,
        "units": 3,
        "units_left": 67,
        "forces_ucs2": [
            {
                "position": 2,
                "character": "…",
                "name": "HORIZONTAL ELLIPSIS",
                "suggestion": "...",
            }
        ],
    }


@pytest.mark.parametrize("arguments", [[], ["-"]])
@pytest.mark.parametrize(
    ("stdin", "units"),
    [
        ("hi\n", 2),
        ("hi\r\n", 2),
        ("hi", 2),
        ("hi\r", 3),
        ("a\nb\n", 3),
        ("a\r\nb", 4),
        ("\n\n", 1),
        ("", 0),
    ],
)
def test_reads_one_text_from_stdin_without_its_last_newline(arguments, stdin, units):
    assert json.loads(run(*arguments, "--json", stdin=stdin).output)["units"] == units


@pytest.mark.parametrize("arguments", [[], ["-"], ["--json"]])
def test_a_json_list_on_stdin_gives_a_json_list(arguments):
    result = run(*arguments, stdin=json.dumps(["a" * 161, "😀", ""]))
    assert [(one["encoding"], one["parts"]) for one in json.loads(result.output)] == [
        ("GSM-7", 2),
        ("UCS-2", 1),
        ("GSM-7", 1),
    ]


def test_a_byte_order_mark_before_the_json_list_is_no_part_of_it():
    assert json.loads(run(stdin="\ufeff[]").output) == []
    assert json.loads(run("--json", stdin="\ufeffhi").output)["encoding"] == "UCS-2"


def test_an_empty_list_gives_an_empty_list():
    assert json.loads(run(stdin="[]").output) == []


@pytest.mark.parametrize(
    "text", ["[VIP] come in", '{"a": 1}', "42", '["a"', pytest.param("[" * 100_000, id="deep")]
)
def test_what_is_not_a_json_list_is_a_text(text):
    assert json.loads(run("--json", stdin=text).output)["characters"] == len(text)


def test_a_json_list_as_argument_is_a_text():
    assert json.loads(run('["a"]', "--json").output)["characters"] == 5


def test_half_a_surrogate_pair_does_not_break_the_output():
    assert "CHARACTER U+D83D" in run(stdin='["\\ud83d"]').output
    assert run("\udcff").exit_code == 0


@pytest.mark.parametrize(
    ("stdin", "sentence"),
    [
        ('["a", 2]', "Item 2 of the JSON list is not a text. Put it in quotes."),
        (b"caf\xe9", "stdin is not UTF-8. Save the text as UTF-8 and try again."),
    ],
)
def test_wrong_input_is_one_clear_line_on_stderr(stdin, sentence):
    result = run(stdin=stdin)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"Error: {sentence}\n"
