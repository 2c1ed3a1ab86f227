"""The words of a folded text, and whether a word that somebody is called means that somebody where it stands.

`Words` cuts a text once into runs of letters and digits. `alone` is the one rule, used for names from the patient table
and for names found elsewhere in the patient's notes, that keeps "Ms. Rose" from masking "the temperature rose": how
name-like a spelling is comes from `deid.lexicon`, how it is written (capital, in running text, at the start of a sentence)
from the text.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from typing import NamedTuple

from deid import lexicon
from deid.evidence import DOSE_NEXT
from deid.vocabulary import EPONYM_HEADS, EPONYMS, is_clinical

# A run of letters and digits; an apostrophe within it belongs to it, a hyphen does not.
TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
DICTIONARY = (
    lexicon.WORD | lexicon.WORD_RARE | lexicon.CLINICAL | lexicon.MONTHDAY | lexicon.NATION | lexicon.STATE
)  # fmt: skip
TITLES = frozenset("mr mrs ms miss mx dr drs sr sra srta señor señora madam mister nurse rev sir".split())
RELATIONS = frozenset(
    """
    wife husband spouse partner daughter son mother father mom dad brother sister aunt uncle cousin niece nephew grandson
    granddaughter grandmother grandfather grandma grandpa friend girlfriend boyfriend fiance fiancee neighbor roommate
    caregiver guardian twin named called
    """.split()
)
_REGIONS = frozenset("north south west new".split())
_REGIONAL = frozenset("carolina dakota virginia york mexico jersey hampshire orleans england zealand".split())
_RELATION_GAPS = frozenset([" ", ", ", " (", ": ", ' "', "\n", " - "])
_LABEL = re.compile(
    r"\b(?:name|patient|pt|re|client|resident|contact|mother|father|spouse|guardian|provider|physician)[ \t]{0,2}[:=][ \t]{0,3}$"
)
CREDENTIALS = frozenset("md do rn np pa phd lpn aprn lcsw pharmd dpm dds mbbs dpt crna cnm fnp msw".split())
_HEADS = frozenset(EPONYM_HEADS)
_DO_AS_WELL = frozenset("signs rings scores tests grades points views sounds lines drains".split())
# What is said of people only: "Rose denies" at the start of a sentence is a woman.
_PERSON_VERBS = frozenset(
    """
    reports reported denies denied states stated says said presents presented complains complained endorses endorsed
    lives lived works worked arrived returned returns called calls takes tolerated ambulates ambulated verbalized
    verbalizes appears asks asked wants wishes agrees agreed refuses refused understands describes described admits
    underwent feels felt notes noted tells told thinks prefers declines declined remembers worries enjoys smokes drinks sleeps
    drives steps transfers transferred walks walked ate eats slept cries cried knows knew sings signs scores tires sets
    talks laughs cheats hopes sits speaks visits waits watches writes wears smiles nods answers insists jokes hears listens
    whispers naps snores dances cooks prays
    himself herself
    was is has had will would may can could should did does came comes and who
    """.split()
)
# What not even a drug does: "Arava herself", but not "Arava tolerated".
_HUMAN_VERBS = frozenset(
    """
    herself himself reports reported denies denied states says said asks asked wants wishes lives told tells understands agrees refuses
    feels thinks worries enjoys sleeps slept walks ate eats
    """.split()
)
# Of these, only what is never said of things decides after a word that is itself ordinary.
_WEAK_VERBS = frozenset(
    "was is has had will would may can could should did does came comes and who called calls presents appears noted notes".split()
)
NEVER_ALONE = frozenset(
    """
    baby boy girl infant newborn male female twin nurse unknown test patient doe name junior senior he an so do my no in or to is
    it at as be by go if me of on up us we
    """.split()
)
# What never follows the verb: "Will is in town", "Will fitted the levers", "will opens eyes", "will awake at 2300".
_WILL = re.compile(
    r"(?:is|was|has|had|said|went|came|left|since|who|whose|because|and|or|awake|asleep|alert|calm|stable|himself|can"
    r"|held|sang|took|brought|gave|spoke|woke|kept|knew|ate|slept|sat|stood|felt|thought|told|found|made|saw|wrote|met|did"
    r"|(?!(?:always|perhaps|besides|sometimes|afterwards|towards|this|his|its)$)[a-z]+[^\Wsu]s"
    r"|(?!(?:need|feed|bleed|proceed|exceed|succeed|speed|shed|seed|embed|breed|heed|wed|bed)$)[a-z]+ed)$"
)
_ADVERBS = frozenset("always never often also still usually sometimes just".split())
# Names that are little words: what never follows those. "An is diabetic", "an's film", "back to An.", "an drives him".
ARTICLES = frozenset(["an", "my"])
_NO_ARTICLE = re.compile(r"'s\b|[.,;:)!?]|(?<=[aA][nN])[ ][bcdgjkpqtvwyz][a-z]{2}")
_SPOKEN = frozenset(
    """
    is was has had will who and says said denies denied reports reported states stated wants wanted called cried asked told went came made gave
    took knows thinks lives agrees agreed declined refused tolerated repeated observes himself herself
    """.split()
)
# Whom one tells and asks, and how people are, in a text typed in small letters or in capitals: "asked chase", "metro asleep"
_TOLD_BEFORE = frozenset("told asked called calls paged per by via with w spoke informed named".split())
_STATES = frozenset(
    "not awake asleep alert anxious tearful crying smiling sleeping resting laughing nodding sitting calm pleasant nauseated".split()
)
# "Faith 7 and baby Hope 19 mo", "lyrica now 28, 16 mo after": people with their ages
_AGED = re.compile(
    r"(?:[ ,(]{1,3}\d{1,2}\)?(?:,?[ ](?:and|&|yo|y/o|mo|months|years)\b)|[ ](?:is|now|turned)[ ]\d{1,2}[,.])"
)
_FEW = 50  # a text with fewer than one capital in so many letters is typed in lower case


class Trait(NamedTuple):
    """What the word lists say of a spelling. free: in no dictionary, so that it is a name wherever it stands."""

    share: float
    free: bool
    clinical: bool
    month: bool
    eponym: bool


@lru_cache(maxsize=1 << 16)
def trait(word: str) -> Trait:
    """The traits of a folded spelling."""
    bits = lexicon.flags(word)
    share = lexicon.name_share(word)
    clinical = bool(bits & lexicon.CLINICAL)
    month = bool(bits & lexicon.MONTHDAY)
    free = not bits & DICTIONARY and not (not bits & lexicon.ANY_NAME and is_clinical(word))
    if share >= 0.97 and not bits & (DICTIONARY & ~(lexicon.WORD | lexicon.WORD_RARE)):
        free = True  # "maria", "henry", "carter": words of the lists because they are names in books
    return Trait(share, free, clinical, month, word in EPONYMS)


class Words:
    """The words of a folded text. raw as written, low folded (lower case, no accents, no possessive), code points."""

    def __init__(self, text: str) -> None:
        self.text = text
        spans = [m.span() for m in TOKEN.finditer(text)]
        self.starts = [a for a, _ in spans]
        self.ends = [b for _, b in spans]
        lowered = text.lower()
        # A few letters become two in lower case; then words are lowered one by one.
        self.low: list[str] = TOKEN.findall(lowered) if len(lowered) == len(text) else []
        if len(self.low) != len(spans):
            self.low = [text[a:b].lower() for a, b in spans]
        if "'" in text or not text.isascii():
            self.low = [w if w.isascii() and "'" not in w else lexicon.fold(w) for w in self.low]

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def raw(self) -> list[str]:
        """The words as written."""
        return TOKEN.findall(self.text)

    def end(self, i: int) -> int:
        """Where word i ends, without its possessive."""
        raw = self.raw[i]
        return self.ends[i] - (2 if raw[-2:] in ("'s", "'S") and not self.low[i].endswith("'s") else 0)

    def gap(self, i: int) -> str:
        """What stands between word i and the next."""
        return self.text[self.ends[i] : self.starts[i + 1]]

    @cached_property
    def few_capitals(self) -> bool:
        """A text typed in lower case."""
        capitals = sum(1 for w in self.raw if w[0].isupper())
        return capitals * 10 <= len(self.raw)

    @cached_property
    def starts_sentence(self) -> frozenset[int]:
        """Words with which a sentence, line or list entry begins, where a capital says nothing."""
        first = {0}
        for i in range(len(self.raw) - 1):
            gap = self.text[self.ends[i] : self.starts[i + 1]]
            if gap != " " and any(c in '.!?:;\n•*>|=(["/' for c in gap) and not self._abbreviated(i, gap):
                first.add(i + 1)
        return frozenset(first)

    def _abbreviated(self, i: int, gap: str) -> bool:
        if gap == "/ ":
            return self.low[i] == "w"
        return gap == ". " and (self.low[i] in TITLES or (len(self.raw[i]) == 1 and self.raw[i].isalpha()))

    def capital(self, i: int) -> bool:
        """A capital that says something: "Rose", "McKay", or "ROSE" among words that are not in capitals."""
        raw = self.raw[i]
        return raw[0].isupper() and (len(raw) == 1 or not raw.isupper() or not self.shouting(i))

    def shouting(self, i: int) -> bool:
        """Whether a word beside this one is in capitals too."""
        for k in (i - 1, i + 1):
            if 0 <= k < len(self.raw):
                gap = self.gap(min(i, k))
                if len(gap) <= 3 and "\n" not in gap and len(self.raw[k]) > 1 and self.raw[k].isupper():
                    return True
        return False

    def title_before(self, i: int) -> bool:
        """Whether "Mr.", "Dr." and the like stand before word i."""
        return i > 0 and self.low[i - 1] in TITLES and len(self.gap(i - 1)) <= 2 and "\n" not in self.gap(i - 1)

    def person_signs(self, first: int, last: int) -> bool:
        """Whether a relative ("her son", "(niece)"), a label ("Name:") or a credential (", MD") says that words first to
        last are a person."""
        text = self.text
        if first and self.low[first - 1] in RELATIONS and self.gap(first - 1) in _RELATION_GAPS:
            return True
        before = text[max(0, self.starts[first] - 20) : self.starts[first]]
        if before[-2:].strip() in (":", "=") and _LABEL.search(before.lower()):
            return True
        if last + 1 < len(self):
            gap, word = self.gap(last), self.low[last + 1]
            if gap == " (" and (word in RELATIONS or (word in ("his", "her", "the", "pt") and last + 2 < len(self))):
                return word in RELATIONS or self.low[last + 2] in RELATIONS
            if gap == ", " and word in CREDENTIALS and self.raw[last + 1].isupper():
                return True
        return False

    def is_line(self, i: int) -> bool:
        """Whether nothing else stands in the line of word i."""
        before = self.text[self.ends[i - 1] if i else 0 : self.starts[i]]
        after = self.text[self.ends[i] : self.starts[i + 1] if i + 1 < len(self) else None]
        first, last = not i or "\n" in before, i + 1 == len(self) or "\n" in after
        return first and last and not (before.rpartition("\n")[2] + after.partition("\n")[0]).strip()

    def next_word(self, i: int) -> str:
        """The next word in lower case, "" where a sign stands between."""
        if i + 1 >= len(self.raw) or self.text[self.end(i) : self.starts[i + 1]].strip("'sS ") or "\n" in self.gap(i):
            return ""
        return self.low[i + 1]


def eponym(words: Words, i: int) -> bool:
    """Whether word i is part of the name of a disease, a test, a device, a state: "Parkinson's disease", "Lewy body"."""
    before = words.gap(i - 1) if i else ""
    if before == " " and words.low[i - 1] in _REGIONS and words.low[i] in _REGIONAL:
        return True
    # "Jackson-Pratt": two names that a hyphen makes a thing's.
    if before == "-" and trait(words.low[i]).eponym:
        return True
    if i + 1 >= len(words):
        return False
    gap = words.text[words.end(i) : words.starts[i + 1]]
    if gap == "-" and trait(words.low[i + 1]).eponym:
        return True
    if words.low[i + 1] in _DO_AS_WELL and gap[:1] != "'" and not trait(words.low[i]).eponym:
        return False  # "Rose scores 8"
    return gap in (" ", "  ", "-", "'s ", "'S ") and words.low[i + 1] in _HEADS


def alone(words: Words, i: int, *, sure: bool, called: bool = False) -> bool:
    """Whether word i, which somebody is called, means that somebody though nothing else of the name stands beside it.

    `sure`: the name comes from the patient table. Otherwise it was found by the detector, and a spelling that is a name
    less often than a word is left alone. `called`: nothing but somebody is meant by it in all of the patient's notes, so
    that its capital says so at the head of a sentence too: "Kit has set up the calls".
    """
    low, raw = words.low[i], words.raw[i]
    # The table of the patient may hold a misspelling; what stands in the text decides.
    known = trait(low)
    likely = words.capital(i) or (words.few_capitals and (known.free or known.share >= (0.1 if sure else 0.5)))
    if likely and low not in NEVER_ALONE and not eponym(words, i) and words.person_signs(i, i):
        return True
    if words.title_before(i):
        if known.share < 0.1 and not known.free:
            # "MS pain" and "dr pain" are no people, "Ms. Pain" is.
            return raw[0].isupper() and not raw.isupper()
        return True
    masked = (
        words.text[words.starts[i] - 1 : words.starts[i]] == "["
        and words.text[words.ends[i] : words.ends[i] + 1] == "]"
    )
    if low in ARTICLES and (sure or called) and not masked and _no_article(words, i):
        return True
    if low in NEVER_ALONE or masked or eponym(words, i):
        return False
    capital, after = words.capital(i), words.next_word(i)
    lower_text = words.few_capitals or (raw.isupper() and not capital)
    if _acts(words, i, sure=sure, called=called, cased=lower_text and not capital):
        return True
    if len(low) <= 3 and not (
        capital and (not raw.isupper() or (len(low) == 3 and known.share >= 0.95 and not known.clinical))
    ):
        return False
    dosed = known.clinical and DOSE_NEXT.match(words.text, words.ends[i])
    if known.free or (called and capital and not dosed and not _in_title_case(words, i)):
        return True
    if known.month:
        return capital and after in _PERSON_VERBS - _WEAK_VERBS
    if not capital:
        strong = known.share >= 0.9 and not known.clinical
        return lower_text and (strong or (known.share >= 0.1 and after in _PERSON_VERBS - _WEAK_VERBS))
    first = i in words.starts_sentence
    if known.share >= 0.9 and not known.clinical:
        return True
    if known.share >= 0.1:
        if after in _PERSON_VERBS and (sure or known.share >= 0.5 or after not in _WEAK_VERBS):
            return True
        return not first and not _in_title_case(words, i) and (sure or known.share >= 0.1)
    if not sure:
        return False
    if first:  # "Kestrel states that", but "Pain takes her breath"
        return not known.clinical and after in _PERSON_VERBS - _WEAK_VERBS
    return not _in_title_case(words, i) and not (known.clinical and (dosed or _heads_label(words, i)))


def _no_article(words: Words, i: int) -> bool:
    """Whether "an" or "my" stands where the little word never does: "An is diabetic", "back to An."."""
    return words.next_word(i) in _SPOKEN or bool(_NO_ARTICLE.match(words.text, words.starts[i] + len(words.low[i])))


def _acts(words: Words, i: int, *, sure: bool, called: bool, cased: bool) -> bool:
    """Whether word i, which somebody is called, does or is what only people do or are. `cased`: its letters say nothing."""
    after, clinical = words.next_word(i), trait(words.low[i]).clinical
    told = i > 0 and words.low[i - 1] in _TOLD_BEFORE and words.gap(i - 1) in (" ", "/ ", "/")
    if words.low[i] in ("will", "can"):
        does = words.next_word(i + 1) if after in _ADVERBS else after  # "Will always says he will"
        if told or _WILL.match(does):
            return True
    if clinical and not cased and words.capital(i) and after in _HUMAN_VERBS:
        return True
    if not (sure or called):
        return False
    if not clinical and words.is_line(i):
        return True  # a signature
    aged = _AGED.match(words.text, words.ends[i]) and (words.capital(i) or (called and words.few_capitals))
    if aged or (after in ("himself", "herself") and not clinical):
        return True
    if not cased or (clinical and not called):
        return False
    if called:
        return after in _PERSON_VERBS or after in _STATES or (told and not clinical)
    return after in _PERSON_VERBS - _WEAK_VERBS


def _in_title_case(words: Words, i: int) -> bool:
    """Whether an ordinary word beside word i has a capital too, as in headings: "White Blood Cells", "Pain Clinic"."""
    for k in (i - 1, i + 1):
        if 0 <= k < len(words) and k not in words.starts_sentence and words.raw[k][0].isupper():
            gap = words.gap(min(i, k))
            if len(gap) <= 2 and not any(c in ".\n,;:" for c in gap) and not trait(words.low[k]).free and (
                trait(words.low[k]).share < 0.9
            ):  # fmt: skip
                return True
    return False


def _heads_label(words: Words, i: int) -> bool:
    return words.text[words.ends[i] : words.ends[i] + 1] == ":"


def distance(a: str, b: str, most: int) -> int:
    """Edits (also of two neighbours swapped) that turn a into b, or most + 1 when there are more."""
    if abs(len(a) - len(b)) > most:
        return most + 1
    while a and b and a[0] == b[0]:
        a, b = a[1:], b[1:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    if not a or not b:
        return min(max(len(a), len(b)), most + 1)
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        new = [i]
        for j, y in enumerate(b, 1):
            cost = min(row[j] + 1, new[-1] + 1, row[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            new.append(cost)
        if min(new) > most:
            return most + 1
        before, row = row, new
    return min(row[-1], most + 1)


# Ends by which an ordinary word differs from the one that stands in the dictionary.
_ENDINGS = ("s", "es", "ed", "d", "ing", "ly", "er", "al", "ic")


@lru_cache(maxsize=1 << 16)
def unknown(word: str) -> bool:
    """Whether a folded word stands in no list at all, nor what is left of it without an English ending.

    Only such a word is taken for a misspelt name: "gonzales" is a name of its own, "harts" may be a slip for "hearts".
    """
    if not word.isalpha() or lexicon.flags(word) or is_clinical(word) or word in EPONYMS:
        return False
    for ending in _ENDINGS:
        if word.endswith(ending):
            stem = word[: -len(ending)]
            if len(stem) >= 3 and any(
                lexicon.flags(form) & (lexicon.WORD | lexicon.CLINICAL) for form in (stem, stem + "e", stem[:-1])
            ):
                return False
    return True
