"""Evaluation sets on their way in, contamination and boilerplate as stages, and both in a whole build."""

import gzip
import json
import random
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinicorpus_errors import UserError
from corpus import evaluation
from corpus.keys import NO_KEYS
from corpus.recipe import EvaluationSet, Recipe
from corpus.runner import account
from corpus.stages import STAGES, contamination, dedupe_boilerplate
from corpus.stages._cuts import changed, cuts
from corpus.stages.contamination import Params
from dedupe.contamination import ContaminationParams, find
from tests.command import run_command

ITEM = (
    "He presents with three days of colicky pain in the right flank that goes to the groin, with blood in his urine and "
    "nausea, but no fever, and he could not sleep at all last night because of it."
)
OTHER = (
    "She fell on the outstretched hand while skating with her sister, and since then the wrist is swollen over the snuff "
    "box and hurts with every grip, though the first films showed no break."
)
REST = "The lungs are clear. Potassium was low at admission and was replaced by mouth. " * 3
DISCLAIMER = "This document contains confidential health information that is protected by state and federal law."
PLACE = pl.List(pl.Struct({"start": pl.Int64, "end": pl.Int64}))
SPAN = pl.List(pl.Struct({"out_start": pl.Int64, "out_end": pl.Int64}))


def _set(path, kind="notes", **keys):
    return EvaluationSet(name="held out", path=path, kind=kind, **keys)


def _write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def index(tmp_path):
    table = tmp_path / "items.parquet"
    pl.DataFrame({"set": ["held out", "clean"], "item": ["1", "1"], "text": [ITEM, OTHER]}).write_parquet(table)
    return contamination.load(Params(), NO_KEYS, table)


def _batch(*texts):
    rows = {"record": [f"r{i:02d}" for i in range(len(texts))], "text": list(texts)}
    return pl.DataFrame(rows, schema={"record": pl.String, "text": pl.String})


# --- the stage -----------------------------------------------------------------------------------------------


def test_a_note_that_holds_an_item_goes_and_the_ledger_says_which(index):
    batch = _batch(REST, f"{REST}\n{ITEM.upper()}")
    outcome = contamination.apply(batch, Params(), index)
    assert account(batch, outcome)["dropped"] == {"contamination.item": 1}
    assert outcome.drops.select("record", "similarity", "item").rows() == [("r01", 1.0, "held out/1")]
    assert outcome.findings.select("record", "product", "action").rows() == [("r01", "note", "dropped")]


def test_trimming_takes_the_passage_and_leaves_the_rest(index):
    batch = _batch(f"{REST}\n{ITEM}\nPLAN: {REST}")
    outcome = contamination.apply(batch, Params(policy="trim"), index)
    assert account(batch, outcome)["removed"]["contamination.trim"] >= len(ITEM)
    assert outcome.batch["text"].to_list() == [f"{REST}\nPLAN: {REST}"]
    assert outcome.findings["action"].to_list() == ["trimmed"]


def test_a_note_of_little_else_goes_when_it_is_trimmed(index):
    batch = _batch(f"Seen today. {ITEM}")
    outcome = contamination.apply(batch, Params(policy="trim"), index)
    assert account(batch, outcome)["dropped"] == {"contamination.rest": 1}


def test_a_note_whose_halves_make_the_item_again_once_it_is_cut_out_goes():
    words = [f"w{i}" for i in range(14)]
    index = contamination.index(
        pl.DataFrame({"set": ["s"], "item": ["1"], "text": [" ".join(words)]}), ContaminationParams()
    )
    batch = _batch(" ".join([REST, *words[:7], *words, *words[7:], REST]))
    outcome = contamination.apply(batch, Params(policy="trim"), index)
    assert account(batch, outcome)["dropped"] == {"contamination.item": 1}


def test_report_changes_nothing_and_tells(index):
    batch = _batch(ITEM)
    outcome = contamination.apply(batch, Params(policy="report"), index)
    assert outcome.batch.equals(batch)
    assert outcome.findings["held"].to_list() == [True]


