"""What an SMSC's answers and receipts mean, after SMPP 3.4, section 5.1.3 and appendix B."""

from rollcall.providers.base import ProviderError
from rollcall.providers.smpp.statuses import Status

SETTINGS = "SMPP_HOST, SMPP_PORT, SMPP_SYSTEM_ID and SMPP_PASSWORD"
LOST = "no_answer"
UNSENT = "not_sent"

_BIND_LATER: dict[int, str] = {
    Status.RALYBND: "The account is logged in elsewhere, as often as it may be",
    Status.RSYSERR: "The service has trouble of its own",
    Status.RTHROTTLED: "The service asks to come back later",
    Status.RMSGQFUL: "The service's queue is full",
}
_LATER_FOR_ALL: dict[int, str] = {
    Status.RTHROTTLED: "Messages are sent faster than the account allows",
    Status.RMSGQFUL: "The service's queue for this account is full",
    Status.RINVBNDSTS: "The service does not see us as logged in",
}
# Trouble that the service meets with one message, and says is not for good.
_LATER: dict[int, str] = {
    Status.RSYSERR: "The service had trouble of its own with this message",
    Status.RX_T_APPN: "The service can't take this message at present",
}
_NEVER_FOR_ALL: dict[int, str] = {
    Status.RINVSRCADR: "SMPP_FROM is not a sender that the service lets us use",
    Status.RINVSRCTON: "SMPP_FROM is not of a kind that the service lets us use",
    Status.RINVSRCNPI: "SMPP_FROM is not of a kind that the service lets us use",
    Status.RINVSERTYP: "The service does not let this account send text messages",
}
_NEVER: dict[int, str] = {
    Status.RINVDSTADR: "The service does not take this telephone number",
    Status.RINVDSTTON: "The service does not take telephone numbers of this kind",
    Status.RINVDSTNPI: "The service does not take telephone numbers of this kind",
    Status.RINVMSGLEN: "The message is too long for the service",
    Status.RSUBMITFAIL: "The service refused the message",
}

_RECEIPT_STATUS = {"DELIVRD": "delivered", "ACCEPTD": "sent", "ENROUTE": "sent"}
_RECEIPT_TEXT = {
    "UNDELIV": "The telephone network could not deliver the message.",
    "EXPIRED": "The telephone could not be reached for as long as the network tried.",
    "DELETED": "The telephone network deleted the message before it was delivered.",
    "REJECTD": "The telephone network refused the message.",
    "UNKNOWN": "The telephone network does not know what became of the message.",
}


def say_status(status: int) -> str:
    """Return the code of a status, as service providers' tables list it."""
    return f"0x{status:08x}"


def refused_bind(status: int) -> ProviderError:
    """Return the error for a log-in that was refused."""
    if status in _BIND_LATER:
        text = f"{_BIND_LATER[status]} ({_describe(status)})."
        return ProviderError(say_status(status), text, permanent=False, provider_wide=True)
    text = f"The service does not accept our log-in ({_describe(status)}). Correct {SETTINGS}."
    return ProviderError(say_status(status), text, provider_wide=True)


def refused_submit(status: int) -> ProviderError:
    """Return the error for a message that was refused."""
    for meanings, permanent, wide in (
        (_LATER_FOR_ALL, False, True),
        (_LATER, False, False),
        (_NEVER_FOR_ALL, True, True),
        (_NEVER, True, False),
    ):
        if status in meanings:
            text = f"{meanings[status]} ({_describe(status)})."
            code = say_status(status)
            return ProviderError(code, text, permanent=permanent, provider_wide=wide)
    return ProviderError(say_status(status), f"The service refused it: {_describe(status)}.")


def not_sent(why: str) -> ProviderError:
    """Return the error for a message that never left, since the service as a whole fails."""
    return ProviderError(UNSENT, why, permanent=False, provider_wide=True)


def no_answer() -> ProviderError:
    """Return the error for a message that left and was never answered."""
    text = "The message was handed over, and the service never said whether it took it."
    return ProviderError(LOST, text, in_doubt=True)


def partly_accepted(refusal: ProviderError) -> ProviderError:
    """Return the error for a long message of which some parts were taken and others not."""
    text = f"The service took some parts of the message and refused others. {refusal.text}"
    return ProviderError(refusal.code, text, in_doubt=True)


def read_state(state: str, error: str) -> tuple[str, str, str]:
    """Return what a receipt's state comes to: our status, the code to keep, words for staff."""
    status = _RECEIPT_STATUS.get(state[:7])
    if status:
        return status, "", ""
    text = _RECEIPT_TEXT.get(state[:7], f"The telephone network reports {state}.")
    meaningful = error.strip("0")
    return "failed", f"{state} {error}" if meaningful else state, text


def _describe(status: int) -> str:
    try:
        known = f"ESME_{Status(status).name}"
    except ValueError:
        known = "a code of its own"
    return f"{known}, {say_status(status)}"
