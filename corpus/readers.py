"""Reads notes from files, in batches; what cannot be read is handed back as a counted reason, never skipped.

JSON lines are parsed one by one (about 10 µs a note), because a malformed line must cost that line alone and must
be named; polars reads CSV and Parquet.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from clinicorpus_errors import UserError

NOTE_COLUMNS = (
    "note_id", "patient_id", "encounter_id", "note_type", "charted_at", "signed_at", "status", "amends",
    "author_role", "service", "site", "text", "source",
)  # fmt: skip
SCHEMA = {name: pl.String for name in NOTE_COLUMNS}
BATCH = 20_000
SUFFIXES = {
    "jsonl": (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz"),
    "csv": (".csv", ".csv.gz", ".tsv", ".tsv.gz"),
    "parquet": (".parquet", ".pq"),
}


class Batch(NamedTuple):
    """notes: the note table. rejected: input_row (from 1, within its file), reason."""

    notes: pl.DataFrame
    rejected: pl.DataFrame


def rejected_frame(rows: list[tuple[int, str]]) -> pl.DataFrame:
    """Rows that were refused."""
    return pl.DataFrame(rows, schema={"input_row": pl.Int64, "reason": pl.String}, orient="row")


def input_files(path: Path, kind: str) -> list[Path]:
    """The files to read, sorted by name. Raises UserError for a missing path or a folder without such files."""
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.is_file() and p.name.lower().endswith(SUFFIXES[kind]))
        others = [p for p in path.iterdir() if p.is_file() and p not in files and _has_format(p)]
        if files and others:
            raise UserError(
                "the folder holds files of notes in more than one format", value=path,
                cause=f"{len(files)} of kind {kind}, {len(others)} of another",
                next="read each format from a folder of its own",
            )  # fmt: skip
        if not files:
            raise UserError(
                f"no {kind} files in the folder",
                value=path,
                cause=f"file names must end in {', '.join(SUFFIXES[kind])}",
            )
        return files
    if not path.exists():
        raise UserError(
            "no such file of notes", value=path, next="check source.path, or give NOTES=<file> to make corpus"
        )
    return [path]


def _has_format(path: Path) -> bool:
    return any(path.name.lower().endswith(suffixes) for suffixes in SUFFIXES.values())


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


def _broken(path: Path, problem: str) -> UserError:
    return UserError(
        "the file of notes cannot be read to its end", value=f"{path.name}: {problem}",
        cause="a broken copy, or another format than source.kind says", next="copy it again, or correct source.kind",
    )  # fmt: skip


def _text_or_none(name: str, value: Any) -> str | None:
    """Text of a column. NaN and blanks mean "nothing" in exports: taken as values they would be one big patient."""
    if name in ("note_id", "text"):
        return str(value)
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _encodable(record: dict[str, str | None]) -> bool:
    """False for a lone surrogate, which JSON can spell and UTF-8 cannot."""
    try:
        for value in record.values():
            (value or "").encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _read_jsonl(path: Path, fields: dict[str, str], keep_empty: bool) -> Iterator[Batch]:
    notes: list[dict[str, str | None]] = []
    rejected: list[tuple[int, str]] = []
    read = 0
    unseen = {theirs for ours, theirs in fields.items() if ours != theirs}
    try:
        with _open(path) as file:
            for number, line in enumerate(file, 1):
                read = number
                if not line.strip():
                    continue
                try:
                    row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                except UnicodeDecodeError:
                    rejected.append((number, "reader.invalid_utf8"))
                    continue
                except (ValueError, RecursionError):
                    rejected.append((number, "reader.malformed"))
                    continue
                if not isinstance(row, dict):
                    rejected.append((number, "reader.malformed"))
                    continue
                if unseen:
                    unseen -= row.keys()
                record = {name: row.get(fields.get(name, name)) for name in NOTE_COLUMNS}
                if isinstance(record["note_id"], int) and not isinstance(record["note_id"], bool):
                    record["note_id"] = str(record["note_id"])
                reason = _wrong(record, keep_empty)
                if reason:
                    rejected.append((number, reason))
                    continue
                note = {name: _text_or_none(name, value) for name, value in record.items()}
                if not _encodable(note):
                    rejected.append((number, "reader.invalid_utf8"))
                    continue
                notes.append(note)
                if len(notes) >= BATCH:
                    yield Batch(pl.DataFrame(notes, schema=SCHEMA), rejected_frame(rejected))
                    notes, rejected = [], []
    except (OSError, EOFError, zlib.error) as error:
        raise _broken(path, f"{type(error).__name__} after line {read}") from None
    if read and unseen:
        # Without this a mistyped patient_id would mean: no patients, and a split that keeps none of them together.
        raise UserError(
            "source.fields names fields that no line of the file has", value=", ".join(sorted(unseen)),
            next="correct source.fields",
        )  # fmt: skip
    yield Batch(pl.DataFrame(notes, schema=SCHEMA), rejected_frame(rejected))


def _wrong(record: dict[str, Any], keep_empty: bool) -> str | None:
    note_id, text = record["note_id"], record["text"]
    if note_id is None or note_id == "":
        return "reader.no_id"
    if not isinstance(note_id, str) or not (text is None or isinstance(text, str)):
        return "reader.wrong_type"
    if text is None or not text.strip():
        record["text"] = text or ""
        return None if keep_empty else "reader.empty"
    return None


def _utf8_or_none(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _text_column(table: pl.DataFrame, name: str, path: Path) -> pl.Series:
    """A column as text, null where it is absent, is NaN, or holds bytes that are not UTF-8."""
    if name not in table.columns:
        return pl.Series([None] * table.height, dtype=pl.String)
    column = table[name]
    if column.dtype == pl.Binary:  # one by one: a single wrong byte fails the cast of a whole column
        return pl.Series(map(_utf8_or_none, column.to_list()), dtype=pl.String)
    try:
        return (column.fill_nan(None) if column.dtype.is_float() else column).cast(pl.String)
    except pl.exceptions.PolarsError:
        raise UserError(
            "a column of the file of notes holds no text", value=f"{path.name}: {name} is {column.dtype}",
            next="export it as text, or name another one in source.fields",
        ) from None  # fmt: skip


def _from_table(table: pl.DataFrame, fields: dict[str, str], first_row: int, path: Path, keep_empty: bool) -> Batch:
    wanted = {name: fields.get(name, name) for name in NOTE_COLUMNS}
    check_columns(table.columns, wanted, path)
    columns = {ours: _text_column(table, theirs, path) for ours, theirs in wanted.items()}
    undecoded = [
        columns[ours].is_null() & table[theirs].is_not_null()
        for ours, theirs in wanted.items()
        if table.schema.get(theirs) == pl.Binary
    ]
    optional = [name for name in NOTE_COLUMNS if name not in ("note_id", "text")]
    frame = (
        pl.DataFrame(columns)
        .with_columns(pl.when(pl.col(name).str.strip_chars() != "").then(name).alias(name) for name in optional)
        .with_columns(_undecoded=pl.any_horizontal(pl.lit(False), *undecoded))
        .with_row_index("input_row", offset=first_row)
    )
    reason = (
        pl.when("_undecoded")
        .then(pl.lit("reader.invalid_utf8"))
        .when(pl.col("note_id").is_null() | (pl.col("note_id") == ""))
        .then(pl.lit("reader.no_id"))
        .when((pl.col("text").is_null() | (pl.col("text").str.strip_chars() == "")) & (not keep_empty))
        .then(pl.lit("reader.empty"))
    )
    marked = frame.with_columns(pl.col("text").fill_null("") if keep_empty else pl.col("text"), reason=reason)
    rejected = marked.filter(pl.col("reason").is_not_null()).select(pl.col("input_row").cast(pl.Int64), "reason")
    return Batch(marked.filter(pl.col("reason").is_null()).select(NOTE_COLUMNS), rejected)


def check_columns(columns: list[str], wanted: dict[str, str], path: Path) -> None:
    """Raise UserError when the column of note_id or text, or one that `fields` names, is not there, or twice."""
    twice = [c for c in wanted.values() if columns.count(c) > 1 or f"{c}_duplicated_0" in columns]
    if twice:
        raise UserError("the file of notes has columns of the same name", value=f"{path.name}: {', '.join(twice)}")
    missing = [
        f"{ours} (as {theirs})" if ours != theirs else ours
        for ours, theirs in wanted.items()
        if theirs not in columns and (ours in ("note_id", "text") or ours != theirs)
    ]
    if missing:
        raise UserError(
            "columns are missing in the file of notes", value=", ".join(missing),
            cause=f"{path.name} has {len(columns)} columns: {_shown(columns)}",
            next="name them in source.fields, for example fields: {text: NOTE_TEXT}",
        )  # fmt: skip


def _shown(columns: list[str]) -> str:
    """Names of columns for an error. Where the header is missing the "names" are the first note: then none."""
    if all(re.fullmatch(r"[A-Za-z_]\w{0,40}|", name) for name in columns):
        return ", ".join(sorted(columns)[:20])
    return "names withheld, because the first line may be a note and no header"


def _read_csv(path: Path, fields: dict[str, str], keep_empty: bool) -> Iterator[Batch]:
    tabs = ".tsv" in path.name.lower()
    try:
        with _open(path) as file:
            data = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise _broken(path, type(error).__name__) from None
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            "the CSV is not UTF-8", value=f"{path.name}, byte {error.start}", cause="exported in another encoding",
            next="iconv -f WINDOWS-1252 -t UTF-8",
        ) from None  # fmt: skip
    try:
        table = pl.read_csv(data, infer_schema=False, separator="\t" if tabs else ",", raise_if_empty=False)
    except pl.exceptions.PolarsError as error:
        raise _broken(path, f"{type(error).__name__}: rows with another number of fields than the header") from None
    for start in range(0, max(table.height, 1), BATCH):
        yield _from_table(table.slice(start, BATCH), fields, start + 2, path, keep_empty)


def _read_parquet(path: Path, fields: dict[str, str], keep_empty: bool) -> Iterator[Batch]:
    try:
        file = pq.ParquetFile(path)
        columns = file.schema_arrow.names
        wanted = {name: fields.get(name, name) for name in NOTE_COLUMNS}
        check_columns(columns, wanted, path)
        row = 1
        for part in file.iter_batches(BATCH, columns=[c for c in columns if c in wanted.values()]):
            table = pl.from_arrow(pa.Table.from_batches([part]))
            assert isinstance(table, pl.DataFrame)
            yield _from_table(table, fields, row, path, keep_empty)
            row += part.num_rows
        if row == 1:
            yield Batch(pl.DataFrame(schema=SCHEMA), rejected_frame([]))
    except (pa.ArrowException, OSError) as error:
        raise _broken(path, type(error).__name__) from None


READERS = {"jsonl": _read_jsonl, "csv": _read_csv, "parquet": _read_parquet}


def read_notes(
    path: Path, kind: str, fields: dict[str, str] | None = None, *, keep_empty: bool = False
) -> Iterator[Batch]:
    """Batches of the note table from a file or folder. Rejected rows are counted, not skipped."""
    unknown = sorted(set(fields or {}) - set(NOTE_COLUMNS))
    if unknown:
        raise UserError(
            "source.fields names columns that a note does not have", value=", ".join(unknown),
            cause=f"a note has {', '.join(NOTE_COLUMNS)}",
        )  # fmt: skip
    for file in input_files(path, kind):
        yield from READERS[kind](file, fields or {}, keep_empty)


def kind_of(path: Path) -> str:
    """jsonl, csv or parquet, by the file's name."""
    for kind, suffixes in SUFFIXES.items():
        if path.name.lower().endswith(suffixes):
            return kind
    if path.is_dir():
        for kind, suffixes in SUFFIXES.items():
            if any(p.name.lower().endswith(suffixes) for p in path.iterdir()):
                return kind
    raise UserError(
        "format not known by the file's name", value=path.name,
        cause=f"known: {', '.join(s for group in SUFFIXES.values() for s in group)}",
    )  # fmt: skip


