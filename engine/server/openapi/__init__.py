"""`GET /openapi.json`: what every route for programs takes and answers, as OpenAPI 3.1.

`taking` and `operating` list the operations of the two ports, `refusals` how they may be refused,
`told` the answers that are told as JSON without a type of their own, `document` makes one of it.
"""

from engine.server.openapi.document import OPERATIONS, openapi_handlers

__all__ = ["OPERATIONS", "openapi_handlers"]
