"""The gateway held against its own OpenAPI document by schemathesis: requests that keep to it and requests that do not.

Needs a running gateway, any model: PHALANX_URL=http://127.0.0.1:8080 pytest test_openapi.py
PHALANX_CASES says how many cases each operation gets at most; 60 make more than 5,000 in all.
"""

import collections
import os

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

URL = os.environ.get("PHALANX_URL", "").rstrip("/")
CASES = int(os.environ.get("PHALANX_CASES", "12"))

if not URL:
    pytest.skip("set PHALANX_URL to a running gateway", allow_module_level=True)

# Where an answer's length is said, so that cases do not take long; whatever else there is stays wrong.
LIMITS = {
    "/v1/completions": "max_tokens",
    "/v1/chat/completions": "max_tokens",
    "/v1/responses": "max_output_tokens",
    "/v1/messages": "max_tokens",
}
MOST = 4

# By status code.
answers = collections.Counter()

schema = schemathesis.openapi.from_url(URL + "/openapi.json")
schema.config.generation.update(modes=list(schemathesis.GenerationMode))


def shorten(case):
    """Gives a request that may be answered a short answer."""
    body = case.body
    if not isinstance(body, dict):
        return
    if case.path.startswith("/api/") and isinstance(body.get("options", {}), dict):
        body, name = body.setdefault("options", {}), "num_predict"
    else:
        name = LIMITS.get(case.path)
    if name is None:
        return
    limit = body.get(name)
    if limit is None or type(limit) is int and limit > MOST:
        body[name] = MOST
    if isinstance(body.get("max_completion_tokens"), int):
        body["max_completion_tokens"] = min(body["max_completion_tokens"], MOST)


@schema.parametrize()
@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_the_document_says(case):
    shorten(case)
    response = case.call_and_validate(
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ],
        timeout=60,
    )
    answers[response.status_code] += 1


def test_good_and_bad_requests_were_answered_and_the_gateway_lives():
    print(f"{answers.total()} cases: {dict(sorted(answers.items()))}")
    assert answers[200] and answers[400] and answers.total() > 10 * CASES
    assert requests.get(URL + "/healthz", timeout=10).json() == {"status": "ok"}
