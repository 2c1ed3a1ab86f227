"""Puts placeholders, and later what the policy shows, where identifiers stood.

Two steps, because deduplication and filters in between must see classes, not values: `placeholders`, then `render`.
Both work by offset alone, so text that already looked like a placeholder is left as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from clinicorpus_errors import UserError
from deid.policy import Policy, placeholder
from deid.spans import OUT_SPANS_DTYPE, OutSpan, Span


def placeholders(text: str, spans: Sequence[Span], policy: Policy) -> tuple[str, list[OutSpan]]:
    """Replace every span, whatever its action, by its class in brackets.

    `spans` are sorted and do not overlap, in offsets of `text`. Each span returned has its place in the new text, the
    policy's action, and in `value` the string that `render` will show. Raises UserError for spans that do not fit.
    """
    parts: list[str] = []
    out: list[OutSpan] = []
    at = length = 0
    for span in spans:
        if not at <= span.start < span.end <= len(text):
            raise _misfit()
        mark = placeholder(span.identifier)
        parts += [text[at : span.start], mark]
        length += span.start - at
        out.append(
            OutSpan(*span, length, length + len(mark), policy.actions[span.identifier], policy.shown(text, span))
        )
        length += len(mark)
        at = span.end
    parts.append(text[at:])
    return "".join(parts), out


def render(text: str, spans: Sequence[OutSpan]) -> tuple[str, list[OutSpan]]:
    """Put the value of each span in the place of its placeholder.

    `text` and `spans` are what `placeholders` returned; the spans returned have their places in the new text. Raises
    UserError where the placeholders do not stand at the offsets, as after a change of the text in between.
    """
    parts: list[str] = []
    out: list[OutSpan] = []
    at = length = 0
    for span in spans:
        if not at <= span.out_start or text[span.out_start : span.out_end] != placeholder(span.identifier):
            raise _misfit()
        parts += [text[at : span.out_start], span.value]
        length += span.out_start - at
        out.append(span._replace(out_start=length, out_end=length + len(span.value)))
        length += len(span.value)
        at = span.out_end
    parts.append(text[at:])
    return "".join(parts), out


def apply_policy(text: str, spans: Sequence[Span], policy: Policy) -> tuple[str, list[OutSpan]]:
    """Both steps: the text as the policy shows it, and its spans."""
    return render(*placeholders(text, spans, policy))


def _misfit() -> UserError:
    return UserError(
        "spans do not fit their text",
        cause="they are of another version of the text, unsorted, or overlap",
        next="run `clinicorpus deid detect` on this text again",
    )


def placeholders_frame(notes: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """`placeholders` over the columns `text` and `spans` of a frame; `spans` gains the columns of OutSpan."""
    return _rows(
        notes,
        [placeholders(t, [Span(**s) for s in spans], policy) for t, spans in _text_and_spans(notes)],
    )


def render_frame(notes: pl.DataFrame) -> pl.DataFrame:
    """`render` over the columns `text` and `spans` that `placeholders_frame` made."""
    return _rows(notes, [render(t, [OutSpan(**s) for s in spans]) for t, spans in _text_and_spans(notes)])


def _text_and_spans(notes: pl.DataFrame) -> list[tuple[str, list[dict[str, Any]]]]:
    texts = notes["text"].fill_null("").to_list()
    return [(text, spans or []) for text, spans in zip(texts, notes["spans"].to_list(), strict=True)]


def _rows(notes: pl.DataFrame, rows: list[tuple[str, list[OutSpan]]]) -> pl.DataFrame:
    return notes.with_columns(
        pl.Series("text", [text for text, _ in rows], dtype=pl.Utf8),
        pl.Series("spans", [[s._asdict() for s in spans] for _, spans in rows], dtype=OUT_SPANS_DTYPE),
    )