def test_without_evaluation_sets_the_stage_passes_everything_on():
    assert contamination.load(Params(), NO_KEYS) is None
    assert contamination.apply(_batch(ITEM), Params(), None).batch.height == 1


@pytest.mark.parametrize("policy", ["drop", "trim"])
def test_instruction_records_go_for_an_item_of_their_own_or_with_their_note(index, policy):
    batch = _batch(ITEM, f"{ITEM} {REST}", REST)
    outcome = contamination.apply(batch, Params(policy=policy), index)
    rows = [
        ("a", "r00", "What?", "x"),
        ("b", "r01", f"Why? {ITEM}", "x"),
        ("c", "r01", "K?", "x"),
        ("d", "r02", "K?", "x"),
    ]
    created = pl.DataFrame(rows, schema=["record", "parent", "prompt", "completion"], orient="row")
    screened = contamination.screen(created, outcome, Params(policy=policy), index)
    reasons = dict(screened.drops.select("record", "reason").iter_rows())
    with_note = {"c": "contamination.parent"} if policy == "drop" else {}
    assert reasons == {"a": "contamination.parent", "b": "contamination.item", **with_note}
    assert screened.drops["item"].to_list() == ["held out/1"] * len(reasons)
    assert sorted([*screened.batch["record"], *reasons]) == ["a", "b", "c", "d"]


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from(["drop", "trim"]))
def test_no_record_that_goes_on_holds_an_item_and_every_character_is_accounted_for(seed, policy):
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(300)]
    held_out = [" ".join(rng.choices(words, k=rng.randint(5, 40))) for _ in range(4)]
    items = pl.DataFrame({"set": "s", "item": [str(i) for i in range(4)], "text": held_out})
    made = contamination.index(items, ContaminationParams())
    texts = []
    for _ in range(12):
        before, after = (" ".join(rng.choices(words, k=rng.randint(0, 40))) for _ in range(2))
        copied = rng.choices(held_out, k=rng.randint(0, 2))
        texts.append(rng.choice([" ", "\n", ". ", "("]).join([before, *copied, after]))
    batch = _batch(*texts)
    outcome = contamination.apply(batch, Params(policy=policy, min_words_left=5), made)
    account(batch, outcome)
    assert not find(outcome.batch["text"], made)["held"].any()
    holding = outcome.findings.filter("held")["record"].implode()
    clean = batch.filter(~pl.col("record").is_in(holding))
    assert clean.equals(outcome.batch.filter(~pl.col("record").is_in(holding)))


# --- boilerplate ---------------------------------------------------------------------------------------------


def _notes(count=4):
    texts = [f"Pain number {i} [DATE].\n{DISCLAIMER}\nSigned [NAME]." for i in range(count)] + [DISCLAIMER]
    spans = [
        [{"out_start": text.index(p), "out_end": text.index(p) + 6} for p in ("[DATE]", "[NAME]") if p in text]
        for text in texts
    ]
    return _batch(*texts).with_columns(
        group=pl.Series([f"p{i}" for i in range(count + 1)]), spans=pl.Series(spans, dtype=SPAN)
    )


@pytest.mark.parametrize(
    ("policy", "text", "dropped"),
    [
        ("keep", None, {}),
        ("remove", "Pain number 0 [DATE].\nSigned [NAME].", {"dedupe.boilerplate": 1}),
        ("collapse", "Pain number 0 [DATE].\n[BOILERPLATE]\nSigned [NAME].", {"dedupe.boilerplate": 1}),
    ],
)
def test_boilerplate_is_handled_as_the_policy_says_and_identifiers_keep_their_place(policy, text, dropped):
    params = dedupe_boilerplate.Params(policy=policy, min_patients=3, min_share=0)
    batch = _notes()
    decisions = dedupe_boilerplate.reduce([dedupe_boilerplate.map(batch, params).lazy()], params)
    outcome = dedupe_boilerplate.apply(batch, params, decisions)
    assert account(batch, outcome)["dropped"] == dropped
    assert outcome.batch["text"][0] == (text or batch["text"][0])
    for row in outcome.batch.iter_rows(named=True):
        for span in row["spans"]:
            assert row["text"][span["out_start"] : span["out_end"]] in ("[DATE]", "[NAME]")
    assert outcome.findings.select("patients", "notes", "sentence").rows() == [(5, 5, DISCLAIMER)]
    assert outcome.details["boilerplate"]["places"] == 5


