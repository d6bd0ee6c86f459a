"""The page's server: requests in, one method of the workbench called, its answer as JSON or PNG."""

from __future__ import annotations

import getpass
import json
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from antrax.app.jobs.manager import Jobs
from antrax.app.openable_experiments import Places
from antrax.app.session_api import Workbench
from antrax.app.sheets import IMAGES, LARGEST_CELL
from antrax.errors import AntraxError, ConflictError, OptionError, explain_mistake
from antrax.labels import Category
from antrax.review.tracklets.views import Filter, Order
from antrax.review.validation.verdicts import Verdict

_T = TypeVar("_T")

STATIC = Path(__file__).parent / "static"
# Open sessions keep their listings in memory, and what can be undone. Of more than so many, those are closed that no
# page has asked about for so many seconds: pages in sight ask every few.
_OPEN_SESSIONS, _IDLE_S = 4, 600.0
_ONE_DAY = "private, max-age=86400, immutable"


class _Desk:
    """The workbenches in use, and what they stand on."""

    def __init__(self, places: Places, jobs: Jobs, memory: Path) -> None:
        self.places = places
        self.jobs = jobs
        self._memory = memory
        self._open: OrderedDict[tuple[str, str], Workbench] = OrderedDict()
        self._asked: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def bench(self, request: Request) -> Workbench:
        """The workbench of the session that a request is about."""
        key = (request.path_params["place"], request.path_params["session"])
        with self._lock:
            if key not in self._open:
                self._open[key] = Workbench(self.places.session(*key), self._memory)
            self._open.move_to_end(key)
            self._asked[key] = time.monotonic()
            longest_ago = next(iter(self._open))
            if len(self._open) > _OPEN_SESSIONS and time.monotonic() - self._asked[longest_ago] > _IDLE_S:
                del self._open[longest_ago], self._asked[longest_ago]
            return self._open[key]


class _Asked:
    """Values of a request: the query's of a GET, the body's of a POST. Raises `OptionError` where one is unfit."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str, default: str | None = None, longest: int = 400) -> str:
        value = self._values.get(name, default)
        if not isinstance(value, str) or len(value) > longest:
            raise OptionError(f"{name} must be a text of at most {longest} characters")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        value = self._values.get(name, default)
        try:
            if isinstance(value, bool):
                raise ValueError
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            raise OptionError(f"{name} must be a whole number") from None
        if abs(number) > 2**53:
            raise OptionError(f"{name} is too large")
        return number

    def movie(self) -> int | None:
        """The movie asked about; None for all of them."""
        return self.number("movie") if self.text("movie", "") else None

    def fraction(self, name: str, default: float) -> float:
        value = self._values.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise OptionError(f"{name} must be a number")
        return float(value)

    def flag(self, name: str) -> bool:
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            raise OptionError(f"{name} must be true or false")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self._values.get(name) is None else self.text(name)

    def numbers(self, name: str) -> list[int] | None:
        """A list of whole numbers; None where there is none."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(type(item) is int for item in value):
            raise OptionError(f"{name} must be a list of whole numbers")
        return value

    def texts(self, name: str) -> list[str]:
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise OptionError(f"{name} must be a list of texts")
        return value

    def rows(self, name: str) -> list[dict[str, Any]]:
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise OptionError(f"{name} must be a list of rows")
        return value

    def choice(self, name: str, of: Callable[[str], _T], default: str | None = None) -> _T:
        text = self.text(name, default)
        try:
            return of(text)
        except ValueError:
            raise OptionError(f"{name} cannot be {text!r}") from None


_Answer = Callable[[_Desk, Request, _Asked], Any]


