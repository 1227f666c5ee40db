"""Text messages over SMPP against an SMSC that speaks smpplib: outcomes, receipts, parts."""

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import consts

from rollcall.messages.parts import GSM_BASIC, GSM_EXTENSION, count_parts
from rollcall.providers.base import Inbound, Outcome, OutgoingMessage, Receipt
from rollcall.providers.registry import find_provider
from rollcall.providers.smpp.provider import SmppProvider, SmppSettings
from rollcall.providers.smpp.text import cut_text, decode_text, normalise_id
from tests.conftest import make_settings
from tests.providers.gateways import whole_lines
from tests.providers.mailservers import free_port
from tests.providers.messages import error_of, kind_of, send
from tests.providers.smsc import DROP, HANG, NACK, ScriptedSmsc, receipt_text
from tests.waiting import NEVER_ANSWERED, wait_for

MESSAGE = OutgoingMessage(
    token=0x0123_4567_89AB_CDEF,
    organisation_id=1,
    campaign_id=2,
    person_id=3,
    channel="sms",
    address="+447700900123",
    subject="",
    text="Doors open at 7 €",
    reference="2-3-abc",
)
THROTTLED = consts.SMPP_ESME_RTHROTTLED
LATER, REFUSED, DOUBT = "later", "refused", "doubt"


def provider_for(port: int, sender: str = "+447700900999", quiet: float = 30) -> SmppProvider:
    return SmppProvider(SmppSettings("127.0.0.1", port, "club", "secret99", sender), quiet)


def kinds(outcomes: list[Outcome]) -> list[str]:
    return [kind_of(error_of(outcome)) if outcome.error else "ok" for outcome in outcomes]


def people(count: int) -> list[OutgoingMessage]:
    return [
        replace(MESSAGE, token=number, address=f"+4477009{number:05}", reference=f"2-{number}-x")
        for number in range(count)
    ]


def addresses(server: ScriptedSmsc) -> list[str]:
    return ["+" + submitted.address for submitted in server.submitted]


@pytest.fixture
def heard() -> list[Receipt | Inbound]:
    """What a provider that listens handed on."""
    return []


def test_a_message_arrives_as_it_was_written():
    with ScriptedSmsc() as server:
        outcomes = send(provider_for(server.port), MESSAGE)
        assert outcomes == [Outcome(MESSAGE.token, provider_message_id="1001")]
        [got] = server.submitted
        assert server.binds == [{"user": "club", "password": "secret99"}]
        wait_for(lambda: server.unbinds == 1)
    assert (got.address, got.text, got.header) == ("447700900123", "Doors open at 7 €", b"")
    assert (got.wants_receipt, got.reference) == (True, 0xCDEF)


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("+447700900999", (1, 1, "447700900999")),
        ("447700900999", (1, 1, "447700900999")),
        ("60123", (3, 0, "60123")),
        ("Art Battle", (5, 0, "Art Battle")),
    ],
)
def test_the_sender_s_kind_is_told(sender, expected):
    with ScriptedSmsc() as server:
        send(provider_for(server.port, sender), MESSAGE)
        assert server.submitted[0].source == expected


@pytest.mark.parametrize(
    ("text", "coding", "parts"),
    [
        ("a" * 160, 0, 1),
        ("a" * 152 + "€" * 10, 0, 2),
        ("ж" * 70, 8, 1),
        ("ж" * 66 + "👨‍👩‍👧‍👦" + "ж" * 10, 8, 2),
    ],
)
def test_long_texts_come_out_whole_and_only_the_last_part_asks_for_a_receipt(text, coding, parts):
    with ScriptedSmsc() as server:
        [outcome] = send(provider_for(server.port), replace(MESSAGE, text=text))
        got = server.submitted
        assert len(got) == parts
        assert "".join(part.text for part in got) == text
        assert {part.coding for part in got} == {coding}
        assert sum("👨‍👩‍👧‍👦" in part.text for part in got) == text.count("👨‍👩‍👧‍👦")
        assert [part.wants_receipt for part in got] == [False] * (parts - 1) + [True]
        assert outcome.provider_message_id == got[-1].message_id
        if parts > 1:
            assert [part.header for part in got] == [
                bytes((5, 0, 3, 0xAB, parts, number)) for number in range(1, parts + 1)
            ]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_a_text_is_cut_into_as_many_parts_as_were_counted(text):
    parts = cut_text(text, 7)
    assert len(parts.contents) == count_parts(text).parts
    joined = len(parts.contents) > 1
    assert all(len(content) <= 140 + 20 * (parts.data_coding == 0) for content in parts.contents)
    bare = [content[6:] if joined else content for content in parts.contents]
    assert "".join(decode_text(parts.data_coding, content) for content in bare) == text


