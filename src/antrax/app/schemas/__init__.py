"""Types of requests and answers: the interface between the page and the server.

Every request of the page is read as the type that stands for it here, and every answer is checked against its type
before it is sent; the types of the page's own code are made of these (`tests/page/make_types.py`), so that neither side
reads a field that the other never sends. A module holds the types of one area, and its routes.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from antrax.app.schemas import (
    jobs,
    labels,
    positions,
    sessions,
    surroundings,
    tracklets,
    training,
    training_set,
    validation,
    wall,
)
from antrax.app.schemas.base import Answer, NoRequest, Problem, Request, Route, gather_fields
from antrax.errors import OptionError

__all__ = [
    "ROUTES",
    "Answer",
    "NoRequest",
    "Problem",
    "Request",
    "Route",
    "given",
    "plain_answer",
    "plain_problem",
    "read_request",
]

ROUTES: dict[str, Route] = {
    **sessions.ROUTES,
    **tracklets.ROUTES,
    **surroundings.ROUTES,
    **training_set.ROUTES,
    **wall.ROUTES,
    **labels.ROUTES,
    **validation.ROUTES,
    **positions.ROUTES,
    **jobs.ROUTES,
    **training.ROUTES,
}

for _route in ROUTES.values():
    gather_fields(_route.request, _route.answer)


def read_request(route: Route, values: Any) -> Request:
    """Parse and validate a request. In a query, texts are converted to numbers where these are expected.

    Raises
    ------
    OptionError
        The request is invalid; the message names the value.
    """
    try:
        return msgspec.convert(values, route.request, strict=route.method == "POST")
    except msgspec.ValidationError as error:
        raise OptionError(f"what was asked cannot be used: {error}") from None


def plain_answer(route: Route, answer: Any) -> Any:
    """Convert an answer to plain values, checked against its type. Raises `msgspec.ValidationError`."""
    assert route.answer is not None
    return msgspec.to_builtins(msgspec.convert(answer, route.answer))


def plain_problem(error: str, code: Literal["conflict", "nothing-to-undo"] | None) -> Any:
    """An answer that is an error, as plain values."""
    return msgspec.to_builtins(Problem(error=error, code=code))


def given(request: Request) -> dict[str, Any]:
    """The values of a request that were given."""
    values = {name: getattr(request, name) for name in request.__struct_fields__}
    return {name: value for name, value in values.items() if value is not msgspec.UNSET}
