"""Our model as the detector runs it: spaCy's numbers, whatever is read beside a text."""

from __future__ import annotations

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from deid import language, tagger
from deid.recognizers.ner import MODELS, finds
from deid.tagger import Tagged, Tagger

TEXTS = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.sampled_from("Ms. Okonkwo saw  Dr. Núñez on 3/14/2019\t at\n 14:05, MRN 00412 's  Foley".split(" ")), max_size=60).map(" ".join),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def nlp() -> spacy.language.Language:
    assert language.LANGUAGE in spacy.registry.languages  # the import registered it
    return spacy.load(MODELS["clinical_v1"])


@pytest.fixture(scope="module")
def ours(nlp: spacy.language.Language) -> Tagger:
    return Tagger(nlp)


@settings(deadline=None, max_examples=60)
@given(parts=TEXTS)
def test_it_gives_what_spacy_gives(nlp: spacy.language.Language, ours: Tagger, parts: list[str]) -> None:
    pipe = nlp.get_pipe("identifiers")
    for part, tagged in zip(parts, ours.read(parts), strict=True):
        doc = nlp.make_doc(part)
        assert [(t.idx, t.idx + len(t)) for t in doc] == list(zip(tagged.starts, tagged.ends, strict=True))
        if len(doc):
            (theirs,) = pipe.model.predict([doc])  # type: ignore[attr-defined]
            assert tagged.probabilities == pytest.approx(theirs, abs=1e-5)


@settings(deadline=None, max_examples=60)
@given(texts=TEXTS, others=TEXTS)
def test_a_text_is_read_the_same_whatever_was_read_before(
    nlp: spacy.language.Language, ours: Tagger, texts: list[str], others: list[str]
) -> None:
    fresh = Tagger(nlp)
    fresh.read(others)  # it learns these words first, in other company
    assert _same(ours.read(texts), fresh.read(texts))


def test_a_text_is_read_the_same_by_a_model_that_has_read_much_and_one_that_has_read_nothing(
    nlp: spacy.language.Language, ours: Tagger, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [[f"Seen by Dr. Okonkwo{n} for cough", f"{n} days"] for n in range(300)]
    before = [ours.read(text) for text in texts]
    monkeypatch.setattr(tagger, "_KEPT", 300)  # it forgets again and again
    forgetful = Tagger(nlp)
    after = [forgetful.read(text) for text in reversed(texts)]
    assert all(map(_same, before, reversed(after)))


def _same(some: list[Tagged], others: list[Tagged]) -> bool:
    """To the last bit."""
    return all(np.array_equal(a.probabilities, b.probabilities) for a, b in zip(some, others, strict=True))


@settings(deadline=None, max_examples=20)
@given(texts=TEXTS, data=st.data())
def test_a_note_s_finds_are_the_same_alone_and_in_any_company(
    ours: Tagger, texts: list[str], data: st.DataObject
) -> None:
    i = data.draw(st.integers(0, len(texts) - 1))
    assert finds(ours, texts)[i] == finds(ours, [texts[i]])[0]


def test_a_text_longer_than_is_read_at_once_is_read_whole(ours: Tagger) -> None:
    (tagged,) = ours.read(["a b " * 3000])
    assert len(tagged.probabilities) == len(tagged.starts) == 6000
    parts = ours.read(["a b " * 150] * 9)
    assert [len(part.starts) for part in parts] == [300] * 9
