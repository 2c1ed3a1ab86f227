"""Reads gold: notes in which people marked every identifier. What Safe Harbor leaves (an age of 54, a year) is left out.

**JSON lines** (`.jsonl`, also gzipped), one note each:

    {"note_id": "7", "patient_id": "p1", "kind": "discharge", "text": "Maria Roe, 93", "spans": [[0, 9, "NAME", "p1"], [11, 13, "AGE"]]}

`id` may stand for `note_id`; `patient_id`, `kind` and the fourth element of a span, its entity, may be absent.

**Marked text** (`.txt`), notes divided by a line `=====`:

    #@ patient=p1
    #@ kind=discharge
    [[NAME:Maria Roe]], [[AGE:93]]

`[[NAME#p1:Maria Roe]]` names the entity as well. A patient or entity is one within its file.

A **kind** is a group of notes whose recall is told apart. Errors name a file and a line, never text of a note.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from clinicorpus_errors import UserError
from deid.identifiers import identifier_of
from deid.spans import SPANS_DTYPE
from deid.vocabulary import NATIONS, STATES

GOLD_SCHEMA: dict[str, type[pl.DataType]] = {
    "note_id": pl.Utf8,
    "start": pl.Int64,
    "end": pl.Int64,
    "identifier": pl.Utf8,
}
_NOTES = ("note_id", "text", "patient_id", "kind", "file")
_JSON, _MARKED = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"), (".txt", ".txt.gz")

_MARK = re.compile(r"\[\[([A-Za-z][A-Za-z0-9_-]{0,29})(?:#([\w.-]{1,60}))?:(.+?)\]\]", re.DOTALL)
_HEADER = re.compile(r"#@ *(\w+) *=(.*)")
_KIND = re.compile(r"[^\x00-\x1f\x7f|<>]{1,60}")
_HEADERS = ("patient", "kind", "note")


class _Row(NamedTuple):
    note_id: str
    text: str
    patient: str | None
    kind: str | None
    spans: list[tuple[int, int, str, str | None]]


def load_gold(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read a file of gold, or every such file in a folder and its subfolders.

    Returns notes (note_id, text, and patient_id, kind, file where there are such) and gold (note_id, start, end,
    identifier, and entity where any span has one). Left out: labels that name no Safe Harbor identifier, ages under
    90, bare years, whole states and countries. Raises UserError with file and line.
    """
    files = _files(path)
    notes: list[tuple[str | None, ...]] = []
    gold: list[tuple[str, int, int, str, str | None]] = []
    seen: set[str] = set()
    for file in files:
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        marked = name.lower().endswith(_MARKED)
        for number, row in _marked(file, name) if marked else _json_lines(file, name):
            if row.note_id in seen:
                raise _bad(name, number, "its note_id stands in the gold before", "give every note an id of its own")
            seen.add(row.note_id)
            notes.append((row.note_id, row.text, row.patient, row.kind, name if path.is_dir() else None))
            for start, end, label, entity in row.spans:
                identifier = identifier_of(label)
                if identifier is not None and not _may_stay(identifier, row.text[start:end]):
                    gold.append((row.note_id, start, end, identifier, entity))
    frame = pl.DataFrame(notes, schema=dict.fromkeys(_NOTES, pl.Utf8), orient="row")
    spans = pl.DataFrame(gold, schema={**GOLD_SCHEMA, "entity": pl.Utf8}, orient="row")
    empty = [name for name in _NOTES[2:] if frame[name].null_count() == frame.height]
    return frame.drop(empty), spans.drop("entity") if spans["entity"].null_count() == spans.height else spans


