"""Suggestions of tracklets to label next."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from antrax.errors import OptionError
from antrax.io.names import parse_tracklet_name
from antrax.io.session import Session, as_session
from antrax.labels import UNKNOWN
from antrax.messages import parameter
from antrax.review.tracklets.assignments import Assignment, Assignments
from antrax.review.tracklets.catalog import Catalog
from antrax.review.tracklets.colonies import Colonies
from antrax.review.tracklets.same_time import find_conflicts
from antrax.review.tracklets.usefulness import is_almost_assigned, looks_like
from antrax.review.tracklets.views import Filter, Order, labelling_of, make_view
from antrax.review.training_set.editing import Examples

if TYPE_CHECKING:
    import pandas as pd

# A label with fewer examples is called rare.
_FEW = 100


def suggest(session: Session | str | os.PathLike[str], count: int = 20) -> pd.DataFrame:
    """Tracklets whose labels would teach the classifier most, the most useful first.

    The order is that of *Most useful first* in the page: uncertain tracklets, conflicts and rare labels first,
    tracklets of one label not all at once. Tracklets that have examples are left out.

    Parameters
    ----------
    session : Session or path
        Of an experiment's folder, the latest session.
    count : int
        Number of tracklets, at most.

    Returns
    -------
    pandas.DataFrame
        A row a tracklet, indexed by its name (`tracklet`): `movie`, `label`, `looks_like` (its most probable label),
        `confidence` (of that; missing where there is none) and `why`, a sentence. Of a session that is not classified,
        the longest tracklets; labels are missing then.

    Raises
    ------
    OptionError
        `count` is not positive.
    ExperimentError
        The session cannot be read.

    Examples
    --------
    >>> antrax.suggest("colony1", 10)  # doctest: +SKIP
    """
    import pandas as pd

    if count < 1:
        raise OptionError(f"{parameter('count', count)}: suggest at least one tracklet")
    session = as_session(session)
    catalog, assignments = Catalog(session), Assignments(session)
    colonies, examples = Colonies(session), Examples(session)
    examples.refresh()
    labelling = labelling_of(session.labels, examples)
    view = make_view(catalog, assignments, colonies, Filter(label="=new"), Order.USEFUL, labelling=labelling)
    rows = []
    for tracklet in view.tracklets[:count]:
        name = parse_tracklet_name(tracklet)
        assert name is not None
        found = assignments.of(tracklet)
        others = find_conflicts(assignments, name.movie, labelling.ants, colonies).get(tracklet, ()) if found else ()
        rows.append(
            {
                "tracklet": tracklet,
                "movie": name.movie,
                "label": found.label if found else None,
                "looks_like": looks_like(found) if found else None,
                "confidence": found.confidence if found else None,
                "why": _why(found, others, labelling.examples),
            }
        )
    columns = ["tracklet", "movie", "label", "looks_like", "confidence", "why"]
    table = pd.DataFrame(rows, columns=columns).set_index("tracklet")
    return table.astype({"movie": "int64", "label": "string", "looks_like": "string", "confidence": "float64"})


def _why(found: Assignment | None, others: tuple[str, ...], examples: Mapping[str, int]) -> str:
    """Reasons for a suggestion, in a few words each."""
    if found is None:
        return "not classified; the longest come first"
    reasons = []
    if others:
        reasons.append(f"{found.label} is also given to {others[0]} at the same time")
    if is_almost_assigned(found):
        reasons.append(f"left {UNKNOWN}, and looks like {looks_like(found)}")
    elif found.confidence is not None:
        reasons.append(f"{100 * found.confidence:.0f} % sure")
    wanted = looks_like(found)
    if (there := examples.get(wanted, 0)) < _FEW:
        reasons.append(f"{there or 'no'} examples of {wanted}")
    return "; ".join(reasons)
