"""Every row read is a note or a counted reason."""

import gzip
import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinicorpus_errors import UserError
from corpus.readers import read_notes, read_table, restore_sections


def _all(path, kind, fields=None):
    batches = list(read_notes(path, kind, fields))
    return pl.concat([b.notes for b in batches]), pl.concat([b.rejected for b in batches])


def test_each_bad_line_costs_itself_and_is_named(tmp_path):
    path = tmp_path / "notes.jsonl"
    lines = [
        b'{"note_id": "a", "text": "fine"}',
        b"{not json",
        b'{"note_id": "b", "text": "  "}',
        b'{"note_id": "c"}',
        b'{"text": "no id"}',
        b'{"note_id": "d", "text": "bad \xff byte"}',
        b'{"note_id": "e", "text": 7}',
        b"[1, 2]",
        b"",
        b'{"note_id": 12, "text": "numeric id"}',
        b'{"note_id": "f", "text": "lone \\ud800 surrogate"}',
    ]
    path.write_bytes(b"\n".join(lines))
    notes, rejected = _all(path, "jsonl")
    assert notes["note_id"].to_list() == ["a", "12"]
    assert dict(rejected.iter_rows()) == {
        2: "reader.malformed", 3: "reader.empty", 4: "reader.empty", 5: "reader.no_id", 6: "reader.invalid_utf8",
        7: "reader.wrong_type", 8: "reader.malformed", 11: "reader.invalid_utf8",
    }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=60).filter(lambda b: b"\n" not in b), max_size=20))
def test_any_bytes_are_accounted_for(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("fuzz") / "notes.jsonl"
    path.write_bytes(b"#\n" + b"\n".join(lines))  # two bytes of gzip's mark at the start would make it another format
    notes, rejected = _all(path, "jsonl")
    assert notes.height + rejected.height == sum(1 for line in path.read_bytes().split(b"\n") if line.strip())


def test_the_three_formats_give_the_same_notes(tmp_path):
    frame = pl.DataFrame(
        {"note_id": ["1", "2"], "text": ['with "quotes", commas', "two\nlines"], "patient_id": ["p", None]}
    )
    frame.write_parquet(tmp_path / "n.parquet")
    frame.write_csv(tmp_path / "n.csv")
    with gzip.open(tmp_path / "n.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in frame.iter_rows(named=True))
    read = [read_table(tmp_path / name)[0] for name in ("n.parquet", "n.csv", "n.jsonl.gz")]
    assert read[0].equals(read[1])
    assert read[0].equals(read[2])
    assert read[0].select(frame.columns).equals(frame)


def test_columns_can_be_named_in_the_users_words(tmp_path):
    pl.DataFrame({"NOTE_ID": [1], "BODY": ["text"]}).write_csv(tmp_path / "n.csv")
    notes, _ = _all(tmp_path / "n.csv", "csv", {"note_id": "NOTE_ID", "text": "BODY"})
    assert notes.select("note_id", "text").row(0) == ("1", "text")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("n.csv", b"id,text\n1,x\n", "columns are missing"),
        ("n.csv", b"note_id,text\n1,caf\xe9\n", "not UTF-8"),
        ("n.parquet", b"PAR1 not parquet", "cannot be read to its end"),
        ("n.jsonl.gz", gzip.compress(b'{"note_id": "a", "text": "b"}\n' * 400)[:40], "cannot be read to its end"),
        ("n.doc", b"x", "format not known"),
    ],
)
def test_a_file_that_is_no_table_of_notes_is_explained(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_table(tmp_path / name)


def test_a_missing_file_says_what_to_give(tmp_path):
    with pytest.raises(UserError, match="no such file of notes") as error:
        list(read_notes(tmp_path / "nothing.jsonl", "jsonl"))
    assert "NOTES" in error.value.next


def test_a_table_keeps_empty_notes_and_rejects_repeated_ids(tmp_path):
    path = tmp_path / "n.jsonl"
    path.write_text('{"note_id": "a", "text": ""}\n{"note_id": "a", "text": "again"}\n{"note_id": "b", "text": null}\n')
    notes, rejected = read_table(path)
    assert notes.select("note_id", "text").rows() == [("a", ""), ("b", "")]
    assert rejected == {"reader.duplicate_id": 1}


def test_restored_sections_change_commas_and_white_space_only():
    text = "SUBJECTIVE:, This 23-year-old has allergies.,MEDICATIONS: , Zyrtec, 10 mg.,1. Asthma.,2. Rhinitis"
    restored = restore_sections(text)
    assert restored.split("\n") == [
        "SUBJECTIVE:", "This 23-year-old has allergies.", "MEDICATIONS:", "Zyrtec, 10 mg.", "1. Asthma.", "2. Rhinitis",
    ]  # fmt: skip


@given(st.text(alphabet="ABz9 ,.:\n", max_size=200))
def test_restoring_sections_never_loses_a_letter_or_digit(text):
    def solid(s):
        return "".join(c for c in s if c.isalnum() or c in ".:")

    assert solid(restore_sections(text)) == solid(text)
