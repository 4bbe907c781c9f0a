"""A real process answers as `/openapi.json` says: Schemathesis makes requests of the document.

Each operation gets a few requests that fit its schemas and a few that do not, from a fixed seed. Of
each answer: no fault of the server, a status that is listed, its type, its schema (with the codes
that the status may bear), and the headers that are promised. A body that does not fit is refused,
but for items of events: of a field that says nothing for its kind, an item may say anything. What a
schema cannot say (an event of nobody) may be refused too, so that a good one need not be taken.
"""

from __future__ import annotations

import json
import urllib.request
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from tests.acceptance.conftest import Serving, write
from tests.server.everything import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(400)]

LONG = ("/api/simulate", "/api/backtest", "/api/funnel", "/api/discover")
"""What starts a process beside: one request of each kind is enough."""

TAKEN = {"events": 0.1, "health": 1.0, "operating": 0.3}
"""The share of operations of which chance finds a request that is taken, at the least."""

FEW, ONE = 3, 1
LETTER = len("/v1/t")
WITHIN_S = 60
KEY = "an-admin-key-of-the-tests"
SHOP = {
    "hairspring.toml": f"""
[keys]
admin = "{KEY}"
[server]
rate = 0
{EVERYTHING}""",
    "segments.yaml": 'buyers: {when: did("Order Completed")}\n',
    "campaigns/hello.yaml": """
campaign: hello
purpose: transactional
enter: {event: Seen}
goal: {event: Order Completed, within: 1d}
steps:
  - {send: in_app, template: hello}
  - {send: email, template: broken}
  - {split: {name: tone, variants: {warm: {weight: 1}, cool: {weight: 1}}}, id: tone}
  - {wait: 2d}
  - {send: in_app, template: hello, id: again}
""",
    "templates/hello.in_app.liquid": "---\ntitle: Hello\n---\nThis is an inbox.\n",
    "templates/broken.email.liquid": "---\nsubject: Hello\n---\n{{ 1 | divided_by: 0 }}\n",
}


def life(user_id: str) -> list[dict[str, Any]]:
    """What somebody did, who so has something of everything."""
    return [
        {"type": "identify", "user_id": user_id, "traits": {"email": "ada@example.com"}},
        {"user_id": user_id, "event": "Order Completed", "properties": {"total": 3}},
        {"user_id": user_id, "event": "Seen"},
        {"event": "Whose"},
    ]


@schemathesis.serializer("application/x-ndjson")
def as_it_is(_: Any, value: Any) -> bytes:
    """Lines as they are drawn: text that is mostly no JSON."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def ask(url: str, key: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=WITHIN_S) as answer:
        return json.load(answer)


def modes(operation: Any) -> list[GenerationMode]:
    """Nothing can be said wrongly where nothing is asked for, or one text of any kind."""
    raw = operation.definition.raw
    body = raw.get("requestBody", {"required": True, "content": {}})
    asked = [*raw.get("parameters", ()), *body["content"].values()]
    if body["required"] and all(one["schema"] == {"type": "string"} for one in asked):
        return [GenerationMode.POSITIVE]
    return [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]


class Asking:
    """Requests of the document to one process."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        admin = serving.admin_url
        serving.tell(*life("ada"))
        self._keys = {
            "write": "demo-write-key",
            "key": "demo-write-key",
            "user": ask(f"{admin}/api/users/ada/token", KEY, {})["token"],
            "admin": KEY,
        }
        self.document = ask(f"{serving.url}/openapi.json", KEY)
        self.statuses: dict[str, set[int]] = {}

    def operations(self, *tags: str) -> list[Any]:
        """Those of the tags; who erases comes last."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            schema = schemathesis.openapi.from_dict(self.document)
            found = [result.ok() for result in schema.get_all_operations()]
        chosen = [one for one in found if tags[0] in one.tags]
        return sorted(chosen, key=lambda one: one.method == "delete")

    def ask(self, operation: Any, mode: GenerationMode) -> None:
        """A few requests of one operation that fit the document, or do not."""
        wants = operation.definition.raw.get("security", [{}])[0]
        key = self._keys.get(next(iter(wants), ""), "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if operation.path == "/inbox/stream":
            headers = {}  # with a good token it has no end
        base = self.serving.admin_url if "operating" in operation.tags else self.serving.url
        held = [
            schemathesis.checks.not_a_server_error,
            checks.status_code_conformance,
            checks.content_type_conformance,
            checks.response_schema_conformance,
            checks.response_headers_conformance,
        ]
        if operation.body and "events" not in operation.tags:
            held.append(checks.negative_data_rejection)

        @seed(20261123)
        @settings(
            max_examples=ONE if operation.path in LONG or len(operation.path) == LETTER else FEW,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def tried(case: Any) -> None:
            if operation.path == "/api/backup" and str(case.body).find("/") >= 0:
                return  # it would be written
            answer = case.call(base_url=base, headers=headers, timeout=WITHIN_S)
            self.statuses.setdefault(operation.label, set()).add(answer.status_code)
            case.validate_response(answer, checks=held)

        tried()


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """One process for all tests of this file: none of them minds what another has done to it."""
    folder = tmp_path_factory.mktemp("openapi")
    write(folder / "shop", SHOP)
    serving = Serving(folder / "shop")
    yield Asking(serving)
    serving.kill()


@pytest.mark.parametrize("tag", ["events", "health", "browser", "links", "operating"])
@pytest.mark.filterwarnings("ignore")
def test_each_operation_answers_as_the_document_says(asking: Asking, tag: str) -> None:
    operations = asking.operations(tag)
    assert operations
    for operation in operations:
        for mode in modes(operation):
            asking.ask(operation, mode)
    taken = [one for one in operations if asking.statuses[one.label] & {200, 204}]
    assert len(taken) >= len(operations) * TAKEN.get(tag, 0.0), asking.statuses
    assert not [line for line in asking.serving.log if '"error"' in line]


def test_what_is_filled_is_as_the_document_says_too(asking: Asking) -> None:
    """Where requests of chance find nobody, the one who is there."""
    admin = asking.serving.admin_url
    asking.serving.tell(*life("bea"))
    ask(f"{admin}/api/users/bea/consent", KEY, {"suppressed": {"sms": True}})
    while not (letters := ask(f"{admin}/api/deadletters", KEY)["deadletters"]):
        pass  # until the delivery was tried
    assert {one["reason"] for one in letters} == {"template"}
    for path, of in (
        ("/api/users/{id}", {"id": "bea"}),
        ("/api/users/{id}/snapshot", {"id": "bea"}),
        ("/api/users/{id}/timeline", {"id": "bea"}),
        ("/api/users/{id}/export", {"id": "bea"}),
        ("/api/campaigns/{id}", {"id": "hello"}),
        ("/api/suppressed", {}),
        ("/api/quarantine", {}),
        ("/api/deadletters", {}),
        ("/api/segments", {}),
        ("/api/deadlines", {}),
    ):
        operation = next(one for one in asking.operations("operating") if one.path == path)
        case = operation.Case(path_parameters=of)
        answer = case.call(base_url=admin, headers={"Authorization": f"Bearer {KEY}"})
        assert answer.status_code == 200
        case.validate_response(answer, checks=[checks.response_schema_conformance])
    assert ask(f"{admin}/api/quarantine", KEY)["total"]