def make_app(places: Places, jobs: Jobs, memory: Path) -> Starlette:
    """The application, without the guard that must stand before it (`antrax.app.auth`).

    Parameters
    ----------
    places : Places
        What may be opened.
    jobs : Jobs
    memory : Path
        Folder for what is remembered between runs.
    """
    desk = _Desk(places, jobs, memory)

    def get(path: str, answer: _Answer) -> Route:
        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(_answer, desk, request, _Asked(request.query_params), answer)

        return Route(path, endpoint, methods=["GET"])

    def post(path: str, answer: _Answer) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                body = await request.json()
            except (ValueError, RecursionError):
                body = None
            if not isinstance(body, dict):
                return _Json({"error": "the request's body is no JSON object"}, 400)
            return await run_in_threadpool(_answer, desk, request, _Asked(body), answer)

        return Route(path, endpoint, methods=["POST"])

    here = "/api/s/{place}/{session}"
    routes = [
        Route("/", _index),
        get("/api/places", _places),
        post("/api/opened", _opened),
        get(here + "/overview", lambda desk, request, asked: desk.bench(request).overview()),
        get(here + "/counts", lambda desk, request, asked: desk.bench(request).counts(asked.movie())),
        get(here + "/pulse", _pulse),
        get(here + "/view", _view),
        get(here + "/tracklet", _tracklet),
        get(here + "/sheet", _sheet),
        post(here + "/export", _export),
        post(here + "/undo", lambda desk, request, asked: desk.bench(request).undo(asked.text("client"))),
        get(here + "/trainset", lambda desk, request, asked: desk.bench(request).trainset()),
        get(here + "/gallery", lambda desk, request, asked: desk.bench(request).gallery(asked.text("label"))),
        get(here + "/gallery/sheet", _gallery_sheet),
        post(here + "/move", _move),
        get(here + "/labels", lambda desk, request, asked: desk.bench(request).label_rows()),
        post(here + "/labels", _edit_labels),
        post(here + "/mark", _mark),
        get(here + "/rates", _rates),
        post(here + "/train", _train),
        post(here + "/classify", _classify),
        post(here + "/job/stop", _stop),
        Mount("/static", _Static(directory=STATIC)),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _http_error})


def _index(request: Request) -> Response:
    """The page, with all its modules named: over a tunnel, each step from import to import takes a round trip."""
    folder = STATIC / "js"
    modules = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.js"))
    links = "\n".join(
        f'  <link rel="modulepreload" href="/static/js/{module}">' for module in modules if module != "theme.js"
    )
    page = (STATIC / "index.html").read_text(encoding="utf-8").replace("</head>", f"{links}\n</head>")
    return HTMLResponse(page, headers={"Cache-Control": "no-cache"})


