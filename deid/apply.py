"""Puts placeholders, and later what the policy shows, where identifiers stood.

Two steps, because deduplication and filters in between must see classes, not values: `placeholders`, then `render`.
Both work by offset alone, so text that already looked like a placeholder is left as it was.

Surrogates and shifted dates depend on all notes of a patient and on a key: `shown_values` draws them, patient by
patient, and `placeholders` takes them. The frame functions do both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any, NamedTuple

import polars as pl

from clinicorpus_errors import UserError
from deid.folding import fold
from deid.policy import Policy, implies_age, placeholder
from deid.shift import anchors, patient_days, shifted
from deid.spans import OUT_SPANS_DTYPE, OutSpan, Span
from deid.surrogates import surrogates

# Columns with a time of the note itself; under a policy that shifts, they move with the text.
TIMES = ("charted_at", "signed_at")


class Shown(NamedTuple):
    """What stands for a span in what is released, and the action that made it."""

    action: str
    value: str


def placeholders(
    text: str, spans: Sequence[Span], policy: Policy, shown: Sequence[Shown] | None = None
) -> tuple[str, list[OutSpan]]:
    """Replace every span, whatever its action, by its class in brackets.

    `spans` are sorted and do not overlap, in offsets of `text`; `shown` is what `shown_values` drew for them. Without it
    nothing is drawn: a surrogate or a shifted date is its placeholder. Each span returned has its place in the new text,
    the action taken, and in `value` the string that `render` will show. Raises UserError for spans that do not fit.
    """
    if any(not 0 <= s.start < s.end <= len(text) for s in spans) or any(a.end > b.start for a, b in pairwise(spans)):
        raise _misfit()
    parts: list[str] = []
    out: list[OutSpan] = []
    at = length = 0
    for span, (action, value) in zip(spans, shown or [_plain(text, s, policy) for s in spans], strict=True):
        mark = placeholder(span.identifier)
        parts += [text[at : span.start], mark]
        length += span.start - at
        carried = {name: field for name, field in span._asdict().items() if name in OutSpan._fields}
        out.append(OutSpan(**carried, out_start=length, out_end=length + len(mark), action=action, value=value))
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


def apply_policy(
    text: str, spans: Sequence[Span], policy: Policy, shown: Sequence[Shown] | None = None
) -> tuple[str, list[OutSpan]]:
    """Both steps: the text as the policy shows it, and its spans."""
    return render(*placeholders(text, spans, policy, shown))


def _plain(text: str, span: Span, policy: Policy) -> Shown:
    """What is shown of a span by itself."""
    action = policy.actions[span.identifier]
    if action in ("surrogate", "shift"):
        return Shown("placeholder", placeholder(span.identifier))
    return Shown(action, policy.shown(text, span))


def _misfit() -> UserError:
    return UserError(
        "spans do not fit their text",
        cause="they are of another version of the text, unsorted, or overlap",
        next="run `clinicorpus deid detect` on this text again",
    )


# --- values that depend on the patient -----------------------------------------------------------------------


class Note(NamedTuple):
    """A note of a patient: its text, spans, and the date when it was written, as far as it is known."""

    text: str
    spans: Sequence[Span]
    date: date | None = None


def shown_values(
    patient: str, notes: Sequence[Note], policy: Policy, *, surrogate: bytes, shift: bytes
) -> list[list[Shown]]:
    """For every span of every note of one patient what is shown; `surrogate` and `shift` are the purpose keys.

    What cannot be replaced or moved is a placeholder, and its action says so. Raises UserError without the keys that
    the policy needs.
    """
    actions = policy.actions
    out = [[_plain(note.text, span, policy) for span in note.spans] for note in notes]
    if wanted := [i for i in actions if actions[i] == "surrogate"]:
        made = surrogates(patient, [(note.text, note.spans) for note in notes], _key(surrogate, policy), wanted)
        for row, values in zip(out, made, strict=True):
            row[:] = [s if value is None else Shown("surrogate", value) for s, value in zip(row, values, strict=True)]
    if actions["DATE"] == "shift" and policy.shift is not None:
        days = patient_days(_key(shift, policy), patient, policy.shift)
        last = max((note.date.year for note in notes if note.date), default=None)
        for row, note in zip(out, notes, strict=True):
            anchor = note.date or _own_date(note)
            for i, span in enumerate(note.spans):
                original = note.text[span.start : span.end]
                if (
                    span.identifier != "DATE"
                    or span.recognizer.startswith("over89.")
                    or original == placeholder("DATE")
                ):
                    continue
                if implies_age(span) and not _young(original, last):
                    continue
                moved = shifted(original, days, anchor=anchor, day_first=policy.shift.day_first)
                if moved is not None:
                    row[i] = Shown("shift", moved)
    return out


def _key(key: bytes, policy: Policy) -> bytes:
    if len(key) < 16:
        raise UserError(
            "the policy needs a key, and there is none",
            value=policy.name,
            cause="surrogates and shifted dates are drawn with the release key",
            next="build a corpus with this policy, or name a key",
        )
    return key


_FULL_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)-(\d\d)-(\d\d)(?!\d)|(?<!\d)(\d{1,2})/(\d{1,2})/((?:19|20)\d\d)(?!\d)")
_YEARS = re.compile(
    r"(?<!\d)(1[89]\d\d|20\d\d)(?!\d)|(?<!\d)(\d\d)$|(?<!\d)(1[89]\d\d|20\d\d)(?=\d{4}$)|(?<=\d{4})(1[89]\d\d|20\d\d)$"
)


def _own_date(note: Note) -> date | None:
    """For a note without its date: the first full date in it that is not one of birth."""
    for span in note.spans:
        if span.identifier == "DATE" and not implies_age(span):
            match = _FULL_DATE.search(note.text, span.start, span.end)
            if match and (found := read_date(match.group())):
                return found
    return None


def _young(original: str, last: int | None) -> bool:
    """Whether a date of birth tells no age over 89 at the last note; one that cannot be told is not shown."""
    years = {next(filter(None, m.groups())) for m in _YEARS.finditer(fold(original)[0])}
    if not years or last is None:
        return False
    # Two digits may be of this century or the last.
    return all(last - (int(y) if len(y) == 4 else 1900 + int(y)) < 90 for y in years)


def read_date(text: str | None) -> date | None:
    """The date at the head of a timestamp (2019-03-04…, 3/4/2019…); of a year alone its middle; None without any."""
    text = (text or "").strip()
    match = _FULL_DATE.match(text)
    try:
        if match:
            year, month, day = (match[1], match[2], match[3]) if match[1] else (match[6], match[4], match[5])
            return date(int(year), int(month), int(day))
        if compact := re.match(r"((?:19|20)\d\d)(\d\d)(\d\d)(?!\d)", text):
            return date(int(compact[1]), int(compact[2]), int(compact[3]))
    except ValueError:
        return None
    found = re.search(r"(?<!\d)((?:19|20)\d\d)(?!\d)", text)
    return date(int(found[1]), 7, 2) if found else None


# --- frames --------------------------------------------------------------------------------------------------


def placeholders_frame(
    notes: pl.DataFrame, policy: Policy, *, surrogate: bytes = b"", shift: bytes = b""
) -> pl.DataFrame:
    """`placeholders` over the columns `text` and `spans` of a frame; `spans` gains the columns of OutSpan.

    A policy with surrogates or shifted dates needs its purpose key and all notes of a patient in the frame. Patients are
    told by the column `patient`, else `patient_id`; a note without one is its own. `charted_at`, where it is there, dates
    the notes. Where dates are shifted, the column `shift_days` says by how much, for `render_frame` and for nobody else.
    """
    rows = _text_and_spans(notes)
    if not policy.needs_keys:
        return _rows(notes, [placeholders(t, spans, policy) for t, spans in rows])
    shifts = policy.shift if policy.actions["DATE"] == "shift" else None
    if shifts:
        rows = [(text, anchors(text, spans)) for text, spans in rows]
    dates = (
        [read_date(c) for c in notes["charted_at"].cast(pl.Utf8)]
        if "charted_at" in notes.columns
        else [None] * len(rows)
    )
    of_patient: dict[str, list[int]] = {}
    patients = _patients(notes)
    for i, patient in enumerate(patients):
        of_patient.setdefault(patient, []).append(i)
    done: list[tuple[str, list[OutSpan]]] = [("", [])] * len(rows)
    for patient, places in of_patient.items():
        theirs = [Note(*rows[i], dates[i]) for i in places]
        shown = shown_values(patient, theirs, policy, surrogate=surrogate, shift=shift)
        for i, note, values in zip(places, theirs, shown, strict=True):
            done[i] = placeholders(note.text, note.spans, policy, values)
    out = _rows(notes, done)
    if shifts:
        days = {patient: patient_days(_key(shift, policy), patient, shifts) for patient in of_patient}
        out = out.with_columns(shift_days=pl.Series([days[p] for p in patients], dtype=pl.Int64))
    return out


def render_frame(notes: pl.DataFrame) -> pl.DataFrame:
    """`render` over the columns `text` and `spans` that `placeholders_frame` made.

    Where it left `shift_days`, the times of the notes move too, and the column goes: a note's true year beside shifted
    dates would bound the shift.
    """
    out = _rows(notes, [render(t, [OutSpan(**s) for s in spans]) for t, spans in _text_and_dicts(notes)])
    if "shift_days" not in out.columns:
        return out
    days = out["shift_days"].to_list()
    for column in (c for c in TIMES if c in out.columns):
        values = [
            shifted(v, d) if v is not None else None for v, d in zip(out[column].cast(pl.Utf8), days, strict=True)
        ]
        out = out.with_columns(pl.Series(column, values, dtype=pl.Utf8))
    return out.drop("shift_days")


def _patients(notes: pl.DataFrame) -> list[str]:
    """Who each note is of; a note without a patient is its own, by its key or, without one, its place."""
    named = [c for c in ("patient", "patient_id") if c in notes.columns]
    own = next((c for c in ("record", "note_id") if c in notes.columns), None)
    keys = notes[own].cast(pl.Utf8).to_list() if own else [str(i) for i in range(notes.height)]
    patients = notes[named[0]].cast(pl.Utf8).to_list() if named else [None] * notes.height
    return [f"note {key}" if patient is None else patient for patient, key in zip(patients, keys, strict=True)]


def _text_and_dicts(notes: pl.DataFrame) -> list[tuple[str, list[dict[str, Any]]]]:
    texts = notes["text"].fill_null("").to_list()
    return [(text, spans or []) for text, spans in zip(texts, notes["spans"].to_list(), strict=True)]


def _text_and_spans(notes: pl.DataFrame) -> list[tuple[str, list[Span]]]:
    """Texts and spans; fields of the column that a span does not have are left."""
    return [
        (text, [Span(**{k: v for k, v in s.items() if k in Span._fields}) for s in spans])
        for text, spans in _text_and_dicts(notes)
    ]


def _rows(notes: pl.DataFrame, rows: list[tuple[str, list[OutSpan]]]) -> pl.DataFrame:
    return notes.with_columns(
        pl.Series("text", [text for text, _ in rows], dtype=pl.Utf8),
        pl.Series("spans", [[s._asdict() for s in spans] for _, spans in rows], dtype=OUT_SPANS_DTYPE),
    )
