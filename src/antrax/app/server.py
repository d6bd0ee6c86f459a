"""The page's server: each request calls a method of the session's API, and is answered by JSON or PNG."""

from __future__ import annotations

import getpass
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from antrax.app import schemas
from antrax.app.jobs.manager import Jobs
from antrax.app.openable_experiments import OpenableExperiments
from antrax.app.session_api import SessionApi
from antrax.app.sheets import IMAGES
from antrax.errors import AntraxError, ConflictError, NothingToUndoError, OptionError, explain_mistake
from antrax.messages import with_command_line_options
from antrax.review.positions.solved import Cell
from antrax.review.tracklets.views import Filter, View
from antrax.review.validation.verdicts import Judgement

STATIC = Path(__file__).parent / "static"
# Open sessions keep their listings in memory, and what can be undone. Of more than so many, those are closed that no
# page has asked about for so many seconds: pages in sight ask every few.
_OPEN_SESSIONS, _IDLE_S = 4, 600.0
_ONE_DAY = "private, max-age=86400, immutable"


class _Context:
    """State of the server: open sessions, jobs, and openable experiments."""

    def __init__(self, places: OpenableExperiments, jobs: Jobs, memory: Path) -> None:
        self.places = places
        self.jobs = jobs
        self._memory = memory
        self._open: OrderedDict[tuple[str, str], SessionApi] = OrderedDict()
        self._asked: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def session(self, place: str, session: str) -> SessionApi:
        """The API of a session, which is opened where it is not open."""
        key = (place, session)
        with self._lock:
            if key not in self._open:
                self._open[key] = SessionApi(self.places.session(*key), self._memory)
            self._open.move_to_end(key)
            self._asked[key] = time.monotonic()
            longest_ago = next(iter(self._open))
            if len(self._open) > _OPEN_SESSIONS and time.monotonic() - self._asked[longest_ago] > _IDLE_S:
                del self._open[longest_ago], self._asked[longest_ago]
            return self._open[key]


_Handler = Callable[["_Context", SessionApi, Any], Any]


def make_app(places: OpenableExperiments, jobs: Jobs, memory: Path) -> Starlette:
    """The application, without the guard that must stand before it (`antrax.app.auth`).

    Parameters
    ----------
    places : OpenableExperiments
        What may be opened.
    jobs : Jobs
    memory : Path
        Folder for what is remembered between runs.
    """
    context = _Context(places, jobs, memory)
    routes = [Route("/", _index)]
    for name, contract in schemas.ROUTES.items():
        path = f"/api/s/{{place}}/{{session}}/{name}" if contract.in_session else f"/api/{name}"
        routes.append(Route(path, _endpoint(context, name, contract), methods=[contract.method]))
    return Starlette(
        routes=[*routes, Mount("/static", _Static(directory=STATIC))], exception_handlers={HTTPException: _http_error}
    )


def _endpoint(context: _Context, name: str, contract: schemas.Route) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        values: Any = dict(request.query_params)
        if contract.method == "POST":
            try:
                values = await request.json()
            except (ValueError, RecursionError):
                values = None
            if not isinstance(values, dict):
                return _problem("the request's body is no JSON object", 400)
        return await run_in_threadpool(_answer, context, name, contract, request.path_params, values)

    return endpoint


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
        except UnicodeEncodeError:  # such a byte is represented by a lone surrogate, which JSON can escape
            return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def _answer(
    context: _Context, name: str, contract: schemas.Route, where: Mapping[str, str], values: Mapping[str, Any]
) -> Response:
    """Compute the answer of a request, or describe the error. No error here ends the app."""
    try:
        asked = schemas.read_request(contract, values)
        if contract.in_session:
            found = _IN_SESSION[name](context, context.session(where["place"], where["session"]), asked)
        else:
            found = _OUTSIDE[name](context, asked)
        return found if isinstance(found, Response) else _Json(schemas.plain_answer(contract, found))
    except ConflictError as error:
        return _problem(str(error), 409, "conflict")
    except NothingToUndoError as error:
        return _problem(str(error), 400, "nothing-to-undo")
    except (AntraxError, OSError, MemoryError) as error:
        return _problem(str(error) or type(error).__name__, 400)
    except Exception as error:
        return _problem(explain_mistake(error), 500)


def _problem(error: str, status: int, code: Literal["conflict", "nothing-to-undo"] | None = None) -> Response:
    return _Json(schemas.plain_problem(with_command_line_options(error), code), status)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _problem(f"{request.url.path}: {error.detail}", error.status_code)