def read_table(path: Path) -> tuple[pl.DataFrame, dict[str, int]]:
    """A whole file of notes as one frame (columns that hold nothing left out), and counts of rejected rows by reason.

    For the commands that work on one table: a note without text stays, as "", because they owe an answer for each
    note. A note_id that occurs again is rejected as `reader.duplicate_id`.
    """
    batches = list(read_notes(path, kind_of(path), keep_empty=True))
    notes = pl.concat([batch.notes for batch in batches])
    rejected = pl.concat([batch.rejected for batch in batches])
    again = notes.filter(~pl.col("note_id").is_first_distinct())
    counts = dict(rejected["reason"].value_counts().iter_rows())
    if again.height:
        counts["reader.duplicate_id"] = again.height
    notes = notes.filter(pl.col("note_id").is_first_distinct())
    return notes.select(
        c for c in notes.columns if c in ("note_id", "text") or notes[c].null_count() < notes.height
    ), counts


# "SUBJECTIVE:, This 23-year-old" · "flaring up.,MEDICATIONS: , Her" · "murmur.,3. Diabetes": in these reports a comma
# with no space before it and no space after it, or one that follows a heading, was a line break.
_AFTER_HEADING = re.compile(r"(?<=:)\s{0,4},\s{0,4}")
_BEFORE_HEADING = re.compile(r"\s{0,4},\s{0,4}(?=[A-Z][A-Z0-9 /&()'.-]{2,60}:)")
_AFTER_SENTENCE = re.compile(r"(?<=[.;:?!)])\s{0,4},(?=[A-Z0-9])")


def restore_sections(text: str) -> str:
    """Put line breaks back where a transcription service's export has commas. Changes commas and white space only."""
    text = _BEFORE_HEADING.sub("\n", text)
    text = _AFTER_HEADING.sub("\n", text)
    text = _AFTER_SENTENCE.sub("\n", text)
    return text.strip(" ,\n") or text
