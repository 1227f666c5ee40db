"""The gateways that a storm sends to: real processes on loopback that log every request."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rollcall.config import Settings
from rollcall.models import Channel
from rollcall.providers.smpp.provider import SmppSettings
from rollcall.providers.smtp.provider import SmtpSettings
from tests.providers.chosen import carried_by
from tests.providers.gateways import (
    ROOT,
    SENDER,
    DescribedDouble,
    Double,
    RealKannel,
    kannel_programs,
    whole_lines,
)


@dataclass(frozen=True)
class Wire:
    """Settings that send to a gateway, the channel, and how to read which addresses it was given.

    The addresses are one for each request, in whatever order.
    """

    settings: Settings
    channel: Channel
    addresses: Callable[[], list[str]]


@contextmanager
def kannel_double(settings: Settings, folder: Path) -> Iterator[Wire]:
    """Kannel's sendsms interface, played by a process that is never the slowest."""
    with Double(folder, "kannel") as double:
        changed = carried_by(settings, double.kannel)
        yield Wire(changed, Channel.SMS, lambda: _logged(double))


@contextmanager
def twilio_double(settings: Settings, folder: Path) -> Iterator[Wire]:
    """Twilio's API, played by a process that validates each request."""
    with Double(folder, "twilio") as double:
        changed = carried_by(settings, double.twilio)
        yield Wire(changed, Channel.SMS, lambda: _logged(double))


@contextmanager
def described_gateway(settings: Settings, folder: Path) -> Iterator[Wire]:
    """A gateway that a file describes: Vonage, as our documents set it up."""
    with DescribedDouble(folder, "vonage") as double:
        yield Wire(carried_by(settings, double.settings), Channel.SMS, lambda: _logged(double))


def _logged(double: Double) -> list[str]:
    return [line["address"] for line in double.requests()]


@contextmanager
def real_kannel(settings: Settings, folder: Path) -> Iterator[Wire]:
    """Debian's bearerbox and smsbox, with a phone network behind them that takes everything."""
    with RealKannel(folder) as kannel, kannel.open_network() as network:
        changed = carried_by(settings, kannel.settings)
        yield Wire(changed, Channel.SMS, lambda: [to for to, _text in network.messages()])


@contextmanager
def mail_server(settings: Settings, folder: Path) -> Iterator[Wire]:
    """A mail server that accepts everything."""
    log = folder / "mails.log"
    command = [sys.executable, "-m", "tests.providers.mailservers", "--log", str(log)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        smtp = SmtpSettings(url, "Rollcall <news@example.org>")
        changed = carried_by(settings, smtp)
        try:
            yield Wire(changed, Channel.EMAIL, lambda: _mailed(log))
        finally:
            process.kill()
            process.wait()


@contextmanager
def smsc(settings: Settings, folder: Path) -> Iterator[Wire]:
    """An SMSC that takes everything, and sends a receipt for each message."""
    log = folder / "smsc.log"
    command = [sys.executable, "-m", "tests.providers.smsc", "--log", str(log)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        host, port = process.stdout.readline().decode().strip().split(":")
        smpp = SmppSettings(host, int(port), "app", "secret", SENDER)
        try:
            wired = carried_by(settings, smpp)
            yield Wire(wired, Channel.SMS, lambda: _logged_lines(log))
        finally:
            process.kill()
            process.wait()


def _logged_lines(log: Path) -> list[str]:
    if not log.exists():
        return []
    lines = (json.loads(line) for line in whole_lines(log))
    return [line["address"] for line in lines if "address" in line]


def _mailed(log: Path) -> list[str]:
    if not log.exists():
        return []
    return [line.split()[0] for line in whole_lines(log)]


WIRES = {
    "kannel": kannel_double,
    "twilio": twilio_double,
    "smtp": mail_server,
    "smpp": smsc,
    "http": described_gateway,
    "kannel (Debian's)": real_kannel,
}


def usable_wires() -> list[str]:
    """The gateways that can be run on this machine."""
    missing = ["kannel (Debian's)"] if kannel_programs() else []
    return [name for name in WIRES if name not in missing]
