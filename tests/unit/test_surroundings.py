"""The surroundings of a tracklet: its path, what is before and after it, and where each ID is meanwhile."""

from __future__ import annotations

import numpy as np
import pytest

from antrax.errors import ExperimentError, TrdataError
from antrax.io.names import TrackletName, parse_tracklet_name
from antrax.io.session import Session, open_session
from antrax.review.tracklets.assignments import Assignments
from antrax.review.tracklets.catalog import Catalog
from antrax.review.tracklets.colonies import Colonies
from antrax.review.tracklets.surroundings import AtSameTime, find_place, ids_at_same_time
from tests.conftest import MakeSession
from tests.unit.test_positions import blobs, write_trdata
from tests.unit.test_views import add_images, classify, name

MOVIES = "index name fps fi ff\n1 a 10 1 100\n"
OWN = name(1, 31, 40)


@pytest.fixture
def session(make_session: MakeSession) -> Session:
    return open_session(make_session(movies=MOVIES))


def parsed(tracklet: str) -> TrackletName:
    found = parse_tracklet_name(tracklet)
    assert found
    return found


class TestPlace:
    def test_neighbours_are_near_in_time_and_place(self, session: Session) -> None:
        # an animal is 20 pixels long: near is 200 pixels, and 2 s are 20 frames
        near, nearer, far, long_ago = name(2, 1, 28), name(3, 20, 30), name(4, 20, 30), name(5, 1, 10)
        after, meanwhile = name(6, 42, 60), name(7, 35, 60)
        add_images(session, OWN, near, nearer, far, long_ago, after, meanwhile)
        write_trdata(
            session.path,
            1,
            {
                OWN: blobs(10, 100.0, 50.0),
                near: blobs(28, 100.0, 50.0),  # its end is 27 pixels from where this one begins
                nearer: blobs(11, 88.0, 50.0),
                far: blobs(11, 500.0, 50.0),
                long_ago: blobs(10, 100.0, 50.0),
                after: blobs(19, 109.0, 54.0),
                meanwhile: blobs(26, 100.0, 50.0),
            },
        )
        place = find_place(session, Catalog(session), parsed(OWN))
        assert [(one.tracklet.name, one.gap, one.distance) for one in place.before] == [
            (nearer, 1, 2.0),
            (near, 3, 27.0),
        ]
        assert [(one.tracklet.name, one.gap, one.distance) for one in place.after] == [(after, 2, 4.0)]
        assert place.length == 20
        assert place.path[0].tolist() == [31, 100, 50]
        assert place.path[-1].tolist() == [40, 109, 50]

    def test_of_a_long_path_some_points_are_told_and_its_ends(self, session: Session) -> None:
        long = name(1, 1, 90_000)
        add_images(session, long)
        write_trdata(session.path, 1, {long: blobs(90_000, 0.0, 50.0)})
        path = find_place(session, Catalog(session), parsed(long)).path
        assert len(path) == 400
        assert (path[0, 0], path[-1, 0]) == (1, 90_000)

    def test_blobs_of_which_the_frames_are_not_known_are_spread(self, session: Session) -> None:
        add_images(session, OWN)
        data = blobs(4, 100.0, 50.0)
        data[16] = np.nan
        write_trdata(session.path, 1, {OWN: data})
        assert find_place(session, Catalog(session), parsed(OWN)).path[:, 0].tolist() == [31, 34, 37, 40]

    def test_without_measurements_it_is_said(self, session: Session) -> None:
        add_images(session, OWN)
        with pytest.raises(TrdataError, match=r"trdata_1\.mat does not exist"):
            find_place(session, Catalog(session), parsed(OWN))
        write_trdata(session.path, 1, {name(2): blobs(20, 1.0, 1.0)})
        with pytest.raises(ExperimentError, match=f"do not have {OWN}"):
            find_place(session, Catalog(session), parsed(OWN))


class TestIds:
    def where(
        self, session: Session, label: str | None = None, examples: dict[str, set[str]] | None = None
    ) -> dict[str, tuple[AtSameTime, list[str]]]:
        found = ids_at_same_time(
            parsed(OWN), label, ("AB", "CD", "EF"), Assignments(session), examples or {}, Colonies(session)
        )
        return {one.id: (one.where, [bearer.tracklet.name for bearer in one.bearers]) for one in found}

    def test_each_is_here_or_elsewhere_or_missing(self, session: Session) -> None:
        there, before = name(2, 1, 31), name(3, 1, 30)
        classify(session, {OWN: "AB", there: "CD", before: "EF"})
        assert self.where(session, "AB") == {
            "AB": (AtSameTime.HERE, []),
            "CD": (AtSameTime.ELSEWHERE, [there]),
            "EF": (AtSameTime.FREE, []),  # it ended before
        }

    def test_twice_is_what_two_have_at_the_same_moment(self, session: Session) -> None:
        first, then, beside = name(3, 20, 34), name(4, 35, 50), name(5, 34, 36)
        classify(session, {OWN: "AB", name(2, 40, 60): "AB", first: "CD", then: "CD"})
        assert self.where(session, "AB")["AB"] == (AtSameTime.TWICE, [name(2, 40, 60)])
        assert self.where(session)["CD"] == (AtSameTime.ELSEWHERE, [first, then])  # one after the other
        classify(session, {first: "CD", then: "CD", beside: "CD"})
        assert self.where(session)["CD"][0] is AtSameTime.TWICE

    def test_what_a_person_labelled_counts_before_what_was_classified(self, session: Session) -> None:
        there = name(2, 1, 35)
        assert self.where(session, None, {there: {"CD"}})["CD"] == (AtSameTime.ELSEWHERE, [there])
        classify(session, {there: "CD"})
        found = self.where(session, None, {there: {"EF"}})
        assert (found["CD"][0], found["EF"]) == (AtSameTime.FREE, (AtSameTime.ELSEWHERE, [there]))
        # under two labels it is of neither, and neither is what was classified
        assert {where for where, _ in self.where(session, None, {there: {"EF", "CD"}}).values()} == {AtSameTime.FREE}
        # another time, and the tracklet itself
        found = self.where(session, None, {name(3, 41, 50): {"EF"}, OWN: {"EF"}})
        assert found["EF"] == (AtSameTime.FREE, [])
