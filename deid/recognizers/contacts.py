"""Telephone, pager, fax, e-mail, URL and IP (Safe Harbor D, E, F, N, O)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from deid.note import Note
from deid.recognizers.common import ClinicalRecognizer, Rule, apply_rules, one_of
from deid.spans import Span

_EXT = r"(?:[ \t]{0,2}(?:,|;)?[ \t]{0,2}(?:[Ee]xt(?:ension)?\.?|EXT\.?|x)[ \t]{0,2}:?#?[ \t]{0,2}\d{1,6}\b)?"
_SEP = r"[ \t]?[-. ][ \t]?"
_FAX_BEFORE = re.compile(r"\b(?:fax(?:ed|es|simile)?|facsimile|f)\b[^\n.;]{0,25}$", re.IGNORECASE)
_PHONE_BEFORE = re.compile(r"\b(?:phone|tel|telephone|cell|mobile|pager|call|ph|p)\b", re.IGNORECASE)
_PHONE_WORD = one_of(
    r"(?:tele)?phones?|tel|cell(?:ular)?|mobile|pager|paged?|beeper|beeped|call(?:ed|ing|back)?|contact(?:ed)?"
    r"|reach(?:ed|able)?|voicemail|hotline|ext(?:ension)?|ph|home|work|fax(?:ed)?"
)
# Numbers of published studies and codes are as long as telephone numbers.
_REFERENCE = re.compile(
    r"\b(?:pmid|pmcid|pmc|nct|doi|icd|cpt|snomed|loinc|rxnorm|rxcui|ndc|isbn|issn)\b[ \t:#.-]{0,4}$", re.IGNORECASE
)


def _no_reference(match: re.Match[str]) -> bool:
    start = match.start("v")
    return not _REFERENCE.search(match.string[max(0, start - 16) : start])


def _is_ip(match: re.Match[str]) -> bool:
    try:
        ipaddress.ip_address(match["v"])
    except ValueError:
        return False
    before = match.string[max(0, match.start() - 12) : match.start()].lower()
    return not before.rstrip().endswith(("version", "ver", "ver.", " v", "section"))


RULES = (
    Rule(
        "email",
        "EMAIL",
        0.99,
        re.compile(
            r"(?<![\w.+-])(?P<v>[^\W_][\w.+'&%-]{0,63}[ \t]?@[ \t]?(?:[^\W_][\w-]{0,62}\.){1,6}[A-Za-z]{2,24})(?![\w-])"
        ),
        only_if=("@",),
    ),
    Rule(
        "email_spoken",
        "EMAIL",
        0.9,
        re.compile(
            r"\b(?P<v>[\w.+-]{2,40}[ \t](?:\(at\)|\[at\]|at)[ \t][\w-]{2,40}[ \t]?(?:[ \t]dot[ \t]|\(dot\)|\.)[ \t]?(?:com|org|net|edu|gov))\b|(?<![\w.])[\w.+-]{2,40}[ \t]?[(\[]at[)\]][ \t]?[\w-]{2,40}(?:\.|[ \t]?[(\[]dot[)\]][ \t]?)[a-z]{2,12}\b",
            re.IGNORECASE,
        ),
        only_if=(" at ", "(at)", "[at]"),
    ),
    Rule(
        "url",
        "URL",
        0.98,
        re.compile(r"(?P<v>\b(?:https?|ftps?|sftp)://[^\s<>\"'\])}]{2,500}|\bwww\.[^\s<>\"'\])},;]{3,300})", re.IGNORECASE),
        only_if=("://", "www."),
    ),
    # No scheme and any ending, but a path: "burnshare.example/c/7Qe19x"
    Rule("path", "URL", 0.8, re.compile(r"(?<![\w@./-])(?P<v>[a-z0-9][a-z0-9-]{1,40}(?:\.[a-z0-9-]{2,30}){1,4}/[^\s<>\"'\])]*[\w=?&/][^\s<>\"'\]).,;]*)", re.IGNORECASE), check=lambda m: any(c.isalpha() for c in m["v"].split("/")[0].rsplit(".", 1)[-1])),
    # Digits spoken: "five five five, oh one four four", and with a star: "*77*4190"
    Rule("spoken", "PHONE", 0.8, re.compile(r"\b(?P<v>(?:(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)[ ,.-]{1,3}){5,14}(?:zero|oh|one|two|three|four|five|six|seven|eight|nine))\b", re.IGNORECASE)),
    Rule("spaced_digits", "PHONE", 0.6, re.compile(r"(?<![\w.,/-])(?<!\d[ ])(?P<v>\d(?:[ -]\d){6,11})(?![\w.,/-]?\d)"), check=lambda m: sum(map(str.isdigit, m["v"])) in (7, 10, 11) and "1 2 3 4 5" not in m["v"]),
    Rule("star", "PHONE", 0.8, re.compile(r"(?<![\w*])(?P<v>[*#]\d{2,4}[*#]\d{3,6})(?![\w*])")),
    Rule(
        "domain",
        "URL",
        0.85,
        re.compile(
            r"(?<![\w@.-])(?P<v>(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,5}(?:com|org|net|edu|gov|mil|info|health|io|care|us|co\.uk|biz|ru|de|fr|uk|ca|au|jp|cn|example|test|app|dev|me|tv|clinic|life|online|shop|site|store|xyz)"
            r"(?:/[^\s<>\"'\])}]{0,300})?)(?![\w@-])(?!\.\w)",
            re.IGNORECASE,
        ),
        only_if=(".com", ".org", ".net", ".edu", ".gov", ".mil", ".info", ".health", ".io", ".care", ".us", ".co.uk", ".biz",
                 ".ru", ".de", ".fr", ".uk", ".ca", ".au", ".jp", ".cn"),
        # "b.i.d.us": single letters are abbreviations; "pain.us" needs a name of three letters and a lower-case ending.
        check=lambda m: len(m["v"].split(".")[0]) >= 3 and (m["v"].rsplit(".", 1)[-1][:1].islower() or m["v"].isupper()),
    ),
    Rule("ipv4", "IP", 0.96, re.compile(r"(?<![\d.])(?P<v>\d{1,3}(?:\.\d{1,3}){3})(?![\d.]*\d)"), check=_is_ip),
    Rule(
        "ipv6",
        "IP",
        0.95,
        re.compile(r"(?<![\w:.])(?P<v>(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:%\w{1,16})?)(?![\w:])"),
        check=lambda m: _is_ip(m) and sum(c.isalnum() for c in m["v"]) > 2,
    ),
    Rule(
        "mac",
        "IP",
        0.9,
        re.compile(r"(?<![\w:-])(?P<v>[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\2[0-9A-Fa-f]{2}){4})(?![\w:-])"),
    ),
    Rule(
        "north_american",
        "PHONE",
        0.93,
        re.compile(
            rf"(?<![\w.+/-])(?P<v>(?:\+?1{_SEP})?(?:\([ \t]?\d{{3}}[ \t]?\)[ \t]{{0,2}}[-.]?[ \t]?|\d{{3}}(?:{_SEP}|/))\d{{3}}{_SEP}\d{{4}}{_EXT})(?![\w])(?!-\d)"
        ),
        check=_no_reference,
    ),
    Rule(
        "international",
        "PHONE",
        0.9,
        re.compile(rf"(?<![\w.+])(?P<v>(?:\+|\b011[ -])[1-9]\d{{0,2}}(?:[ \t.-]?\(?\d{{1,5}}\)?){{2,6}}{_EXT})(?!\d)"),
        check=lambda m: 8 <= sum(c.isdigit() for c in m["v"]) <= 20,
        only_if=("+", "011"),
    ),
    # "call 555-0182", "cell: 6175550182", "pager 31245", "ext. 4432"
    Rule(
        "after_word",
        "PHONE",
        0.85,
        re.compile(
            rf"{_PHONE_WORD}(?:[ \t](?:number|no\.?|num|phone|is|at|to|on|was|him|her|them|me|us|back|line|#)){{0,3}}[ \t]{{0,2}}[:#.=(-]{{0,2}}[ \t]{{0,2}}"
            rf"(?P<v>(?:1[ -])?(?:\(?\d{{3}}\)?[ \t.-]?)?\d{{3}}[ \t.-]?\d{{4}}{_EXT})(?![\w])(?!-\d)",
            re.IGNORECASE,
        ),
        check=_no_reference,
    ),
    Rule(
        "pager",
        "PHONE",
        0.88,
        re.compile(
            r"\b(?:pager|beeper|pgr|bpr|page|paged|beep|ext|extension|vocera|spectralink|ascom|voalte)(?:[ \t](?:number|no\.?|is|at|id|me|him|her|to|on)){0,2}"
            r"[ \t]{0,2}[:#.=(-]{0,3}[ \t]{0,2}(?:#|x)?(?P<v>\d{1,3}-\d{3,5}|\d{3,7})(?![\w%/])(?!\.\d)(?!-\d)",
            re.IGNORECASE,
        ),
        only_if=("page", "pgr", "bpr", "beep", "ext", "vocera", "spectralink", "ascom", "voalte"),
    ),
    # Numbers of other countries, only behind a clear sign
    Rule(
        "foreign",
        "PHONE",
        0.8,
        re.compile(
            one_of("phone|tel|telephone|ph|mob|cell|mobile|fax|call|reach|contact|desk|office|home|work")
            + r"\.?(?:[ \t](?:number|no\.?|me|him|her|them|us)){0,2}(?:[ \t]?[:#]|[ \t](?:at|on|is)|(?<=ph)|(?<=mob)|(?<=tel))[ \t\n]{0,3}"
            r"(?P<v>\(?\d[\d().]{0,5}(?:[ .-]{1,2}\(?\d{2,5}\)?){2,5})(?![\w/%])(?!-\d)",
            re.IGNORECASE,
        ),
        check=lambda m: 7 <= sum(c.isdigit() for c in m["v"]) <= 15,
    ),
    Rule("short_extension", "PHONE", 0.8, re.compile(r"(?<![\w.])(?P<v>x[ ]?\d-?\d{3,4})(?![\w%])(?!\.\d)")),
    Rule(
        "seven_digits",
        "PHONE",
        0.6,
        re.compile(r"(?<![\w./-])(?P<v>[2-9]\d{2}-\d{4})(?![\w])(?!-\d)(?!\.\d)"),
        check=_no_reference,
    ),
    Rule(
        "ten_bare",
        "PHONE",
        0.55,
        re.compile(rf"(?<![\w./+-])(?P<v>[2-9]\d{{2}}[2-9]\d{{6}}{_EXT})(?![\w])(?!-\d)(?!\.\d)"),
        check=_no_reference,
    ),
)  # fmt: skip


def find(note: Note) -> Iterator[Span]:
    """Contacts of folded text; a telephone number after "fax" is a fax number."""
    text, lowered = note.text, note.lowered
    has_fax = "fax" in lowered or "facsimile" in lowered
    for span in apply_rules("contacts", RULES, note):
        if has_fax and span.identifier == "PHONE":
            before = text[max(0, span.start - 32) : span.start]
            fax = _FAX_BEFORE.search(before)
            after = text[span.end : span.end + 8].lower()
            if (
                (fax and not _PHONE_BEFORE.search(before, fax.start()))
                or "(fax" in after
                or after.startswith((" fax", "/fax"))
            ):
                span = span._replace(identifier="FAX", score=span.score + 0.01)
        yield span


def recognizer() -> ClinicalRecognizer:
    """The recognizer of telephone, fax, e-mail, URL and IP."""
    return ClinicalRecognizer("contacts", ["PHONE", "FAX", "EMAIL", "URL", "IP"], find)
