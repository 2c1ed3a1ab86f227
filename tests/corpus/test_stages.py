"""The stages of this room: filters, split, sections, instructions."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.keys import DEMO_KEY, purpose_keys
from corpus.runner import account
from corpus.sections import parse
from corpus.stages import STAGES, filters, instruct, split

GOOD = "Patient seen in clinic today. He denies chest pain and reports that the cough is better. Continue lisinopril 10 mg daily."
TELEGRAPHIC = (
    "VSS. Afebrile. BP 120/80, HR 72, SpO2 98% RA. Lungs CTA b/l. Abd soft NT ND. Cont abx. PT/OT. Dispo home."
)
LABS = (
    "Na 138 | K 4.1 | Cl 101 | CO2 24 | BUN 18 | Cr 1.1 | Glu 104 | WBC 8.2 | Hgb 13.5 | Hct 40.1 | Plt 212 | INR 1.0"
)


def _reason(text, **params):
    frame = pl.DataFrame({"record": ["r"], "text": [text]})
    outcome = filters.apply(frame, filters.Params(**params), None)
    account(frame, outcome)
    return outcome.drops["reason"].to_list()[0] if outcome.drops.height else None


@pytest.mark.parametrize(
    "text", [GOOD, TELEGRAPHIC, LABS, "[NAME] was seen by [CLINICIAN] on [DATE] for a cough and fever today."]
)
def test_good_notes_pass(text):
    assert _reason(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Seen today.", "filters.short"),
        ("JVBERi0xLjQKJcfsj6IKNSAwIG9iago8PC9MZW5ndGggNiAwIFIvRmlsdGVyIC9GbGF0ZURlY29kZT4+" * 4, "filters.encoded"),
        ("#$%^&* 83 @@ !! (( )) ++ == 12 ## %% && || // \\\\ ~~ `` <> {} [] ;; :: -- 99 @@ ## $$", "filters.garbled"),
        ("[NAME] [OTHER_ID] of [NAME] [DATE] [NAME] [FACILITY] x [OTHER_ID] [NAME] [NAME] and [CITY]", "filters.masked"),
        ("[NAME]�[OTHER_ID]�� on the ��[NAME] [DATE] of � [NAME] and the [NAME] is [NAME] [NAME]", "filters.garbled"),
        ("El paciente niega dolor de pecho. Refiere que la tos es mejor desde ayer y no tiene fiebre. Se indica control con su médico.", "filters.language"),
        ("Der Patient ist heute wach und klagt nicht über Schmerzen. Die Wunde ist trocken, das Fieber ist zurückgegangen und er wird entlassen.", "filters.language"),
        ("Le patient est bien ce matin. Il ne se plaint pas de douleur et les constantes sont stables dans la nuit avec une bonne diurèse.", "filters.language"),
        ("\n".join(["Vitals stable overnight, no events."] * 20), "filters.repetitive"),
    ],
)  # fmt: skip
def test_junk_goes_for_its_reason(text, reason):
    assert _reason(text) == reason


def test_a_filter_that_is_turned_off_drops_nothing():
    assert _reason("Seen today.", min_words=0) is None


@given(st.lists(st.text(max_size=300), min_size=1, max_size=8))
def test_filters_account_for_any_text(texts):
    frame = pl.DataFrame({"record": [f"{i:03d}" for i in range(len(texts))], "text": texts})
    account(frame, filters.apply(frame, filters.Params(), None))


def _split(groups, params):
    frame = pl.DataFrame({"record": [str(i) for i in range(len(groups))], "text": "x", "group": groups, "cluster": "c"})
    return split.apply(frame, params, split.load(params, purpose_keys(DEMO_KEY, "demo"))).batch


def test_a_patient_is_in_one_split_and_shares_come_out():
    params = split.Params(validation=0.1, test=0.2, nonmember=0.1)
    out = _split([f"p{i // 3}" for i in range(9000)], params)
    assert out.select("group", "split").unique().height == 3000
    shares = out["split"].value_counts(normalize=True)
    found = dict(shares.iter_rows())
    assert found["test"] == pytest.approx(0.2, abs=0.03)
    assert found["validation"] == pytest.approx(0.1, abs=0.03)
    assert found["nonmember"] == pytest.approx(0.1, abs=0.03)


def test_more_patients_do_not_move_the_ones_that_were_there():
    few, many = (_split([f"p{i}" for i in range(n)], split.Params()) for n in (50, 500))
    assert many.head(50)["split"].to_list() == few["split"].to_list()


def test_without_a_patient_the_cluster_decides():
    assert set(_split([None, None], split.Params())["group"]) == {"c"}


NOTE = (
    "CHIEF COMPLAINT: Cough\nHPI:\nFive days of cough, worse at night.\nMedications:\n- lisinopril 10 mg daily\n"
    "- metformin 500 mg BID\nBP: 120/80\n**Assessment and Plan:** Bronchitis, likely viral. Supportive care, return if worse.\n"
)


def test_known_headings_cut_a_note_and_unknown_ones_do_not():
    assert [s.title for s in parse(NOTE)] == [
        "chief complaint", "history of present illness", "medications", "assessment and plan",
    ]  # fmt: skip
    assert "BP: 120/80" in parse(NOTE)[2].body


def test_an_unknown_heading_in_capitals_ends_the_section_before_it():
    sections = parse("DIAGNOSIS: Goiter.\nPROCEDURE DURING THIS STAY:\nThyroidectomy.\nNECK: Supple.\nPLAN: Home.")
    assert [(s.title, s.body) for s in sections] == [
        ("diagnosis", "Goiter."), ("", "Thyroidectomy.\nNECK: Supple."), ("plan", "Home."),
    ]  # fmt: skip


@given(st.text(alphabet="Plan:AsesmtHPI \n*#.-abc", max_size=300))
def test_sections_lose_no_letter(text):
    def solid(s):
        return "".join(s.split())

    assert "".join(solid(s.text) for s in parse(text)) == solid(text)


def _instruct(split_name="train"):
    frame = pl.DataFrame(
        {"record": ["ab" * 16], "text": [NOTE], "note_type": ["Clinic Note"], "split": [split_name], "patient": ["p"]}
    )
    outcome = instruct.apply(frame, instruct.Params(), None)
    account(frame, outcome)
    return {row["task"]: row for row in outcome.created.iter_rows(named=True)}


def test_tasks_come_from_the_notes_own_words():
    made = _instruct()
    assert set(made) == {"assessment_plan", "medications", "section_title", "note_type"}
    assert made["assessment_plan"]["completion"].startswith("Bronchitis")
    assert "Bronchitis" not in made["assessment_plan"]["prompt"]
    assert "metformin 500 mg BID" in made["medications"]["completion"]
    assert made["note_type"]["completion"] == "clinic note"
    row = made["medications"]
    assert row["messages"] == [
        {"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["completion"]},
    ]  # fmt: skip
    assert row["parent"] == "ab" * 16


def test_sealed_non_members_make_no_instructions():
    assert _instruct("nonmember") == {}


def test_every_stage_has_the_names_the_runner_asks_for():
    for name, module in STAGES.items():
        assert name == module.NAME
        assert module.SCOPE in ("note", "patient", "corpus")
        assert module.Params().model_config["frozen"]
        assert {"READS", "WRITES", "LIBRARIES", "KEEP", "apply"} <= set(vars(module))
        assert (module.SCOPE == "corpus") == ({"map", "reduce"} <= set(vars(module)))
