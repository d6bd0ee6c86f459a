"""Functions as machine code, by numba, which only this module loads.

Machine code is made at the first call and kept (beside the function's file, or in the user's cache folder), so only the
first run on a machine waits for it.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable
from functools import cache
from typing import Any

# What a cache of machine code that cannot be written, or read, is told by.
_NOT_KEPT = (OSError, EOFError, pickle.PickleError, RuntimeError, ValueError)


@cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function as machine code; as it is where numba cannot be loaded.

    Parameters
    ----------
    function : callable
        Of arrays and numbers, on the top level of a module.
    """
    try:
        import numba
    except ImportError:
        return function
    anew = working = numba.njit(nogil=True)(function)
    # No folder in which machine code could be kept is a RuntimeError here; a full disk, and kept code that is damaged,
    # are told only when it is called, before anything is computed.
    with contextlib.suppress(RuntimeError):
        working = numba.njit(cache=True, nogil=True)(function)

    def call(*arguments: Any) -> Any:
        nonlocal working
        try:
            return working(*arguments)
        except _NOT_KEPT:
            if working is anew:
                raise
            working = anew
            return anew(*arguments)

    return call


def why_not_compiled(consequence: str) -> str:
    """Why functions stay as they are, in one line; empty where they are compiled.

    Parameters
    ----------
    consequence : str
        What that does to the user.
    """
    try:
        import numba  # noqa: F401
    except ImportError as error:
        return (
            f"numba cannot be loaded ({' '.join(str(error).split())}): {consequence}; the results are the same. To "
            "mend it: pip install --upgrade numba"
        )
    return ""