@given(st.text(alphabet="ab \n.", max_size=60), st.lists(st.integers(0, 60), max_size=8), st.sampled_from(["", "[X]"]))
def test_a_cut_counts_what_it_takes_and_moves_what_stays(text, bounds, marker):
    edges = sorted({min(b, len(text)) for b in bounds})
    places = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False) if text[a:b].strip()]
    spans = [{"out_start": i, "out_end": i + 1} for i in range(len(text))]
    words = [{"start": m.start(), "end": m.end()} for m in re.finditer(r"[ab.]+", text)]
    batch = _batch(text).with_columns(spans=pl.Series([spans], dtype=SPAN), copied=pl.Series([words], dtype=PLACE))
    after, account = changed(batch, cuts(batch, {"r00": places}, marker), "x")
    ((_, new, moved, copied),) = after.rows()
    assert len(new) == len(text) - account["removed"].sum() + account["inserted"].sum()
    inside = {i for a, b in places for i in range(a, b)}
    letters = [c for i, c in enumerate(text) if i not in inside and c in "ab."]
    assert [c for s in moved if (c := new[s["out_start"]]) in "ab."] == letters
    followed = "".join(new[p["start"] : p["end"]] for p in copied)
    assert [c for c in followed if c in "ab."] == letters


@pytest.mark.parametrize("policy", ["remove", "collapse"])
def test_places_of_copied_passages_move_when_boilerplate_goes(policy):
    params = dedupe_boilerplate.Params(policy=policy, min_patients=3, min_share=0)
    batch = _notes()
    places = [[{"start": s, "end": len(text)}] if (s := text.find("Signed")) >= 0 else None for text in batch["text"]]
    batch = batch.with_columns(copied=pl.Series(places, dtype=PLACE))
    decisions = dedupe_boilerplate.reduce([dedupe_boilerplate.map(batch, params).lazy()], params)
    after = dedupe_boilerplate.apply(batch, params, decisions).batch
    assert after.height == 4
    for text, copied in after.select("text", "copied").iter_rows():
        assert [text[p["start"] : p["end"]] for p in copied] == ["Signed [NAME]."]


def test_places_of_copied_passages_move_with_the_text(index):
    text = f"{REST}\n{ITEM}\nPLAN: {REST}"
    places = [{"start": text.index("PLAN"), "end": len(text)}, {"start": text.index(ITEM), "end": text.index(ITEM) + 9}]
    batch = _batch(text, REST).with_columns(copied=pl.Series([places, None], dtype=PLACE))
    after = contamination.apply(batch, Params(policy="trim"), index).batch
    (moved,) = after["copied"][0].to_list()
    assert after["text"][0][moved["start"] : moved["end"]] == f"PLAN: {REST}"
    assert after["copied"][1] is None


# --- evaluation sets -----------------------------------------------------------------------------------------


def test_a_question_brings_its_options_whatever_their_shape(tmp_path):
    path = _write(
        tmp_path / "q.jsonl",
        {"id": "a", "question": "Q1", "options": {"A": "x", "B": "y"}},
        {"id": "b", "question": "Q2", "options": ["x", "", None, 3]},
        {"id": "b", "question": "", "options": ["z"]},
    )
    rows = evaluation.read_items(_set(path, "multiple_choice")).select("item", "text").rows()
    assert rows == [("a", "Q1"), ("a", "x"), ("a", "y"), ("b", "Q2"), ("b", "x"), ("b", "3"), ("b#2", ""), ("b#2", "z")]