@given(st.text(st.sampled_from(GSM_BASIC + GSM_EXTENSION), max_size=400))
def test_every_gsm_text_comes_back(text):
    parts = cut_text(text, 7)
    assert parts.data_coding == 0
    bare = [content[6:] if len(parts.contents) > 1 else content for content in parts.contents]
    assert "".join(decode_text(0, content) for content in bare) == text


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (THROTTLED, LATER + " all"),
        (consts.SMPP_ESME_RMSGQFUL, LATER + " all"),
        (consts.SMPP_ESME_RINVBNDSTS, LATER + " all"),
        (consts.SMPP_ESME_RSYSERR, LATER),
        (consts.SMPP_ESME_RX_T_APPN, LATER),
        (consts.SMPP_ESME_RINVDSTADR, REFUSED),
        (consts.SMPP_ESME_RSUBMITFAIL, REFUSED),
        (0x0400, REFUSED),
        (NACK, REFUSED),
        (consts.SMPP_ESME_RINVSRCADR, REFUSED + " all"),
    ],
)
def test_what_is_refused_was_not_accepted(action, expected):
    with ScriptedSmsc({"submit": action}) as server:
        assert kinds(send(provider_for(server.port), MESSAGE)) == [expected]
        assert server.submitted == []


@pytest.mark.parametrize("action", [DROP, HANG])
def test_once_it_has_left_no_answer_is_doubt(action):
    with ScriptedSmsc({"submit": action}) as server:
        assert kinds(send(provider_for(server.port), MESSAGE, timeout=NEVER_ANSWERED)) == [DOUBT]
        assert addresses(server) == [MESSAGE.address]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (consts.SMPP_ESME_RBINDFAIL, REFUSED + " all"),
        (consts.SMPP_ESME_RINVPASWD, REFUSED + " all"),
        (consts.SMPP_ESME_RINVSYSID, REFUSED + " all"),
        (consts.SMPP_ESME_RALYBND, LATER + " all"),
        (consts.SMPP_ESME_RSYSERR, LATER + " all"),
        (DROP, LATER + " all"),
        (HANG, LATER + " all"),
    ],
)
def test_a_log_in_that_fails_stops_everybody(status, expected):
    with ScriptedSmsc({"bind": status}) as server:
        outcomes = send(provider_for(server.port), *people(3), timeout=NEVER_ANSWERED)
        assert kinds(outcomes) == [expected] * 3
        assert len(server.binds) == 1
        if expected.startswith(REFUSED):
            assert "SMPP_PASSWORD" in error_of(outcomes[0]).text
            assert not provider_for(server.port).check()[0].ok


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_a_service_that_is_not_there_accepted_nothing(host):
    provider = SmppProvider(SmppSettings(host, free_port(), "club", "x", "60123"))
    assert kinds(send(provider, *people(2))) == [LATER + " all"] * 2
    assert not provider.check()[0].ok


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (SmppSettings("", 2775, "club", "x", "60123"), "SMPP_HOST"),
        (SmppSettings("127.0.0.1", 1, "", "x", "60123"), "SMPP_SYSTEM_ID"),
        (SmppSettings("127.0.0.1", 1, "club", "x", ""), "SMPP_FROM"),
        (SmppSettings("127.0.0.1", 1, "club", "x", "A name that is too long"), "SMPP_FROM"),
        (SmppSettings("127.0.0.1", 1, "club", "é", "60123"), "SMPP_PASSWORD"),
    ],
)
def test_a_wrong_setting_is_named_and_stops_everybody(settings, named):
    provider = SmppProvider(settings)
    outcomes = send(provider, *people(2))
    assert kinds(outcomes) == [REFUSED + " all"] * 2
    assert named in error_of(outcomes[0]).text
    assert named in provider.check()[0].text
    assert settings.password == "é" or named in provider.missing()[0]


