"""Attack: what was planted is found, and where nothing was, the rate is that of chance."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta

import polars as pl
import pytest

from clinicorpus_errors import UserError
from deid import lexicon
from deid.attack import attack, read_released, releasable, summary, with_ids
from tests.command import run_command

SURROGATES = (
    "Smith Johnson Williams Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson".split()
)
REAL = "Abernathy Kowalczyk Szymanski Villanueva Thibodeaux Castellanos Hutchinson Fitzgerald Okafor Nakamura".split()
FILLER = "chest abdomen lungs clear stable without fever cough improved exam normal plan continue follow soon".split()


def _corpus(leaks: int = 0, patients: int = 60, notes: int = 6, seed: int = 3):
    """Notes in which each patient has one surrogate in the same place; of `leaks` patients the real name stands once."""
    draw = random.Random(seed)
    rows, known = [], []
    for p in range(patients):
        surrogate, real = draw.choice(SURROGATES), REAL[p % len(REAL)]
        known.append((f"p{p}", "last_name", real))
        for n in range(notes):
            name = real if p < leaks and n == notes - 1 else surrogate
            words = " ".join(draw.choices(FILLER, k=20))
            rows.append((f"p{p}-{n}", f"p{p}", f"Patient: Mr. {name} is here. {words}."))
    released = pl.DataFrame(rows, schema=["record", "patient", "text"], orient="row")
    return released, pl.DataFrame(known, schema=["patient_id", "kind", "value"], orient="row")


def _notes(*rows):
    return pl.DataFrame(rows, schema=["record", "patient", "text"], orient="row")


def test_a_planted_real_name_is_found_among_surrogates():
    released, known = _corpus(leaks=12)
    figures = attack(released, known=known)
    assert figures["left"]["direct"]["patients"]["leaking"] == 12
    signs = figures["parrot"]["signs"]
    for sign in ("once", "odd", "two_or_more"):
        assert signs[sign]["verdict"] == "finds leaks"
        assert signs[sign]["recall"] == 1.0
        assert signs[sign]["precision"] > 0.9


def test_leaks_that_look_like_surrogates_are_found_no_better_than_by_chance():
    released, known = _corpus()
    # Every surrogate of a third of the patients is called a leak: nothing in the text tells them apart.
    truth = released.unique("patient", maintain_order=True).with_row_index().filter(pl.col("index") % 3 == 0)
    known = truth.select(
        patient_id="patient", kind=pl.lit("last_name"), value=pl.col("text").str.extract(r"Mr\. (\w+)")
    )
    parrot = attack(released, known=known)["parrot"]
    assert parrot["base_rate"] == pytest.approx(1 / 3, abs=0.01)
    assert not [s for s, row in parrot["signs"].items() if row["verdict"] == "finds leaks"]


def test_without_a_leak_there_is_none_to_find():
    released, known = _corpus()
    figures = attack(released, known=known)
    assert figures["left"]["any"]["places"] == 0
    assert {row["verdict"] for row in figures["parrot"]["signs"].values()} == {"no leak to find"}


def test_a_surrogate_that_equals_a_known_name_is_no_leak_where_the_original_says_so():
    released = _notes(("1", "p", "Mr. Hutchinson came."))
    known = pl.DataFrame({"patient_id": ["p"], "kind": ["relative_name"], "value": ["Hutchinson"]})
    originals = pl.DataFrame({"record": ["1"], "text": ["Mr. Okafor came."]})
    assert attack(released, known=known)["left"]["any"]["places"] == 1
    assert attack(released, known=known, originals=originals)["left"]["any"]["places"] == 0


def test_a_clinician_who_stands_with_many_patients_is_seen_by_the_spread():
    names = [name.title() for name, _ in lexicon.surnames("us") if lexicon.name_share(name) > 0.9][:40]
    rows = [(str(i), f"p{i}", f"Mr. {name} came. Seen by Dr. Thibodeaux.") for i, name in enumerate(names)]
    known = pl.DataFrame([(f"p{i}", "clinician", "Ana Thibodeaux") for i in range(40)], orient="row")
    known.columns = ["patient_id", "kind", "value"]
    spread = attack(_notes(*rows), known=known)["parrot"]["signs"]["spread"]
    assert spread["recall"] == 1.0
    assert spread["verdict"] == "finds leaks"


def _dated(days: int, extra: str = "", count: int = 12):
    """Notes of patients whose dates are shifted by `days`, and the originals."""
    rows, before = [], []
    for p in range(count):
        true = date(2019, 12, 25)
        for name, out, shift in (("r", rows, days), ("o", before, 0)):
            day, visit = true + timedelta(shift), date(2020, 2, 3) + timedelta(shift)
            text = f"Fell on Christmas ({day:%m/%d/%Y}). Seen {visit:%A} {visit:%m/%d/%Y}. Again {visit:%Y-%m-%d}."
            out.append((f"{p}", f"p{p}", text + (extra if name == "r" else "")))
    return _notes(*rows), _notes(*before)


def test_a_holiday_beside_a_shifted_date_gives_the_shift_away():
    released, originals = _dated(101)
    dates = attack(released, originals=originals)["dates"]
    assert dates["shift_inferred"]["inferred"] == 12
    assert dates["scored"]["holiday_or_event"]["right"] == 12


def test_a_weekday_that_stayed_gives_the_shift_modulo_seven():
    text = "Seen Monday 05/14/2020, again 06/01/2020."
    original = "Seen Monday 02/03/2020, again 02/21/2020."
    figures = attack(_notes(("1", "p", text)), originals=pl.DataFrame({"record": ["1"], "text": [original]}))
    dates = figures["dates"]
    assert dates["shift_inferred"]["inferred"] == 0
    assert dates["shift_narrowed"]["narrowed"] == 1
    assert dates["scored"]["weekday"]["right"] == 1


def test_dates_that_fit_the_calendar_give_nothing_away():
    released, originals = _dated(0)
    dates = attack(released, originals=originals)["dates"]
    assert dates["shift_inferred"]["inferred"] == 0
    assert dates["scored"]["patients_shifted"] == 0


def test_a_date_that_was_not_moved_is_seen_beside_the_original():
    texts = ("Seen 05/14/2020, again 06/01/2020, op 01/01/2018.", "Seen 02/03/2020, again 02/21/2020, op 01/01/2018.")
    figures = attack(_notes(("1", "p", texts[0])), originals=pl.DataFrame({"record": ["1"], "text": [texts[1]]}))
    assert figures["dates"]["scored"]["patients_with_a_date_not_moved"]["holding"] == 1


def test_text_without_dates_in_full_has_no_shift():
    dates = attack(_notes(("1", "p", "Seen 2019, fell on Christmas. Since 1998 well.")))["dates"]
    assert dates["shift_narrowed"]["narrowed"] == 0
    assert "year alone" in dates["patients_by_kind"]


def test_rare_names_are_counted():
    released = _notes(("1", "p", "Mr. Wojciechowicz came."), ("2", "q", "Mr. Smith came."))
    assert attack(released)["rare_names"]["patients"]["holding"] == 1


def _linked(same: bool, patients: int = 80, notes: int = 4):
    """Notes that share one rare word if they are of the same patient, or rare words by chance."""
    draw = random.Random(5)
    words = ["".join(draw.choices("bcdfghjklmnpqrstvwxz", k=7)) for _ in range(patients * notes)]
    rows = []
    for p in range(patients):
        own = "Qz" + "".join(draw.choices("bcdfghjklm", k=6))
        for n in range(notes):
            text = " ".join(draw.choices(FILLER, k=6)) + f" {own}" if same else " ".join(draw.choices(words, k=6))
            rows.append((f"{p}-{n}", f"p{p}", text))
    return _notes(*rows)


def test_a_shared_rare_word_links_the_notes_of_a_patient():
    row = attack(_linked(same=True))["linking"]["all_rare_words"]
    assert row["rank1"] == 1.0
    assert row["rank1_95"][0] > 10 * row["chance"]


def test_without_a_shared_word_linking_is_chance():
    row = attack(_linked(same=False))["linking"]["all_rare_words"]
    assert row["queries"] == 320
    assert row["rank1_95"][0] <= row["chance"] <= row["rank1_95"][1]


def test_copies_of_a_note_link_nothing():
    released = _notes(*[(f"{p}-{n}", f"p{p}", f"word{p}abc qqxz{p}") for p in range(5) for n in range(2)])
    assert attack(released)["linking"]["all_rare_words"]["queries"] == 0


def test_what_is_capped_is_told():
    row = attack(_linked(same=True), most_pairs=300, most_queries=40)["linking"]["all_rare_words"]
    assert row["queries"] == 40
    assert row["notes_of_a_word"] < 20


def test_the_order_of_notes_changes_no_figure_of_names_and_dates():
    released, known = _corpus(leaks=5)
    one, two = attack(released, known=known), attack(released.sample(fraction=1, shuffle=True, seed=4), known=known)
    for part in ("left", "parrot", "dates", "rare_names"):
        assert one[part] == two[part]


def test_figures_hold_no_text_and_are_the_same_again():
    released, known = _corpus(leaks=12)
    figures = attack(released, known=known)
    assert figures == attack(released, known=known)
    told = json.dumps([figures, releasable(figures), summary(figures)]).lower()
    assert not [name for name in (*SURROGATES, *REAL) if name.lower() in told]


def test_placeholders_are_no_words():
    released = _notes(*[(str(i), f"p{i // 2}", f"[NAME] saw [CLINICIAN] {i}") for i in range(30)])
    figures = attack(released)
    assert figures["parrot"]["names"] == 0
    assert figures["linking"]["all_rare_words"]["answered"] == 0


@pytest.mark.parametrize("column", ["record", "patient", "text"])
def test_a_missing_column_is_explained(column):
    with pytest.raises(UserError, match=column):
        attack(_corpus()[0].drop(column))


def test_truth_of_other_notes_is_explained():
    released, known = _corpus()
    with pytest.raises(UserError, match="no patient of the table"):
        attack(released, known=known.with_columns(patient_id=pl.lit("x")))
    with pytest.raises(UserError, match="none of the originals"):
        attack(released, originals=pl.DataFrame({"record": ["x"], "text": ["y"]}))


def test_a_released_folder_is_read_under_the_ids_of_the_build(tmp_path):
    released, known = _corpus(leaks=4, patients=8)
    coded = released.with_columns(pl.concat_str(pl.lit("c"), "record").alias("record"), patient=pl.lit("code"))
    for product in ("pretrain", "sealed"):
        (tmp_path / product).mkdir()
    coded.head(20).write_parquet(tmp_path / "pretrain" / "train-0.parquet")
    coded.tail(-20).write_parquet(tmp_path / "sealed" / "nonmember-0.parquet")
    ids = released.select(pl.concat_str(pl.lit("c"), "record").alias("record"), note_id="record", patient_id="patient")
    notes = with_ids(read_released(tmp_path), ids)
    assert notes.height == released.height
    assert attack(notes, known=known)["left"]["direct"]["patients"]["leaking"] == 4
    with pytest.raises(UserError, match="no released record"):
        with_ids(read_released(tmp_path), ids.with_columns(record=pl.lit("x")))
    with pytest.raises(UserError, match="columns are missing"):
        with_ids(read_released(tmp_path), ids.drop("note_id"))


def test_the_command_tells_figures_and_mistakes(tmp_path):
    released, known = _corpus(leaks=3, patients=6)
    released.rename({"text": "body"}).write_csv(tmp_path / "released.csv")
    known.write_csv(tmp_path / "patients.csv")
    done = run_command(
        tmp_path, "deid", "attack", "released.csv", "--text", "body", "--patients", "patients.csv", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["left"]["direct"]["patients"]["leaking"] == 3
    assert run_command(tmp_path, "deid", "attack", "released.csv", "--text", "body").returncode == 0
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 Rosalind")
    for args, said in (
        (("released.csv",), "text"),
        (("nothing.csv",), "nothing.csv"),
        (("empty",), "no released notes"),
        (("broken.parquet",), "cannot be read"),
        (("released.csv", "--text", "body", "--patients", "none.csv"), "none.csv"),
        (("released.csv", "--text", "body", "--ids", "patients.csv"), "columns are missing"),
    ):
        failed = run_command(tmp_path, "deid", "attack", *args)
        assert failed.returncode == 2, failed.stderr
        assert said in failed.stderr
        assert "Rosalind" not in failed.stderr
