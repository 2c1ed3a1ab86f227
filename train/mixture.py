"""Which documents an epoch holds, and in which order: subset, quality, curriculum, replay.

The three remedies against the stability gap (2406.14833) are three switches that do not touch one another: several
epochs over a subset (`epochs`, `max_tokens`), the best notes only (`quality`), and a mixture like that of pretraining
(`replay`, with `resample`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import polars as pl

import manifests
from clinicorpus_errors import UserError
from train.recipe import ContinuedPretraining, Optimisation, Quality, Replay


def matching(frame: pl.DataFrame, part: Optimisation, stage: str) -> pl.DataFrame:
    """Rows of the corpus that `where` leaves. Raises UserError if a column is missing or nothing is left."""
    for column, value in part.where.items():
        _need_column(frame, column, f"{stage}.where")
        frame = frame.filter(pl.col(column).cast(pl.String) == str(value))
    if frame.is_empty():
        raise UserError(
            f"{stage}.where leaves nothing of the corpus",
            value=", ".join(f"{k}={v}" for k, v in part.where.items()),
            next="write a value that the column holds",
        )
    return frame


def best(frame: pl.DataFrame, quality: Quality | None) -> pl.DataFrame:
    """The best share of the notes, by a column of the corpus; equal ones by record.

    A column of places, such as `copied`, counts as the share of the text that they cover.
    """
    if quality is None:
        return frame
    column, descending = _ordering(frame, quality.by, "cpt.quality.by", falling=True)
    if frame[column].dtype == pl.List(pl.Struct({"start": pl.Int64, "end": pl.Int64})):
        covered = pl.col(column).list.eval(pl.element().struct["end"] - pl.element().struct["start"]).list.sum()
        frame = frame.with_columns((covered / pl.col("text").str.len_chars()).alias(column))
    if not frame[column].dtype.is_numeric():
        raise UserError("cpt.quality.by is no column of numbers", value=column, cause=f"it holds {frame[column].dtype}")
    ranked = frame.sort(column, "record", descending=[descending, False], nulls_last=True)
    return ranked.head(max(1, round(len(frame) * quality.top))).sort("record")


def order(frame: pl.DataFrame, part: ContinuedPretraining, seed: int) -> list[int]:
    """Positions of the notes in the order they are taken: by the curriculum, else drawn from `seed`."""
    if part.curriculum:
        column, descending = _ordering(frame, part.curriculum, "cpt.curriculum", falling=False)
        ranked = frame.with_row_index("position").sort(column, "record", descending=[descending, False])
        return ranked["position"].to_list()
    positions = list(range(len(frame)))
    random.Random(seed).shuffle(positions)
    return positions


def spread(main: list[list[int]], replay: list[list[int]]) -> list[list[int]]:
    """Replay documents evenly between the others, whose order stays."""
    at = [(i + 0.5) / len(main) for i in range(len(main))]
    between = [(i + 0.5) / len(replay) for i in range(len(replay))]
    marked = [(place, 0, ids) for place, ids in zip(at, main, strict=True)]
    marked += [(place, 1, ids) for place, ids in zip(between, replay, strict=True)]
    return [ids for _, _, ids in sorted(marked, key=lambda m: m[:2])]


def replay_path(replay: Replay, root: Path) -> Path:
    """The file of the replay text. Raises UserError if it is not there or is of no known kind."""
    path = Path(replay.text) if Path(replay.text).is_absolute() else root / replay.text
    if not path.is_file() or not path.name.endswith((".parquet", ".jsonl", ".jsonl.gz")):
        raise UserError(
            "cpt.replay.text is no Parquet or JSON lines file",
            value=path.name,
            next="--set cpt.replay.text=<file.parquet or file.jsonl with a column text>",
        )
    return path


def replay_texts(replay: Replay, root: Path, measured_on: str, seed: int) -> list[str]:
    """Texts to replay in seeded order.

    Raises UserError if one stands in `measured_on`, the text that forgetting is measured on: the measure would
    then show the replay.
    """
    path = replay_path(replay, root)
    try:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_ndjson(path)
        texts = [text for text in frame["text"].cast(pl.String).to_list() if text and text.strip()]
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError("cpt.replay.text cannot be read", value=path.name, cause=type(error).__name__) from None
    if not texts:
        raise UserError("cpt.replay.text is empty", value=path.name)
    measured = " ".join(measured_on.split())
    seen = sum(" ".join(text.split()) in measured for text in texts if len(text.split()) >= 8)
    seen += any(measured in " ".join(text.split()) for text in texts)
    if seen:
        raise UserError(
            "the replay text holds text that forgetting is measured on",
            value=f"{seen} documents of {path.name}",
            cause="general bits per byte would then measure the replay",
            next="take them out, or name another evaluate.general_text",
        )
    random.Random(seed).shuffle(texts)
    return texts


def replay_digest(replay: Replay | None, root: Path) -> str | None:
    return manifests.sha256_file(replay_path(replay, root)) if replay else None


def draw(stream: Iterator[list[int]], tokens: float) -> list[list[int]]:
    """Replay documents from `stream` until the next would pass `tokens`; at least one.

    Raises UserError if the stream ends before: fewer would be another mixture than the recipe's.
    """
    drawn: list[list[int]] = []
    total = 0
    for ids in stream:
        drawn.append(ids)
        total += len(ids)
        if total >= tokens:
            return drawn
    raise UserError(
        "there is not enough replay text for cpt.replay.share",
        value=f"{total} tokens, {round(tokens)} needed for an epoch",
        next="more text, a lower share, or fewer tokens in an epoch",
    )


def _need_column(frame: pl.DataFrame, column: str, key: str) -> None:
    if column not in frame.columns or column == "text":
        raise UserError(
            f"{key} names no column of the corpus",
            value=column,
            cause="it has " + ", ".join(name for name in frame.columns if name != "text"),
        )


def _ordering(frame: pl.DataFrame, spec: str, key: str, *, falling: bool) -> tuple[str, bool]:
    column = spec.removeprefix("-")
    _need_column(frame, column, key)
    return column, falling != spec.startswith("-")
