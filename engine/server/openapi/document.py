"""The document, made of the operations, and a page of it at `/docs`.

Schemas of bodies and answers are made of the very types that they are read by (msgspec). One
document has the routes of both ports; the dashboard's pages, which are for people, are not in it.
"""

from __future__ import annotations

import asyncio
import html
import inspect
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from engine import __version__
from engine.server.answers import PROBLEM_JSON
from engine.server.edge import SDK_PREFIXES, begin_answer
from engine.server.openapi.operating import OF_OPERATORS
from engine.server.openapi.operation import LINES, Operation, Parameter
from engine.server.openapi.refusals import ABOUT, FAILED
from engine.server.openapi.shapes import shape
from engine.server.openapi.taking import TAKING
from engine.server.openapi.told import FailedLine, Problem, Progress, SdkFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aiohttp import web
    from aiohttp.typedefs import Handler

    Told: TypeAlias = dict[str, Any]

OPERATIONS: Final = (*TAKING, *OF_OPERATORS)
"""Every method of every route for programs, of both ports."""

JSON: Final = "application/json"

_SCHEMES: Final[dict[str, dict[str, str]]] = {
    "write": {"type": "http", "scheme": "basic", "description": "a write key as the user name"},
    "writeBearer": {"type": "http", "scheme": "bearer", "description": "the same as a token"},
    "key": {"type": "apiKey", "in": "query", "name": "key", "description": "a write key"},
    "trigger": {"type": "http", "scheme": "bearer", "description": "one of [keys] trigger"},
    "user": {"type": "http", "scheme": "bearer", "description": "a signed user token"},
    "admin": {"type": "http", "scheme": "bearer", "description": "the admin key; on admin_port"},
}
_WAYS: Final = {"write": ("write", "writeBearer")}
"""Schemes that are as good, where there are several."""

_ABOUT: Final = """\
Routes tagged `operating` are on `admin_port`, `health` on both ports. Every answer bears
`X-Request-Id`. Whatever is refused is told as problem details (RFC 9457), below `/v1/` and `/batch`
in the form that tracking SDKs read; `code` is stable in both. Beside what each operation lists:
what is no HTTP at all is 400 or 431, another method 405, a connection too many 503
(`connections.full`)."""

_WITHOUT: Final = ("/metrics", "/track", "/trigger")
"""Routes that may be asked for without their key, as each says."""

_PIECE_BYTES: Final = 16 << 10

_RETRY_AFTER: Final = {"description": "Seconds to wait.", "schema": {"type": "string"}}
_LATER: Final = (429, 503)


@cache
def document() -> Told:
    """The document. O(routes)."""
    schemas = _Schemas(_types())
    paths: dict[str, Told] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method] = _operation(one, schemas)
    info = {"title": "Hairspring", "version": __version__, "description": _ABOUT}
    return {
        "openapi": "3.1.0",
        "info": info,
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": _SCHEMES},
    }


def _types() -> Iterator[Any]:
    """All that has a schema."""
    yield from (Problem, SdkFailure, Progress, FailedLine)
    for one in OPERATIONS:
        body = one.body[0] if isinstance(one.body, list) else one.body
        yield from (kind for kind in (body, one.answer, one.lines) if _has_schema(kind))
        yield from (parameter.type for parameter in (*one.of_path, *one.query))


def _has_schema(kind: object) -> bool:
    return kind is not None and not isinstance(kind, str)


class _Schemas:
    """Schemas of types, those of structs in one place."""

    def __init__(self, kinds: Iterator[Any]) -> None:
        self._kinds = [*kinds]
        found, self.components = msgspec.json.schema_components(
            [shape(kind) for kind in self._kinds], ref_template="#/components/schemas/{name}"
        )
        self._found = found
        for schema in self.components.values():
            schema["description"] = inspect.cleandoc(schema.get("description", ""))

    def of(self, kind: Any) -> Told:  # noqa: ANN401 - a type
        """That of one of them."""
        return dict(self._found[self._kinds.index(kind)])


def _operation(one: Operation, schemas: _Schemas) -> Told:
    told: Told = {
        "operationId": re.sub(r"\W+", "_", f"{one.method}_{one.path}"),
        "tags": [one.tag],
        "summary": one.summary,
        "parameters": [
            *[_parameter(each, "path", schemas) for each in one.of_path],
            *[_parameter(each, "query", schemas) for each in one.query],
        ],
        "responses": {str(one.status): _answer(one, schemas)},
    }
    if one.about:
        told["description"] = one.about
    if one.body is not None:
        told["requestBody"] = _body(one, schemas)
    if one.key:
        told["security"] = [{key: []} for key in _WAYS.get(one.key, (one.key,))]
        if one.path in _WITHOUT:
            told["security"].append({})
    failing = () if one.lines is None else (FAILED,)
    for status in sorted({*one.refused, *one.shown, *failing}):
        told["responses"][str(status)] = _refusal(one, status, schemas)
    if one.path == "/webhooks/twilio":
        told["responses"]["204"] = {"description": "Heard; there is nothing to answer."}
    return told


