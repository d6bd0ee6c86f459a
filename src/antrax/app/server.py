"""The page's server: requests in, one method of the workbench called, its answer as JSON or PNG."""

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
from antrax.app.openable_experiments import Places
from antrax.app.session_api import Workbench
from antrax.app.sheets import IMAGES
from antrax.errors import AntraxError, ConflictError, NothingToUndoError, OptionError, explain_mistake
from antrax.messages import with_command_line_options
from antrax.review.positions.solved import Cell
from antrax.review.tracklets.views import Filter, View

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

    def bench(self, place: str, session: str) -> Workbench:
        """The workbench of a session."""
        key = (place, session)
        with self._lock:
            if key not in self._open:
                self._open[key] = Workbench(self.places.session(*key), self._memory)
            self._open.move_to_end(key)
            self._asked[key] = time.monotonic()
            longest_ago = next(iter(self._open))
            if len(self._open) > _OPEN_SESSIONS and time.monotonic() - self._asked[longest_ago] > _IDLE_S:
                del self._open[longest_ago], self._asked[longest_ago]
            return self._open[key]


_Handler = Callable[["_Desk", Workbench, Any], Any]


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
    routes = [Route("/", _index)]
    for name, contract in schemas.ROUTES.items():
        path = f"/api/s/{{place}}/{{session}}/{name}" if contract.in_session else f"/api/{name}"
        routes.append(Route(path, _endpoint(desk, name, contract), methods=[contract.method]))
    return Starlette(
        routes=[*routes, Mount("/static", _Static(directory=STATIC))], exception_handlers={HTTPException: _http_error}
    )


def _endpoint(desk: _Desk, name: str, contract: schemas.Route) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        values: Any = dict(request.query_params)
        if contract.method == "POST":
            try:
                values = await request.json()
            except (ValueError, RecursionError):
                values = None
            if not isinstance(values, dict):
                return _problem("the request's body is no JSON object", 400)
        return await run_in_threadpool(_answer, desk, name, contract, request.path_params, values)

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
        except UnicodeEncodeError:  # half a surrogate pair stands for each such byte; JSON can escape it
            return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def _answer(
    desk: _Desk, name: str, contract: schemas.Route, where: Mapping[str, str], values: Mapping[str, Any]
) -> Response:
    """What a question gives, or a sentence about why not. Nothing that goes wrong here ends the app."""
    try:
        asked = schemas.read_request(contract, values)
        if contract.in_session:
            found = _IN_SESSION[name](desk, desk.bench(where["place"], where["session"]), asked)
        else:
            found = _OUTSIDE[name](desk, asked)
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


def _places(desk: _Desk, asked: schemas.NoRequest) -> dict[str, Any]:
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


def _opened(desk: _Desk, asked: schemas.sessions.OpenedRequest) -> dict[str, Any]:
    desk.places.opened(asked.place, asked.session)
    return {}


def _overview(desk: _Desk, bench: Workbench, asked: schemas.NoRequest) -> dict[str, Any]:
    return bench.overview() | {"interrupted": desk.jobs.interrupted(bench.session)}


def _pulse(desk: _Desk, bench: Workbench, asked: schemas.NoRequest) -> dict[str, Any]:
    return {"versions": bench.versions(), "job": desk.jobs.state(bench.session)}


def _view_of(bench: Workbench, asked: schemas.tracklets.ViewRequest) -> View:
    return bench.view(Filter(asked.movie, asked.label, asked.colony), asked.order, asked.seed)


def _view(desk: _Desk, bench: Workbench, asked: schemas.tracklets.ViewRequest) -> dict[str, Any]:
    view = _view_of(bench, asked)
    at = view.position(asked.near)
    return {"count": len(view.tracklets), "at": at or 0, "found": at is not None}


def _tracklet(desk: _Desk, bench: Workbench, asked: schemas.tracklets.TrackletRequest) -> Any:
    if asked.name:
        return bench.tracklet(asked.name) | {"i": None, "count": None}
    if asked.i is None:
        raise OptionError("name a tracklet, or give its place")
    view = _view_of(bench, asked)
    if not 0 <= asked.i < len(view.tracklets):
        return _problem(f"there is no tracklet {asked.i + 1} among {len(view.tracklets)}", 404)
    return bench.tracklet(view.tracklets[asked.i]) | {"i": asked.i, "count": len(view.tracklets)}


def _check_start(start: int) -> int:
    if start < 0 or start % IMAGES:
        raise OptionError(f"start must be a multiple of {IMAGES}")
    return start


def _sheet(desk: _Desk, bench: Workbench, asked: schemas.tracklets.SheetRequest) -> Response:
    sheet, stamp = bench.sheet(asked.tracklet, _check_start(asked.start), asked.stop)
    # its address names the state of the file, which may have been replaced since
    caching = _ONE_DAY if asked.stamp == stamp else "no-store"
    return Response(sheet, media_type="image/png", headers={"Cache-Control": caching})


def _gallery_sheet(desk: _Desk, bench: Workbench, asked: schemas.training_set.GallerySheetRequest) -> Response:
    sheet = bench.training_set.gallery_sheet(asked.label, _check_start(asked.start), asked.cell, asked.version)
    return Response(sheet, media_type="image/png")


def _export(desk: _Desk, bench: Workbench, asked: schemas.training_set.ExportRequest) -> dict[str, Any]:
    return bench.training_set.export(asked.tracklet, asked.frames, asked.label, asked.client, asked.stamp)


def _wall(desk: _Desk, bench: Workbench, asked: schemas.wall.WallRequest) -> dict[str, Any]:
    return bench.wall.page(_view_of(bench, asked), asked.start, asked.tiles)


