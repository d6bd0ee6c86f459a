"""The compiled inner loops: where they cannot be compiled, or kept, the same is computed without."""

import sys
import types

import numpy as np
import pytest

from antrax.machine_code import compiled, why_not_compiled
from antrax.solving.exchanges import total

from .test_joint import draw, solve

LABELS = {"x0_0": "A", "x2_1": "B", "x3_0": "A"}
TOTAL = (np.array([[0, 1]], np.int32), np.array([2]), np.ones((2, 1), np.float32))


@pytest.fixture
def numba_is(monkeypatch):
    """Put something in numba's place."""

    def put(module):
        monkeypatch.setitem(sys.modules, "numba", module)
        compiled.cache_clear()

    yield put
    monkeypatch.undo()
    compiled.cache_clear()


def test_without_numba_the_results_are_the_same_and_it_is_told_that_solving_is_slow(numba_is):
    graph = draw(5)
    assert why_not_compiled("solving is slow") == ""
    fast = solve(graph, ("A", "B"), LABELS)
    numba_is(None)
    assert compiled(total) is total
    slow = solve(graph, ("A", "B"), LABELS)
    np.testing.assert_array_equal(fast.probability, slow.probability)
    assert "numba cannot be loaded" in why_not_compiled("solving is slow")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), EOFError(), ValueError("damaged")])
def test_machine_code_that_cannot_be_kept_is_made_anew(numba_is, error):
    def njit(*, nogil, cache=False):
        def kept(*arguments):
            raise error

        return lambda function: kept if cache else function

    numba_is(types.SimpleNamespace(njit=njit))
    assert compiled(total)(*TOTAL) == 2


def test_where_there_is_no_folder_for_machine_code_it_is_not_kept(numba_is):
    def njit(*, nogil, cache=False):
        def refuse(function):
            raise RuntimeError("cannot cache function: no locator available")

        return refuse if cache else lambda function: function

    numba_is(types.SimpleNamespace(njit=njit))
    assert compiled(total)(*TOTAL) == 2
