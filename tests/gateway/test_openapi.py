"""The interface is frozen: a change of it is a change of a file in the repository. And it holds what it says."""

import json
from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS, load_all_checks
from support.gateway import Gateway

DOCUMENT = Path(__file__).parents[2] / "docs" / "guide" / "gateway.openapi.json"


def test_the_document_is_the_one_in_the_repository(gateway: Gateway) -> None:
    found = gateway.web.get("/v1/openapi.json").json()
    assert found == json.loads(DOCUMENT.read_text(encoding="utf-8")), "to renew it: python tools/openapi.py"


def test_every_route_but_logins_asks_for_a_right(gateway: Gateway) -> None:
    document = gateway.web.get("/v1/openapi.json").json()
    open_ = {("/v1/login", "get"), ("/v1/login", "post")}
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            assert ("security" in route) is ((path, method) not in open_), (path, method)


load_all_checks()
_OTHERWISE = ("/v1/events", "/v1/messages:batch")
"""A stream without end, and lines that schemathesis writes none of: `test_state` and `test_hostile` have them."""


def test_random_requests_get_what_the_document_says(gateway: Gateway) -> None:
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", gateway.web.app)
    names = (
        *("not_a_server_error", "content_type_conformance"),
        *("status_code_conformance", "response_schema_conformance"),
    )
    checks = [CHECKS.get_one(name) for name in names]
    count = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in _OTHERWISE:
            continue

        @settings(max_examples=4, deadline=None, database=None, suppress_health_check=[*HealthCheck])
        @given(case=operation.as_strategy())
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=checks)

        ask()
        count += 1
    assert count == 31
