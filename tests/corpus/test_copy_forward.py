"""The stage that takes out what a patient's earlier notes said: policies, accounts, places, figures."""

import polars as pl
import pytest
from pydantic import ValidationError

from corpus.runner import account
from corpus.stages import STAGES, dedupe_copy_forward, deid_render
from corpus.stages.dedupe_copy_forward import Params, disclose
from deid.spans import OUT_SPANS_DTYPE

FIRST = (
    "HPI: Mr. [NAME] was admitted on [DATE] with pneumonia of the right lower lobe and started on ceftriaxone.\n"
    "MEDICATIONS:\n- ceftriaxone 1 g daily for seven days by vein\n- metoprolol 25 mg by mouth twice daily\n"
    "PLAN: Check the sodium of [NAME] again tomorrow and walk him in the hall."
)
NEWS = "Sodium is 131 today, and [NAME] walked to the door on [DATE]."


def _spans(text, dates):
    """The placeholders of a text; of each date what the release shows."""
    dates, spans, at = iter(dates), [], 0
    for k in range(len(text)):
        for identifier in ("NAME", "DATE"):
            mark = f"[{identifier}]"
            if text.startswith(mark, k):
                value = next(dates, "2019") if identifier == "DATE" else mark
                spans.append(
                    {"start": at, "end": at + 4, "identifier": identifier, "score": 1.0, "recognizer": "test",
                     "out_start": k, "out_end": k + len(mark), "action": "year", "value": value}
                )  # fmt: skip
                at += 9
    return spans


def _batch(texts, dates=("2019", "2019"), **columns):
    rows = [
        {"record": f"r{i}", "group": "p", "patient": "p", "text": text, "charted_at": f"2019-03-{1 + i:02d}",
         "note_type": "progress", "author_role": "nurse"}
        for i, text in enumerate(texts)
    ]  # fmt: skip
    years = [dates if isinstance(dates, tuple) else dates[i] for i in range(len(texts))]
    spans = pl.Series([_spans(t, d) for t, d in zip(texts, years, strict=True)], dtype=OUT_SPANS_DTYPE)
    return pl.DataFrame(rows).with_columns(spans=spans, **columns)


def _run(batch, **params):
    outcome = dedupe_copy_forward.apply(batch, Params(**params), None)
    account(batch, outcome)
    return outcome


def _texts(outcome):
    return dict(outcome.batch.select("record", "text").iter_rows())


def test_it_runs_after_near_duplicates_and_before_the_split():
    order = list(STAGES)
    assert order.index("dedupe.near") < order.index("dedupe.copy_forward") < order.index("split")


def test_what_stood_before_is_taken_out_and_medications_stay():
    outcome = _run(_batch([FIRST, f"{FIRST}\n{NEWS}"]))
    assert _texts(outcome) == {
        "r0": FIRST,
        "r1": f"MEDICATIONS:\n- ceftriaxone 1 g daily for seven days by vein\n- metoprolol 25 mg by mouth twice daily\nPLAN:\n{NEWS}",
    }


def test_a_marker_stands_for_each_passage_under_collapse():
    outcome = _run(_batch([FIRST, f"{FIRST}\n{NEWS}"]), policy="collapse", exempt=(), marker="[see before]")
    assert _texts(outcome)["r1"] == f"[see before]\nPLAN: [see before]\n{NEWS}"


def test_a_note_with_nothing_new_goes_for_its_reason_and_names_the_note_that_says_it():
    outcome = _run(_batch([FIRST, FIRST.upper().replace("[NAME]", "[NAME]"), NEWS]))
    assert outcome.drops.to_dicts() == [{"record": "r1", "reason": "dedupe.no_new_information", "kept": "r0"}]
    assert set(_texts(outcome)) == {"r0", "r2"}


def test_turned_off_it_changes_nothing():
    batch = _batch([FIRST, FIRST])
    outcome = _run(batch, policy="off")
    assert outcome.batch.equals(batch)
    assert outcome.details == {}


@pytest.mark.parametrize("policy", ["remove", "collapse"])
def test_placeholders_that_stay_are_where_their_spans_say(policy):
    outcome = _run(_batch([FIRST, f"{FIRST}\n{NEWS}\n{FIRST}\nSeen by [NAME]."]), policy=policy)
    rendered = deid_render.apply(outcome.batch, deid_render.Params(), None)
    account(outcome.batch, rendered)
    text = dict(rendered.batch.select("record", "text").iter_rows())["r1"]
    assert "walked to the door on 2019." in text
    assert text.endswith("Seen by [NAME].")


def test_annotated_passages_are_told_by_their_places_in_the_released_text():
    batch = _batch([FIRST, f"{NEWS}\n{FIRST}", FIRST])
    outcome = _run(batch, policy="annotate")
    assert outcome.drops is None
    assert outcome.batch["text"].equals(batch["text"])
    released = deid_render.apply(outcome.batch, deid_render.Params(), None).batch
    text, places = released["text"].to_list(), released["copied"].to_list()
    assert places[0] == []
    assert "".join(text[1][p["start"] : p["end"]] for p in places[1]).replace("\n", "") == text[0].replace("\n", "")
    assert text[1].startswith(NEWS.replace("[DATE]", "2019"))


def test_a_date_is_what_the_release_shows_of_it():
    # PLAN is copied in both; the sentence with the date only where both years are the same, or none counts.
    changed = [("2019",), ("2020", "2020")]
    shown = _texts(_run(_batch([FIRST, f"{FIRST}\n{NEWS}"], dates=changed)))["r1"]
    assert shown.startswith("HPI: Mr. [NAME] was admitted on [DATE]")
    assert not _texts(_run(_batch([FIRST, f"{FIRST}\n{NEWS}"], dates=changed), identifiers="any"))["r1"].startswith(
        "HPI"
    )


def test_notes_of_nobody_are_compared_with_nothing():
    batch = _batch([FIRST, FIRST], group=pl.lit(None, dtype=pl.String))
    assert _run(batch).batch.equals(batch)


def test_a_source_with_two_columns_is_enough():
    batch = _batch([FIRST, f"{FIRST}\n{NEWS}"]).drop("charted_at", "note_type", "author_role")
    assert len(_texts(_run(batch))["r1"]) < len(FIRST)


def test_a_section_that_is_not_known_is_told_with_those_that_are():
    with pytest.raises(ValidationError, match=r"no such section: drugs; allowed: .*medications"):
        Params(exempt=("drugs",))


def test_what_is_counted_closes_and_few_patients_are_not_told_apart():
    batch = pl.concat(
        [
            _batch([FIRST, f"{FIRST}\n{NEWS}"]).with_columns(
                record=pl.format("{}-{}", pl.lit(i), "record"), group=pl.lit(f"p{i}"),
                note_type=pl.lit("progress" if i < 11 else f"letter of {i}"),
            )
            for i in range(14)
        ]
    )  # fmt: skip
    counted = _run(batch).details
    every = counted["redundancy"]["all"]
    assert every["patients"] == 14
    assert every["notes"] == 28
    for name in ("note_type", "author_role", "year"):
        for part in ("patients", "notes", "words", "copied", "exempt"):
            assert sum(row[part] for row in counted["redundancy"][name].values()) == every[part]
    shown = disclose(counted)["redundancy"]
    assert set(shown["note_type"]) == {"progress"}
    assert shown["year"] == {"2019": shown["all"]}
    assert 0.3 < shown["all"]["copied"] < 0.5
    assert disclose({}) == {}
