"""The corpus a training run is bound to: sealed, verified, and read only through its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl

import manifests
from clinicorpus_errors import UserError
from manifests.corpus_manifest import release_notice


class BoundCorpus(NamedTuple):
    name: str
    version: str
    manifest_sha256: str
    files: dict[tuple[str, str], list[Path]]
    """(product, split) to the Parquet files the manifest names."""
    tokenizer: tuple[str, str] = ("", "")
    """Name and sha256 of what counted the corpus' tokens."""
    tokens: dict[tuple[str, str], int] = {}  # noqa: RUF012  # a NamedTuple's default, never changed
    """(product, split) to the tokens the manifest counts."""
    notice: str | None = None
    """What the release gate said that whoever trains must be told."""
    manifest: Path | None = None

    def read(self, product: str, split: str, columns: list[str]) -> pl.DataFrame:
        """Rows of one product (pretrain, instruct) and split, sorted by record.

        Raises UserError when the manifest names no such file, it has no rows, or it lacks a column.
        """
        where = f"{self.name} {self.version}, {product}/{split}"
        paths = self.files.get((product, split))
        if not paths:
            raise UserError("the corpus has no such part", value=where, next="make corpus")
        try:
            frame = pl.read_parquet(paths, columns=columns)
        except pl.exceptions.ColumnNotFoundError:
            raise UserError(
                "the corpus lacks a column", value=where, cause="needed: " + ", ".join(columns), next="make corpus"
            ) from None
        if frame.is_empty():
            raise UserError(
                "a part of the corpus is empty",
                value=where,
                cause="too few patients for a split, or no note that gives an instruction",
                next="make corpus with more notes",
            )
        return frame.sort("record")


def bind(corpus: str, root: Path) -> BoundCorpus:
    """Find and verify the corpus a recipe names: `newest`, a corpus name, or the path of a manifest.json.

    Raises UserError when there is none, or when a file does not match what was sealed.
    """
    if corpus == "newest":
        path = manifests.newest(root)
    elif corpus.endswith(".json"):
        path = Path(corpus) if Path(corpus).is_absolute() else root / corpus
    else:
        path = manifests.newest(root, corpus)
    problems = manifests.verify(path, root)
    if problems:
        raise UserError(
            "the corpus does not match its manifest",
            value="; ".join(problems[:5]),
            cause="a file was changed, lost or added after sealing",
            next="clinicorpus audit corpus",
        )
    manifest = manifests.load(path)
    folder = manifests.corpus_folder(root, manifest.corpus.name, manifest.corpus.version)
    files: dict[tuple[str, str], list[Path]] = {}
    tokens: dict[tuple[str, str], int] = {}
    for file in manifest.files:
        if file.zone == "corpus" and file.product in ("pretrain", "instruct") and file.split:
            files.setdefault((file.product, file.split), []).append(folder / file.path)
            where = file.product, file.split
            tokens[where] = tokens.get(where, 0) + (file.tokens or 0)
    return BoundCorpus(
        manifest.corpus.name, manifest.corpus.version, manifests.sha256_file(path), files,
        (manifest.tokenizer.name, manifest.tokenizer.sha256), tokens, release_notice(manifest), path,
    )  # fmt: skip
