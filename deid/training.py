"""Trains the model of names and places: spaCy's NER over text whose identifiers are known.

One command, `clinicorpus deid train`, on text the project generates itself; the same seed and versions give the same
weights. The texts are handed in, because this room knows no other.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from deid import language
from deid.folding import fold
from deid.tagger import one_thread, use_numpy
from deid.torchless import without_torch

with without_torch():
    import spacy
    from spacy.language import Language
    from spacy.tokens import Doc
    from spacy.training import Example
    from spacy.util import fix_random_seed
    from thinc.api import Adam

Labelled = tuple[str, Sequence[tuple[int, int, str]]]

# The model learns where an identifier stands and roughly what it is; of numbers, which kind they are is left to the
# patterns. Ages are patterns' work alone.
MODEL_LABEL = {
    "NAME": "NAME", "CLINICIAN": "CLINICIAN", "FACILITY": "FACILITY", "EMPLOYER": "EMPLOYER", "CITY": "CITY", "COUNTY": "CITY",
    "STREET": "STREET", "UNIT": "UNIT", "DATE": "DAY",
    **dict.fromkeys("ZIP PHONE FAX EMAIL SSN MRN HEALTH_PLAN ACCOUNT LICENSE VEHICLE DEVICE URL IP BIOMETRIC USERNAME OTHER_ID".split(), "CODE"),
}  # fmt: skip

RATE = 0.002  # falls in a line to a two-hundredth
SHAPE = {"width": 128, "depth": 5}

CONFIG = """
[nlp]
lang = "en_clinical"
pipeline = ["identifiers"]
batch_size = 256

[nlp.tokenizer]
@tokenizers = "clinicorpus.Tokenizer.v1"

[components]

[components.identifiers]
factory = "tagger"
label_smoothing = 0.02
overwrite = true

[components.identifiers.model]
@architectures = "spacy.Tagger.v2"
normalize = true

[components.identifiers.model.tok2vec]
@architectures = "spacy.Tok2Vec.v2"

[components.identifiers.model.tok2vec.embed]
@architectures = "spacy.MultiHashEmbed.v2"
width = {width}
attrs = ["NORM", "PREFIX", "SUFFIX", "SHAPE"]
rows = [8000, 1500, 3000, 1500]
include_static_vectors = false

