"""Check by numpydoc that the docstrings of everything public are complete: `python docs/check_docstrings.py`.

Every parameter and field has a type and a description; functions say what they return or yield, and show an example.
"""

from __future__ import annotations

import inspect
import sys

from numpydoc.validate import validate

import antrax

# What numpydoc calls these is in its manual; those about taste (extended summaries, "See Also") are left out.
_ALWAYS = {"GL06", "GL07", "GL08", "SS01", "SS02", "SS03", "PR01", "PR02", "PR03", "PR04", "PR06", "PR07", "PR10"}
_FUNCTIONS = {"RT01", "RT03", "YD01", "EX01"}


def main() -> int:
    """Print what is missing; return 1 if anything is."""
    missing = 0
    for name in antrax.__all__:
        value = getattr(antrax, name)
        wanted = _ALWAYS | (_FUNCTIONS if inspect.isfunction(value) else set())
        # the parameters of an enumeration are Python's own
        wanted = wanted - {"PR01"} if inspect.isclass(value) and hasattr(value, "__members__") else wanted
        for code, text in validate(f"antrax.{name}")["errors"]:
            if code in wanted:
                print(f"antrax.{name}: {code} {text}")
                missing += 1
    return min(missing, 1)


if __name__ == "__main__":
    sys.exit(main())