def test_only_some_items_and_fields_of_other_names_can_be_taken(tmp_path):
    path = _write(
        tmp_path / "s.jsonl",
        {"note_id": "a", "findings": "F", "impression": "I", "split": "test"},
        {"note_id": "b", "findings": "G", "impression": "J", "split": "train"},
    )
    one = _set(path, "summaries", fields={"source": "findings", "summary": "impression"}, only={"split": ("test",)})
    assert evaluation.read_items(one).rows() == [("held out", "a", "F"), ("held out", "a", "I")]


@pytest.mark.parametrize("name", ["n.jsonl.gz", "n.csv", "n.parquet"])
def test_every_format_is_read(tmp_path, name):
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(b'{"text": "T"}\n'))
    else:
        frame = pl.DataFrame({"text": ["T"]})
        (frame.write_csv if name.endswith("csv") else frame.write_parquet)(path)
    assert evaluation.read_items(_set(path)).rows() == [("held out", "1", "T")]


@pytest.mark.parametrize(
    ("data", "keys", "told"),
    [
        (b"", {}, "has no items"),
        (b'{"text": "T", "split": "a"}', {"only": {"split": ["b"]}}, "evaluation.only passes over all 1"),
        (b'{"txt": "T"}', {}, "has this field"),
        (b'{"text": "T"}', {"fields": {"note": "text"}}, "this kind does not have"),
        (b'{"text": "secret"\n', {}, "line 1"),
        (b'["secret"]\n', {}, "line 1"),
        (b"\xff\xfe secret", {}, "cannot be read"),
        (gzip.compress(b'{"text": "secret"}' * 50)[:20], {}, "cannot be read"),
        (None, {}, "is missing"),
    ],
)
def test_a_set_that_cannot_be_looked_for_stops_the_build_before_any_work(tmp_path, data, keys, told):
    path = tmp_path / "set.jsonl"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        evaluation.items_file([_set(path, **keys)], ContaminationParams(), tmp_path)
    said = " ".join(map(str, (caught.value, caught.value.cause, caught.value.next)))
    assert told in said
    assert "secret" not in said


def test_an_optional_set_that_is_absent_is_told_as_not_measured(tmp_path):
    one = _set(tmp_path / "none.jsonl", optional=True)
    items = evaluation.items_file([one], ContaminationParams(), tmp_path)
    (entry,) = evaluation.report([one], items.counts, [])
    assert entry["figures"] == {"measured": False, "cause": "file is absent"}


def test_two_sets_of_one_name_and_an_unknown_kind_are_mistakes_of_the_recipe():
    one = {"name": "a", "path": "x", "kind": "notes"}
    with pytest.raises(ValueError, match="two sets have the name a"):
        Recipe.model_validate({"name": "w", "source": {"kind": "synthetic"}, "evaluation": [one, one]})
    with pytest.raises(ValueError, match="multiple_choice"):
        EvaluationSet.model_validate({**one, "kind": "mcq"})


def test_contamination_runs_in_the_worker_call_that_makes_instruction_records():
    names = list(STAGES)
    assert names[names.index("instruct") + 1 :] == ["contamination"]
    assert not STAGES["instruct"].KEEP


# --- a whole build -------------------------------------------------------------------------------------------


def _rows():
    for i in range(60):
        body = f"HPI: She has had pain number {i * 7919 % 1000} for {i + 2} days after walking {i * 31} steps on day {i}.\n"
        extra = f"{ITEM}\n" if i % 10 == 3 else ""
        plan = f"MEDICATIONS: aspirin {i} mg and metformin {i * 13} mg daily\nPLAN: Recheck potassium {i * 17} in {i + 1} weeks.\n"
        footer = f"\n{DISCLAIMER}" if i % 2 else ""
        text = f"{body}{extra}{plan}{footer}"
        yield {"note_id": f"n{i}", "patient_id": f"p{i // 2}", "text": text, "note_type": "clinic"}