class _Static(StaticFiles):
    """The page's files, asked for anew each time: they change when antrax is updated."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


class _Json(JSONResponse):
    """JSON in which names of files that are no UTF-8 go to the page and come back as they are."""

    def render(self, content: Any) -> bytes:
        try:
            return super().render(content)
        except UnicodeEncodeError:  # half a surrogate pair stands for each such byte; JSON can escape it
            return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def _answer(desk: _Desk, request: Request, asked: _Asked, answer: _Answer) -> Response:
    """What a question gives, or a sentence about why not. Nothing that goes wrong here ends the app."""
    try:
        found = answer(desk, request, asked)
        return found if isinstance(found, Response) else _Json(found)
    except ConflictError as error:
        return _Json({"error": str(error)}, 409)
    except (AntraxError, OSError, MemoryError) as error:
        return _Json({"error": str(error) or type(error).__name__}, 400)
    except Exception as error:
        return _Json({"error": explain_mistake(error)}, 500)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _Json({"error": f"{request.url.path}: {error.detail}"}, error.status_code)


def _places(desk: _Desk, request: Request, asked: _Asked) -> dict[str, Any]:
    place, session = desk.places.start
    return {
        "places": [
            {
                "id": found.id,
                "experiment": found.experiment.name,
                "path": str(found.experiment),
                "sessions": list(found.sessions),
            }
            for found in desk.places.all()
        ],
        "recent": [{"place": place, "session": session} for place, session in desk.places.recent()],
        "start": {"place": place, "session": session},
        "user": _user(),
        "version": version("antrax"),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name for this user on this machine
        return ""


def _opened(desk: _Desk, request: Request, asked: _Asked) -> dict[str, Any]:
    desk.places.opened(asked.text("place"), asked.text("session"))
    return {}


def _pulse(desk: _Desk, request: Request, asked: _Asked) -> dict[str, Any]:
    bench = desk.bench(request)
    return {"versions": bench.versions(), "job": desk.jobs.state(bench.session)}


def _asked_view(bench: Workbench, asked: _Asked) -> Any:
    wanted = Filter(asked.movie(), asked.text("label", ""), asked.text("colony", ""))
    return bench.view(wanted, asked.choice("order", Order, "random"), asked.number("seed", 0))


def _view(desk: _Desk, request: Request, asked: _Asked) -> dict[str, Any]:
    view = _asked_view(desk.bench(request), asked)
    at = view.position(asked.text("near", ""))
    return {"count": len(view.tracklets), "at": at or 0, "found": at is not None}


def _tracklet(desk: _Desk, request: Request, asked: _Asked) -> Any:
    bench = desk.bench(request)
    if name := asked.text("name", ""):
        return bench.tracklet(name) | {"i": None, "count": None}
    view = _asked_view(bench, asked)
    index = asked.number("i")
    if not 0 <= index < len(view.tracklets):
        return _Json({"error": f"there is no tracklet {index + 1} among {len(view.tracklets)}"}, 404)
    return bench.tracklet(view.tracklets[index]) | {"i": index, "count": len(view.tracklets)}


def _start(asked: _Asked) -> int:
    start = asked.number("start", 0)
    if start < 0 or start % IMAGES:
        raise OptionError(f"start must be a multiple of {IMAGES}")
    return start


def _sheet(desk: _Desk, request: Request, asked: _Asked) -> Response:
    bench = desk.bench(request)
    sheet, stamp = bench.sheet(asked.text("tracklet"), _start(asked), asked.number("stop", 2**31))
    # its address names the state of the file, which may have been replaced since
    keep = asked.text("stamp", "") == stamp
    return Response(sheet, media_type="image/png", headers={"Cache-Control": _ONE_DAY if keep else "no-store"})


def _gallery_sheet(desk: _Desk, request: Request, asked: _Asked) -> Response:
    cell = asked.number("cell")
    if not 1 <= cell <= LARGEST_CELL:
        raise OptionError(f"cell must be between 1 and {LARGEST_CELL}")
    bench = desk.bench(request)
    sheet = bench.gallery_sheet(asked.text("label"), _start(asked), cell, asked.number("version"))
    return Response(sheet, media_type="image/png")


def _export(desk: _Desk, request: Request, asked: _Asked) -> dict[str, Any]:
    return desk.bench(request).export(
        asked.text("tracklet"),
        asked.numbers("frames"),
        asked.text("label"),
        asked.text("client"),
        asked.optional_text("stamp"),
    )


def _move(desk: _Desk, request: Request, asked: _Asked) -> dict[str, Any]:
    return desk.bench(request).move(
        asked.text("label"), asked.texts("names"), asked.optional_text("to"), asked.text("client")
    )


def _edit_labels(desk: _Desk, request: Request, asked: _Asked) -> dict[str, Any]:
    rows = [_Asked(row) for row in asked.rows("rows")]
    wanted = [(row.text("label"), row.choice("category", Category)) for row in rows]
    return desk.bench(request).edit_labels(wanted, asked.optional_text("digest"))


def _mark(desk: _Desk, request: Request, asked: _Asked) -> dict[str, Any]:
    verdict = None if asked.optional_text("verdict") is None else asked.choice("verdict", Verdict)
    return desk.bench(request).mark(
        asked.text("tracklet"),
        asked.text("label"),
        verdict,
        asked.text("true_label", ""),
        asked.text("met", ""),
        asked.text("who", "").strip() or _user(),
    )


def _rates(desk: _Desk, request: Request, asked: _Asked) -> dict[str, Any]:
    return desk.bench(request).rates(asked.text("met", "all") == "random", asked.text("seen", "all") == "unseen")


def _train(desk: _Desk, request: Request, asked: _Asked) -> dict[str, Any]:
    session = desk.bench(request).session
    desk.jobs.start(session, "train", {"epochs": asked.number("epochs", 5), "scratch": asked.flag("scratch")})
    return {"job": desk.jobs.state(session)}


def _classify(desk: _Desk, request: Request, asked: _Asked) -> dict[str, Any]:
    session = desk.bench(request).session
    options = {
        "movies": asked.numbers("movies"),
        "missing": asked.flag("missing"),
        "max_error": asked.fraction("max_error", 0.01),
    }
    desk.jobs.start(session, "classify", options)
    return {"job": desk.jobs.state(session)}


def _stop(desk: _Desk, request: Request, asked: _Asked) -> dict[str, Any]:
    session = desk.bench(request).session
    desk.jobs.stop(session)
    return {"job": desk.jobs.state(session)}