def test_many_go_side_by_side_over_one_session_and_one_bad_harms_nobody():
    with ScriptedSmsc({"submit": [0, consts.SMPP_ESME_RINVDSTADR]}) as server:
        provider = provider_for(server.port)
        outcomes: list[Outcome] = []
        threads = [
            threading.Thread(
                target=lambda part=part: outcomes.extend(send(provider, *people(200)[part::4]))
            )
            for part in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(kinds(outcomes)) == ["ok"] * 199 + [REFUSED]
        accepted = [m.address for m in people(200)]
        refused = next(o.token for o in outcomes if o.error)
        accepted.pop(refused)
        assert sorted(addresses(server)) == accepted


def test_throttling_holds_back_the_rest():
    with ScriptedSmsc({"submit": [0, 0, *[THROTTLED] * 500]}) as server:
        outcomes = send(provider_for(server.port), *people(200))
        assert kinds(outcomes) == ["ok"] * 2 + [LATER + " all"] * 198
        assert len(server.submitted) == 2
        assert server.requests < 100


def test_a_session_lost_on_the_way_leaves_only_what_had_left_in_doubt():
    with ScriptedSmsc({"submit": [0] * 20 + [DROP]}) as server:
        outcomes = send(provider_for(server.port), *people(100))
        # They come in the order in which they are known, and not of the messages.
        found = kinds(sorted(outcomes, key=lambda outcome: outcome.token))
        assert found.count(DOUBT) <= 16
        assert found[20] == DOUBT
        accepted = set(addresses(server))
        for message, kind in zip(people(100), found, strict=True):
            assert kind != LATER + " all" or message.address not in accepted
            assert kind != "ok" or message.address in accepted
        assert len(accepted) == len(server.submitted)


def test_a_lost_session_is_opened_again_at_the_next_call():
    with ScriptedSmsc() as server:
        line = provider_for(server.port).connect(5)
        assert kinds(list(line.send(people(1)))) == ["ok"]
        server.drop_lines()
        wait_for(lambda: kinds(list(line.send(people(1)))) == ["ok"])
        line.close()
        assert len(server.binds) >= 2


def test_a_part_that_is_refused_for_good_after_another_was_taken_is_doubt():
    with ScriptedSmsc({"submit": [0, consts.SMPP_ESME_RSUBMITFAIL]}) as server:
        outcomes = send(provider_for(server.port), replace(MESSAGE, text="a" * 200))
        assert kinds(outcomes) == [DOUBT]
        assert len(server.submitted) == 1


def test_a_part_without_an_answer_leaves_the_message_in_doubt_whatever_the_others_say():
    with ScriptedSmsc({"submit": [consts.SMPP_ESME_RSUBMITFAIL, HANG]}) as server:
        long = replace(MESSAGE, text="a" * 200)
        assert kinds(send(provider_for(server.port), long, timeout=NEVER_ANSWERED)) == [DOUBT]


def test_a_part_that_is_held_up_is_sent_again_until_the_message_is_whole():
    with ScriptedSmsc({"submit": [0, THROTTLED, THROTTLED, 0]}) as server:
        outcomes = send(provider_for(server.port), replace(MESSAGE, text="a" * 160 + "b" * 40))
        assert kinds(outcomes) == ["ok"]
        assert [part.header[-1] for part in server.submitted] == [1, 2]
        assert outcomes[0].provider_message_id == server.submitted[-1].message_id


def test_a_message_whose_parts_are_all_held_up_was_not_accepted():
    with ScriptedSmsc({"submit": THROTTLED}) as server:
        outcomes = send(provider_for(server.port), replace(MESSAGE, text="a" * 200))
        assert kinds(outcomes) == [LATER + " all"]
        assert server.submitted == []


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("ids", ["{:d}", "{:08X}"])
def test_a_receipt_names_our_message_also_before_its_answer(order, ids, heard):
    with ScriptedSmsc(receipts=order, ids=ids) as server:
        provider = provider_for(server.port)
        stop = provider.listen(heard.append)
        [outcome] = send(provider, MESSAGE)
        wait_for(lambda: heard)
        stop()
        assert heard == [Receipt("delivered", "2-3-abc", outcome.provider_message_id)]
        assert server.delivered == [0]


def test_an_id_in_the_other_notation_is_known_again(heard):
    with ScriptedSmsc(ids="{:08X}") as server:
        provider = provider_for(server.port)
        stop = provider.listen(heard.append)
        send(provider, MESSAGE)
        server.deliver(receipt_text("0000001001"), esm_class=4)
        stop()
    assert heard == [Receipt("delivered", "2-3-abc", "3e9")]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("DELIVRD", "delivered"),
        ("ACCEPTD", "sent"),
        ("ENROUTE", "sent"),
        ("UNDELIV", "failed"),
        ("EXPIRED", "failed"),
        ("DELETED", "failed"),
        ("REJECTD", "failed"),
        ("UNKNOWN", "failed"),
    ],
)
def test_each_state_of_a_receipt_is_read(state, status, heard):
    with ScriptedSmsc() as server:
        stop = provider_for(server.port).listen(heard.append)
        server.deliver(receipt_text("00A7", state, "011"), esm_class=4)
        stop()
    [receipt] = heard
    assert (receipt.status, receipt.provider_message_id) == (status, "a7")
    assert receipt.error_code == (f"{state} 011" if status == "failed" else "")
    assert bool(receipt.error_text) == (status == "failed")


