"""The page's server: requests in, one method of the workbench called, its answer as JSON or PNG."""

from __future__ import annotations

import getpass
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from antrax.app.jobs import Jobs
from antrax.app.places import Places
from antrax.app.sheets import IMAGES
from antrax.app.workbench import Workbench
from antrax.errors import AntraxError, ConflictError, OptionError, explain_mistake
from antrax.labels import Category
from antrax.review.verdicts import Verdict
from antrax.review.views import Filter, Order

_T = TypeVar("_T")

STATIC = Path(__file__).parent / "static"
# Open sessions keep their listings in memory.
_OPEN_SESSIONS = 4
_ONE_DAY = "private, max-age=86400, immutable"


class _Desk:
    """The workbenches in use, and what they stand on."""

    def __init__(self, places: Places, jobs: Jobs, memory: Path) -> None:
        self.places = places
        self.jobs = jobs
        self._memory = memory
        self._open: OrderedDict[tuple[str, str], Workbench] = OrderedDict()
        self._lock = threading.Lock()

    def bench(self, request: Request) -> Workbench:
        """The workbench of the session that a request is about."""
        key = (request.path_params["place"], request.path_params["session"])
        with self._lock:
            if key not in self._open:
                self._open[key] = Workbench(self.places.session(*key), self._memory)
            self._open.move_to_end(key)
            while len(self._open) > _OPEN_SESSIONS:
                self._open.popitem(last=False)
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
    """The application, without the guard that must stand before it (`antrax.app.guard`).

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
                return JSONResponse({"error": "the request's body is no JSON object"}, 400)
            return await run_in_threadpool(_answer, desk, request, _Asked(body), answer)

        return Route(path, endpoint, methods=["POST"])

    here = "/api/s/{place}/{session}"
    routes = [
        Route("/", lambda request: FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})),
        get("/api/places", _places),
        post("/api/opened", _opened),
        get(here + "/overview", lambda desk, request, asked: desk.bench(request).overview()),
        get(here + "/counts", lambda desk, request, asked: desk.bench(request).counts()),
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


class _Static(StaticFiles):
    """The page's files, asked for anew each time: they change when antrax is updated."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _answer(desk: _Desk, request: Request, asked: _Asked, answer: _Answer) -> Response:
    """What a question gives, or a sentence about why not. Nothing that goes wrong here ends the app."""
    try:
        found = answer(desk, request, asked)
        return found if isinstance(found, Response) else JSONResponse(found)
    except ConflictError as error:
        return JSONResponse({"error": str(error)}, 409)
    except (AntraxError, OSError, MemoryError) as error:
        return JSONResponse({"error": str(error) or type(error).__name__}, 400)
    except Exception as error:
        return JSONResponse({"error": explain_mistake(error)}, 500)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": f"{request.url.path}: {error.detail}"}, error.status_code)


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
    movie = asked.text("movie", "")
    wanted = Filter(int(movie) if movie.isdecimal() else None, asked.text("label", ""), asked.text("colony", ""))
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
        return JSONResponse({"error": f"there is no tracklet {index + 1} among {len(view.tracklets)}"}, 404)
    return bench.tracklet(view.tracklets[index]) | {"i": index, "count": len(view.tracklets)}


def _start(asked: _Asked) -> int:
    start = asked.number("start", 0)
    if start < 0 or start % IMAGES:
        raise OptionError(f"start must be a multiple of {IMAGES}")
    return start


def _sheet(desk: _Desk, request: Request, asked: _Asked) -> Response:
    sheet = desk.bench(request).sheet(asked.text("tracklet"), _start(asked), asked.number("stop", 2**31))
    # its address names the state of the file that it was made from
    return Response(sheet, media_type="image/png", headers={"Cache-Control": _ONE_DAY})


def _gallery_sheet(desk: _Desk, request: Request, asked: _Asked) -> Response:
    cell = asked.number("cell")
    if not 1 <= cell <= 1024:
        raise OptionError("cell must be between 1 and 1024")
    bench = desk.bench(request)
    sheet = bench.gallery_sheet(asked.text("label"), _start(asked), cell, asked.number("version"))
    return Response(sheet, media_type="image/png")


def _export(desk: _Desk, request: Request, asked: _Asked) -> dict[str, Any]:
    return desk.bench(request).export(
        asked.text("tracklet"), asked.numbers("frames"), asked.text("label"), asked.text("client")
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
