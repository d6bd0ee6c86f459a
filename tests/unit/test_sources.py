"""Tracklets of another tracker than anTraX, read by a source from outside."""

from __future__ import annotations

import numpy as np
import pytest

from antrax.errors import StackError
from antrax.io.session import open_session
from antrax.io.sources import check_parts, movie_parts, source_of
from antrax.io.stacks import write_stacks
from antrax.io.tracklets import iter_tracklets
from tests.fixtures.numpy_source import tracks


def test_a_session_is_read_by_the_first_source_that_knows_its_files(make_session, numpy_source) -> None:
    theirs, ours = make_session("theirs"), make_session("ours")
    tracks(theirs, 3, worker_7=np.full((4, 6, 6, 3), 9, np.uint8))
    write_stacks(ours / "images" / "images_1.mat", [("trj_id1_ti1_1_tf1_2", np.ones((2, 6, 6, 3), np.uint8))])
    assert source_of(open_session(theirs)) is numpy_source
    assert source_of(open_session(ours)) is not numpy_source
    (tracklet,) = iter_tracklets(open_session(theirs))
    assert (tracklet.name.name, tracklet.name.movie, tracklet.count) == ("worker_7", 3, 4)
    assert (tracklet.images() == 9).all()
    assert [t.name.name for t in iter_tracklets(open_session(ours))] == ["trj_id1_ti1_1_tf1_2"]


@pytest.mark.parametrize(
    ("names", "clash"),
    [
        (["images_1.mat", "images_1_p1.mat"], True),
        (["images_1.mat", "images_01.mat"], True),
        (["images_1_p1.mat", "images_1_p01.mat"], True),
        (["images_1_p1.mat", "images_1_p2.mat"], False),
        (["images_1.mat"], False),
        (["3.npz", "4.npz"], False),
    ],
)
def test_files_that_contradict_one_another_are_both_named(make_session, names, clash) -> None:
    session = make_session()
    for number, name in enumerate(names):
        write_stacks(session / "images" / name, [(f"trj_id{number}_ti1_1_tf1_2", np.ones((2, 6, 6, 3), np.uint8))])
    parts = movie_parts(open_session(session)).get(1, ())
    if not clash:
        check_parts(parts)
        return
    with pytest.raises(StackError, match="move away") as raised:
        check_parts(parts)
    assert all(name in str(raised.value) for name in names)
