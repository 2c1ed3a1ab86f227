"""Our model: what it was trained on, that training repeats, and that it reads what it must."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from deid import language
from deid.detect import Detector, DetectParams, load_detector
from deid.recognizers import ner
from deid.training import MODEL_LABEL, save, train
from synthetic.training import texts
from synthetic.training.fill import carrier, check, fill, templates
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
        stream = ((t.text, t.spans) for t in itertools.islice(texts(seed, 1, vocabulary), 120))  # type: ignore[arg-type]
        save(train(stream, seed=seed, width=32, depth=2), tmp_path / folder, _CARD)
        return (tmp_path / folder / "identifiers" / "model").read_bytes()

    first = weights(3, "a")
    assert weights(3, "b") == first
    assert weights(4, "c") != first
    load_detector(DetectParams(ner=str(tmp_path / "a"))).detect(["Maria Gonzalez was seen."])
    assert not (tmp_path / "a" / "vocab").exists()  # it would hold every drawn name


_CARD = {"name": "x", "command": "x", "labels": [], "settings": {}, "texts": {}}


def test_a_model_of_the_users_own_goes_into_manifests_by_digest(tmp_path: Path) -> None:
    (tmp_path / "identifiers").mkdir()
    (tmp_path / "identifiers" / "model").write_bytes(b"weights")
    shown = DetectParams(ner=str(tmp_path)).model_dump()["ner"]
    assert shown.startswith("own:")
    assert str(tmp_path) not in shown


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
    assert language.hidden_class("metoprolol") == language.word_class("metoprolol")


@pytest.mark.slow
def test_train_writes_a_model_that_detect_takes(tmp_path: Path) -> None:
    out = tmp_path / "model"
    result = run_command(tmp_path, "deid", "train", "--rounds", "1", "--patients", "1", "--out", str(out), "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["settings"]["rounds"] == 1
    assert (out / "README.md").is_file()
