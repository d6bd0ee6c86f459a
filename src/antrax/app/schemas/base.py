"""What all questions and answers are made of."""

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
    """The query of a question, or the body of a command. Fields that are not known are passed over."""


class Answer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is sent back; nothing more and nothing less."""


class Nothing(Answer):
    """There is nothing to say."""


class Problem(Answer):
    """Every answer that is an error. `code` tells those that the page deals with itself."""

    error: str
    code: Literal["conflict", "nothing-to-undo"] | None = None


class NoRequest(Request):
    """Nothing needs to be said."""


class Versions(Answer):
    """Others whenever what they stand for is another; of what changed, the page asks anew."""

    examples: int
    assignments: str
    labels: str
    marks: int
    catalog: str
    classifier: str
    positions: str


class Counted(Answer):
    """k of n."""

    k: int
    n: int
    rate: float | None


@dataclass(frozen=True)
class Route:
    """One thing that can be asked.

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
