"""The manifest's schema, for readers without Python, and what may leave of a count."""

import json
from pathlib import Path

import pytest

from manifests import CorpusManifest, canonical
from manifests.corpus_manifest import Stage, suppress
from manifests.report import funnel

ROOT = Path(__file__).parents[2]


def test_the_shipped_schema_is_the_one_in_use():
    path = ROOT / "manifests" / "schema" / "corpus-manifest-1.json"
    assert json.loads(path.read_text()) == CorpusManifest.model_json_schema(by_alias=True)


@pytest.mark.parametrize(("count", "shown"), [(0, "<11"), (10, "<11"), (11, "10"), (14, "10"), (1_996, "2,000")])
def test_small_counts_are_hidden_and_others_rounded(count, shown):
    assert suppress(count) == shown


def test_the_canonical_form_is_one_form_and_refuses_what_json_has_not():
    assert canonical({"b": 1, "a": "é"}) == canonical({"a": "é", "b": 1}) == '{\n  "a": "é",\n  "b": 1\n}\n'.encode()
    with pytest.raises(ValueError, match="JSON"):
        canonical({"a": float("nan")})


def test_the_same_stages_always_give_the_same_picture():
    line = {
        "scope": "note", "code": "", "params": {}, "created": {}, "chars_in": 0, "chars_out": 0, "inserted": {},
        "removed": {}, "records_in": 30, "records_out": 20, "dropped": {"filters.short": 10},
    }  # fmt: skip
    stages = [Stage.model_validate({"name": name, **line}) for name in ("filters", "split")]
    first = funnel(stages)
    assert "clip1" in first
    assert funnel(stages) == first
