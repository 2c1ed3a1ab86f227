"""Our model: what it was trained on, that training repeats, and that it reads what it must."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from clinicorpus_errors import UserError
from deid import language
from deid.detect import Detector, DetectParams, load_detector
from deid.evidence import Entity
from deid.recognizers import ner
from deid.training import MODEL_LABEL, save, train
from synthetic.training import JUDGED, texts
from synthetic.training.annotated import refill
from synthetic.training.fill import carrier, check, fill, from_annotated, templates
from tests.command import run_command

GOLD = Path(__file__).parent / "gold"


@pytest.fixture(scope="module")
def vocabulary() -> object:
    import clinicorpus

    return clinicorpus._vocabulary()


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load_detector()


def test_the_gold_is_as_it_was_frozen() -> None:
    for line in (GOLD / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((GOLD / name).read_bytes()).hexdigest() == digest, name


def test_the_card_tells_the_weights_and_the_size() -> None:
    folder = ner.MODELS["clinical_v1"]
    card = json.loads((folder / "card.json").read_text())
    assert card["weights_sha256"] == hashlib.sha256((folder / "identifiers" / "model").read_bytes()).hexdigest()
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 15_000_000
    assert set(card["labels"]) == set(MODEL_LABEL.values())


def test_every_template_has_known_slots_only() -> None:
    notes, with_slots, without, ambiguous = templates()
    assert len(notes) > 400
    assert len(with_slots) > 2000
    assert len(without) > 3000
    assert set(ambiguous) < set(with_slots)
    assert [t for t in (*notes, *with_slots, *without) if check(t)] == []


def test_what_is_filled_is_marked_where_it_stands(vocabulary: object) -> None:
    import random

    for seed in range(30):
        one = fill("Pt {p.full} ({mrn}) seen by Dr. {c1.last}.", random.Random(seed), vocabulary, damage=False)  # type: ignore[arg-type]
        name, number, clinician = one.spans
        assert one.text == (
            f"Pt {one.text[name[0] : name[1]]} ({one.text[number[0] : number[1]]}) seen by Dr. {one.text[clinician[0] : clinician[1]]}."
        )
        assert [span[2] for span in one.spans] == ["NAME", "MRN", "CLINICIAN"]


def test_a_carrier_note_becomes_a_template() -> None:
    assert carrier("[NAME] saw Dr. [CLINICIAN] on [DATE] {x}") == "{p.any} saw Dr. {c1.any} on {date} x"


def test_training_gives_the_same_weights_for_the_same_seed(tmp_path: Path, vocabulary: object) -> None:
    import itertools

    def weights(seed: int, folder: str) -> bytes:
        filled = [(t.text, t.spans) for t in itertools.islice(texts(seed, 0, vocabulary), 120)]  # type: ignore[arg-type]
        model = train([filled], 1, known=frozenset(["seen"]), seed=seed, width=32, depth=2)
        save(
            model,
            tmp_path / folder,
            _CARD,
            lambda made: {"trees": 1, "finds": 1, "drawn": 1, "texts": 1, "source": "x"},
        )
        return (tmp_path / folder / "identifiers" / "model").read_bytes()

    first = weights(3, "a")
    assert weights(3, "b") == first
    assert weights(4, "c") != first
    assert ner.load_model(str(tmp_path / "a")).tokenizer.known == {"seen"}  # type: ignore[union-attr]
    (tmp_path / "b" / "tokenizer").unlink()
    with pytest.raises(UserError, match="words they know"):
        ner.load_model(str(tmp_path / "b"))
    assert not (tmp_path / "a" / "vocab").exists()  # it would hold every drawn name


_CARD = {"name": "x", "command": "x", "labels": [], "settings": {}, "texts": {}}


def test_a_model_of_the_users_own_goes_into_manifests_by_digest(tmp_path: Path) -> None:
    (tmp_path / "identifiers").mkdir()
    (tmp_path / "identifiers" / "model").write_bytes(b"weights")
    (tmp_path / "judge.npz").write_bytes(b"trees")
    shown = DetectParams(ner=str(tmp_path)).model_dump()["ner"]
    assert shown.startswith("own:")
    assert str(tmp_path) not in shown
    handed = DetectParams(ner=str(tmp_path)).model_dump_json(context="worker")
    assert DetectParams.model_validate_json(handed).ner == str(tmp_path)
    (tmp_path / "judge.npz").write_bytes(b"other trees")
    assert DetectParams(ner=str(tmp_path)).model_dump()["ner"] != shown


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ValueError, match="deid train"):
        DetectParams(ner="clinical_v9")


@pytest.mark.parametrize(
    "text",
    [
        "d/w Okonkwo re abx, will call back", "per Oyelaran ok to dc", "Thandiwe says the rash is gone", "she lives in wausau with her aunt bronwyn",
        "pt's dtr svetlana at bedside, md haverkamp aware",
    ],
)  # fmt: skip
def test_names_without_any_sign_before_them_are_found(detector: Detector, text: str) -> None:
    assert detector.detect([text])[0]


def test_the_hidden_class_hides_listed_names_alone() -> None:
    hidden = [w for w in ("Smith", "Garcia", "Nguyen", "Patel", "Kim", "Olsen", "Rossi", "Weber", "Novak", "Silva", "Haddad", "Okafor") if language.hidden_class(w) != language.word_class(w)]  # fmt: skip
    assert 1 <= len(hidden) <= 8
    assert language.hidden_class("walked") == language.word_class("walked")


def test_a_word_the_authors_hardly_used_is_known_by_its_ending() -> None:
    known = language.frequent(["denies pain", "denies", "denies cough 12", "abacavir"])
    assert known == {"denies"}
    assert language.spelling("Denies", known) == "denies"
    assert language.spelling("abacavir", known) == language.spelling("Zanavir", known) == "~avir"
    assert language.spelling("12/3", known) == "00/0"


def test_annotated_notes_are_refilled_in_their_form(vocabulary: object) -> None:
    import random

    marked = "Dr. [[CLINICIAN:GONZALEZ]] saw [[NAME:Roe, Maria L.]] ([[MRN:12-34]]) on [[DATE:3/14]]; [[NAME:Maria]] is well."
    made = [from_annotated(marked, random.Random(seed), vocabulary) for seed in range(60)]  # type: ignore[arg-type]
    assert len({one.text for one in made}) > 25  # of one so short every other stays as it was written
    for one in made:
        assert [identifier for *_, identifier in one.spans] == ["CLINICIAN", "NAME", "MRN", "DATE", "NAME"]
    whole = [
        "".join(
            p.text if not p.identifier else f"<{p.identifier}>" for p in refill(marked, random.Random(s), vocabulary)
        )
        for s in range(9)
    ]  # type: ignore[arg-type]
    assert set(whole) == {"Dr. <CLINICIAN> saw <NAME> (<MRN>) on <DATE>; <NAME> is well."}
    for seed in range(30):
        surgeon, full, number, day, first = (
            p.text for p in refill(marked, random.Random(seed), vocabulary) if p.identifier
        )  # type: ignore[arg-type]
        assert surgeon.isupper()
        assert day == "3/14"
        assert [c.isdigit() for c in number] == [True, True, False, True, True]
        assert full.split(", ")[1].removesuffix(" L.") == first


def test_train_says_at_once_that_its_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run_command(tmp_path, "deid", "train", "--out", str(tmp_path / "file" / "models" / "mine"))
    assert result.returncode == 2
    assert "cannot be made" in result.stderr
    assert "texts" not in result.stdout


@pytest.mark.slow
def test_train_writes_a_model_that_detect_takes(tmp_path: Path) -> None:
    out = tmp_path / "models" / "mine" / "model"  # the folders above it are made
    result = run_command(tmp_path, "deid", "train", "--rounds", "1", "--patients", "1", "--out", str(out), "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["settings"]["rounds"] == 1
    assert (out / "README.md").is_file()
    assert load_detector(DetectParams(ner=str(out))).detect(["Dr. Maria Gonzalez was seen."])[0]


@pytest.mark.slow
def test_calibrate_grows_the_judge_on_gold_of_one_s_own_too(tmp_path: Path) -> None:
    out = shutil.copytree(ner.MODELS["clinical_v1"], tmp_path / "clinical_v1")
    before = (out / "judge.npz").read_bytes()
    gold = tmp_path / "gold.txt"
    gold.write_text(
        (JUDGED / "29_slices.txt").read_text(encoding="utf-8")[-20_000:].split("=====", 1)[1], encoding="utf-8"
    )
    result = run_command(tmp_path, "deid", "calibrate", str(out), "--gold", str(gold))
    assert result.returncode == 0, result.stderr
    assert (out / "judge.npz").read_bytes() != before
    assert json.loads((out / "card.json").read_text())["judge"]["source"].split("; ")[1].startswith("gold.txt")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("The wound was clean and dry.", False),
        ("She slept well and ate all of the meal.", False),
        ("She slept at the Heart Center.", True),  # ordinary words, but a capital
        ("She took the bus 12 home.", True),
        ("she slept well and ate all of the meal", True),  # all is in small letters, so are its names
        ("Hodgkin slept well and ate all of the meal.", True),
        ("The Okonkwo family slept.", True),
    ],
)
def test_only_what_could_hold_an_identifier_is_read(text: str, read: bool) -> None:
    assert bool(list(ner.stretches(text))) == read


@pytest.mark.parametrize(
    ("marked", "label", "left"),
    [
        ("sent to «the Prairie Rose for» rehab", "FACILITY", ["Prairie Rose"]),
        ("«At the Prairie Rose and» home", "FACILITY", ["Prairie Rose"]),
        ("On the «lower extremities» of it", "FACILITY", []),
        ("sent to «prairie rose»", "FACILITY", ["prairie rose"]),
        ("Seen by Dr. X. «However he» left", "NAME", []),
        ("Vicodin «p.r.n. pain»", "CODE", []),
        ("Known «Parkinson» signs", "NAME", []),
        ("Now «Allegra» signs for herself", "NAME", ["Allegra"]),
    ],
)
def test_ends_that_name_nothing_and_what_is_no_name_at_all_are_left(marked: str, label: str, left: list[str]) -> None:
    start, end = marked.index("«"), marked.index("»") - 1
    text = marked.replace("«", "").replace("»", "")
    assert [text[s.start : s.end] for s in ner.from_entities(text, [Entity(label, start, end, 0.9, 0.9)])] == left
