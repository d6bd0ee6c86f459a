"""Output of `antrax suggest`: a line for each tracklet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape as escape_markup

from antrax.escapes import printable

if TYPE_CHECKING:
    import pandas as pd


def show_suggestions(console: Console, table: pd.DataFrame) -> None:
    """Print suggestions, one a line.

    Parameters
    ----------
    console : Console
    table : pandas.DataFrame
        As of `antrax.suggest`.
    """
    if table.empty:
        console.print("no tracklet with images is left that is not in the training set")
        return
    widest = max(map(len, table.index))
    labels = table.looks_like.fillna("–")
    widest_label = max(map(len, labels))
    for (tracklet, why), label in zip(table.why.items(), labels, strict=True):
        text = f"{tracklet!s:<{widest}}  {label:<{widest_label}}  {why}"
        console.print(escape_markup(printable(text)), soft_wrap=True)
