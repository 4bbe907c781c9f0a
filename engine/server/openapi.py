"""`GET /openapi.json`: every route for programs, as OpenAPI 3.1, and a page of it at `/docs`.

Schemas of bodies and answers are made of the very types that they are read by (msgspec). One
document has the routes of both ports; the dashboard's pages, which are for people, are not in it.
"""

from __future__ import annotations

import html
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from engine import __version__
from engine.server.answers import PROBLEM_JSON, answer_json
from engine.server.operations import OPERATIONS, Operation, Problem, SdkFailure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

JSON: Final = "application/json"
_ANYTHING: Final = (msgspec.Raw, object)
_PARAMETER: Final = re.compile(r"\{(\w+)\}")


_SCHEMES: Final[dict[str, dict[str, str]]] = {
    "write": {"type": "http", "scheme": "basic", "description": "a write key as the user name"},
    "writeBearer": {"type": "http", "scheme": "bearer", "description": "the same as a token"},
    "key": {"type": "apiKey", "in": "query", "name": "key", "description": "a write key"},
    "trigger": {"type": "http", "scheme": "bearer", "description": "one of [keys] trigger"},
    "user": {"type": "http", "scheme": "bearer", "description": "a signed user token"},
    "admin": {"type": "http", "scheme": "bearer", "description": "the admin key; on admin_port"},
}


@cache
def document() -> dict[str, Any]:
    """The document. O(routes)."""
    types = [kind for one in OPERATIONS for kind in (one.body, one.answer)]
    own = [kind for kind in types if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    known: list[type[msgspec.Struct]] = list(dict.fromkeys([*own, Problem, SdkFailure]))
    schemas, components = msgspec.json.schema_components(
        [_without_raw(kind) for kind in known], ref_template="#/components/schemas/{name}"
    )
    shapes = dict(zip(known, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method] = _operation(one, shapes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hairspring",
            "version": __version__,
            "description": "Routes tagged `operating` are on admin_port.",
        },
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SCHEMES},
    }


def _without_raw(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The same fields, with any JSON value where a body's bytes are kept: no schema says `Raw`."""
    fields = msgspec.structs.fields(kind)
    if not any(field.type in _ANYTHING for field in fields):
        return kind
    told: list[Any] = []
    for field in fields:
        of = Any if field.type in _ANYTHING else field.type
        told.append((field.name, of) if field.required else (field.name, of, None))
    told.sort(key=len)  # those that must be there come first
    strict = kind.__struct_config__.forbid_unknown_fields
    names = {field.name: field.encode_name for field in fields}
    own = {"__doc__": kind.__doc__}
    return msgspec.defstruct(
        kind.__name__, told, rename=names, forbid_unknown_fields=strict, namespace=own
    )


def _operation(one: Operation, shapes: Mapping[Any, Any]) -> dict[str, Any]:
    is_sdk = one.path.startswith(("/v1/", "/batch"))
    failure = _content(SdkFailure, shapes) if is_sdk else _content(Problem, shapes, PROBLEM_JSON)
    told: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{one.method}_{one.path}"),
        "tags": [one.tag],
        "summary": one.summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _PARAMETER.findall(one.path)
        ]
        + [{"name": name, "in": "query", "schema": {"type": "string"}} for name in one.query],
        "responses": {
            "200": {"description": "done", "content": _content(one.answer, shapes)},
            "default": {"description": "refused", "content": failure},
        },
    }
    if one.body is not None:
        content = _content(one.body, shapes)
        if one.example is not None:
            content[JSON]["example"] = one.example
        told["requestBody"] = {"required": True, "content": content}
    if one.key:
        keys = ["write", "writeBearer"] if one.key == "write" else [one.key]
        told["security"] = [{key: []} for key in keys]
    return told


def _content(kind: Any, shapes: Mapping[Any, Any], media: str = JSON) -> dict[str, Any]:  # noqa: ANN401 - a type
    if isinstance(kind, str):
        return {kind: {}}
    return {media: {"schema": shapes.get(kind, {"type": "object"})}}


def openapi_handlers() -> Mapping[str, Handler]:
    """Of `GET /openapi.json` and `GET /docs`; neither asks for a key."""

    async def told(_: web.Request) -> web.Response:
        return answer_json(document())

    async def shown(_: web.Request) -> web.Response:
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        headers = {"Content-Security-Policy": policy}
        return web.Response(text=_page(), content_type="text/html", headers=headers)

    return {"/openapi.json": told, "/docs": shown}


@cache
def _page() -> str:
    """The document for people: one page that asks for nothing from elsewhere."""
    parts = []
    for one in OPERATIONS:
        told = document()["paths"][one.path][one.method]
        text = msgspec.json.format(msgspec.json.encode(told), indent=2).decode()
        what = f"<code>{html.escape(one.path)}</code> {html.escape(one.summary)}"
        head = f"<b>{one.method.upper()}</b> {what}"
        parts.append(f"<details><summary>{head}</summary><pre>{html.escape(text)}</pre></details>")
    schemas = msgspec.json.format(msgspec.json.encode(document()["components"]), indent=2).decode()
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Hairspring: routes</title>"
        "<style>body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "pre{overflow:auto;background:#f4f4f4;padding:1rem}</style><h1>Routes</h1>"
        f"{''.join(parts)}<details><summary>Schemas</summary><pre>{html.escape(schemas)}</pre>"
        "</details></html>"
    )
