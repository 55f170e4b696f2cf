"""How to call a served model: a text for people, and an OpenAPI document for programs."""

from __future__ import annotations

import json
from importlib import metadata
from typing import Any

from seqpipe.serving._body import FIELDS
from seqpipe.serving._form import COLUMN, Form
from seqpipe.serving._model import ServedModel

__all__ = ["described", "instructions"]

_LONGEST_EXAMPLE = 2000

_FORMS: dict[Form, str] = {
    "sequences": f"A sample is a list of time steps, each a list of numbers, in a column {COLUMN!r}; samples may be of unequal length.",
    "array": "The input is an array: a list of samples, each nested as the samples that the model was trained on.",
    "table": "A sample is a row of a table with the columns {columns}; others are ignored.",
    "panel": "The input is a table with one row per time step to forecast and the columns {columns}; the ids name the series.",
    "texts": f"A sample is a text, or a list of tokens, in a column {COLUMN!r}.",
}


def instructions(model: ServedModel, name: str, example: dict[str, Any] | None) -> str:
    """Return a text with a command that calls the model; "<host>" stands for its address."""
    lines = [
        f"seqpipe serves {name}",
        "",
        _form(model),
        f"The body of a request is JSON with one field of {', '.join(FIELDS)}.",
    ]
    if (body := _shown(example)) is not None:
        lines += ["", f"curl http://<host>/predict -H 'Content-Type: application/json' -d '{body}'"]
    paths = "POST /predict, /invocations" + (", /predict_proba" if "predict_proba" in model.methods else "")
    lines += ["", f"{paths}; GET /health, /metrics, /openapi.json", ""]
    return "\n".join(lines)


def _form(model: ServedModel) -> str:
    names = [str(name) for name, _ in model.columns]
    return _FORMS[model.form].format(columns=", ".join(names[:50]) + (", …" if len(names) > 50 else ""))


def _shown(example: dict[str, Any] | None) -> str | None:
    text = None if example is None else json.dumps(example).replace("'", "\\u0027")
    return text if text is not None and len(text) <= _LONGEST_EXAMPLE else None


def described(model: ServedModel, name: str, example: dict[str, Any] | None) -> dict[str, Any]:
    """Return the OpenAPI document."""
    posts = {"/predict": "predictions", "/invocations": "predictions, at the path of MLflow's server"}
    if "predict_proba" in model.methods:
        posts["/predict_proba"] = "probabilities of the classes"
    return {
        "openapi": "3.1.0",
        "info": {"title": f"seqpipe: {name}", "version": metadata.version("seqpipe"), "description": _form(model)},
        "paths": {
            "/": {"get": _get("How to call the model", "text/plain")},
            "/health": {"get": _get("Whether the model is loaded", "application/json")},
            "/metrics": {"get": _get("Counters in the text format of Prometheus", "text/plain")},
            "/openapi.json": {"get": _get("This document", "application/json")},
            **{path: {"post": _post(summary, example)} for path, summary in posts.items()},
        },
        "components": {"schemas": _SCHEMAS},
    }


def _get(summary: str, kind: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": summary, "content": {kind: {}}}}}


def _post(summary: str, example: dict[str, Any] | None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Input"}}
    if _shown(example) is not None:
        content["example"] = example
    refused = {"description": "Why the request is refused", "content": {"application/json": {"schema": _ref("Error")}}}
    answered = {"description": summary, "content": {"application/json": {"schema": _ref("Predictions")}}}
    return {
        "summary": f"Return {summary}",
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {"200": answered, **dict.fromkeys(("400", "403", "408", "413", "415", "503"), refused)},
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_ROWS = {"type": "array", "minItems": 1}
_SCHEMAS: dict[str, Any] = {
    "Input": {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {
            "dataframe_split": {
                "type": "object",
                "required": ["columns", "data"],
                "properties": {"columns": {"type": "array", "items": {"type": "string"}}, "data": _ROWS},
            },
            "dataframe_records": {**_ROWS, "items": {"type": "object"}},
            "instances": _ROWS,
            "inputs": {"oneOf": [_ROWS, {"type": "object"}]},
        },
    },
    "Predictions": {
        "type": "object",
        "required": ["predictions"],
        "properties": {"predictions": {"type": "array"}, "classes": {"type": "array"}},
    },
    "Error": {
        "type": "object",
        "required": ["error_code", "message"],
        "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
    },
}