def _places(context: _Context, asked: schemas.NoRequest) -> dict[str, Any]:
    place, session = context.places.start
    return {
        "places": [
            {
                "id": found.id,
                "experiment": found.experiment.name,
                "path": str(found.experiment),
                "sessions": list(found.sessions),
            }
            for found in context.places.all()
        ],
        "recent": [{"place": place, "session": session} for place, session in context.places.recent()],
        "start": {"place": place, "session": session},
        "user": _user(),
        "version": version("antrax"),
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no name for this user on this machine
        return ""


def _opened(context: _Context, asked: schemas.sessions.OpenedRequest) -> dict[str, Any]:
    context.places.opened(asked.place, asked.session)
    return {}


def _overview(context: _Context, api: SessionApi, asked: schemas.NoRequest) -> dict[str, Any]:
    return api.overview() | {"interrupted": context.jobs.interrupted(api.session)}


def _pulse(context: _Context, api: SessionApi, asked: schemas.NoRequest) -> dict[str, Any]:
    return {"versions": api.versions(), "job": context.jobs.state(api.session)}


def _view_of(api: SessionApi, asked: schemas.tracklets.ViewRequest) -> View:
    return api.view(Filter(asked.movie, asked.label, asked.colony, asked.like), asked.order, asked.seed)


def _view(context: _Context, api: SessionApi, asked: schemas.tracklets.ViewRequest) -> dict[str, Any]:
    view = _view_of(api, asked)
    at = view.position(asked.near)
    return {"count": len(view.tracklets), "at": at or 0, "found": at is not None}


def _tracklet(context: _Context, api: SessionApi, asked: schemas.tracklets.TrackletRequest) -> Any:
    if asked.name:
        return api.tracklet(asked.name) | {"i": None, "count": None}
    if asked.i is None:
        raise OptionError("name a tracklet, or give its place")
    view = _view_of(api, asked)
    if not 0 <= asked.i < len(view.tracklets):
        return _problem(f"there is no tracklet {asked.i + 1} among {len(view.tracklets)}", 404)
    return api.tracklet(view.tracklets[asked.i]) | {"i": asked.i, "count": len(view.tracklets)}


def _check_start(start: int) -> int:
    if start < 0 or start % IMAGES:
        raise OptionError(f"start must be a multiple of {IMAGES}")
    return start


def _sheet(context: _Context, api: SessionApi, asked: schemas.tracklets.SheetRequest) -> Response:
    sheet, stamp = api.sheet(asked.tracklet, _check_start(asked.start), asked.stop)
    # its address names the state of the file, which may have been replaced since
    caching = _ONE_DAY if asked.stamp == stamp else "no-store"
    return Response(sheet, media_type="image/png", headers={"Cache-Control": caching})


def _gallery_sheet(context: _Context, api: SessionApi, asked: schemas.training_set.GallerySheetRequest) -> Response:
    sheet = api.training_set.gallery_sheet(asked.label, _check_start(asked.start), asked.cell, asked.version)
    return Response(sheet, media_type="image/png")


def _export(context: _Context, api: SessionApi, asked: schemas.training_set.ExportRequest) -> dict[str, Any]:
    author = asked.who.strip() or _user()
    return api.training_set.export(
        asked.tracklet, asked.frames, asked.label, asked.client, asked.stamp, asked.most, author
    )


def _wall(context: _Context, api: SessionApi, asked: schemas.wall.WallRequest) -> dict[str, Any]:
    return api.wall.page(_view_of(api, asked), asked.start, asked.tiles)


def _wall_sheet(context: _Context, api: SessionApi, asked: schemas.wall.WallSheetRequest) -> Response:
    images = []
    for text in asked.images.split(","):
        tracklet, _, image = text.rpartition(":")
        if not image.isdecimal():
            raise OptionError(f"{text[:40]!r} is no image of a tracklet")
        images.append((tracklet, int(image)))
    return Response(api.wall.sheet(images, asked.cell), media_type="image/png")


def _accept(context: _Context, api: SessionApi, asked: schemas.wall.AcceptRequest) -> dict[str, Any]:
    tiles = [(tile.tracklet, tile.image, tile.stamp) for tile in asked.tiles]
    return api.wall.accept(asked.label, tiles, asked.most, asked.client, asked.who.strip() or _user())


def _move(context: _Context, api: SessionApi, asked: schemas.training_set.MoveRequest) -> dict[str, Any]:
    return api.training_set.move(asked.label, asked.names, asked.to, asked.client)


def _edit_labels(context: _Context, api: SessionApi, asked: schemas.labels.EditLabelsRequest) -> dict[str, Any]:
    return api.labels.edit([(row.label, row.category) for row in asked.rows], asked.digest)


def _mark(context: _Context, api: SessionApi, asked: schemas.validation.MarkRequest) -> dict[str, Any]:
    who = asked.who.strip() or _user()
    return api.mark(asked.tracklet, asked.label, Judgement(asked.verdict, asked.true_label, asked.met, who))


def _rates(context: _Context, api: SessionApi, asked: schemas.validation.RatesRequest) -> dict[str, Any]:
    return api.rates(asked.met == "random", asked.seen == "unseen")


def _cell(context: _Context, api: SessionApi, asked: schemas.positions.CellRequest) -> dict[str, Any]:
    return api.positions.cell(
        asked.seed, asked.number, asked.movie, asked.frame, asked.id, asked.colony, asked.tracklet
    )


def _film(context: _Context, api: SessionApi, asked: schemas.positions.FilmRequest) -> Response:
    found = api.positions.pictures.film(asked.movie, asked.movie_frame, asked.tracklet, asked.x, asked.y, asked.side)
    return Response(found, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


def _position_mark(context: _Context, api: SessionApi, asked: schemas.positions.PositionMarkRequest) -> dict[str, Any]:
    cell = Cell(asked.movie, asked.frame, asked.id, asked.colony)
    who = asked.who.strip() or _user()
    return api.positions.mark(cell, asked.tracklet, asked.verdict, asked.true_id, asked.seed, asked.number, who)


def _correct(context: _Context, api: SessionApi, asked: schemas.positions.CorrectRequest) -> dict[str, Any]:
    who = asked.who.strip() or _user()
    return api.positions.correct(asked.movie, asked.tracklet, asked.id, asked.colony, asked.is_it, who)


def _train(context: _Context, api: SessionApi, asked: schemas.jobs.TrainRequest) -> dict[str, Any]:
    context.jobs.start(api.session, "train", schemas.given(asked))
    return {"job": context.jobs.state(api.session)}


def _classify(context: _Context, api: SessionApi, asked: schemas.jobs.ClassifyRequest) -> dict[str, Any]:
    context.jobs.start(api.session, "classify", schemas.given(asked))
    return {"job": context.jobs.state(api.session)}


def _group(context: _Context, api: SessionApi, asked: schemas.jobs.GroupRequest) -> dict[str, Any]:
    context.jobs.start(api.session, "group", schemas.given(asked))
    return {"job": context.jobs.state(api.session)}


def _stop(context: _Context, api: SessionApi, asked: schemas.NoRequest) -> dict[str, Any]:
    context.jobs.stop(api.session)
    return {"job": context.jobs.state(api.session)}


def _forget(context: _Context, api: SessionApi, asked: schemas.NoRequest) -> dict[str, Any]:
    context.jobs.forget(api.session)
    return {}


_OUTSIDE: dict[str, Callable[[_Context, Any], Any]] = {"places": _places, "opened": _opened}
_IN_SESSION: dict[str, _Handler] = {
    "overview": _overview,
    "counts": lambda context, api, asked: api.counts(asked.movie),
    "pulse": _pulse,
    "view": _view,
    "tracklet": _tracklet,
    "surroundings": lambda context, api, asked: api.surroundings.of(asked.tracklet),
    "surroundings/graph": lambda context, api, asked: api.surroundings.by_graph(asked.tracklet),
    "flag": lambda context, api, asked: api.flags.flag(
        asked.tracklet, asked.flagged, asked.note, asked.who.strip() or _user()
    ),
    "sheet": _sheet,
    "export": _export,
    "undo": lambda context, api, asked: api.training_set.undo(asked.client),
    "redo": lambda context, api, asked: api.training_set.redo(asked.client),
    "gallery/author": lambda context, api, asked: api.training_set.author(asked.label, asked.name),
    "trainset": lambda context, api, asked: api.training_set.trainset(),
    "gallery": lambda context, api, asked: api.training_set.gallery(asked.label),
    "gallery/sheet": _gallery_sheet,
    "wall": _wall,
    "wall/sheet": _wall_sheet,
    "wall/others": lambda context, api, asked: Response(
        api.wall.others(asked.tracklet, asked.most), media_type="image/png"
    ),
    "wall/accept": _accept,
    "move": _move,
    "labels": lambda context, api, asked: api.labels.rows(),
    "labels/edit": _edit_labels,
    "labels/rename": lambda context, api, asked: api.labels.rename(asked.label, asked.new),
    "mark": _mark,
    "rates": _rates,
    "positions": lambda context, api, asked: api.positions.info(),
    "positions/cell": _cell,
    "positions/neighbours": lambda context, api, asked: api.positions.neighbours(asked.movie, asked.tracklet),
    "positions/images": lambda context, api, asked: Response(
        api.positions.pictures.images(asked.tracklet, asked.images), media_type="image/png"
    ),
    "positions/arena": lambda context, api, asked: Response(api.positions.pictures.arena(), media_type="image/jpeg"),
    "positions/film": _film,
    "positions/mark": _position_mark,
    "positions/correct": _correct,
    "positions/undo": lambda context, api, asked: api.positions.undo(),
    "training": lambda context, api, asked: api.training(),
    "next": lambda context, api, asked: api.next_step(),
    "train": _train,
    "classify": _classify,
    "group": _group,
    "job/stop": _stop,
    "job/forget": _forget,
}