def _wall_sheet(desk: _Desk, bench: Workbench, asked: schemas.wall.WallSheetRequest) -> Response:
    images = []
    for text in asked.images.split(","):
        tracklet, _, image = text.rpartition(":")
        if not image.isdecimal():
            raise OptionError(f"{text[:40]!r} is no image of a tracklet")
        images.append((tracklet, int(image)))
    return Response(bench.wall.sheet(images, asked.cell), media_type="image/png")


def _accept(desk: _Desk, bench: Workbench, asked: schemas.wall.AcceptRequest) -> dict[str, Any]:
    tiles = [(tile.tracklet, tile.image, tile.stamp) for tile in asked.tiles]
    return bench.wall.accept(asked.label, tiles, asked.most, asked.client)


def _move(desk: _Desk, bench: Workbench, asked: schemas.training_set.MoveRequest) -> dict[str, Any]:
    return bench.training_set.move(asked.label, asked.names, asked.to, asked.client)


def _edit_labels(desk: _Desk, bench: Workbench, asked: schemas.labels.EditLabelsRequest) -> dict[str, Any]:
    return bench.edit_labels([(row.label, row.category) for row in asked.rows], asked.digest)


def _mark(desk: _Desk, bench: Workbench, asked: schemas.validation.MarkRequest) -> dict[str, Any]:
    who = asked.who.strip() or _user()
    return bench.mark(asked.tracklet, asked.label, asked.verdict, asked.true_label, asked.met, who)


def _rates(desk: _Desk, bench: Workbench, asked: schemas.validation.RatesRequest) -> dict[str, Any]:
    return bench.rates(asked.met == "random", asked.seen == "unseen")


def _cell(desk: _Desk, bench: Workbench, asked: schemas.positions.CellRequest) -> dict[str, Any]:
    return bench.positions.cell(
        asked.seed, asked.number, asked.movie, asked.frame, asked.id, asked.colony, asked.tracklet
    )


def _film(desk: _Desk, bench: Workbench, asked: schemas.positions.FilmRequest) -> Response:
    found = bench.positions.pictures.film(asked.movie, asked.movie_frame, asked.tracklet, asked.x, asked.y, asked.side)
    return Response(found, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


def _position_mark(desk: _Desk, bench: Workbench, asked: schemas.positions.PositionMarkRequest) -> dict[str, Any]:
    cell = Cell(asked.movie, asked.frame, asked.id, asked.colony)
    who = asked.who.strip() or _user()
    return bench.positions.mark(cell, asked.tracklet, asked.verdict, asked.true_id, asked.seed, asked.number, who)


def _correct(desk: _Desk, bench: Workbench, asked: schemas.positions.CorrectRequest) -> dict[str, Any]:
    who = asked.who.strip() or _user()
    return bench.positions.correct(asked.movie, asked.tracklet, asked.id, asked.colony, asked.is_it, who)


def _train(desk: _Desk, bench: Workbench, asked: schemas.jobs.TrainRequest) -> dict[str, Any]:
    desk.jobs.start(bench.session, "train", schemas.given(asked))
    return {"job": desk.jobs.state(bench.session)}


def _classify(desk: _Desk, bench: Workbench, asked: schemas.jobs.ClassifyRequest) -> dict[str, Any]:
    desk.jobs.start(bench.session, "classify", schemas.given(asked))
    return {"job": desk.jobs.state(bench.session)}


def _stop(desk: _Desk, bench: Workbench, asked: schemas.NoRequest) -> dict[str, Any]:
    desk.jobs.stop(bench.session)
    return {"job": desk.jobs.state(bench.session)}


def _forget(desk: _Desk, bench: Workbench, asked: schemas.NoRequest) -> dict[str, Any]:
    desk.jobs.forget(bench.session)
    return {}


_OUTSIDE: dict[str, Callable[[_Desk, Any], Any]] = {"places": _places, "opened": _opened}
_IN_SESSION: dict[str, _Handler] = {
    "overview": _overview,
    "counts": lambda desk, bench, asked: bench.counts(asked.movie),
    "pulse": _pulse,
    "view": _view,
    "tracklet": _tracklet,
    "sheet": _sheet,
    "export": _export,
    "undo": lambda desk, bench, asked: bench.training_set.undo(asked.client),
    "trainset": lambda desk, bench, asked: bench.training_set.trainset(),
    "gallery": lambda desk, bench, asked: bench.training_set.gallery(asked.label),
    "gallery/sheet": _gallery_sheet,
    "wall": _wall,
    "wall/sheet": _wall_sheet,
    "wall/others": lambda desk, bench, asked: Response(
        bench.wall.others(asked.tracklet, asked.most), media_type="image/png"
    ),
    "wall/accept": _accept,
    "move": _move,
    "labels": lambda desk, bench, asked: bench.label_rows(),
    "labels/edit": _edit_labels,
    "mark": _mark,
    "rates": _rates,
    "positions": lambda desk, bench, asked: bench.positions.info(),
    "positions/cell": _cell,
    "positions/neighbours": lambda desk, bench, asked: bench.positions.neighbours(asked.movie, asked.tracklet),
    "positions/images": lambda desk, bench, asked: Response(
        bench.positions.pictures.images(asked.tracklet, asked.images), media_type="image/png"
    ),
    "positions/arena": lambda desk, bench, asked: Response(bench.positions.pictures.arena(), media_type="image/jpeg"),
    "positions/film": _film,
    "positions/mark": _position_mark,
    "positions/correct": _correct,
    "positions/undo": lambda desk, bench, asked: bench.positions.undo(),
    "train": _train,
    "classify": _classify,
    "job/stop": _stop,
    "job/forget": _forget,
}
