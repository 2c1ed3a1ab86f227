"""What the card and the report share: the template engine and figures as rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


def engine(*, html: bool) -> Environment:
    """Templates of this room; an unknown field is an error, not an empty cell."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=html, undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.globals |= {"figure": figure, "flat": flat, "rest": rest}
    return environment


def figure(value: Any) -> str:
    """A figure as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return " – ".join(figure(item) for item in value)
    return str(value)


def rest(figures: dict[str, Any]) -> dict[str, Any]:
    """What is left of a de-identification measurement beside its table of identifiers."""
    return {name: value for name, value in figures.items() if name not in ("overall", "identifiers")}


def flat(figures: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested figures as (name, value) rows."""
    rows: list[tuple[str, str]] = []
    for name, value in figures.items():
        title = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, dict):
            rows += flat(value, f"{title} · ")
        else:
            rows.append((title, figure(value)))
    return rows
