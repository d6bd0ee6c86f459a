"""The real session, read once."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from antrax.io.graphs import read_graph
from antrax.io.session import Session, open_session
from antrax.io.tracklet_graph import TrackletGraph
from antrax.solving.evidence import Evidence, read_evidence

JS16 = Path(os.environ.get("ANTRAX_SHARED", Path(__file__).parents[4] / "shared")) / "data/js16-session/antrax_demo"


@dataclass(frozen=True)
class Real:
    session: Session
    graph: TrackletGraph
    evidence: Evidence


@pytest.fixture(scope="session")
def js16() -> Real:
    if not JS16.exists():
        pytest.skip(f"no real data: {JS16} is absent; set ANTRAX_SHARED to its folder")
    session = open_session(JS16)
    graph = read_graph(session).graph
    return Real(session, graph, read_evidence(session, graph)[0])