[components.identifiers.model.tok2vec.encode]
@architectures = "spacy.MaxoutWindowEncoder.v2"
width = {width}
depth = {depth}
window_size = 1
maxout_pieces = 2
"""


def blank(width: int = SHAPE["width"], depth: int = SHAPE["depth"]) -> Language:
    """The untrained pipeline: one tag for each token, "O" or "B-" or "I-" and the label.

    A tagger and not spaCy's transition-based NER, because it gives a probability for each token, by which a leak can be
    weighed against over-masking, and because it is three times as fast: 20 against 66 microseconds a token.
    """
    return spacy.util.load_model_from_config(
        spacy.util.load_config_from_str(CONFIG.format(width=width, depth=depth)), auto_fill=True
    )


def examples(nlp: Language, texts: Iterable[Labelled]) -> Iterator[Example]:
    """Texts as spaCy examples: read as the detector reads them, identifiers widened to whole tokens."""
    for text, spans in texts:
        folded, offsets = fold(text)
        doc = nlp.make_doc(folded if offsets is None else text)
        if not len(doc):
            continue
        tags = ["O"] * len(doc)
        for start, end, identifier in spans:
            if label := MODEL_LABEL.get(identifier):
                span = doc.char_span(start, end, alignment_mode="expand")
                if span is not None:
                    for i in range(span.start, span.end):
                        tags[i] = f"{'B' if i == span.start else 'I'}-{label}"
        words, spaces = [t.text for t in doc], [bool(t.whitespace_) for t in doc]
        yield Example(doc, Doc(nlp.vocab, words=words, spaces=spaces, tags=tags))


def train(
    rounds: Iterable[Sequence[Labelled]], number: int, *, known: frozenset[str], seed: int,
    width: int = SHAPE["width"], depth: int = SHAPE["depth"], say: Callable[[int, float], None] = lambda n, loss: None,
) -> Language:  # fmt: skip
    """A pipeline trained in one pass over `number` rounds of text, each of which holds every template once, filled anew.

    `known` are the words whose spelling it sees (`language.frequent`). `say(texts so far, mean loss of the last ones)` is
    called every 4,000 texts.
    """
    fix_random_seed(seed)
    nlp = blank(width, depth)
    nlp.tokenizer.know(known)  # type: ignore[union-attr]
    # One listed name in four is hidden from the model, or it would learn the lists instead of the language.
    nlp.vocab.lex_attr_getters[spacy.attrs.PREFIX] = language.hidden_class  # type: ignore[attr-defined]
    tagger = nlp.get_pipe("identifiers")
    for tag in ("O", *(f"{side}-{label}" for label in sorted(set(MODEL_LABEL.values())) for side in "BI")):
        tagger.add_label(tag)  # type: ignore[attr-defined]
    stream = iter(rounds)
    first = next(stream)
    nlp.initialize(lambda: examples(nlp, first[:400]))
    use_numpy(nlp)
    optimizer = Adam(RATE, L2=0.01, grad_clip=1.0, use_averages=True)
    rng = random.Random(seed)
    seen = said = 0
    total = 0.0
    for done, texts in enumerate(itertools.chain([first], stream)):
        batches = _batches(texts, rng)
        for i, batch in enumerate(batches):
            optimizer.learn_rate = RATE * max(0.005, 1 - (done + i / len(batches)) / number)
            losses: dict[str, float] = {}
            with one_thread():
                nlp.update(list(examples(nlp, batch)), sgd=optimizer, losses=losses, drop=0.1)
            seen += len(batch)
            total += losses["identifiers"]
            if seen - said >= 4000:
                say(seen, total / (seen - said))
                total, said = 0.0, seen
    # The mean of the last weights, not the last weights: they swing with each batch.
    with nlp.use_params(optimizer.averages):
        averaged = tagger.model.to_bytes()  # type: ignore[attr-defined]
    tagger.model.from_bytes(averaged)  # type: ignore[attr-defined]
    return nlp


def _batches(texts: Sequence[Labelled], rng: random.Random) -> list[list[Labelled]]:
    """Texts of about the same length by up to 64 and 16,000 characters, the batches in any order.

    Whole notes and single lines are not mixed: a gradient is clipped to one length, and notes would outvote the lines.
    """
    order = sorted(rng.sample(texts, len(texts)), key=lambda one: len(one[0]).bit_length())
    batches: list[list[Labelled]] = [[]]
    held = 0
    for one in order:
        if batches[-1] and (len(batches[-1]) == 64 or held + len(one[0]) > 16_000):
            batches.append([])
            held = 0
        batches[-1].append(one)
        held += len(one[0])
    rng.shuffle(batches)
    return batches


def save(nlp: Language, out: Path, card: dict[str, Any], finish: Callable[[Path], dict[str, Any]]) -> None:
    """Write the pipeline, what `finish` adds to its folder, and its card into the folder `out`, which appears whole or not
    at all. `finish(folder)` writes the judge and returns what the card says of it.

    Left out is spaCy's table of strings: it would hold every drawn name, and the features are hashes that need none.
    """
    partial = out.with_name(f".partial-{out.name}")
    shutil.rmtree(partial, ignore_errors=True)
    nlp.to_disk(partial, exclude=["vocab"])
    weights = hashlib.sha256((partial / "identifiers" / "model").read_bytes()).hexdigest()
    write_card(
        partial,
        {**card, "judge": finish(partial), "weights_sha256": weights, "libraries": {"spacy": spacy.__version__}},
    )
    if out.exists():
        shutil.rmtree(out)
    partial.rename(out)


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """The card of a model as card.json and README.md; its size is counted anew."""
    parts = (file for file in folder.rglob("*") if file.is_file() and file.name not in ("card.json", "README.md"))
    card["bytes"] = sum(file.stat().st_size for file in parts)
    (folder / "card.json").write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_readme(card), encoding="utf-8")


def _readme(card: dict[str, Any]) -> str:
    """The card as a page: what the model is, what it was trained on, how to get the same bytes."""
    settings = ", ".join(f"{name} {value}" for name, value in card["settings"].items())
    sources = "\n".join(f"- {name}: {what}" for name, what in card["texts"].items())
    return f"""# {card["name"]}: identifiers in clinical text

A spaCy pipeline with one tagger over the tokens of `deid.language`: for each token the probability of each label
({", ".join(card["labels"])}) and of none. It is one of the recognizers of `clinicorpus deid`, never used alone.

Trained by `{card["command"]}` ({settings}); the same command with the same versions gives the same weights.

{sources}

Which of its finds to believe is decided by judge.npz: {card["judge"]["trees"]} boosted trees grown on {card["judge"]["drawn"]:,} finds in {card["judge"]["texts"]:,} annotated texts
({card["judge"]["source"]}) that the model was not trained on.

No note of any patient was read. What the detector reaches with it is in benchmarks/results/deid.md.

Weights sha256 {card["weights_sha256"]}, {card["bytes"]:,} bytes in all, spaCy {card["libraries"]["spacy"]}.
"""
