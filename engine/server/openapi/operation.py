"""One method of one route, as the document tells of it."""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import msgspec

from engine.server.openapi.refusals import NONE, OPERATING, Refusals, merged

LINES: Final = "application/x-ndjson"
HTML: Final = "text/html"
GIF: Final = "image/gif"
SCRIPT: Final = "text/javascript"
FORM: Final = "application/x-www-form-urlencoded"

Moment: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        description="An instant: ISO 8601 (no zone means UTC), or milliseconds since 1970.",
        examples=["2026-11-23T09:00:00Z"],
    ),
]


class Parameter(NamedTuple):
    """A parameter of a path or a query.

    Attributes:
        type: What is taken, bounds included.
        default: What stands in its place where it is not said; None: nothing does.
    """

    name: str
    about: str
    type: Any = str
    required: bool = False
    default: Any = None
    example: Any = None


def whole(name: str, about: str, least: int, most: int, default: int | None = None) -> Parameter:
    """A whole number from `least` to `most`, as `queries.whole_number_asked` takes it."""
    return Parameter(name, about, Annotated[int, msgspec.Meta(ge=least, le=most)], default=default)


class Operation(NamedTuple):
    """One method of one route.

    Attributes:
        summary: What it is for, in a few words.
        key: What admits: a name of the security schemes, or "".
        body: The type of its body; a text names another media type than JSON; None: it has none.
        answer: The type of its answer; likewise.
        lines: Where the answer is lines that tell how long work comes along: the type of the result
            in the last one.
        query: Parameters of its query.
        of_path: Parameters of its path.
        example: A body that is taken.
        status: Of an answer to what was asked as it should be.
        refused: Statuses that it may be refused with, and the codes of each.
        shown: Statuses of refusals that are told as the answer is, to people: a page, a picture.
        about: What else there is to know.
        needs_body: Whether a request without its body is refused.
    """

    method: str
    path: str
    tag: str
    summary: str
    key: str = ""
    body: Any = None
    answer: Any = None
    lines: Any = None
    query: tuple[Parameter, ...] = ()
    of_path: tuple[Parameter, ...] = ()
    example: Any = None
    status: int = 200
    refused: Refusals = NONE
    shown: tuple[int, ...] = ()
    about: str = ""
    needs_body: bool = True


def of_admin(method: str, path: str, summary: str, *refused: Refusals, **more: Any) -> Operation:  # noqa: ANN401 - its other fields
    """One that the admin key admits, and what it may refuse beside that."""
    return Operation(
        method,
        path,
        "operating",
        summary,
        "admin",
        refused=merged(OPERATING, *refused),
        **more,
    )
