"""The API's documentation page, rendered here from the OpenAPI document: it loads nothing from anywhere else.

Hospitals' networks do not reach the public servers from which the usual viewers load their scripts (ADR 014).
"""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

Schema = dict[str, Any]

_STYLE = """
body{font:16px/1.5 Arial,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#212b32}
h1,h2{color:#005eb8} h2{border-bottom:2px solid #d8dde0;margin-top:2.5rem}
article{border:1px solid #d8dde0;border-left:6px solid #005eb8;margin:1rem 0;padding:.3rem 1rem}
code,pre{font-family:ui-monospace,Consolas,monospace;font-size:.9rem}
pre{background:#f0f4f5;padding:.7rem;overflow:auto}
table{border-collapse:collapse} td,th{text-align:left;vertical-align:top;padding:.15rem .9rem .15rem 0}
summary{cursor:pointer;color:#005eb8} .roles{color:#4c6272}
"""


def add_documentation(app: FastAPI) -> None:
    """Serve the page at `/docs`."""

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(render(app.openapi()))


def render(document: Schema) -> str:
    """The whole page for an OpenAPI 3.1 document."""
    info = document["info"]
    tags = "".join(_tag(document, tag) for tag in document["tags"])
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(info['title'])}</title>"
        f"<style>{_STYLE}</style><h1>{escape(info['title'])}</h1>{_prose(info['description'])}"
        f"<p>Machine-readable: <a href='openapi.json'>openapi.json</a></p>{tags}</html>"
    )


def _tag(document: Schema, tag: Schema) -> str:
    operations = [
        _operation(document, method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag["name"] in operation.get("tags", [])
    ]
    return f"<h2>{escape(tag['name'].capitalize())}</h2><p>{escape(tag['description'])}</p>{''.join(operations)}"


def _operation(document: Schema, method: str, path: str, operation: Schema) -> str:
    roles = ", ".join(operation.get("x-roles", [])) or "anybody, without a token"
    parts = [
        f"<h3><code>{method.upper()} {escape(path)}</code></h3><p><b>{escape(operation['summary'])}</b>",
        f" <span class='roles'>for: {escape(roles)}</span></p>{_prose(operation.get('description', ''))}",
        _parameters(operation),
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body is not None:
        parts.append(_shape("Body", document, body))
    for status, response in operation["responses"].items():
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        if status.startswith("2") and schema:
            parts.append(_shape(f"Answer {status}", document, schema))
    refusals = [f"{s}: {escape(r['description'])}" for s, r in operation["responses"].items() if not s.startswith("2")]
    if refusals:
        parts.append(f"<details><summary>Refusals</summary><p>{'<br>'.join(refusals)}</p></details>")
    return f"<article>{''.join(parts)}</article>"


def _parameters(operation: Schema) -> str:
    rows = [
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}{', required' if p.get('required') else ''}"
        f"</td><td>{escape(p.get('description', ''))}</td></tr>"
        for p in operation.get("parameters", [])
    ]
    return f"<table>{''.join(rows)}</table>" if rows else ""


def _shape(title: str, document: Schema, schema: Schema) -> str:
    shown = json.dumps(example(document, schema), indent=2, ensure_ascii=False)
    notes = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(text)}</td></tr>"
        for name, text in _field_notes(document, schema)
    )
    return f"<details><summary>{title}</summary><pre>{escape(shown)}</pre><table>{notes}</table></details>"


def example(document: Schema, schema: Schema, depth: int = 0) -> Any:
    """A value that shows the schema's shape: its own example, or its type's name."""
    schema = _resolved(document, schema)
    if schema.get("examples"):
        return schema["examples"][0]
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    for key in ("oneOf", "anyOf", "allOf"):
        if key in schema:
            return example(document, schema[key][0], depth)
    if schema.get("type") == "array":
        return [example(document, schema.get("items", {}), depth + 1)]
    if "properties" in schema and depth < 6:
        return {name: example(document, part, depth + 1) for name, part in schema["properties"].items()}
    return schema.get("format") or schema.get("type") or "…"


def _field_notes(document: Schema, schema: Schema) -> Iterator[tuple[str, str]]:
    schema = _resolved(document, schema)
    if schema.get("type") == "array":
        schema = _resolved(document, schema.get("items", {}))
    for name, part in schema.get("properties", {}).items():
        if part.get("description"):
            yield name, part["description"]


def _resolved(document: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _prose(text: str) -> str:
    """Paragraphs, `code` and **bold**: all the markup our descriptions use."""
    paragraphs = []
    for block in text.strip().split("\n\n"):
        marked = escape(" ".join(block.split()))
        for sign, element in (("**", "b"), ("`", "code")):
            pieces = marked.split(sign)
            marked = "".join(f"<{element}>{p}</{element}>" if i % 2 else p for i, p in enumerate(pieces))
        paragraphs.append(f"<p>{marked}</p>")
    return "".join(paragraphs)
