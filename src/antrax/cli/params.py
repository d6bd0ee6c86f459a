"""Options and types of arguments that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from antrax.networks.devices import DEVICES

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

DEVICE = click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="What computes; auto takes a GPU where there is one.",
)
WORKERS = click.option(
    "--nw",
    "workers",
    type=int,
    metavar="N",
    # 0 is the original's way to say "without further processes"
    callback=lambda _, __, value: 1 if value == 0 else value,
    help="Worker processes; one a processor by default. With 1 or 0, all is done in this process.",
)
SESSION = click.option("--session", metavar="NAME", help="Session of the experiment; the latest by default.")


class MovieListType(click.ParamType):  # type: ignore[type-arg]
    """A list of movies such as `4`, `3,5,6` or `1-5,7`; `all` is None."""

    name = "movies"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Return the numbers of the movies, or None for all of them."""
        from antrax.io.session import parse_movie_list

        if not isinstance(value, str):
            return value
        if value.strip().casefold() == "all":
            return None
        try:
            return parse_movie_list(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


MOVIES = click.option(
    "--movlist",
    "movies",
    type=MovieListType(),
    metavar="LIST",
    help="Movies: 4, or 3,5,6, or 1-5,7 (of a range, those that exist); all by default, or with the word all.",
)


class EngineName(click.ParamType):  # type: ignore[type-arg]
    """`auto`, or the name of an entry of the table of engines."""

    name = "engine"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name."""
        from antrax.networks.backends.engines import ENGINES

        if value not in ("auto", *ENGINES):
            self.fail(f"{value!r} is none of {', '.join(['auto', *ENGINES])}", param, ctx)
        return str(value)


class ImageCount(click.ParamType):  # type: ignore[type-arg]
    """A positive number of images, or `auto`; `all` is None."""

    name = "images"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Return the number, "auto", or None for all."""
        if not isinstance(value, str):
            return value
        text = value.strip().casefold()
        if text in ("auto", "all"):
            return "auto" if text == "auto" else None
        if not text.isdecimal() or not int(text):
            self.fail(f"{value!r} is no number of images: give one, such as 32, or auto, or all", param, ctx)
        return int(text)


class ArchitectureName(click.ParamType):  # type: ignore[type-arg]
    """The name of an architecture, or a Keras JSON file that describes one."""

    name = "architecture"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str | Path:
        """Return the name, or the path of the file."""
        from antrax.networks import registry

        text = str(value)
        is_file = text.casefold().endswith(".json")
        if text not in registry.names() and not is_file:
            self.fail(f"{text!r} is neither one of {', '.join(registry.names())} nor a file MODEL.json", param, ctx)
        return Path(text) if is_file else text


class Renaming(click.ParamType):  # type: ignore[type-arg]
    """An old and a new name, as in `OLD=NEW`."""

    name = "renaming"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return both names."""
        old, equals, new = (part.strip() for part in str(value).partition("="))
        if not (old and equals and new):
            self.fail(f"{value!r}: give the old and the new name as OLD=NEW", param, ctx)
        return old, new
