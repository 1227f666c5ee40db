"""What every provider declares of itself: documents, routes and capabilities follow from it."""

import re
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from rollcall.config import ConfigError, Settings
from rollcall.providers.declaration import Declaration, Provider
from rollcall.providers.registry import DECLARATIONS, find_provider, names_for
from rollcall.providers.settings import WrongSetting, list_settings, read_settings
from rollcall.providers.webhooks import REFERENCE, SECRET
from tests.providers.gateways import DOCUMENT, ROOT

HEADINGS = {"smtp": "SMTP", "smpp": "SMPP"}  # where the label is another
OPERATIONS = ROOT / "docs" / "operations.md"
NAMES = ("simulator", "twilio", "kannel", "smpp", "http", "smtp")

every = pytest.mark.parametrize("declared", DECLARATIONS.values(), ids=DECLARATIONS)


def section_of(declared: Declaration) -> str:
    """What the guide says of one provider; of the simulator the table of settings."""
    if not declared.real:
        return OPERATIONS.read_text("utf-8")
    heading = HEADINGS.get(declared.name, declared.label)
    document = DOCUMENT.read_text("utf-8")
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", document, re.M | re.S)
    assert found, f"no section {heading}"
    return found[1]


def test_the_providers_are_these_and_the_first_of_a_channel_is_the_simulator():
    assert tuple(DECLARATIONS) == NAMES
    assert names_for("sms") == ("simulator", "twilio", "kannel", "smpp", "http")
    assert names_for("email") == ("simulator", "smtp")


@every
def test_each_setting_stands_in_the_documents_as_it_is_declared(declared: Declaration):
    section = section_of(declared)
    for one in list_settings(declared.settings):
        assert f"| `{one.name}` | {one.meaning} |" in section, one.name


def test_the_documents_name_no_setting_that_nobody_declares():
    known = {one.name for each in DECLARATIONS.values() for one in list_settings(each.settings)}
    rows = re.findall(r"^\| `([A-Z]+_[A-Z_]+)` \|", DOCUMENT.read_text("utf-8"), re.M)
    assert set(rows) - known == {"PUBLIC_URL"}
    assert known - set(rows) == {"ROLLCALL_SIMULATOR_REFUSES"}


def test_the_documents_name_every_choice():
    guide = OPERATIONS.read_text("utf-8")
    for name, channel in (("ROLLCALL_SMS_PROVIDER", "sms"), ("ROLLCALL_EMAIL_PROVIDER", "email")):
        choices = ", ".join(f"`{one}`" for one in names_for(channel))
        assert f"| `{name}` | {choices}" in guide
        for one in names_for(channel)[1:]:
            assert f"| `{name}={one}` |" in DOCUMENT.read_text("utf-8")


@every
def test_settings_are_frozen_and_read_by_their_declared_names(declared: Declaration):
    assert is_dataclass(declared.settings)
    values = read_settings(declared.settings, {})
    hash(values)
    declarations = list_settings(declared.settings)
    assert len(declarations) == len(fields(declared.settings))
    names = [one.name for one in declarations]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Z]+(_[A-Z]+)+", name) for name in names)


@every
def test_one_without_settings_is_made_all_the_same_and_says_what_is_missing(
    declared: Declaration, tmp_path: Path
):
    provider = declared.make(read_settings(declared.settings, {}), tmp_path)
    assert isinstance(provider, Provider)
    assert provider.name == declared.name
    assert provider.declaration == declared
    missing = provider.missing()
    assert all(re.match(r"[A-Z]+_[A-Z_]+ (and|is|are|must) ", one) for one in missing), missing
    assert bool(missing) == declared.real
    provider.connect(1.0).close()


@every
def test_what_is_declared_is_there_and_what_is_there_is_declared(
    declared: Declaration, tmp_path: Path
):
    kind = type(declared.make(read_settings(declared.settings, {}), tmp_path))
    assert (kind.find is not Provider.find) == declared.lookup
    assert (kind.listen is not Provider.listen) == declared.listening
    assert declared.listening == (declared.receipts == "session")
    assert bool(declared.routes) == (declared.receipts == "webhook")
    assert declared.proves_refusal
    assert declared.leaves_doubt
    assert set(declared.channels) <= {"sms", "email"}
    assert len(declared.name) <= 20, "what the database holds"


@every
def test_each_route_can_be_told_from_every_other_and_is_proved(declared: Declaration):
    names = [route.name for route in declared.routes]
    assert len(set(names)) == len(names)
    for route in declared.routes:
        assert route.path.startswith("/")
        assert set(route.methods) <= {"GET", "POST"}
        assert route.path.count(SECRET) <= 1
    receipt = declared.route("receipt")
    assert receipt is None or receipt.path.endswith(f"/{REFERENCE}")
    for entered in (declared.inbound, declared.reports):
        assert entered is None or declared.route(entered.route) is not None
        assert entered is None or "<" not in declared.route(entered.route).path.replace(SECRET, "")  # type: ignore[union-attr]


@pytest.mark.parametrize("port", ["0", "-1", "soon", "2775.5", "1e3", "²", "9" * 30])
def test_a_number_that_is_none_stops_the_start_with_its_name(port: str):
    with pytest.raises(ConfigError, match=r"^SMPP_PORT must be a number above 0"):
        Settings.from_environment({"SMPP_PORT": port})


def test_a_file_with_a_mistake_stops_the_start_with_its_setting(tmp_path: Path):
    path = tmp_path / "gateway.toml"
    path.write_text("[send]\nurl = 'x'\n")
    with pytest.raises(ConfigError, match=r"^HTTP_PROVIDER_FILE .*: send.url: must be a web"):
        Settings.from_environment({"HTTP_PROVIDER_FILE": str(path)})
    with pytest.raises(WrongSetting):
        read_settings(DECLARATIONS["http"].settings, {"HTTP_PROVIDER_FILE": str(path)})


def test_one_process_has_one_provider_of_each_kind(tmp_path: Path):
    environ = {"ROLLCALL_INSTANCE": str(tmp_path), "SMPP_HOST": "a"}
    one, other = Settings.from_environment(environ), Settings.from_environment(environ)
    changed = Settings.from_environment({**environ, "SMPP_HOST": "b"})
    assert find_provider(one, "smpp") is find_provider(other, "smpp")
    assert find_provider(one, "smpp") is not find_provider(changed, "smpp")
    with pytest.raises(KeyError):
        find_provider(one, "pigeon")


def test_no_provider_is_named_outside_its_own_folder():
    """A provider is one folder and a line in the registry; nobody else knows which there are."""
    folders = [*ROOT.glob("rollcall/**/*.py"), *ROOT.glob("blueprints/**/*.py")]
    named = re.compile("twilio|kannel|smpp", re.IGNORECASE)
    offenders = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [*folders, *ROOT.glob("templates/**/*.html")]
        if not path.is_relative_to(ROOT / "rollcall" / "providers")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if named.search(line)
    ]
    assert offenders == []
    # Nor does one provider know another, but for what all share.
    for name in ("twilio", "kannel", "smpp", "smtp", "http"):
        for path in (ROOT / "rollcall" / "providers" / name).glob("*.py"):
            known = re.findall(r"rollcall\.providers\.(\w+)\.", path.read_text("utf-8"))
            assert set(known) <= {name}, path