def _parameter(one: Parameter, where: str, schemas: _Schemas) -> Told:
    schema = schemas.of(one.type)
    if one.default is not None:
        schema["default"] = one.default
    told: Told = {"name": one.name, "in": where, "description": one.about, "schema": schema}
    if where == "path" or one.required:
        told["required"] = True
    if one.example is not None:
        told["example"] = one.example
    return told


def _body(one: Operation, schemas: _Schemas) -> Told:
    if isinstance(one.body, str):
        content: Told = {one.body: {"schema": {"type": "string"}}}
    elif isinstance(one.body, list):
        item = schemas.of(one.body[0])
        either = {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}
        content = {JSON: {"schema": either}}
    else:
        content = {JSON: {"schema": schemas.of(one.body)}}
    if one.example is not None:
        content[JSON]["example"] = one.example
    return {"required": one.needs_body, "content": content}


def _answer(one: Operation, schemas: _Schemas) -> Told:
    if one.lines is not None:
        result = {
            "type": "object",
            "properties": {"result": schemas.of(one.lines)},
            "required": ["result"],
        }
        # The member is OpenAPI 3.2's `itemSchema`, which 3.1 has not.
        line = {"anyOf": [schemas.of(Progress), result, schemas.of(FailedLine)]}
        return {
            "description": "Done. To whoever asks for lines: `done` and `total` now and then, and "
            "last `result`, or `error`.",
            "content": {JSON: {"schema": result}, LINES: {"x-itemSchema": line}},
        }
    told: Told = {"description": "Done."}
    if isinstance(one.answer, str):
        told["content"] = {one.answer: {}}
    elif one.answer is not None:
        told["content"] = {JSON: {"schema": schemas.of(one.answer)}}
    return told


def _refusal(one: Operation, status: int, schemas: _Schemas) -> Told:
    if status in one.shown:
        answer = one.answer or "text/html"
        return {"description": ABOUT[status], "content": {answer: {}}}
    is_sdk = one.path.startswith(SDK_PREFIXES)
    media, kind = (JSON, SdkFailure) if is_sdk else (PROBLEM_JSON, Problem)
    if one.lines is not None and status == FAILED:
        content = {PROBLEM_JSON: {"schema": schemas.of(Problem)}}
        return {"description": "It could not be done; the answer says why.", "content": content}
    codes = one.refused[status]
    own: Told = {"code": {"enum": list(codes)}}
    if not is_sdk:
        own["status"] = {"const": status}
    told: Told = {
        "description": f"{ABOUT[status]} Code: {', '.join(f'`{code}`' for code in codes)}.",
        "content": {media: {"schema": {"allOf": [schemas.of(kind), {"properties": own}]}}},
    }
    if status in _LATER:
        told["headers"] = {"Retry-After": _RETRY_AFTER}
    return told


def openapi_handlers() -> Mapping[str, Handler]:
    """Of `GET /openapi.json` and `GET /docs`; neither asks for a key."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    as_page = {"Content-Security-Policy": policy}
    return {
        "/openapi.json": _given(_document_bytes, JSON, {}),
        "/docs": _given(_page_bytes, "text/html; charset=utf-8", as_page),
    }


def _given(build: Callable[[], bytes], content_type: str, more: Mapping[str, str]) -> Handler:
    """Answers with what is built at the first request, beside the loop: it takes a while.

    Anybody may ask, without a key: it is built once, and goes out in pieces, the next one when the
    last has left.
    """
    building: list[asyncio.Task[bytes]] = []

    async def give(request: web.Request) -> web.StreamResponse:
        if not building:
            building.append(asyncio.create_task(asyncio.to_thread(build)))
        body = await asyncio.shield(building[0])
        headers = {"Content-Length": str(len(body)), **more}
        answer = await begin_answer(request, content_type, headers)
        if request.method != "HEAD":
            for place in range(0, len(body), _PIECE_BYTES):
                await answer.write(body[place : place + _PIECE_BYTES])
        return answer

    return give


@cache
def _document_bytes() -> bytes:
    return msgspec.json.encode(document())


@cache
def _page_bytes() -> bytes:
    """The document for people: one page that asks for nothing from elsewhere."""
    parts = []
    for one in OPERATIONS:
        told = document()["paths"][one.path][one.method]
        text = msgspec.json.format(msgspec.json.encode(told), indent=2).decode()
        what = f"<code>{html.escape(one.path)}</code> {html.escape(one.summary)}"
        head = f"<b>{one.method.upper()}</b> {what}"
        parts.append(f"<details><summary>{head}</summary><pre>{html.escape(text)}</pre></details>")
    schemas = msgspec.json.format(msgspec.json.encode(document()["components"]), indent=2).decode()
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Hairspring: routes</title>"
        "<style>body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "pre{overflow:auto;background:#f4f4f4;padding:1rem}</style><h1>Routes</h1>"
        f"{''.join(parts)}<details><summary>Schemas</summary><pre>{html.escape(schemas)}</pre>"
        "</details></html>"
    )
    return page.encode()
