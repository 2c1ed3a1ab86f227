"""The account closes, or the stage is stopped."""

import polars as pl
import pytest

from clinicorpus_errors import UserError
from corpus.engine import LocalEngine, guarded
from corpus.runner import account, finish, read_record
from corpus.stage import Outcome

BEFORE = pl.DataFrame({"record": ["a", "b", "c"], "text": ["one", "two", "three"]})


def _drops(*rows):
    return pl.DataFrame(rows, schema=["record", "reason"], orient="row")


def test_a_line_closes_in_records_and_characters():
    after = BEFORE.filter(pl.col("record") != "b").with_columns(text=pl.Series(["[X]", "three"]))
    edits = pl.DataFrame({"record": ["a"], "reason": ["deid"], "removed": [3], "inserted": [3]})
    created = pl.DataFrame({"record": ["z"], "reason": ["instruct.t"], "chars": [10]})
    line = account(BEFORE, Outcome(after, _drops(("b", "filters.short")), edits, created))
    assert (line["records_in"], line["records_out"], line["dropped"], line["created"]) == (
        3, 3, {"filters.short": 1}, {"instruct.t": 1},
    )  # fmt: skip
    assert line["chars_in"] + sum(line["inserted"].values()) == line["chars_out"] + sum(line["removed"].values())


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(BEFORE.head(2)),
        Outcome(BEFORE.head(2), _drops(("a", "filters.short"))),
        Outcome(BEFORE.head(2), _drops(("c", "because"))),
        Outcome(BEFORE, _drops(("c", "filters.short"))),
        Outcome(pl.concat([BEFORE, BEFORE.head(1)])),
        Outcome(BEFORE.with_columns(record=pl.col("record") + "x")),
        Outcome(BEFORE.with_columns(text=pl.lit("longer than it was"))),
    ],
    ids=["silent drop", "wrong record", "unknown reason", "dropped and kept", "twice", "unknown record", "silent edit"],
)
def test_a_stage_that_does_not_account_is_stopped(outcome):
    with pytest.raises(ValueError, match=r"stage|reasons"):
        account(BEFORE, outcome)


def test_a_folder_counts_only_with_its_record_and_its_bytes(tmp_path):
    def write(folder):
        (folder / "data").write_text("x")
        return {"rows": 1}

    finish(tmp_path / "out", "key", write)
    assert read_record(tmp_path / "out", "key")["rows"] == 1
    assert read_record(tmp_path / "out", "other key") is None
    (tmp_path / "out" / "data").write_text("y")
    assert read_record(tmp_path / "out", "key") is None


def test_a_late_twin_leaves_what_stands(tmp_path):
    def write(text):
        return lambda folder: {"bytes": (folder / "data").write_text(text)}

    first = finish(tmp_path / "out", "key", write("x"))
    inode = (tmp_path / "out" / "data").stat().st_ino
    assert finish(tmp_path / "out", "key", write("x")) == first
    assert (tmp_path / "out" / "data").stat().st_ino == inode
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    def write(folder):
        (folder / "data").write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        finish(tmp_path / "out", "key", write)
    assert list(tmp_path.iterdir()) == []


def _raise_with_text(job):
    raise ValueError("Mrs. Canary Fairweather lives here")


def test_a_workers_exception_gives_its_type_and_place_but_never_its_message():
    failure = guarded(_raise_with_text, None)
    assert failure.kind == "ValueError"
    assert "Canary" not in repr(failure)
    engine = LocalEngine(1)
    with pytest.raises(UserError) as error:
        engine.run_shards(_raise_with_text, [None])
    assert "Canary" not in repr(vars(error.value))
    assert error.value.__cause__ is None


def _no_space(job):
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_named():
    with pytest.raises(UserError, match="disk is full"):
        guarded(_no_space, None)


def _kill_first_time(path):
    import os
    import signal

    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def _kill_always(path):
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_tried_again_and_then_given_up(tmp_path):
    engine = LocalEngine(1)
    assert engine.run_shards(_kill_first_time, [tmp_path / "mark"]) == ["done"]
    with pytest.raises(UserError, match="killed three times"):
        engine.run_shards(_kill_always, [tmp_path])
    engine.close()