def _build(folder, **keys):
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "notes.jsonl", *_rows())
    _write(folder / "held.jsonl", {"id": "1", "text": ITEM}, {"id": "2", "text": "too short"})
    _write(folder / "other.jsonl", {"id": "1", "text": OTHER})
    recipe = {
        "name": "ward", "source": {"kind": "jsonl", "path": str(folder / "notes.jsonl"), "public": True},
        "crosswalk_seed": 3, "shards": 3, "workers": 1, "measure": {"selfcheck": False, "attack": False},
        "evaluation": [
            {"name": "held out", "path": str(folder / "held.jsonl"), "kind": "notes"},
            {"name": "other", "path": str(folder / "other.jsonl"), "kind": "notes"},
        ], **keys,
    }  # fmt: skip
    recipe["stages"] = {"deid.detect": {"ner": "none"}, **recipe.get("stages", {})}
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    done = run_command(folder, "corpus", "build", "recipe.yaml", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    stages = {"dedupe.boilerplate": {"policy": "remove", "min_share": 0}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLINICORPUS_KEYS", str(tmp_path_factory.mktemp("keys")))
        root = tmp_path_factory.mktemp("builds")
        yield root, _build(root / "one", stages=stages), _build(root / "two", stages=stages, shards=7, workers=2)


def _contamination(result):
    return {m["gold"]: m["figures"] for m in result["measured"] if m["what"] == "contamination"}


@pytest.mark.slow
def test_a_build_drops_what_holds_an_item_and_says_which_sets_were_clean(built):
    root, result, _two = built
    told = _contamination(result)
    assert told["other"]["clean"]
    dirty = told["held out"]
    assert (dirty["clean"], dirty["items_found"], dirty["notes_dropped"], dirty["too_short_to_tell"]) == (
        False,
        1,
        6,
        1,
    )
    for entry in result["files"]:
        if entry["path"].endswith(".parquet"):
            frame = pl.read_parquet(f"{result['corpus']}/{entry['path']}")
            text = frame["text"] if "text" in frame.columns else frame["prompt"] + " " + frame["completion"]
            assert not text.str.contains("colicky pain in the right flank").any()
    ledger = pl.read_parquet(root / "one" / "work" / "ward" / "ledger.parquet")
    stage = next(s for s in result["stages"] if s["name"] == "contamination")
    assert ledger.filter(stage="contamination").height == sum(stage["dropped"].values())
    assert ledger.filter(pl.col("note_id").is_not_null()).height == 60
    assert set(ledger.filter(stage="contamination")["item"]) == {"held out/1"}
    assert run_command(root / "one", "audit", "corpus").returncode == 0


@pytest.mark.slow
def test_shards_and_workers_do_not_change_what_is_found(built):
    _root, one, two = built
    assert _contamination(one) == _contamination(two)
    files = [{f["path"]: f["sha256"] for f in r["files"] if f["path"].endswith(".parquet")} for r in (one, two)]
    assert files[0] == files[1]


@pytest.mark.slow
def test_a_build_takes_boilerplate_out_and_lists_it(built):
    root, result, _two = built
    stages = {s["name"]: s for s in json.loads(Path(result["manifest"]).read_bytes())["stages"]}
    assert stages["dedupe.boilerplate"]["removed"]["dedupe.boilerplate.remove"] >= 30 * len(DISCLAIMER)
    files = [f["path"] for f in result["files"] if f["path"].startswith("pretrain/")]
    texts = pl.concat([pl.read_parquet(f"{result['corpus']}/{path}")["text"] for path in files])
    assert not texts.str.contains("confidential").any()
    listed = pl.read_csv(root / "one" / "work" / "ward" / "boilerplate.csv")
    assert listed.select("patients", "sentence").row(0) == (30, DISCLAIMER)
    assert "confidential" not in json.dumps(result)