def load_predictions(path: Path, note_ids: Collection[str]) -> pl.DataFrame:
    """Spans to be measured: JSON lines (also gzipped) or Parquet with note_id and spans, as `deid detect` writes them.

    Other notes than those of the gold are left out. A span needs start, end and identifier (or a label that a gold set
    may have); one of no identifier of the closed list still masks, as OTHER_ID. Raises UserError with file and line.
    """
    if not path.is_file():
        raise UserError("no such file of predictions", value=path, next="clinicorpus deid detect NOTES --out FILE")
    name = path.name
    if name.lower().endswith((".parquet", ".pq")):
        try:
            table = pl.read_parquet(path)
            rows: Iterator[tuple[int, Any]] = enumerate(table.select("note_id", "spans").iter_rows(named=True), 1)
        except (pl.exceptions.PolarsError, OSError):
            raise UserError(
                "the predictions cannot be read", value=name, cause="no Parquet file with the columns note_id and spans"
            ) from None
    else:
        rows = ((number, _decoded(line)) for number, line in _lines(path, name))
    found: dict[str, list[dict[str, Any]]] = {}
    read = 0
    for number, row in rows:
        try:
            note_id = str(row["note_id"] if "note_id" in row else row["id"])
            spans = [_span(span) for span in row["spans"] or []]
        except (AttributeError, KeyError, TypeError, ValueError):
            raise UserError(
                "a line of the predictions does not fit", value=f"{name}, line {number}",
                cause="expected {note_id, spans: [{start, end, identifier}, …]}", next="clinicorpus deid detect writes it",
            ) from None  # fmt: skip
        read += 1
        if note_id in note_ids:
            if note_id in found:
                raise UserError("a note stands twice in the predictions", value=f"{name}, line {number}")
            found[note_id] = spans
    if note_ids and not found:
        raise UserError(
            "the predictions are of other notes than the gold", value=f"{name}: {read:,} notes",
            cause="no note_id of the predictions stands in the gold",
        )  # fmt: skip
    return pl.DataFrame(
        {"note_id": list(found), "spans": pl.Series(list(found.values()), dtype=SPANS_DTYPE)},
        schema={"note_id": pl.Utf8, "spans": SPANS_DTYPE},
    )