def test_a_receipt_in_parameters_only_is_read(heard):
    with ScriptedSmsc() as server:
        stop = provider_for(server.port).listen(heard.append)
        server.deliver(b"", esm_class=4, receipted_message_id="00A7", message_state=5)
        stop()
    assert (heard[0].status, heard[0].provider_message_id) == ("failed", "a7")


def test_ids_are_compared_without_case_and_leading_zeros():
    assert normalise_id(" 00AbC ") == normalise_id("0abc") == "abc"
    assert normalise_id("000") == "000"


def test_what_comes_while_nobody_listens_stays_with_the_service(heard):
    with ScriptedSmsc() as server:
        provider = provider_for(server.port)
        line = provider.connect(5)
        list(line.send([MESSAGE]))
        assert server.deliver(b"STOP") == consts.SMPP_ESME_RX_T_APPN
        stop = provider.listen(heard.append)
        assert server.deliver(b"STOP") == 0
        line.close()
        stop()
    assert [(item.address, item.to_address, item.text) for item in heard] == [
        ("+447700900123", "+447700900999", "STOP")
    ]


def test_what_could_not_be_stored_stays_with_the_service():
    def fail(_item: object) -> None:
        raise RuntimeError("the database is away")

    with ScriptedSmsc() as server:
        stop = provider_for(server.port).listen(fail)
        assert server.deliver(b"STOP") == consts.SMPP_ESME_RX_T_APPN
        stop()


def test_a_long_incoming_message_is_put_together_in_any_order(heard):
    with ScriptedSmsc() as server:
        stop = provider_for(server.port).listen(heard.append)
        server.deliver(b"\5\0\3\7\2\2world", esm_class=0x40)
        assert heard == []
        server.deliver(b"\5\0\3\7\2\1hello ", esm_class=0x40)
        for number, text in ((2, "б"), (1, "а")):
            server.deliver(
                text.encode("utf-16-be"),
                data_coding=8,
                sar_msg_ref_num=9,
                sar_total_segments=2,
                sar_segment_seqnum=number,
            )
        server.deliver(b"alone")
        stop()
    assert [item.text for item in heard] == ["hello world", "аб", "alone"]
    assert len({item.message_id for item in heard}) == 3


def test_one_that_listens_comes_back_after_the_session_was_lost(heard):
    with ScriptedSmsc() as server:
        stop = provider_for(server.port).listen(heard.append)
        wait_for(lambda: any(line.is_open for line in server.lines))
        server.drop_lines()
        wait_for(lambda: len(server.binds) == 2)
        assert server.deliver(b"STOP") == 0
        stop()
        wait_for(lambda: server.unbinds == 1)
    assert heard[0].text == "STOP"


def test_a_quiet_session_is_asked_whether_it_lives():
    with ScriptedSmsc() as server:
        stop = provider_for(server.port, quiet=0.05).listen(print)
        wait_for(lambda: server.enquiries >= 3)
        assert len(server.binds) == 1
        stop()


def test_check_logs_in_and_out():
    with ScriptedSmsc() as server:
        [finding] = provider_for(server.port).check()
        assert finding.ok
        wait_for(lambda: server.unbinds == 1)
        assert server.submitted == []


def test_the_registry_makes_it_of_the_settings(tmp_path: Path):
    settings = make_settings(tmp_path, "sqlite:///x", ROLLCALL_SMS_PROVIDER="smpp")
    assert isinstance(find_provider(settings, "smpp"), SmppProvider)


def test_the_smsc_for_long_runs_logs_each_message(tmp_path: Path, heard):
    log = tmp_path / "submits.log"
    command = [sys.executable, "-m", "tests.providers.smsc", "--log", str(log)]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().rpartition(":")[2])
            provider = provider_for(port)
            stop = provider.listen(heard.append)
            assert kinds(send(provider, *people(3))) == ["ok"] * 3
            wait_for(lambda: len(heard) == 3)
            stop()
        finally:
            process.kill()
    rows = [json.loads(line) for line in whole_lines(log)]
    assert [(row["address"], row["text"], row["reference"]) for row in rows] == [
        (f"4477009{number:05}", "Doors open at 7 €", number) for number in range(3)
    ]
