"""Write the types of what the page asks and is answered, made of `antrax.app.schemas`, to check the page by."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from antrax.app import schemas

_SIMPLE = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def as_type(schema: dict[str, Any]) -> str:
    """The type of one value of a JSON schema."""
    if not schema:
        return "any"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(as_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if schema["type"] == "array":
        return f"({as_type(schema.get('items', {}))})[]"
    if schema["type"] == "object":
        return f"Record<string, {as_type(schema.get('additionalProperties', {}))}>"
    return _SIMPLE[schema["type"]]


def declaration(name: str, schema: dict[str, Any]) -> str:
    """An interface, or the choices of an enumeration."""
    comment = f"  /** {schema['description']} */\n" if "description" in schema else ""
    if "enum" in schema:
        return f"{comment}  type {name} = {as_type(schema)};\n"
    required = set(schema.get("required", ()))
    lines = [
        f"    {key}{'' if key in required else '?'}: {as_type(value)};\n" for key, value in schema["properties"].items()
    ]
    return f"{comment}  interface {name} {{\n{''.join(lines)}  }}\n"


def routes(method: str) -> str:
    """Request and answer by what is asked."""
    lines = []
    for name, route in schemas.ROUTES.items():
        if route.method == method and route.answer:
            request = route.request.__name__
            lines.append(f"    {json.dumps(name)}: {{ request: {request}; answer: {route.answer.__name__} }};\n")
    return "".join(lines)


def declarations() -> str:
    """The module `messages`, whole."""
    types: set[type] = {schemas.Problem} | {route.request for route in schemas.ROUTES.values()}
    types |= {route.answer for route in schemas.ROUTES.values() if route.answer}
    _, components = msgspec.json.schema_components(sorted(types, key=lambda each: each.__name__))
    body = "".join(declaration(name, schema) for name, schema in sorted(components.items()))
    return (
        'declare module "messages" {\n'
        f"{body}  interface Questions {{\n{routes('GET')}  }}\n  interface Commands {{\n{routes('POST')}  }}\n}}\n"
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(declarations(), encoding="utf-8")
