"""Base types of requests and answers, and routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

Text = Annotated[str, msgspec.Meta(max_length=400)]
Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]


def gather_fields(*types: type | None) -> None:
    """Have msgspec gather the fields of types now, in one thread; call it where types are defined.

    It (0.22) does so when a type is first used, and a second thread that uses the type meanwhile reads a null pointer:
    the app answers in threads, and would be gone.
    """
    for type_ in types:
        msgspec.json.Decoder(type_)


class Request(msgspec.Struct, kw_only=True):
    """Base of requests: the query of a GET, or the body of a POST. Unknown fields are ignored."""


class Answer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of answers. An answer has exactly the fields of its type."""


class Nothing(Answer):
    """Answer without content."""


class Problem(Answer):
    """Answer to a request that failed. `code` identifies errors that the page handles itself."""

    error: str
    code: Literal["conflict", "nothing-to-undo"] | None = None


class NoRequest(Request):
    """Request without parameters."""


class Versions(Answer):
    """Versions of the parts of a session; if one differs from the page's, the page requests that part again."""

    examples: int
    assignments: str
    labels: str
    marks: int
    catalog: str
    classifier: str
    positions: str
    groups: str


class Counted(Answer):
    """A count `k` out of `n`."""

    k: int
    n: int
    rate: float | None


@dataclass(frozen=True)
class Route:
    """A route of the server: address, and types of request and answer.

    Parameters
    ----------
    method : {"GET", "POST"}
    request, answer : type
        `answer` is None where it is an image.
    in_session : bool
        Whether it is about the open session.
    """

    method: Literal["GET", "POST"]
    request: type[Request]
    answer: type[Answer] | None
    in_session: bool = True
