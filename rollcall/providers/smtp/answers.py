"""What a mail server's answers mean: whose fault a refusal is, and whether it is for good.

Words for staff follow the enhanced status codes of RFC 3463, where the server gives one.
"""

import re

from rollcall.providers.base import ProviderError

Reply = tuple[int, bytes]

LOST = "connection_lost"
CLOSING = 421
SETTINGS = "Look at SMTP_URL in the settings."

_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_RELAYING = re.compile(r"relay", re.IGNORECASE)

_MEANINGS = {
    "1.1": "There is no such mailbox.",
    "1.2": "There is no such mail domain.",
    "1.3": "The address is not written as the mail server wants it.",
    "1.6": "The mailbox has moved and left no new address.",
    "1.10": "The domain takes no e-mail.",
    "2.1": "The mailbox is closed.",
    "2.2": "The mailbox is full.",
    "2.3": "The mail is longer than the mailbox takes.",
    "3.4": "The mail is longer than the server takes.",
    "4.1": "The recipient's mail server does not answer.",
    "4.4": "The domain has no mail server that can be reached.",
    "4.7": "The recipient's mail server did not take the mail in days.",
    "7.1": "The recipient's server refused the mail as unwanted or against its rules.",
    "7.23": "The recipient's server refused the mail: the sender's SPF record does not allow it.",
    "7.25": "The recipient's server refused the mail: our server's address has no name.",
    "7.26": "The recipient's server refused the mail: it has no proof of its sender (DKIM, SPF).",
}


def read_code(reply: Reply) -> tuple[str, str]:
    """Return the code to keep, with the enhanced one where there is one, and the server's words."""
    code, words = reply
    text = " ".join(words.decode("utf-8", "replace").split())
    found = _ENHANCED.match(text)
    return (f"{code} {found[1]}", text[found.end() :].strip()) if found else (str(code), text)


def lost_before_end(error: Exception) -> ProviderError:
    """Return the error for a line that failed before the mail's last dot: nothing was accepted."""
    return ProviderError(
        LOST,
        f"The mail server could not be reached or broke off before the mail was complete: {error}.",
        permanent=False,
        provider_wide=True,
    )


def lost_after_end(error: Exception) -> ProviderError:
    """Return the error for a line that failed when the last dot was on its way: nobody can tell."""
    return ProviderError(
        LOST,
        "The whole mail was handed over, and the mail server did not say whether it took it: "
        f"{error}.",
        in_doubt=True,
    )


def refused_line(reply: Reply) -> ProviderError:
    """Return the error for a server that does not take us at all: in its greeting or hello."""
    code, words = read_code(reply)
    return ProviderError(
        code,
        f"The mail server turns us away: {words}.",
        permanent=reply[0] >= 500,
        provider_wide=True,
    )


def refused_login(reply: Reply) -> ProviderError:
    """Return the error for a log-in that failed."""
    code, words = read_code(reply)
    if reply[0] < 500:
        text = f"The mail server can't check the log-in at present: {words}."
        return ProviderError(code, text, permanent=False, provider_wide=True)
    text = (
        "The mail server does not accept the user name and password in SMTP_URL. "
        f"Correct them; characters such as @ and / are written as %40 and %2F. It says: {words}."
    )
    return ProviderError(code, text, provider_wide=True)


def refused_sender(reply: Reply) -> ProviderError:
    """Return the error for a server that does not let us send, or not from this address."""
    code, words = read_code(reply)
    if reply[0] < 500:
        text = f"The mail server takes no mail at present: {words}."
        return ProviderError(code, text, permanent=False, provider_wide=True)
    if code.endswith("5.6.7"):
        return _refused_person(
            code, "The address has letters that the mail server can't take", words
        )
    text = (
        "The mail server does not let us send from the address in SMTP_FROM. "
        f"Correct it, or the user name in SMTP_URL. It says: {words}."
    )
    return ProviderError(code, text, provider_wide=True)


def refused_recipient(reply: Reply) -> ProviderError:
    """Return the error for a recipient who is refused, or put off (greylisting, a full mailbox)."""
    code, words = read_code(reply)
    if reply[0] < 500:
        return _put_off(reply)
    if reply[0] == 530 or (_RELAYING.search(words) and reply[0] in (550, 551, 553, 554)):
        text = (
            "The mail server carries no mail to other domains for us. Allow this machine there, or "
            f"put a user name and password into SMTP_URL. It says: {words}."
        )
        return ProviderError(code, text, provider_wide=True)
    return _refused_person(code, _meaning(code, "The address is refused."), words)


def refused_mail(reply: Reply) -> ProviderError:
    """Return the error for a refusal of the mail itself, before or after its content."""
    code, words = read_code(reply)
    if reply[0] < 500:
        return _put_off(reply)
    return _refused_person(code, _meaning(code, "The mail is refused."), words)


def _put_off(reply: Reply) -> ProviderError:
    code, words = read_code(reply)
    closing = reply[0] == CLOSING
    text = f"The mail server took nothing and asks to try again later: {words}."
    return ProviderError(code, text, permanent=False, provider_wide=closing)


def _refused_person(code: str, meaning: str, words: str) -> ProviderError:
    said = f" The mail server says: {words}." if words else ""
    return ProviderError(code, f"{meaning.rstrip('.')}.{said}")


def _meaning(code: str, otherwise: str) -> str:
    _, _, enhanced = code.partition(" ")
    return _MEANINGS.get(enhanced.partition(".")[2], otherwise)
