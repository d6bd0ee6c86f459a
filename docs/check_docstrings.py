"""Check that docstrings are complete: `python docs/check_docstrings.py`.

Of the public API, by numpydoc: every parameter and field has a type and a description; functions say what they return
or yield, and show an example. Inside the package: functions of three or more arguments describe each, and
no two classes have the same name.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

from numpydoc.docscrape import FunctionDoc
from numpydoc.validate import validate

import antrax

# What numpydoc calls these is in its manual; those about taste (extended summaries, "See Also") are left out.
_ALWAYS = {"GL06", "GL07", "GL08", "SS01", "SS02", "SS03", "PR01", "PR02", "PR03", "PR04", "PR06", "PR07", "PR10"}
_FUNCTIONS = {"RT01", "RT03", "YD01", "EX01"}
_MANY = 3
Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> int:
    """Print what is missing; return 1 if anything is."""
    missing = 0
    source = Path(antrax.__file__).parent
    for path in sorted(source.rglob("*.py")):
        for function in _public_functions(ast.parse(path.read_text(encoding="utf-8")).body):
            arguments = _arguments(function)
            described = _described(ast.get_docstring(function) or "")
            if len(arguments) >= _MANY and (absent := [name for name in arguments if name not in described]):
                print(f"{path.relative_to(source.parent)}:{function.lineno}: {function.name}: {', '.join(absent)}")
                missing += 1
    missing += _print_shared_names(source)
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


def _public_functions(body: list[ast.stmt]) -> Iterator[Function]:
    """Functions of a module and methods of its classes; not commands, overloads, nor methods that a base describes."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            if {ast.unparse(base) for base in node.bases} <= {"ABC", "Protocol"}:
                yield from _public_functions(node.body)
        elif isinstance(node, Function) and not node.name.startswith("_"):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            if "overload" not in decorators and not any(".command(" in text for text in decorators):
                yield node


def _print_shared_names(source: Path) -> int:
    """Print names of several classes; messages of the page (`app/schemas`) are called after what they tell."""
    places: dict[str, list[str]] = {}
    for path in sorted(source.rglob("*.py")):
        if path.parent.name == "schemas":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.lstrip("_"), []).append(f"{path.relative_to(source)}:{node.lineno}")
    shared = {name: where for name, where in places.items() if len(where) > 1}
    for name, where in shared.items():
        print(f"two classes are called {name}: {', '.join(where)}")
    return len(shared)


def _arguments(function: Function) -> list[str]:
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls") and not name.startswith("_")]


def _described(docstring: str) -> set[str]:
    parameters = FunctionDoc(None, doc=docstring)["Parameters"]
    return {name.strip() for parameter in parameters for name in parameter.name.split(",")}


if __name__ == "__main__":
    sys.exit(main())
