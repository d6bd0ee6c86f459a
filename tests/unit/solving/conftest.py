"""The real session, read once."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from antrax.io.graphs import read_graph
from antrax.io.session import Session, open_session
from antrax.io.tracklet_graph import TrackletGraph
from antrax.solving.evidence import Evidence, read_evidence


@dataclass(frozen=True)
class Real:
    session: Session
    graph: TrackletGraph
    evidence: Evidence


@pytest.fixture(scope="session")
def js16(real_session: Path) -> Real:
    session = open_session(real_session)
    graph = read_graph(session).graph
    return Real(session, graph, read_evidence(session, graph)[0])
