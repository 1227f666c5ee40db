"""The OpenAPI document is valid and true: the answers are held to it, with any input."""

import re
from typing import Any

import pytest
import schemathesis
from apiflask import APIFlask
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema_rs import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks

from blueprints.access import access_of
from rollcall.models import Event
from tests.api.client import Program
from tests.api.test_access import CALLS, make_first, send

load_all_checks()
CONFORMS = ["not_a_server_error", "content_type_conformance", "response_schema_conformance"]
CHECKS = {
    GenerationMode.POSITIVE: [*CONFORMS, "status_code_conformance"],
    GenerationMode.NEGATIVE: [*CONFORMS, "negative_data_rejection"],
}
THERE = {"campaign_id": 1, "person_id": 1, "event_key": "party", "message_id": 1, "alert_id": 1}
THERE |= {"segment_key": "vip", "snapshot_id": 1}


@pytest.fixture
def spec(nobody: Program) -> dict[str, Any]:
    return nobody.get("/openapi.json").get_json()


def test_the_document_describes_every_call(app: APIFlask, spec: dict[str, Any]):
    described = {
        (method.upper(), path) for path, calls in spec["paths"].items() for method in calls
    }
    routed = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if access_of(app, rule.endpoint).scope
    }
    assert spec["openapi"] == "3.1.0"
    assert described == routed


def test_every_object_is_a_schema_and_every_reference_leads_somewhere(spec: dict[str, Any]):
    for schema in spec["components"]["schemas"].values():
        Draft202012Validator({**schema, "components": spec["components"]})
    for name in re.findall(r'"#/components/schemas/([^"]+)"', str(spec).replace("'", '"')):
        assert name in spec["components"]["schemas"]


def test_each_call_has_a_name_of_its_own(spec: dict[str, Any]):
    names = [call["operationId"] for calls in spec["paths"].values() for call in calls.values()]
    assert len(names) == len(set(names))


def test_the_page_shows_every_call(nobody: Program, spec: dict[str, Any]):
    page = nobody.get("/api/docs")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    for path, calls in spec["paths"].items():
        assert path in page.text
        for call in calls.values():
            assert f'id="{call["operationId"]}"' in page.text
    for anchor in set(re.findall(r'href="#([^"]+)"', page.text)):
        assert f'id="{anchor}"' in page.text, anchor
    assert not re.search(r'(src|href)="https?://', page.text)
    assert "`" not in page.text


def test_the_answers_are_what_is_described(program: Program, party: Event, spec: dict[str, Any]):
    make_first(program)
    for method, path, body, status in CALLS:
        response = send(program, method, path, body)
        assert response.status_code == status, (method, path, response.text)
        described = re.sub(
            r"\b(people|explanations|events|campaigns|inbox|alerts|segments|snapshots)/(1|party)\b",
            placeholder,
            path,
        )
        call = spec["paths"][f"/api/v1{described}"][method.lower()]
        kind = response.mimetype
        schema = call["responses"][str(status)]["content"][kind]["schema"]
        Draft202012Validator({**schema, "components": spec["components"]}).validate(
            response.get_json()
        )


def placeholder(found: re.Match[str]) -> str:
    names = {
        "people": "person_id",
        "explanations": "person_id",
        "events": "event_key",
        "campaigns": "campaign_id",
        "inbox": "message_id",
        "alerts": "alert_id",
        "segments": "segment_key",
        "snapshots": "snapshot_id",
    }
    return f"{found[1]}/{{{names[found[1]]}}}"


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_any_input_gets_an_answer_that_conforms(
    app: APIFlask, program: Program, party: Event, mode: GenerationMode
):
    make_first(program)
    app.testing = False  # An error of ours is then answered by 500, as under a server.
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    answered: set[str] = set()
    for found in schema.get_all_operations():
        answered |= call_with_many_inputs(app, found.ok(), mode, program.headers)
    if mode is GenerationMode.POSITIVE:
        assert "2" in answered


def call_with_many_inputs(
    app: APIFlask, operation: Any, mode: GenerationMode, headers: dict[str, str]
) -> set[str]:
    """Return the first figures of the statuses that the inputs got."""
    answered: set[str] = set()
    names = CHECKS[mode]
    if operation.path.endswith("/people/import"):
        # A file is text whatever is sent: no body can break its schema, not even "1.5".
        names = [name for name in names if name != "negative_data_rejection"]
    checks = schemathesis.checks.CHECKS.get_by_names(names)

    @settings(
        max_examples=6,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case) -> None:
        if mode is GenerationMode.POSITIVE:
            # Nearly every id that can be made up is nobody's.
            case.path_parameters = {name: THERE[name] for name in case.path_parameters}
        with app.app_context():
            response = case.call_and_validate(headers=headers, checks=checks)
        answered.add(str(response.status_code)[0])

    check()
    return answered
