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
        (
            "n.jsonl.gz",
            gzip.compress(b'{"note_id": "a", "text": "b"}\n' * 400, mtime=0)[:40],
            "cannot be read to its end",
        ),
        ("n.doc", b"x", "format not known"),
    ],
    # the test workers must agree on the names of the tests, so no name is made of bytes
    ids=["no note_id", "not UTF-8", "no parquet", "cut gzip", "format"],
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


def test_blanks_and_nan_name_no_patient(tmp_path):
    lines = ['{"note_id": "a", "text": "x", "patient_id": NaN}', '{"note_id": "b", "text": "x", "patient_id": " "}']
    (tmp_path / "n.jsonl").write_text("\n".join(lines))
    frame = {"note_id": [1.0, float("nan"), 2.0], "text": ["x"] * 3, "patient_id": [float("nan"), 1.0, 7.0]}
    pl.DataFrame(frame).write_parquet(tmp_path / "n.parquet")
    assert _all(tmp_path / "n.jsonl", "jsonl")[0]["patient_id"].to_list() == [None, None]
    notes, rejected = _all(tmp_path / "n.parquet", "parquet")
    assert notes["patient_id"].to_list() == [None, "7.0"]
    assert rejected.rows() == [(2, "reader.no_id")]


def test_a_lone_surrogate_costs_its_line_wherever_it_stands(tmp_path):
    path = tmp_path / "n.jsonl"
    path.write_text('{"note_id": "a", "text": "x", "patient_id": "\\ud800"}\n{"note_id": "\\ud800", "text": ""}\n')
    assert read_table(path)[1] == {"reader.invalid_utf8": 2}


def test_parquet_bytes_are_text_where_they_are_utf8(tmp_path):
    pl.DataFrame({"note_id": [b"a", b"b", b"c"], "text": [b"fine", b"\xff", None]}).write_parquet(
        tmp_path / "n.parquet"
    )
    notes, rejected = _all(tmp_path / "n.parquet", "parquet")
    assert notes.select("note_id", "text").rows() == [("a", "fine")]
    assert rejected.rows() == [(2, "reader.invalid_utf8"), (3, "reader.empty")]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_file_without_rows_is_an_empty_table(tmp_path, kind):
    path = tmp_path / f"n.{kind}"
    frame = pl.DataFrame(schema={"note_id": pl.String, "text": pl.String})
    {"jsonl": frame.write_ndjson, "csv": frame.write_csv, "parquet": frame.write_parquet}[kind](path)
    notes, rejected = read_table(path)
    assert (notes.height, rejected) == (0, {})


def test_columns_that_cannot_be_text_are_named(tmp_path):
    pl.DataFrame({"note_id": ["a"], "text": [["x"]]}).write_parquet(tmp_path / "n.parquet")
    with pytest.raises(UserError, match="holds no text"):
        read_table(tmp_path / "n.parquet")
    (tmp_path / "n.csv").write_text("note_id,text,text\n1,a,b\n")
    with pytest.raises(UserError, match="columns of the same name"):
        read_table(tmp_path / "n.csv")


def test_a_csv_without_a_header_does_not_show_its_first_note(tmp_path):
    (tmp_path / "n.csv").write_text("4410001,Seen by Quillworth today\n4410002,Seen again\n")
    with pytest.raises(UserError, match="columns are missing") as error:
        read_table(tmp_path / "n.csv")
    assert "Quillworth" not in error.value.cause
    assert "4410001" not in error.value.cause


def test_a_field_that_no_line_has_is_refused(tmp_path):
    path = tmp_path / "n.jsonl"
    path.write_text('{"note_id": "a", "text": "x", "mrn": "1"}\n{"note_id": "b", "text": "x"}\n')
    assert _all(path, "jsonl", {"patient_id": "mrn"})[0]["patient_id"].to_list() == ["1", None]
    with pytest.raises(UserError, match="no line of the file has: MRN"):
        _all(path, "jsonl", {"patient_id": "MRN"})


def test_a_folder_of_two_formats_is_refused_not_half_read(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"note_id": "a", "text": "x"}\n')
    (tmp_path / "readme.txt").write_text("no notes")
    assert read_table(tmp_path)[0].height == 1
    (tmp_path / "b.csv").write_text("note_id,text\nb,x\n")
    with pytest.raises(UserError, match="more than one format"):
        read_table(tmp_path)
