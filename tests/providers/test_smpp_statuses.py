"""The statuses of SMPP are those that smpplib knows, by name and number."""

from smpplib import consts

from rollcall.providers.smpp.answers import refused_submit
from rollcall.providers.smpp.statuses import Status

PREFIX = "SMPP_ESME_"


def test_every_status_has_the_number_of_the_standard():
    known = {
        name.removeprefix(PREFIX): getattr(consts, name)
        for name in dir(consts)
        if name.startswith(PREFIX)
    }
    assert {status.name: status.value for status in Status} == known
    assert len(Status) == 48


def test_a_refusal_names_its_status():
    assert "ESME_RINVDSTADR, 0x0000000b" in refused_submit(0x0B).text
    assert "a code of its own, 0x00000400" in refused_submit(0x400).text