def _decoded(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _span(span: Any) -> dict[str, Any]:
    label = str(span["identifier"] if "identifier" in span else span["label"])
    return {
        "start": int(span["start"]), "end": int(span["end"]), "identifier": identifier_of(label) or "OTHER_ID",
        "score": float(span.get("score") or 1.0), "recognizer": str(span.get("recognizer") or "given"),
    }  # fmt: skip


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise UserError("no such gold", value=path, next="name a .jsonl or marked .txt file, or a folder of such")
    if not path.is_dir():
        return [path]
    found = sorted(
        p
        for p in path.rglob("*")
        if p.is_file() and p.name.lower().endswith((*_JSON, *_MARKED)) and not p.name.startswith(".")
    )
    if not found:
        raise UserError("no gold in the folder", value=path, cause=f"names must end in {', '.join((*_JSON, *_MARKED))}")
    return found


def _bad(name: str, line: int, cause: str, then: str = "correct the line") -> UserError:
    return UserError("a gold line does not fit", value=f"{name}, line {line}", cause=cause, next=then)


def _lines(path: Path, name: str) -> Iterator[tuple[int, str]]:
    """Numbered lines without their ends; only a line feed ends one, because offsets count every other character."""
    number = 0
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if zipped else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8").removesuffix("\n")
    except UnicodeDecodeError:
        raise _bad(name, number, "is not UTF-8", "save the file as UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        cause = error.strerror if isinstance(error, OSError) and error.strerror else "a broken copy"
        raise UserError("the gold cannot be read to its end", value=name, cause=cause) from None


def _json_lines(path: Path, name: str) -> Iterator[tuple[int, _Row]]:
    for number, line in _lines(path, name):
        try:
            row = json.loads(line)
            text = row["text"]
            note_id = str(row["note_id"] if "note_id" in row else row["id"])
            spans = [(int(s[0]), int(s[1]), str(s[2]), _name(s[3]) if len(s) > 3 else None) for s in row["spans"]]
            patient, kind = _name(row.get("patient_id")), _name(row.get("kind"))
            text.encode("utf-8")
            fits = all(0 <= a < b <= len(text) for a, b, *_ in spans) and (kind is None or _KIND.fullmatch(kind))
        except (AttributeError, KeyError, TypeError, ValueError, IndexError, RecursionError):
            fits = False
        if not fits:
            raise _bad(
                name, number,
                "expected {id or note_id, text, spans: [[start, end, label], …]} with spans inside the text; "
                "patient_id, kind (up to 60 characters) and a fourth element of a span, its entity, may be there",
            ) from None  # fmt: skip
        yield number, _Row(note_id, text, patient, kind, spans)


def _name(value: Any) -> str | None:
    """A name that text, a number or nothing gives. Raises TypeError for anything else."""
    if value is not None and not isinstance(value, (str, int)):
        raise TypeError
    return None if value is None or value == "" else str(value)


def _marked(path: Path, name: str) -> Iterator[tuple[int, _Row]]:
    count = 0
    block: list[str] = []
    start = 1
    for number, line in _lines(path, name):
        if line.rstrip() != "=====":
            block.append(line)
            continue
        if any(part.strip() for part in block):
            count += 1
            yield start, _marked_note(name, start, count, block)
        block, start = [], number + 1
    if any(part.strip() for part in block):
        yield start, _marked_note(name, start, count + 1, block)


def _marked_note(name: str, first: int, count: int, block: list[str]) -> _Row:
    headers: dict[str, str] = {}
    at = 0
    while at < len(block) and (block[at].startswith("#@") or not block[at].strip()):
        if block[at].startswith("#@"):
            header = _HEADER.fullmatch(block[at].strip())
            if not header or header[1] not in _HEADERS or not header[2].strip():
                raise _bad(name, first + at, f"a line of the head is `#@ key=value`; keys are {', '.join(_HEADERS)}")
            headers[header[1]] = header[2].strip()
        elif headers:
            break  # an empty line below the head belongs to the note
        at += 1
    if (kind := headers.get("kind")) is not None and not _KIND.fullmatch(kind):
        raise _bad(name, first, "a kind is up to 60 characters in one line, without | < >")
    raw = "\n".join(block[at:])
    parts: list[str] = []
    spans: list[tuple[int, int, str, str | None]] = []
    read = length = 0
    for mark in _MARK.finditer(raw):
        line = first + at + raw.count("\n", 0, mark.start())
        inner = mark[3]
        if "[[" in inner or not inner.strip():
            raise _bad(name, line, "a mark [[CLASS:text]] holds another one, or no text")
        before = raw[read : mark.start()]
        _no_mark(name, first + at + raw.count("\n", 0, read), before)
        parts += [before, inner]
        length += len(before)
        spans.append((length, length + len(inner), _known(name, line, mark[1]), _scoped(name, mark[2])))
        length += len(inner)
        read = mark.end()
    _no_mark(name, first + at + raw.count("\n", 0, read), raw[read:])
    text = "".join([*parts, raw[read:]])
    note_id = headers.get("note") or f"{name}:{count}"
    return _Row(note_id, text, _scoped(name, headers.get("patient")), headers.get("kind"), spans)


def _no_mark(name: str, line: int, text: str) -> None:
    for bracket in ("[[", "]]"):
        if (at := text.find(bracket)) >= 0:
            raise _bad(name, line + text.count("\n", 0, at), "a mark is not whole: [[CLASS:text]]")


def _known(name: str, line: int, label: str) -> str:
    # The label is not told: where the mark is broken it may be the beginning of a name.
    try:
        identifier_of(label)
    except UserError:
        raise _bad(name, line, "a class that no table of deid/identifiers.py holds") from None
    return label


def _scoped(name: str, value: str | None) -> str | None:
    return None if value is None else f"{name}:{value}"


def _may_stay(identifier: str, text: str) -> bool:
    """What gold sets mark and Safe Harbor leaves: ages under 90, bare years, whole states and countries."""
    digits = "".join(c for c in text if c.isdecimal())
    if identifier == "AGE":
        return bool(digits) and len(digits) < 4 and int(digits) < 90
    if identifier == "DATE":
        return len(digits) == 4 and not any(c.isalpha() for c in text) and digits == text.strip()
    if identifier == "CITY":
        return text in STATES or text in STATES.values() or all(w in NATIONS for w in text.lower().split())
    return False
