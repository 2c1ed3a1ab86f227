"""A run starts from a sealed corpus that verifies, and from nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clinicorpus_errors import UserError
from train.bound_corpus import bind


def test_without_a_corpus_the_error_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        bind("newest", tmp_path)
    assert caught.value.next == "make corpus"


def test_one_changed_byte_is_refused_and_the_file_named(workspace: Path) -> None:
    path = workspace / "corpora/demo/0.1.0/pretrain/train-00000-of-00001.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"pretrain/train-00000-of-00001\.parquet"):
        bind("newest", workspace)


def test_newest_name_and_path_find_the_same_corpus(workspace: Path, seal: Callable[..., Path]) -> None:
    old = bind("newest", workspace)
    path = seal(workspace, version="0.1.1", seed=2)
    new = bind("newest", workspace)
    assert (old.version, new.version) == ("0.1.0", "0.1.1")
    assert bind("demo", workspace) == new == bind(str(path), workspace)
    assert bind("manifests/versions/demo/0.1.0/manifest.json", workspace).manifest_sha256 == old.manifest_sha256


def test_rows_come_in_record_order(workspace: Path) -> None:
    records = bind("demo", workspace).read("pretrain", "train", ["record", "text"])["record"].to_list()
    assert records == sorted(records)


@pytest.mark.parametrize(
    ("product", "split", "column", "told"),
    [
        ("pretrain", "holdout", "text", "no such part"),
        ("sealed", "train", "text", "no such part"),
        ("pretrain", "train", "body", "lacks a column"),
    ],
)
def test_what_the_corpus_lacks_is_told(workspace: Path, product: str, split: str, column: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        bind("demo", workspace).read(product, split, ["record", column])
