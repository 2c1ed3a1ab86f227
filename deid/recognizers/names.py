"""Names of people by what stands around them (Safe Harbor A): titles, headers, credentials, relatives.

Names in running text without such a sign are the model's work (`deid.recognizers.ner`) and that of linking.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from deid import phrases
from deid.lexicon import (
    ANY_NAME,
    CITY,
    CLINICAL,
    CLOSED,
    COUNTY,
    DRUG,
    GIVEN,
    GIVEN_RARE,
    MONTHDAY,
    NATION,
    STATE,
    SURNAME,
    SURNAME_RARE,
    WORD,
    WORD_RARE,
    flags,
    is_safe,
    name_share,
)
from deid.note import LETTER, LOOSER, UPPER, Note, watch
from deid.recognizers.codes import SHORTHAND
from deid.recognizers.common import (
    INITIAL,
    INITIAL_REST,
    NAME_WORD,
    NAME_WORD_REST,
    PARTICLE,
    RELATIVE,
    SP,
    ClinicalRecognizer,
    Rule,
    one_of,
    opening,
)
from deid.spans import Span
from deid.vocabulary import (
    BRANDS,
    EPONYM_HEADS,
    EPONYMS,
    NAME_WORDS,
    NATIONS,
    STATE_WORDS,
    common_words,
    dictionary_words,
    is_clinical,
)

_CREDENTIAL = (
    r"(?:M\.?D\.?|D\.?O\.?|R\.?N\.?|Ph\.?\s?D\.?|N\.?P\.?|P\.?A\.?(?:-C)?|F\.?N\.?P\.?(?:-C|-BC)?|C\.?R\.?N\.?A\.?|D\.?D\.?S\.?|D\.?M\.?D\.?|D\.?P\.?M\.?|O\.?D\.?"
    r"|Pharm\.?\s?D\.?|RPh|LCSW|LICSW|MSW|LPN|LVN|CNM|CNA|CNS|APRN|ARNP|AGNP|AGACNP|ACNP|BSN|MSN|DNP|DPT|PT|OTR(?:/L)?|OT|SLP|CCC-SLP|RD|RDN|RT|RRT|EMT(?:-P)?|MBBS|MPH|M\.?S\.?N|FACS|FACP|FACC|Psy\.?D\.?|LMFT|LPC|LMHC|MA|CMA|RDMS|RVT|MS|M\.S\.)"
)
_CAPITAL = opening(UPPER, r"[\w'-]")
_CAPITAL_OR_AFTER_DASH = opening(UPPER, r"[\w']", r"\w-")  # "- Bruno RN"
_PREFIX_NAME = f"(?:{NAME_WORD}|{INITIAL})(?:{SP}(?:{PARTICLE}{SP}){{0,2}}(?:{NAME_WORD}|{INITIAL})){{0,3}}"
# A word that ends a name that was read too far: "Dr. Smith Recommended", "Mr. Doe Denies".
_SUFFIX_OK = frozenset("jr sr ii iii iv".split())

_CLINICIAN_TITLE = (
    r"[Dd]r\.?|DR\.?|[Dd]octor|[Pp]rof(?:essor|\.)?|[Nn]urse(?:[ \t][Pp]ractitioner)?|NP|RN|PA|PA-C|[Ss]urgeon|[Pp]harmacist|[Tt]herapist|[Tt]echnician|[Mm]idwife|[Rr]esident|[Ii]ntern|[Ff]ellow|[Aa]ttending"
    r"|[Dd]rs\.?|[Cc]ase[ \t][Mm]anager|[Ss]ocial[ \t][Ww]orker|[Dd]ietitian|[Cc]ardiologist|[Nn]eurologist|[Oo]ncologist|[Nn]ephrologist|[Rr]adiologist|[Aa]nesthesiologist|[Pp]sychiatrist|[Pp]hysician|[Hh]ospitalist|[Ii]ntensivist|[Pp]ulmonologist|[Uu]rologist|[Pp]athologist|[Ii]nterpreter|[Cc]haplain"
)
# In capitals these are valves, diseases and drugs as well ("MILD MR", "MS Contin"), and the others are anybody's office.
_COURTESY_TITLE = r"(?:Mrs?|Ms|Mx)\.?|Miss"
_PERSON_TITLE = r"(?:mr\.?|MR\.?|mrs\.?|MRS\.?|ms\.?|MS\.?|miss|MISS|mx\.?|[Mm]ister|[Mm]adam|Sir|Lady|Sr\.|Sra\.|Srta\.|Señora?|Rev(?:erend|\.)?|Pastor|Father|Fr\.|Sister|Rabbi|Imam|Capt(?:ain|\.)|Sgt\.?|Lt\.?|Col\.?|Officer|Detective|Deputy|Judge|Attorney|Hon\.)"
_CLINICIAN_HEADER = (
    r"(?:dictated|signed|electronically[ \t]signed|e-?signed|authenticated|reviewed|cosigned|co-signed|verified|transcribed|performed|interpreted|attested|ordered|prescribed|referred|admitted|seen|evaluated|examined|read|approved|finalized|authorized|documented|written|entered|prepared|completed|discussed|consulted)[ \t](?:and[ \t]\w{4,14}[ \t])?(?:electronically[ \t])?by|(?:discussed|consulted|reviewed)[ \t]with"
    r"|(?:attending|referring|primary(?:[ \t]care)?|consulting|ordering|admitting|dictating|operating|requesting|treating|covering|supervising|assistant|first[ \t]assistant|resident|fellow|discharging|rendering|performing|signing|reading|family)(?:[ \t](?:physician|provider|surgeon|doctor|md|attending|clinician|radiologist|cardiologist|nurse|resident|pathologist))?(?=[ \t]{0,2}(?::|is[ \t]))"
    r"|(?:surgeon|assistants?|anesthesiologist|anaesthetist|anesthetist|anesthesia|physician|provider|pcp|radiologist|pathologist|cardiologist|nurse|rn|attending|author|cc|consultants?|consultation|crna|scrub[ \t](?:nurse|tech)|circulator|clinician|technologist|therapist|doctor|scribe|signature|from|to|copy[ \t]to|copies[ \t]to)(?:[ \t](?:name))?(?=[ \t]{0,2}:)"
)
# Looked ahead for and optional afterwards, so the pass may as well read over them; without, it took every "from" for a header.
LOOSER[r"(?=[ \t]{0,2}:)"] = r"[ \t]{0,2}:"
LOOSER[r"(?=[ \t]{0,2}(?::|is[ \t]))"] = r"[ \t]{0,2}(?::|is[ \t])"
_KIDS_BEFORE = re.compile(
    r"\b(?:[Kk]ids|[Cc]hildren|[Ss]ons|[Dd]aughters|[Ss]iblings|[Gg]randkids)\b[ ]?[:(-][^.\n]{0,50}$"
)
_BREAK = r"[ \t]{0,2}(?:\n[ \t]{0,4})?"

# Surnames that are little words, which `clean_name` leaves: He, You, To.
_LITTLE = "He|She|So|Do|An|In|My|No|Or|Me|On|At|Is|To|Who|You|We|It"


def _re(pattern: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(pattern, flags)


_IS_SOMEBODY = (
    rf"(?:,|,?{SP}(?:is|was)){SP}(?:now{SP})?(?:an?|our){SP}(?:[a-z][\w-]{{2,16}},?{SP}(?:and{SP})?){{0,3}}"
    r"(?:(?:\d{1,3}|[a-z]{3,9}(?:-[a-z]{3,5})?)[- ](?:year|yr|month|mo|week|wk|day)s?[- ]old|gentleman|man|woman|lady|boy|girl|male|female)\b"
)

_RELATIVE_ONE = r"[Ww]ife|[Hh]usband|[Dd]aughter|[Ss]on|[Bb]rother|[Ss]ister|[Ss]is|[Bb]ro|[Mm]om|[Dd]ad|[Aa]unt|[Uu]ncle|[Nn]iece|[Nn]ephew|[Cc]ousin|[Gg]rand(?:son|daughter|ma|pa|mother|father)|[Nn]eighbor|[Ff]riend|[Rr]oommate|[Gg]irlfriend|[Bb]oyfriend|[Cc]aregiver|[Aa]ide|[Oo]wner|[Ll]andlord|[Bb]oss"
_RELATIVE_HEAD = r"[Ww]ife|[Hh]usband|[Ss]pouse|[Dd]aughter|[Ss]on|[Mm]other|[Ff]ather|[Bb]rother|[Ss]ister|[Pp]artner|[Ff]riend|[Aa]unt|[Uu]ncle|[Nn]iece|[Nn]ephew|[Ff]ianc[eé]e?|[Gg]uardian|[Nn]eighbor"

RULES = (
    Rule("clinician_title", "CLINICIAN", 0.9, _re(rf"\b(?:(?:[Dd]rs?|DRS?|[Pp]rof|PROF)\.(?:[ \t]|\n){{0,3}}|(?:[Dd]rs?|DRS?|[Dd]octors?|[Pp]rofessor)(?:[ \t]|\n){{1,3}})(?P<v>{_PREFIX_NAME})")),
    Rule("clinicians_title", "CLINICIAN", 0.9, _re(rf"\b(?:[Dd]rs\.?|DRS\.?|[Dd]octors)[ \t]{{1,3}}(?P<v>{_PREFIX_NAME}(?:(?:,{SP}and|,|{SP}and|{SP}&){SP}{_PREFIX_NAME}){{1,3}})")),
    Rule("clinician_role", "CLINICIAN", 0.75, _re(rf"{one_of(_CLINICIAN_TITLE, cased=True)}[ \t]{{1,2}}(?P<v>{_PREFIX_NAME})")),
    Rule("credential", "CLINICIAN", 0.9, _re(
        rf"(?P<v>{_CAPITAL_OR_AFTER_DASH}(?:{NAME_WORD_REST}|{INITIAL_REST})(?:,?{SP}(?:{PARTICLE}{SP}){{0,2}}(?:{NAME_WORD}|{INITIAL})){{0,3}}),?[ \t]{{1,2}}{_CREDENTIAL}(?![A-Za-z])")),
    # "Carmine Bruno, RN": behind these a comma and two words make even colours and verbs a name.
    Rule("strong_credential", "CLINICIAN", 0.9, _re(
        rf"(?P<v>{_CAPITAL_OR_AFTER_DASH}{NAME_WORD_REST}{SP}(?:{INITIAL}{SP})?{NAME_WORD}),[ \t]{{1,2}}(?:MD|M\.D\.|DO|D\.O\.|RN|NP|PA-C|FNP|CRNA|PhD|LPN|APRN|LCSW|LICSW|PharmD|DPM|DDS|MBBS|DPT|CNM)(?![A-Za-z])"),
        check=lambda m: not all(w.lower() in common_words() and w.lower() not in NAME_WORDS for w in m["v"].split()[1:])),
    Rule("electronic_signature", "CLINICIAN", 0.9, _re(rf"/[Ee][Ss]/[ \t]{{0,3}}(?P<v>{_PREFIX_NAME})")),
    # "tomorrow w/ Dr. He; optimised", "DR. HE TO FOLLOW", but not "Told Dr. He should call"
    Rule("doctor_little_word", "CLINICIAN", 0.9, _re(rf"\b(?:Dr|DR|Drs)\.?[ ](?P<v>{_LITTLE}|{_LITTLE.upper()})(?![\w'-])"), check=lambda m: _is_titled(m)),
    Rule("courtesy_little_word", "NAME", 0.9, _re(rf"\b(?:(?:M[rs]|Mrs|MRS?|MS)\.?[ ](?={UPPER})|mrs\.?[ ]|mr\.?[ ](?=(?:he|you)\b))(?P<v>(?i:{_LITTLE}))(?![\w'-])"),
        check=lambda m: not m.group().startswith(("MR ", "MR.", "MS ", "MS.")) or _is_titled(m)),
    # "LAST: Nakamura   FIRST: Odalys   MI: J"
    Rule("middle_initial", "NAME", 0.85, _re(r"\bM\.?I\.?[ ]?:[ ]{1,6}(?P<v>[A-Z])(?=\.?[ ]{2}|\.?[ ]*(?:\n|\Z)|[ ]*[|,])")),
    # "last name two bulls two words", as one dictates
    Rule("name_dictated", "NAME", 0.85, _re(r"\b(?:last|first|family|middle|maiden)[ ]name[ ](?:is[ ]|of[ ])?(?P<v>[a-z]{2,16}(?:[ ][a-z]{2,16})?)(?=[ ](?:two[ ]words|medical|date|spelled|dob|mrn|first|last|middle|comma|period|that's|m\.?r\.?n)\b)")),
    # "b. stands rn" on a line of its own, as one signs in small letters
    Rule("signature_small", "CLINICIAN", 0.85, _re(r"(?:^|\n)[ \t]*(?:--?[ ]?)?(?P<v>(?P<f>[a-z]{2,14}|[a-z]\.)(?:[ ][a-z]\.?)?[ ][a-z][a-z'-]{1,18}),?[ ](?:md|do|rn|np|pa|pa-c|lpn|cna|rt|rrt|lcsw|lmsw|msw|pharmd|cnm|crna|otr|otr/l|dpt|slp|ccc-slp)(?:[ ,]{1,2}[a-z]{2,4})?[ \t]*(?=\n|\Z)"),
        check=lambda m: m["f"].endswith(".") or bool(flags(m["f"]) & GIVEN and m["f"] not in CLOSED)),
    # "RE: CAN SEE  DOB 02-29-1977": what a header names is somebody, whatever the words mean
    Rule("header_little_word", "NAME", 0.85, _re(
        rf"(?:^|\n)[ \t]*(?:RE|Re|PT|Pt|PATIENT|Patient|CLIENT|Client|RESIDENT|Resident|NAME|Name)[ ]?:[ \t]{{0,3}}(?P<v>{NAME_WORD}(?:,?[ ]{NAME_WORD}){{1,3}}(?:[ ]{UPPER}\b\.?)?)"
        r"(?=[ \t,(]{1,6}(?:DOB|D\.O\.B|MRN|[A-Z]{3,9}[ ]#|\d{1,3}[ ]?(?:y\b|yo\b|y/o|Y\b|YO\b|[MFmf]\b)))"),
        check=lambda m: any(word.lower() in CLOSED for word in re.split("[ ,]+", m["v"]))),
    # "--Pain, MD, FACP", "-- pain, rn"; "/es/ FENG HE" on a line of its own
    Rule("signature", "CLINICIAN", 0.9, _re(rf"(?:^|\n|[.][ ])[ \t]*--[ ]?(?P<v>{LETTER}(?:{LETTER}|['-](?={LETTER})){{1,20}}),[ ](?:MD|DO|RN|NP|PA-C|PA|LPN|md|do|rn|np|pa-c|pa|lpn)(?![A-Za-z])")),
    Rule("signature_capitals", "CLINICIAN", 0.9, _re(rf"/(?:[Ee][Ss]|ES)/[ \t]{{0,3}}(?P<v>{UPPER}{{2,}}(?:[ ]{UPPER}\.?)?[ ]{UPPER}{{2,}})(?=[ \t]*(?:,|\n|\Z))")),
    # "DELORES YELLOW HORSE RN" on a line of its own: behind a given name no word is too ordinary
    Rule("signature_line", "CLINICIAN", 0.9, _re(rf"(?:^|\n)[ \t]*(?P<v>(?:{NAME_WORD})(?:[ ]{UPPER}\.?)?(?:[ ](?:{NAME_WORD})){{1,2}}),?[ ](?:MD|DO|RN|NP|PA-C|PA|LPN|LCSW|CRNA|PharmD|PHARMD)(?=[ \t]*(?:\n|\Z))"),
        check=lambda m: bool(flags(m["v"].split()[0]) & GIVEN)),
    Rule("relative_in_brackets", "NAME", 0.85, _re(rf"(?<![\w'-])(?P<v>{_PREFIX_NAME})[ \t]\((?:the[ \t]|pt'?s?[ \t]|patient'?s?[ \t])?{RELATIVE}[),;]")),
    Rule("courtesy_title", "NAME", 0.9, _re(rf"(?<!\d[ ])\b(?:{_COURTESY_TITLE})[ \t]{{1,2}}(?:and[ \t]Mrs\.?[ \t])?(?P<v>{_PREFIX_NAME}(?:-{NAME_WORD})?)")),
    Rule("person_title", "NAME", 0.9, _re(rf"(?<!\d[ ])\b{_PERSON_TITLE}[ \t]{{1,2}}(?:and[ \t]Mrs\.?[ \t])?(?P<v>{_PREFIX_NAME}(?:-{NAME_WORD})?)")),
    Rule("person_title_lower", "NAME", 0.85, _re(r"\b(?:mr|mrs|ms|dr)\.?[ \t](?P<v>[a-z]{3,20}(?:[ ](?:al|el|de|la|van|von|bin|abu)[- ][a-z]{3,16})?)\b(?=[ \t.,'])")),
    # "mrs l says no", "told Dr. K."
    Rule("title_letter", "NAME", 0.8, _re(r"\b(?:[Mm]rs|[Dd]r)\.?[ ](?P<v>[A-Za-z])(?=['.,;:)\n]|\Z|[ ](?:is|was|has|had|and|says|said|states|asks|asked|wants|will|aware|notified|called|calls|here|at|to|in)\b)")),
    # "Care handed over to Sharp at 1900", "signed out to Kocher."
    Rule("handed_over", "CLINICIAN", 0.75, _re(rf"\b(?:[Hh]anded[ ](?:over|off)|[Ss]igned[ ](?:out|off)|[Hh]andoff|[Hh]and-off|[Rr]eport[ ](?:called|given)|[Ss]ign-?out)[ ](?:given[ ])?(?:to|from|by)[ ](?P<v>(?!{UPPER}{{2}}){NAME_WORD}(?:{SP}{NAME_WORD})?)(?=[ ]?[.,;\n]|[ ](?:at|@|for|RN|\d)|$)")),
    Rule("with_capitals", "CLINICIAN", 0.62, _re(rf"\b(?:FOLLOW[ -]?UP|F/U|DISCUSSED|SPOKE|CONSULTED|REVIEWED)[ ]WITH[ ](?P<v>{UPPER}{{3,16}})(?=[ ](?:IN|FOR|ON|AT|RE|ABOUT)\b|[ ]?[.,;\n])")),
    # "Two daughters, Isla 9 and Freya 6"
    Rule("children_ages", "NAME", 0.8, _re(rf"\b(?:[Dd]aughters?|[Ss]ons?|[Cc]hildren|[Kk]ids|[Tt]wins|[Gg]randkids|[Gg]randchildren)[,:]?[ ](?P<v>{NAME_WORD})[ ]?\(?\d{{1,2}}\)?(?:,|[ ](?:and|&)[ ])")),
    # "Daughter Allegra at bedside.", "The owner, Skip, saw it": whatever else the word means, here it names somebody
    Rule("relative_one", "NAME", 0.75, _re(
        rf"{one_of(_RELATIVE_ONE, cased=True)}"
        rf"(?:,[ ]|[ ](?:is[ ])?|[ ]\()(?P<v>{UPPER}[a-z]{{1,14}})(?=[,.;)]|[ ](?:at|who|is|was|and|says|said|states|reports|here|present|called|calls|confirms|brought|brings|in|from|will|has|had|helps|lives|agrees|to|on|by|w/|with)\b)(?!,?[ ]\d)"),
        check=lambda m: bool(flags(m["v"]) & (GIVEN | GIVEN_RARE)) or m["v"].lower() in NAME_WORDS),
    # "Three kids: Autumn 19, Chaske 14, Winter 9"
    Rule("kids_listed", "NAME", 0.8, _re(rf"(?<=[:(,;][ ])(?P<v>{UPPER}[a-z]{{1,14}})[ ,(]{{1,3}}\d{{1,2}}(?=[),;.]|[ ](?:and|&)[ ])"),
        check=lambda m: bool(_KIDS_BEFORE.search(m.string[max(0, m.start() - 60) : m.start()]))),
    # "walter t peabody that's p e a b o d y"
    Rule("spelled", "NAME", 0.7, _re(r"(?<![\w'-])(?P<v>(?:[A-Za-z][ ](?:(?:apostrophe|hyphen|dash|space|capital)[ ])?){4,14}[A-Za-z]|(?:[A-Z]-){3,14}[A-Z])(?![\w'-])"), check=lambda m: len(set(m["v"].lower())) > 4),
    # "99 YO M TURGEON, PNA"
    Rule("after_age_capitals", "NAME", 0.62, _re(r"\b\d{1,3}[ ]?(?:YO|Y/O|YR|Y)[ ]?[MF][ ](?P<v>[A-Z]{3,16}),"),
        check=lambda m: bool(flags(m["v"]) & ANY_NAME) and not is_safe(m["v"]) and not is_clinical(m["v"].lower()) and not _shorthand(m["v"])),
    # "Graves 41F hyperthyroid", "Whipple 67 yo": at the head of a line an eponym with an age is somebody
    Rule("opening_eponym_age", "NAME", 0.62, _re(rf"(?:^|\n)[ \t]{{0,4}}(?P<v>{UPPER}[a-z]{{3,16}}),?[ ]\d{{2}}[ ]?(?:[MF]\b|yo\b|y/o|y\.o)"),
        check=lambda m: m["v"].lower() in EPONYMS or m["v"].lower() in phrases.words("eponym_surnames")),
    # "Hodgkin, T. with lymphoma", "Kocher A., drain out", "Sheehan, M: lactating": a thing has no initial
    Rule("eponym_initial", "NAME", 0.95, _re(
        rf"(?P<v>(?P<e>{_CAPITAL}[a-z]{{2,16}}(?:-{UPPER}[a-z]{{2,16}})?)(?P<c>,?)[ ](?P<i>[A-Z])(?:\.|(?=[ ]?[:;])|(?=,?[ ]\d{{1,3}}[ ]?(?:[MF]\b|yo\b|y/o))))(?![\w])"),
        check=lambda m: _eponym_with_initial(m)),
    # "Anesthesia: T. Mallampati"
    Rule("initial_eponym", "NAME", 0.66, _re(rf"(?:^|[:,;(\n][ ]?|\b(?:[Bb]y|[Ww]ith|[Pp]er|[Aa]nd|w/|&)[ ])(?P<v>[A-KM-QS-Z]\.[ ]?(?:[A-Z]\.[ ]?)?(?P<e>{UPPER}[a-z]{{2,16}}))(?![\w'-])"),
        check=lambda m: _eponym_after_initial(m)),
    # "Taxotere-Lowe", "Sternum-Bailey": what is half a drug or an organ and half a surname is all a name
    Rule("thing_surname", "NAME", 0.66, _re(rf"(?P<v>(?P<a>{_CAPITAL}[a-z]{{2,16}})-(?P<b>{UPPER}[a-z]{{2,16}}))(?![\w'-])"), check=lambda m: _thing_and_surname(m)),
    # "Ana Requip", "Rosa Hirschsprung", "Plavix Nakamura"
    Rule("person_thing", "NAME", 0.66, _re(rf"(?P<v>(?P<a>{_CAPITAL}[a-z]{{2,16}})[ ](?P<b>{UPPER}[a-z]{{2,16}}))(?![\w'-])"), check=lambda m: _person_and_thing(m)),
    # "Foley placed in Foley, Agnes, 300 mL out"; but "Hodgkin, Ann Arbor IIA", "Adson, Roos, Wright neg"
    Rule("thing_comma_given", "NAME", 0.66, _re(rf"(?P<v>(?P<a>{_CAPITAL}[a-z]{{2,16}}),[ ](?P<b>{UPPER}[a-z]{{2,12}}))(?![\w'-])(?!,?[ ]{UPPER}[a-z])"), check=lambda m: _thing_and_given(m)),
    # "Cushing kid on pred burst", "Erb infant moves both arms"
    Rule("eponym_family", "NAME", 0.66, _re(rf"(?P<v>{_CAPITAL}[a-z]{{2,16}})[ ](?:kid|infant|baby|family|twins?|girl|boy|mom|dad|siblings?|household)\b"), check=lambda m: _is_eponym(m["v"])),
    # "nurse patience says he": in small letters a name by what the nurse does
    Rule("nurse_small", "CLINICIAN", 0.65, _re(r"\b(?:nurse|aide|tech|rn|cna)[ ](?P<v>[a-z]{3,14})(?=[ ](?:says|said|called|gave|reports|told|helped|came|took|noted)\b)"),
        check=lambda m: bool(flags(m["v"]) & GIVEN)),
    Rule("name_given", "NAME", 0.7, _re(rf"\b(?:[Nn]ame[ ]given[ ]as|NAME[ ]GIVEN[ ]AS|[Aa]lias|ALIAS|[Ss]treet[ ]name|a\.?k\.?a\.?|AKA(?=[ ][\"“]|:))[ :]{{1,3}}[\"“]?(?P<v>{_PREFIX_NAME})")),
    # "Reach him on Verna's cell"
    Rule("whose_phone", "NAME", 0.7, _re(rf"(?<![\w'-])(?P<v>{NAME_WORD})'s[ ](?:cell|phone|mobile|landline|number|voicemail|house|car|truck|place|apartment|insurance)\b")),
    # "Husb Dub instructed"
    Rule("relative_short", "NAME", 0.75, _re(rf"\b(?:[Hh]usb|[Dd]tr|[Dd]au|[Ss]is|[Bb]ro|[Gg]ma|[Gg]pa|[Hh]ubby)\.?[ ](?P<v>(?!{UPPER}{{2}}){NAME_WORD})(?![\w'-])")),
    # "Tourette 34M walk in"
    Rule("opening_age", "NAME", 0.6, _re(rf"^[ \t]{{0,4}}(?P<v>(?!{UPPER}{{2}}){NAME_WORD}(?:,?[ ]{NAME_WORD})?),?[ ]\d{{1,3}}[ ]?(?:[MF]|yo|y/o|yr)\b", re.MULTILINE)),
    Rule("surname_first", "NAME", 0.6, _re(
        rf"(?:^[ \t]{{0,4}}|[\])][ \t]|\()(?P<v>(?:{PARTICLE}{SP})?{UPPER}{{2,}}(?:[-']{UPPER}{{2,}})?(?:{SP}{UPPER}{{2,}})?,[ \t]?{UPPER}{{2,}}(?:{SP}{UPPER}\.?)?)(?![A-Za-z])(?=[ \t]{{0,4}}(?:$|,?[ \t]?MRN|DOB|\d|\(|#|[MF]\b))", re.MULTILINE)),
    Rule("relative", "NAME", 0.85, _re(
        rf"\b(?:[Hh]is|[Hh]er|[Tt]heir|[Tt]he|[Mm]y|[Hh]ers|[Pp]atient'?s?|[Pp]t'?s?|[Aa]n?|[Oo]lder|[Yy]ounger|[Oo]ldest|[Yy]oungest|[Aa]dult|[Ll]ate|[Tt]win|[Bb]aby|[Bb]oth|[Nn]ew|{LETTER}{{2,20}}'s|{LETTER}{{2,20}}s')[ \t](?:\w{{3,9}}[ \t])?{RELATIVE}"
        rf"(?:,[ \t]|[ \t]\(|[ \t]|:[ \t])(?:is[ \t](?:named[ \t])?|named[ \t]|called[ \t]|are[ \t])?(?P<v>{_PREFIX_NAME}(?:(?:,|,?{SP}and){SP}{_PREFIX_NAME}){{0,4}})")),
    Rule("relative_header", "NAME", 0.82, _re(
        rf"{one_of(_RELATIVE_HEAD, cased=True)}(?:[ \t]?[:(,][ \t]?|[ \t](?:is[ \t])?)(?:named[ \t])?(?P<v>{_PREFIX_NAME})")),
    Rule("name_of_relative", "NAME", 0.8, _re(
        rf"\b(?P<v>{_PREFIX_NAME})(?:,[ \t]|[ \t]\()(?:(?:the[ \t])?(?:[Pp]atient|[Pp]t)'?s?|[Hh]is|[Hh]er|[Tt]heir)[ \t](?:\w{{3,9}}[ \t])?{RELATIVE}\b")),
    Rule("named", "NAME", 0.85, _re(rf"\b(?:[Nn]amed|[Mm]y name is|[Nn]ame is|[Nn]icknamed|[Gg]oes by|[Kk]nown as|[Aa]ddressed as|[Pp]refers to be called|[Cc]alled|[Ii]ntroduced (?:him|her|them)self as|[Ii] am|[Tt]his is|[Dd]ear|[Hh]i|[Hh]ello|[Ss]poke with|[Ss]poke to|[Pp]er|[Tt]hank you,?|[Ss]incerely,?|[Rr]egards,?)[ \t\n]{{1,3}}(?P<v>{_PREFIX_NAME})")),
    Rule("patient_name", "NAME", 0.85, _re(rf"\b(?:[Tt]he[ \t])?(?:[Pp]atient|PATIENT|[Pp]t|[Cc]lient|[Rr]esident)(?:,[ \t]|[ \t](?:is[ \t])?|:[ \t]?)(?P<v>{_PREFIX_NAME})(?=,|[ \t](?:is|was|has|had|reports?|denies|presents?|presented|came|a[ \t]|who|states?|seen|complains)|[.\n])")),
    # "Ruth Alvarez is a pleasant, right-handed 61-year-old", "Kestrel, a 22-month-old", "Ward was a quiet man"
    Rule("is_somebody", "NAME", 0.9, _re(
        rf"(?<![\w'-])(?P<v>{NAME_WORD}(?:{SP}(?:{PARTICLE}{SP})?(?:{NAME_WORD}|{INITIAL})){{0,3}}){_IS_SOMEBODY}")),
    # "RUTH ALVAREZ IS A 61-YEAR-OLD", "ruth alvarez, a 61 year old"
    Rule("is_somebody_cased", "NAME", 0.9, _re(
        rf"(?<![\w'-])(?P<v>(?:{UPPER}{{2,20}}(?:{SP}{UPPER}{{2,20}}){{0,3}}|[a-z]{{2,20}}(?:{SP}[a-z]{{2,20}}){{0,2}}))(?i:{_IS_SOMEBODY})")),
    Rule("age_after", "NAME", 0.8, _re(rf"(?<![\w'-])(?P<v>{NAME_WORD}(?:{SP}(?:{NAME_WORD}|{INITIAL})){{0,3}})(?:,|{SP}(?:is|was)){SP}(?:an?{SP})?(?:age[d]?{SP})?\d{{1,3}}(?:{SP}|-)?(?:years?|yrs?|y[./]?o|months?|weeks?|days?|year-old|M\b|F\b)")),
    Rule("possessive", "NAME", 0.7, _re(rf"(?<![\w'-])(?P<v>{NAME_WORD}{SP}{NAME_WORD})'s[ \t](?:labs?|medications?|blood|symptoms?|care|history|condition|pain|mother|father|wife|husband|daughter|son|family|exam|vitals?|chart|results?)\b")),
    Rule("spelled", "NAME", 0.75, _re(r"(?<![\w-])(?P<v>(?:[A-Za-z]-){3,14}[A-Za-z])(?![\w-])")),
    Rule("initials_name", "NAME", 0.7, _re(rf"(?<![\w./'-])(?P<v>{UPPER}\.[ ]?(?:{UPPER}\.[ ]?)?{UPPER}{LETTER}{{2,20}}(?:-{NAME_WORD})?)\b(?!\.\d)")),
)  # fmt: skip

_PERSON_HEADER = r"(?:(?:patient|pt|client|full|legal|maiden|preferred|birth|first|last|middle|family|given|mother|father|guardian|spouse|baby|infant|newborn|member|subscriber|guarantor|contact|caregiver|insured|beneficiary)(?:'?s)?[ \t])?names?|patient|pt|re|client|resident|emergency[ \t]contact|next[ \t]of[ \t]kin|nok|health[ \t]?care[ \t](?:proxy|agent)|hcp|poa|power[ \t]of[ \t]attorney|guardian|informant|accompanied[ \t]by|spouse|contact(?:[ \t]person)?|guarantor|responsible[ \t]party|subscriber|policy[ \t]?holder|caregiver|interpreter|witness(?:ed[ \t]by)?|a\.?k\.?a\.?|alias|nickname|given|family|surname|mother|father|parents?|legal[ \t]name"

# Headers are read without regard to case; the name itself keeps its capital.
_HEADER_NAME = rf"(?:{PARTICLE}{SP})?(?:{NAME_WORD}|{INITIAL})(?:,?{SP}{{1,2}}(?:{PARTICLE}{SP}){{0,2}}(?:{NAME_WORD}|{INITIAL})){{0,4}}"
_HEADERS = (
    ("clinician_header", "CLINICIAN", 0.88, watch(re.compile(rf"(?i:{one_of(_CLINICIAN_HEADER)})[ \t]{{0,3}}(?::|is[ \t])?{_BREAK}(?:(?i:dr\.?|doctor|mr\.?|ms\.?|mrs\.?)[ \t])?(?P<v>{_HEADER_NAME})"))),
    ("person_header", "NAME", 0.9, watch(re.compile(rf"(?i:{one_of(_PERSON_HEADER)})[ \t]{{0,3}}(?::|=|[ \t]is[ \t])(?:[ \t]{{0,4}}\n)?[ \t]{{0,8}}(?:(?i:mr|mrs|ms|miss|dr)\.?[ \t])?(?P<v>{_HEADER_NAME})"))),
)  # fmt: skip

STOP_WORDS = frozenset(
    """
    information phone address date gender sex age birth number id identification mrn dob ssn type status unknown none na
    not no yes unchanged present active self same see above below per admitted physician provider nurse resident attending
    signed dictated reviewed electronically service department unit team staff on at in of by and or to for from the this
    re subject client contact emergency relationship spouse mother father son daughter brother sister wife husband name names title
    facility location room bed account visit encounter admission discharge allergies medications history chief complaint
    aprn arnp fnp fnp-c fnp-bc pa-c mbbs facp facs facc bsn msn dnp dpt lcsw licsw crna lpn cna phd pharmd rph bc msw md mph colleague
    cnm chpn lmft crnp cns lpc lmhc rd rdn rrt emt emt-p paramedic ccc-slp slp aud od psyd edd dvm mba mha msc bs ba bds dmd dds dpm frcs frcp facog
    faap facr ccrn cen ocn cwocn cde cdces cma rma lvn lvt otr ot cota pta atc rt rdms ncc cadc lcadc lsw lisw bcba dacm dc nd ma ms msn aprn-cnp pgy ms3 ms4
    pcp md do rn np pa dr mr mrs ms miss jr sr phd he she it they we you i his her pt patient
    neuro cards renal heme onc psych surg ortho pulm rads peds derm endo rheum uro gyn neph vasc anesthesia handoff addendum
    """.split()
)


def clean_name(text: str, start: int, end: int, *, titled: bool) -> tuple[int, int] | None:
    """Cut a candidate at its first word that no name holds; None when nothing is left.

    `titled`: the sign before the name is so strong ("Dr. ", "Mr. ") that an ordinary word is believed to be a name.
    Both "Mr. White" and "Ms. Parkinson" are people; "Patient: Denies pain" and "seen by Cardiology" are not.
    """
    common = common_words()
    words = list(_TOKEN.finditer(text, start, end))
    kept: list[re.Match[str]] = []
    for word in words:
        low = word.group().lower().rstrip(".")
        if low in _SUFFIX_OK and kept:
            kept.append(word)
            continue
        if low in _PARTICLES and word.group() != "Y":  # but "Dr. Y"
            kept.append(word)
            continue
        if len(low) == 1 and word.group()[0].isupper():
            kept.append(word)  # an initial
            continue
        ordinary = (
            (low in common and low not in NAME_WORDS)
            or low in STOP_WORDS
            or (low in NATIONS and low not in NAME_WORDS)
            or is_clinical(low)
            or (not titled and (low in phrases.words("things") or _shorthand(word.group())))
        )
        if ordinary and not (titled and not kept and low not in STOP_WORDS and low not in _TITLED_NEVER):
            break
        kept.append(word)
    while kept and (
        (kept[-1].group().lower() in _PARTICLES and kept[-1].group() != "Y")
        or (len(kept) > 1 and _DEGREE.match(text, kept[-1].start()))
    ):
        kept.pop()
    if not kept or (all(len(w.group().rstrip(".")) < 2 for w in kept) and not titled):
        return None
    first = kept[0].group().lower()
    if (
        not titled
        and len(kept) == 1
        and (first in NAME_WORDS or (first in EPONYMS and _EPONYM_AFTER.match(text, kept[-1].end())))
    ):
        return None
    if _EPONYM_AFTER.match(text, kept[-1].end()) and not titled:
        return None
    return kept[0].start(), kept[-1].end()


_TOKEN = re.compile(rf"{LETTER}(?:{LETTER}|['\-](?={LETTER}))*\.?")
_DEGREE = re.compile(r"(?:M\.?[ ]?D|D\.?[ ]?O|R\.?[ ]?N|N\.?[ ]?P|P\.?[ ]?A|Ph\.?[ ]?D|D\.?[ ]?D\.?[ ]?S)\b")
_PARTICLES = frozenset("de la los las del della di da dos du le van der den von bin ibn al el y and".split())
_TITLED_NEVER = frozenset("will has is was on in at who and or to the s".split())
_EPONYM_AFTER = re.compile(rf"(?:'s)?[ \t-](?:{'|'.join(EPONYM_HEADS)})\b", re.IGNORECASE)
_TITLED_RULES = frozenset(
    {"clinician_title", "courtesy_title", "person_title", "strong_credential", "electronic_signature"}
)


def find(note: Note) -> Iterator[Span]:
    """People of folded text."""
    yield from _with_signs(note)
    yield from _with_headers(note)
    yield from _by_what_they_do(note)
    yield from _by_layout(note)


# What stands around it leaves no doubt, so that no list of ordinary words is asked.
_WHATEVER_THE_WORD = frozenset(
    (
        "doctor_little_word",
        "courtesy_little_word",
        "header_little_word",
        "signature_small",
        "middle_initial",
        "name_dictated",
        "signature",
        "signature_capitals",
        "signature_line",
        "relative_one",
        "title_letter",
        "nurse_small",
        "name_given",
        "whose_phone",
        "kids_listed",
        "spelled",
        "after_age_capitals",
        "opening_eponym_age",
        "eponym_initial",
        "initial_eponym",
        "thing_surname",
        "person_thing",
        "thing_comma_given",
        "eponym_family",
    )
)
_OPENS = re.compile(
    r"(?:\A|[\n.;:(,/&]|\b(?:with|w/|by|to|per|via|from|dear|and|cc|for|of|re|see))[ \t]*\Z", re.IGNORECASE
)
_CLOSES = re.compile(r"[.;,)]|[ \t]*(?:\n|\Z)")


def _is_titled(match: re.Match[str]) -> bool:
    """Whether a title stands where no sentence ends, so that the little word behind it is a name."""
    before = match.string[max(0, match.start() - 12) : match.start()]
    return bool(_OPENS.search(before) or (not match["v"].isupper() and _CLOSES.match(match.string, match.end())))


# "Child A. cirrhosis", "Weber B.", "Stanford A.": classes, not initials
_CLASSED = frozenset("child pugh weber stanford debakey salter harris mason garden denis forrest type".split())


def _is_eponym(word: str) -> bool:
    return any(part in EPONYMS or part in phrases.words("eponym_surnames") for part in word.lower().split("-"))


def _is_thing(word: str) -> bool:
    return bool(flags(word) & (DRUG | CLINICAL)) and not _is_eponym(word)


def _is_only(kind: int, word: str) -> bool:
    """Whether a word is a name of that kind, more often than not, and in no list anything else."""
    bits = flags(word)
    other = DRUG | CLINICAL | WORD | MONTHDAY | CITY | COUNTY | STATE | NATION
    return bool(bits & kind) and not bits & other and name_share(word) >= 0.6 and not _is_eponym(word)


def _is_drug(word: str) -> bool:
    return bool(flags(word) & DRUG)


def _is_surname(word: str) -> bool:
    """Whether a word is a surname at least as often as not: "Motrin-Hale"."""
    bits = flags(word)
    return bool(bits & SURNAME) and not bits & (DRUG | CLINICAL | MONTHDAY) and name_share(word) >= 0.5


def _no_sign_after(match: re.Match[str]) -> bool:
    text, end = match.string, match.end()
    return not _EPONYM_AFTER.match(text, end) and not _SIGN_AFTER.match(text, end)


def _thing_and_surname(match: re.Match[str]) -> bool:
    a, b = match["a"], match["b"]
    kind = SURNAME | GIVEN
    both = (_is_thing(a) and _is_only(kind, b)) or (_is_thing(b) and _is_only(kind, a))
    return (both or (_is_drug(a) and _is_surname(b)) or (_is_drug(b) and _is_surname(a))) and _no_sign_after(match)


def _person_and_thing(match: re.Match[str]) -> bool:
    a, b = match["a"], match["b"]
    if _is_only(GIVEN, a):
        person = (_is_thing(b) or _is_eponym(b)) and b.lower() not in common_words()
    else:
        person = bool(flags(a) & DRUG) and _is_only(SURNAME, b)
    return person and _no_sign_after(match)


def _thing_and_given(match: re.Match[str]) -> bool:
    return (_is_thing(match["a"]) or _is_eponym(match["a"])) and _is_only(GIVEN, match["b"])


_LINE_START = re.compile(r"^[ \t]{0,4}\Z", re.MULTILINE)


def _eponym_after_initial(match: re.Match[str]) -> bool:
    after = _EPONYM_AFTER.match(match.string, match.end()) or _SIGN_AFTER.match(match.string, match.end())
    return _is_eponym(match["e"]) and not after


def _eponym_with_initial(match: re.Match[str]) -> bool:
    """Sides ("Babinski R. upgoing"), classes and Roman numbers are no initials unless a comma stands before them."""
    word, initial = match["e"], match["i"]
    if not _is_eponym(word):
        return False
    opens = _LINE_START.search(match.string, max(0, match.start() - 6), match.start()) is not None
    if match["c"]:
        return initial not in "RL" or opens
    return initial not in "RLIVX" and (initial not in "ABC" or (opens and word.lower() not in _CLASSED))


_SOMEBODY = re.compile(RELATIVE)
# Who is somebody and not called so, and what may stand before a name at the head of a sentence.
_NOUNS = frozenset(
    """
    he she it they this that who which patient pt client resident child kid boy girl newborn neonate fetus man woman male
    female gentleman lady donor recipient proband informant subject participant student driver passenger victim inmate
    offender veteran caller referral consult today yesterday currently briefly overall also and but so mr mrs ms dr
    """.split()
)


def _behind_nouns(text: str, start: int, end: int) -> int:
    """Where a name begins behind "Today", "Baby" and a heading on the same line; its end where nothing of it is left."""
    words = list(_TOKEN.finditer(text, start, end))
    if len(words[-1].group().rstrip(".")) < 2:
        return end  # "Twin B is a two-week-old"
    shouted = words[-1].group().isupper()
    for word in words:
        low = word.group().lower().rstrip(".")
        heading = len(low) > 2 and word.group().isupper() and not shouted
        if not (heading or low in _NOUNS or low in STOP_WORDS or _SOMEBODY.fullmatch(low)):
            return word.start()
    return end


def _behind_words(text: str, start: int, end: int) -> int:
    """The same where capitals tell nothing: the name is the words at the end that are names more often than not."""
    begin = end
    for word in reversed(list(_TOKEN.finditer(text, start, end))):
        low = word.group().lower()
        if (
            low in _NOUNS
            or low in STOP_WORDS
            or not flags(low) & ANY_NAME
            or name_share(low) < (0.3 if begin < end else 0.5)
        ):
            break
        begin = word.start()
    return begin


def _with_signs(note: Note) -> Iterator[Span]:
    """Names beside a title, a credential, a relative."""
    text, where = note.text, note.where
    for rule in RULES:
        if id(rule.pattern) not in where:
            continue
        for match in note.finditer(rule.pattern):
            if rule.check and not rule.check(match):
                continue
            start, end = match.span("v")
            titled = rule.name in _TITLED_RULES
            for a, b in (
                _split_list(text, start, end) if rule.name in ("relative", "clinicians_title") else ((start, end),)
            ):
                if rule.name in ("is_somebody", "is_somebody_cased"):
                    behind = _behind_nouns if rule.name == "is_somebody" else _behind_words
                    if (name := behind(text, a, b)) < b:
                        yield Span(name, b, rule.identifier, rule.score, f"names.{rule.name}")
                elif rule.name in _WHATEVER_THE_WORD:
                    yield Span(a, b, rule.identifier, rule.score, f"names.{rule.name}")
                elif rule.name == "person_title_lower":
                    called_like = match.group().startswith(("mr", "Mr")) and (
                        flags(match["v"]) & DRUG or match["v"] in BRANDS or match["v"] in EPONYMS
                    )  # "mrs. ativan"; but "ms contin"
                    ordinary = match["v"] in common_words() or match["v"] in NATIONS or match["v"] == "contin"
                    if called_like or not ordinary:
                        yield Span(a, b, rule.identifier, rule.score, f"names.{rule.name}")
                elif rule.name == "surname_first" and any(
                    flags(w) & CLINICAL and name_share(w) < 0.5 for w in re.split(r"[, ]+", text[a:b])
                ):
                    continue  # "ROM WNL, MMT 5/5"
                elif _no_name(rule.name, text, a, b):
                    continue
                elif (
                    rule.name in ("relative", "relative_header")
                    and (one := _GIVEN_ONLY.match(text, a, b))
                    and (flags(one.group()) & (GIVEN | GIVEN_RARE) and not flags(one.group()) & (CLINICAL | MONTHDAY))
                ):
                    named = clean_name(text, a, b, titled=titled) or one.span()  # "his wife Comfort"
                    yield Span(*named, rule.identifier, rule.score, f"names.{rule.name}")
                elif bounds := clean_name(text, a, b, titled=titled):
                    yield Span(*bounds, rule.identifier, rule.score, f"names.{rule.name}")
                elif rule.name == "courtesy_title" and (one := _TOKEN.match(text, a, b)):
                    yield Span(*one.span(), rule.identifier, rule.score, f"names.{rule.name}")  # "Mr. Nurse"


_BRAND_DOCTORS = re.compile(
    r"Brown(?:'?s)?[ ](?:bottles?|nipples?|preemie|level|flow)|Scholl|Pepper\b|Bronner|Google\b|Teal\b|Sears\b|Browns?[ ]bottle"
)
_DUAL_CHAMBER = re.compile(r"DR[ ](?:MRI|ICD|CRT|PPM|Congo|[A-Z]\d)")  # a pacemaker's "Azure XT DR MRI"; and a land
# Mitral regurgitation, multiple sclerosis, and relatives: "MILD MR. LVEF 55", "Father MI at 71".
_NO_TITLE = re.compile(r"\b(?:MR\.?|MS\.?|[Ff]ather|[Ss]ister|FATHER|SISTER)[ ]{1,2}$")
_SIGN_AFTER = re.compile(
    r"[ ](?:[+-](?!\w)|neg|pos|equiv|absent|present|sign|test)"
)  # "R. Hoffman neg", "O'Brien equivocal"
_NUMBER_BEFORE = re.compile(r"(?:\d|&|\b(?:[Mm]od|[Mm]in|[Mm]ax|[Cc]at|[Gg]rade|[Tt]ype))[ ]?$")


def _no_name(rule: str, text: str, start: int, end: int) -> bool:
    """What stands where a name would: "father MI at 71", "MILD MR. LVEF 55", "Dr. Brown bottle", "UOP 1.2 L. Trial"."""
    word = text[start:end]
    if rule == "clinician_title" and _DUAL_CHAMBER.match(text, max(0, start - 3)):
        return True
    if _shorthand(word):  # but "MS. ROSE" is a person, though ROSE is an abbreviation too
        return rule not in _TITLED_RULES or _NO_TITLE.search(text, max(0, start - 10), start) is not None
    if rule in ("clinician_title", "clinician_role") and _BRAND_DOCTORS.match(text, start):
        return True
    if rule == "clinician_role":
        return word in ("CM", "HH", "DC")  # "RN CM following": two roles
    if rule == "relative_header" and _is_eponym(word.removesuffix("'s")) and text[end - 2 : end + 2].count("'s"):
        return True  # "d/w wife: Parkinson's is not the reason"
    if rule in ("person_title", "relative_header", "relative") and text.startswith(
        ("Mary Joseph nod", "Mary Joseph's nod"), start
    ):
        return True
    if rule == "courtesy_title":
        return text.startswith("Potato Head", start)
    if rule == "person_title":
        return text.startswith("Contin", start) or (word.isupper() and text[max(0, start - 3) : start].lower() == "lt ")
    if rule != "initials_name":
        return False
    return _NUMBER_BEFORE.search(text, max(0, start - 6), start) is not None or (
        word[0] in "RL" and _SIGN_AFTER.match(text, end) is not None
    )


def _with_headers(note: Note) -> Iterator[Span]:
    """Names behind a header: "Attending:", "Next of kin:"."""
    text = note.text
    for name, identifier, score, pattern in _HEADERS:
        for match in note.finditer(pattern):
            if _THING_BEFORE.search(text[max(0, match.start() - 16) : match.start()]):
                continue
            strong = _NAME_HEADER.match(match.group()) is not None
            if not strong and match["v"].split()[0].isupper() and " is " in match.group().lower():
                continue  # "Pt is WBAT RLE"
            if not strong and _shorthand(match["v"].split()[0]):
                continue  # "PT: CGA", "ANESTHESIA: MAC"
            if bounds := clean_name(text, *match.span("v"), titled=strong):
                yield Span(*bounds, identifier, score, f"names.{name}")


def _by_what_they_do(note: Note) -> Iterator[Span]:
    """Names by what people do and have done to them, and words of no dictionary."""
    text = note.text
    for match in note.finditer(_PAIR):
        words = match.group().lower().split()
        if all(_in_dictionary(w) for w in words) or any(_ordinary(w) or _CONTRACTION.search(w) for w in words):
            continue
        if not phrases.words("things").isdisjoint(words):
            continue
        if not _EPONYM_AFTER.match(text, match.end()) and not _NOT_A_PERSON.match(text, match.end()):
            yield Span(*match.span(), "NAME", 0.5, "names.unknown_words")
    for match in note.finditer(_SUBJECT):
        word = match["v"].lower()
        if not _in_dictionary(word) and not _ordinary(word) and not all(map(_in_dictionary, word.split("-"))):
            yield Span(*match.span("v"), "NAME", 0.66, "names.unknown_subject")
    for pattern, rule_name in ((_HUMAN_SUBJECT, "human_subject"), (_HUMAN_OBJECT, "human_object")):
        for match in note.finditer(pattern):
            word = match["v"]
            if word.lower() in EPONYMS and match.group().endswith("tolerated"):
                continue  # "Trendelenburg tolerated"
            if _could_be_person(word) and not _EPONYM_AFTER.match(text, match.end("v")):
                yield Span(*match.span("v"), "NAME", 0.6, f"names.{rule_name}")
    for match in note.finditer(_KIN_OF):
        if _could_be_person(match["v"]) or not _in_dictionary(match["v"].lower()):
            yield Span(*match.span("v"), "NAME", 0.6, "names.kin_of")
    for match in note.finditer(_AS_PERSON):
        low = match["v"].lower()
        if (
            low in EPONYMS or low in phrases.words("eponym_surnames") or flags(low) & DRUG or _could_be_person(low)
        ) and (low not in _REPORTS):
            yield Span(*match.span("v"), "NAME", 0.6, "names.as_person")
    for pattern, rule_name in ((_THING_ACTS, "thing_acts"), (_THING_STANDS, "thing_stands")):
        for match in note.finditer(pattern):
            word = match["v"]
            low = word.lower()
            thing = _is_eponym(word) or flags(word) & DRUG or low in BRANDS
            if thing and low not in CLOSED and not _EPONYM_AFTER.match(text, match.end("v")):
                yield Span(*match.span("v"), "NAME", 0.66, f"names.{rule_name}")
    for match in note.finditer(_WORD_STANDS):
        group = next(name for name in "vwxy" if match[name])
        word = match[group]
        # "Blakemore at bedside", "Ballard 37 wks": what is brought and counted may be called like somebody
        thing = flags(word) & (CLINICAL | MONTHDAY) or word == "Diem" or (group in "xy" and _is_eponym(word))
        if _could_be_person(word) and not thing:
            yield Span(*match.span(group), "NAME", 0.66, "names.word_stands")
    for match in note.finditer(_HEAD_STANDS):
        word = match["v"]
        # "Gilbert, bili 2.1": a diagnosis and its value
        if (
            _could_be_person(word) and word.lower() not in _HEADS and not flags(word) & (CLINICAL | MONTHDAY | DRUG)
            and not (match["apart"] not in (" ", None) and _is_eponym(word))
        ):  # fmt: skip
            yield Span(*match.span("v"), "NAME", 0.66, "names.head_stands")
    for match in note.finditer(_APOSTROPHE):
        if (
            match["v"].lower().replace("'", "") not in ("oclock", "dyouville")
            and not _EPONYM_AFTER.match(text, match.end("v"))
            and not _SIGN_AFTER.match(text, match.end("v"))
        ):
            yield Span(*match.span("v"), "NAME", 0.66, "names.apostrophe")
    for match in note.finditer(_LISTED_PAIR):
        first, last = flags(match["g"]), flags(match["f"])
        if (
            first & (GIVEN | GIVEN_RARE)
            and last & (SURNAME | SURNAME_RARE)
            and not (first | last) & (CLINICAL | MONTHDAY)
            and not (is_safe(match["f"]) and match["f"].lower() not in NAME_WORDS)
            and not _EPONYM_AFTER.match(text, match.end())
            and not _NOT_A_PERSON.match(text, match.end())
        ):
            yield Span(*match.span("v"), "NAME", 0.55, "names.listed_pair")


def _by_layout(note: Note) -> Iterator[Span]:
    """Names by where they stand: at the head of a line, before an initial, in capitals."""
    text = note.text
    for match in note.finditer(_CAPS_LAST_FIRST):
        if _is_name(match["l"]) and _is_name(match["f"]) and not any(map(_shorthand, match["v"].split(", "))):
            yield Span(*match.span("v"), "NAME", 0.6, "names.capitals_last_first")
    for match in note.finditer(_CAPS_GLUED):
        if _is_name(match["l"]) and _is_name(match["f"]):
            yield Span(*match.span("v"), "NAME", 0.7, "names.capitals_glued")
    for match in note.finditer(_CAPS_SUBJECT):
        if _could_be_person(match["v"]) and not is_clinical(match["v"].lower()):
            yield Span(*match.span("v"), "NAME", 0.6, "names.capitals_subject")
    for match in note.finditer(_OPENING_PAIR):
        last = flags(match["f"])
        if (
            name_share(match["g"]) >= 0.6
            and flags(match["g"]) & GIVEN
            and match["f"].lower() not in _NO_SURNAMES
            and match["g"].lower() not in phrases.words("things")
            and match["f"].lower() not in phrases.words("things")
            and not _EPONYM_AFTER.match(text, match.end("v"))
            and (match["e"] in ",:" or last & DRUG or not last & (CLINICAL | WORD))
        ):
            yield Span(*match.span("v"), "NAME", 0.5, "names.opening_pair")
    for match in note.finditer(_OPENING_THING):
        word = match["v"]
        if (_is_eponym(word) or flags(word) & DRUG or word.lower() in BRANDS) and not (
            _EPONYM_AFTER.match(text, match.end("v")) or _THING_AFTER.match(text, match.end("v"))
        ):
            line = text.find("\n", match.end())
            if re.search(rf"\b{word}\b", text[match.end() : line if line >= 0 else len(text)], re.IGNORECASE):
                yield Span(*match.span("v"), "NAME", 0.6, "names.opening_thing")
    for match in note.finditer(_OPENING_UNKNOWN):
        if _is_unknown(match["v"]) and not _EPONYM_AFTER.match(text, match.end("v")):
            yield Span(*match.span("v"), "NAME", 0.48, "names.opening_unknown")
    for match in note.finditer(_LAST_INITIAL):
        parts = match["l"].split("-")
        if all(map(_is_name, parts)) and (len(parts) > 1 or name_share(match["l"]) >= 0.5 or _is_unknown(match["l"])):
            yield Span(*match.span("v"), "NAME", 0.6, "names.last_initial")
    for match in note.finditer(_FIRST_INITIAL):
        given = match["g"].lower()
        if name_share(given) >= 0.5 and flags(given) & GIVEN and given not in _REPORTS:
            yield Span(*match.span("v"), "NAME", 0.55, "names.first_initial")
    for match in note.finditer(_CAPS_LAST_INITIAL):
        if _is_name(match["l"]) and name_share(match["l"]) >= 0.5:
            yield Span(*match.span("v"), "NAME", 0.58, "names.capitals_last_initial")
    for match in note.finditer(_OPENING_LAST_FIRST):
        given = match["f"].split()[0]
        if (
            name_share(given) >= 0.5
            and flags(given) & GIVEN
            and match["l"].lower() not in _OPENERS
            and not _LIST_GOES_ON.match(text, match.end())
            and not flags(match["l"]) & DRUG
            and not flags(match["l"]) & MONTHDAY
        ):
            yield Span(*match.span("v"), "NAME", 0.58, "names.opening_last_first")
    for match in note.finditer(_PT_NAME):
        low = match["v"].lower()
        if (
            _could_be_person(match["v"])
            and low not in _REPORTS | {"will", "may", "price", "can"}
            and not (_EPONYM_AFTER.match(text, match.end("v")) or flags(low) & MONTHDAY)
        ):
            yield Span(*match.span("v"), "NAME", 0.55, "names.pt_name")
    for match in note.finditer(_SMALL_INITIAL):
        if name_share(match["l"]) >= 0.9:
            yield Span(*match.span("v"), "NAME", 0.6, "names.small_initial")
    for match in note.finditer(_NEWBORN):
        if (
            not _in_dictionary(match["v"].lower())
            or name_share(match["v"]) >= 0.1
            or (flags(match["v"]) & (GIVEN | GIVEN_RARE) and not flags(match["v"]) & CLINICAL)
        ):
            # "Baby Girl Tupou" is how the child is called until it has a name of its own.
            yield Span(
                match.start()
                if match.group()[:4] in ("Baby", "BABY") or match.group()[:2] in ("BB", "BG")
                else match.start("v"),
                match.end("v"),
                "NAME",
                0.8,
                "names.newborn",
            )
    for match in note.finditer(_SPEAKS):
        word = match["v"]
        bits = flags(word)
        if word.lower() not in STOP_WORDS and (
            bits & DRUG
            or word.lower() in EPONYMS
            or (word.lower() in NAME_WORDS and word.lower() not in _REPORTS)
            or not bits & (WORD | WORD_RARE | CLINICAL)
        ):
            yield Span(*match.span("v"), "NAME", 0.62, "names.speaks")


# "Lachman knee, Lachman 3+", "Epley failed Epley": one of the two is somebody, and it is the first
_OPENING_THING = watch(re.compile(r"(?:^|\n)[ \t]{0,4}(?P<v>[A-Z][a-z]{2,16})(?='s[ ]|[ ,:?-])"))
_THING_AFTER = re.compile(
    r"(?:'s)?(?:[ ](?:placed|removed|changed|inserted|in|out|vs\.?|versus|or|and|for|of|on|dc'?d|d/c'?d|neg\w*|pos\w*|eval\w*|labs?|fx|dz|attack|I{1,3}|is|was|stand|IgG|I?gM)\b|[ ]?[#\d]|-)"
)
_GIVEN_ONLY = re.compile(rf"{UPPER}[a-z]{{2,14}}(?![\w'-])")
_NAME_HEADER = re.compile(r"(?:(?:patient|pt|client|full|legal|last|first)(?:'s)?[ \t])?name[ \t]{0,3}:", re.IGNORECASE)
# "Model name:", "Drug name:", "Study:" name things, not people.
_THING_BEFORE = re.compile(
    r"\b(?:model|drug|test|procedure|medication|brand|generic|file|facility|hospital|clinic|product|study|device|trade|company"
    r"|pharmacy|plan|street|city|program|school|employer|form|lab|user)[ \t]{1,2}$",
    re.IGNORECASE,
)
# Two capitalised words of which one stands in no dictionary: most often a person whom the model does not know.
_LOWER_TAIL = f"(?!{UPPER})(?:{LETTER}|['-](?={LETTER})){{2,20}}"  # of a capital
_PAIR = watch(re.compile(rf"{_CAPITAL}{_LOWER_TAIL}{SP}(?:{UPPER}\.?{SP})?{UPPER}{_LOWER_TAIL}"))
# A capitalised word of no dictionary that does what only people do: "Virpi denies chest pain".
_SUBJECT = watch(
    re.compile(
        rf"(?<![\w'-])(?P<v>(?!{UPPER}{{2}}){UPPER}(?:{LETTER}|-(?={LETTER})){{2,20}})[ \t](?:(?:also|still|then|currently|now)[ \t])?"
        r"(?:reports?|reported|denie[sd]|states?|stated|says?|said|asks?|asked|tells|told|lives|lived|works|worked|walks|walked|agree[sd]|complain(?:s|ed)"
        r"|understands|understood|endorse[sd]|feels|felt|wants|wanted|slept|sleeps|ate|eats|called|came|went|moved|smokes|drinks|quit|tolerated|ambulate[sd]"
        r"|enjoys|likes|believes|thinks|knows|hopes|wishes|requests|refuse[sd]|declines|declined"
        r"|(?:is|was)[ \t](?:very|doing|feeling|seen|here|brought|accompanied|alert|pleasant|well|admitted|discharged|transferred|born|raised|married|divorced|widowed|retired|single|an?[ \t]\d))\b"
    )
)
_CONTRACTION = re.compile(r"'\w{1,2}$")
_NOT_A_PERSON = re.compile(r"[ \t]{0,2}(?:[:®™\d]|\()")


def _could_be_person(word: str) -> bool:
    """Rose, Kaposi and Will can be people where only people stand; Pain, Patient and Cardiology cannot."""
    low = word.lower()
    if low in STOP_WORDS or (low in _TITLED_NEVER and low != "will"):
        return False
    bits = flags(word)
    return (
        low in EPONYMS
        or low in NAME_WORDS
        or (bool(bits & (GIVEN | SURNAME)) and not bits & (CLINICAL | MONTHDAY))
        or name_share(word) >= 0.1
    )


_ONE = rf"(?P<v>{UPPER}(?!{UPPER})(?:{LETTER}|['-](?={LETTER})){{1,20}})"
_ONE_APART = rf"(?P<v>{_CAPITAL}(?!{UPPER})(?:{LETTER}|['-](?={LETTER})){{1,20}})"
# O'Malley, D'Angelo: whatever their case.
_APOSTROPHE = watch(re.compile(rf"(?<![\w'-])(?P<v>[OoDd]'(?:{LETTER}){{4,20}}(?:-{LETTER}{{3,20}})?)(?![\w'-]*:)"))
# A listed given name and a listed surname, of which one may be a word: "Miles Walker", "Chip Stone".
_LISTED_PAIR = watch(re.compile(rf"(?P<v>(?P<g>{_CAPITAL}[a-z]{{2,14}})[ ](?P<f>{UPPER}[a-z]{{2,18}}))(?![\w'-])"))
# "Tourette's mother", "Sjogren, age 61"
_KIN_OF = watch(
    re.compile(
        rf"{_ONE_APART}(?:'s?[ \t](?:mother|father|mom|dad|wife|husband|son|daughter|sister|brother|parents|family|spouse|partner|aunt|uncle|grandmother|grandfather|caregiver|nurse|daughter-in-law)\b|,[ ](?:age|aged)[ ]\d)"
    )
)
# "Paget, 9 y, strep positive", "Meniere seen for tinnitus", "the Down twins", "Norco, first name Alberta"
_AS_PERSON = watch(
    re.compile(
        rf"{_ONE_APART}(?:,[ ]\d{{1,2}}[ ]?(?:y\b|yo\b|y/o|yrs?\b|years|mo\b|months|[FM]\b)|,[ ]first[ ]name\b|[ ](?:seen[ ](?:for|today|in[ ]clinic|by|with)|is[ ](?:post-?op|POD|hospital[ ]day|on[ ]day|\d'\d)|family[ ](?:requests?|requested|wants?|asks|asked|updated|called|here|at[ ]bedside|aware|agrees|agreed|declines?)\b|(?:twins|parents|kids|children|household|siblings)\b))"
    )
)
# A drug or an eponym that does what no drug and no test does: "Requip tripped over the tubing", "Keppra to MRI 1400 w/ RN",
# "Boniva, our rheum fellow", "Nardil, Mrs.", "Yankauer (ENT)"; and that stands where only people do: "Sitter for Mestinon".
_STAFF = r"(?:fellow|resident|intern|nurse|tech|attending|aide|sitter|physio|therapist|hospitalist|surgeon|pharmacist|chaplain|clerk|scribe)"
_FAMILY = rf"(?:{RELATIVE}|HCP|POA)"
_SERVICE = r"(?:audiology|ENT|GI|cards|cardiology|ortho|PT|OT|SLP|RT|RN|NP|PA|SW|pharm\w*|neuro\w*|surg\w*|anesthesia|IR|ID|psych|derm|renal|nephro\w*|onc|peds|rheum|endo|uro\w*|vascular|rads|radiology|housekeeping|transport|security|registration)"
_THING_ACTS = watch(
    re.compile(
        rf"{_ONE_APART}(?:[ ](?:(?:also|still|then|now|again|just)[ ])?(?:(?:tripped|vomited|wandered|ambulated|ambulates|slept|sleeps|ate|eats|drank|drinks|smokes|wept|cried|awoke|yelled|eloped|walked|walks|paged|texted|phoned"
        rf"|tells?|told|ask(?:s|ed)|says|said|wants|lives|denies|agrees|understands|hopes|thinks|insists|worries|apologi[sz]ed|c/o|left[ ](?:AMA|before|without)|called[ ](?:back|re|me|us|about|from|again|with)|tried[ ]x\d+)\b"
        rf"|(?:min|mod|max)[ ](?:assist|A\b)|(?:to|from)[ ](?:MRI|CT|OR|cath|dialysis|HD|XR|x-?ray|rehab|SNF|floor|ICU|PACU|endo|IR)[ ](?:at\b|@|\d{{4}}|w/|with)|from[ ]{_SERVICE}[ ](?:called|says|said|here|paged|wants|saw|asked)"
        rf"|is[ ](?:(?:the|his|her|our|my|your)[ ](?:\w{{1,16}}[ ])?(?:{_FAMILY}|{_STAFF}|TTL)|TTL|on[ ]call|covering|post-?call|off[ ]today|his|hers)\b)"
        rf"|,[ ](?:our|the|my|his|her|your)[ ](?:\w{{1,16}}[ ]){{0,2}}(?:{_STAFF}|{_FAMILY})\b|,[ ](?:Mrs?|Ms|Miss|Dr)\b\.?(?![ ]{UPPER})|[ ]\({_SERVICE}\b"
        rf"|'s[ ](?:(?:room|bed|chart|family|roommate|tray|ride|visitors?|belongings|glasses|dentures|call[ ]light)|{_FAMILY}|{_STAFF})\b)"
    )
)
_THING_STANDS = watch(
    re.compile(
        rf"\b(?:[Ss]itter[ ]for|[Rr]ide[ ]for|(?:PICC|[Cc]harge|[Nn]ight|[Dd]ay|[Tt]riage|[Ff]loat)[ ](?:RN|nurse)|by[ ]RN|[Pp]hysio|[Ff]ellow|[Ii]ntern|[Aa]ide|[Ee]x-(?:husband|wife)(?:,|[ ]is)?|[Aa]ssist:|[Rr]pt[ ]from|[Rr]eport[ ]from|[Hh]andoff[ ]from|[Pp]er[ ](?:son|daughter|wife|husband|sister|brother)"
        rf"|[Bb]aby[ ](?:[Bb]oy|[Gg]irl)|(?:[Ss]is|[Bb]ro|[Ss]on|[Dd]tr|[Ww]ife|[Hh]ub(?:by)?|[Hh]usband|[Dd]aughter|[Mm]om|[Dd]ad)(?:[ ]is)?)[ ]{_ONE}(?![\w'-]|[ ]?\d+(?:\.\d+)?[ ]?(?:mg|mcg|ml|mL|g\b|units?|%))"
    )
)
# An ordinary word that is a name too, where a person stands: "signed out to Early at 0700", "per Gamble.", "out by Lane,", "bed 8 Stone -",
# "Drew notified", "Frost, 96, found on the porch", "Patience 34wks".
_WORD_STANDS = watch(
    re.compile(
        rf"(?:\b(?:(?:[Pp]er|[Ss]igned[ ]out[ ]to|[Hh]anded[ ](?:over|off)[ ]to|[Dd]/w|[Dd]iscussed[ ]with|[Ss]een[ ]by|[Ss]poke[ ](?:to|with)|[Ff]ilms[ ]with|[Pp]aged|[Cc]overed[ ]by|[Rr]eport[ ](?:to|from)|(?:[a-z]{{2,12}}(?:ed|wn)|done|read|held|sent|redraw|tap|bx|cath|in|out|off)[ ]by|[Cc]rit(?:ical)?[ ][^\n]{{2,24}}[ ]on)[ ]|(?:[Ss]tudent|[Ii]nterpreter|{_STAFF})[ ]\(){_ONE}(?=\)|[ ]?[.,;\n]|[ ](?:at|@|and|&|for|who|RN|re|\d{{4}})\b|$)"
        rf"|(?:^|\n|[.;][ ])[ \t]{{0,4}}(?:[Bb]ed|[Rr]m|[Rr]oom)[ ]?\d{{1,4}}[A-D]?[ ,:-]{{1,3}}(?P<w>{UPPER}[a-z]{{2,16}})(?=[ ]-[ ]|[,:]|[ ](?:is|was|c/o|needs|wants|\d{{2}}[ ]?[MF])\b)"
        rf"|(?:^|\n|[.;,][ ])[ \t]{{0,4}}(?P<x>{UPPER}[a-z]{{2,16}})[ ](?:notified|aware|updated|at[ ]bedside)\b"
        rf"|(?:^|\n)[ \t]{{0,4}}(?P<y>{UPPER}[a-z]{{2,16}})(?:,[ ]\d{{2}},[ ](?=[a-z])|[ ]\d{{2}}[ ]?(?:wks?|weeks)\b))"
    )
)
# A name that is a word, or an eponym, at the head of a hand-off line, before a patient's state, a side and a part of the body, or a
# laboratory value: "Winter afebrile", "Frost L 4th toe dusky", "Banks, platelets 19", "Paget alk phos 640".
_PART = r"(?:arm|forearm|hand|foot|feet|toes?|knee|hip|eye|flank|shoulder|wrist|ankle|ear|leg|elbow|thumb|fingers?|heel|calf|thigh|groin|breast|chest|facial|face|visual|supraclav\w{0,10})"
_LAB = r"(?:lactate|Na|K|[Cc]r|creat|BUN|INR|inr|[Hh]gb|H/H|plts?|platelets|trops?|temp|sats?|BG|BS|FSBS|fsbs|WBC|wbc|A1c|EF|CK|t?bili|ammonia|gcs|GCS|QTc|qtc|BP|HR|RR|CIWA|NIHSS|alk[ ]phos|pH|ph|tsh|TSH|d-dimer|Mg|mg|[Pp]hos|glucose)"
_STATE = r"(?:afebrile|febrile|calm(?:er)?|combative|agitated|cooperative|hoarse|jaundiced|confused|alert[ ](?:and|x|&|,)|drowsy|sedated|intubated|extubated|tubed|unresponsive|restless|sundowning|A&O|AOx?\d|HOH|hungry|tearful|anxious|snoring|wheezing|hypotensive|tachycardic|bradycardic|sleepy|somnolent|oriented|voided|ambulated|vomited|spiked|irritable|lethargic|weaker|stronger|to[ ]be[ ](?:seen|discharged|transferred|evaluated))"
_HEAD_STANDS = watch(
    re.compile(
        rf"(?:^|\n)[ \t]{{0,4}}(?P<v>{UPPER}[a-z]{{2,16}})(?:(?P<apart>[ ]?[,:;][ ]|[ ]-[ ]|[ ])(?:[LR][ ](?:\w{{1,12}}[ ])?{_PART}\b|{_LAB}(?:[ ]?[<>=][ ]?|[ ])\d|\d\+[ ]pitting)|[ ](?:now[ ])?{_STATE}(?![a-z]))"
    )
)
_HEADS = frozenset(
    "still will max min low high long last post free case ringer ringers cook bridge rose amber early late day night".split()
)
# What only people do, or have done to them; and where only people stand.
_HUMAN_SUBJECT = watch(
    re.compile(
        rf"{_ONE_APART}(?:[ \t](?:also|still|then|now|again)|,[ \t](?:who|an?|the)[ \t][^,.\n]{{3,60}},)?[ \t](?:"
        r"reports?|reported|denie[sd]|states|stated|says|said|asks|asked|tells|told|lives|works|worked|complains|complained|understands|understood|feels|felt|wants|wanted|wishes|agrees|agreed|refuses|refused|declines|declined"
        r"|sneezes|coughs|sleeps|eats|cries|plays|crawls|babbles|giggles|loves|likes|goes[ \t]to|gets[ \t](?:up|out|to|dizzy|tired|around)|got[ \t](?:his|her|their|out|up|dizzy|home)|uses|takes|wears|needs[ \t](?:a|his|her|help)|brought|tried|drove|flew|forgot|prefers|enjoys|hates|insists|thinks|believes|knows|hopes|plans[ \t]to|will[ \t]not|will[ \t]need|won't|left[ \t](?:before|without)|can't|cannot|couldn't|doesn't|didn't|isn't|wasn't|has[ \t](?:noticed|tried|moved|agreed|decided|stopped|started|felt|seen|never|always)"
        r"|smokes|drinks|called|phoned|texted|e-?mailed|came[ \t](?:back|in|to)|wept|preferred|slept|ate|walked|tolerated|cried|smiled|laughed|moved[ \t](?:to|here|in)|was[ \t](?:seen[ \t](?:in|by|for|at|today|on)|found[ \t](?:to[ \t]be|on|by)|born|discharged|admitted|married|brought)"
        r"|is[ \t](?:an?[ \t]\d|here|doing|feeling|worried|tired|married|retired|divorced|widowed|pregnant)|has[ \t](?:been[ \t](?:seen|feeling|coming|taking|living)|had[ \t](?:two|three|four|a|an|no)\b|no[ \t](?:complaints|concerns|pets|children)|a[ \t](?:wife|husband|son|daughter|brother|sister|dog|cat))"
        r"|and[ \t](?:his|her|their|my)[ \t])"
    )
)
_REPORTS = frozenset("case page best french english german head hand white black".split())
# After these even a drug's name is a person's.
_SPEAKS = watch(
    re.compile(
        rf"(?:^|(?<=[.!?\n] )|(?<=\n)){_ONE}[ \t](?:here[ ](?:with|w/|for|today)|told|tells|says|said|asks|asked|lives|smokes|drinks|phoned|texted|wept|cried|laughed|smiled|returned[ \t](?:with|to|for|home)|reports|denies|wants|works|agrees|refuses|declines)\b"
    )
)
_OBJECT_OF = r"[Tt]old|[Tt]ell|[Rr]emind(?:ed)?|[Pp]hone[d ]?|[Pp]honed|[Tt]exted|[Pp]aged|[Ee]mailed|[Ss]poke[ \t](?:with|to)|[Tt]alked[ \t](?:with|to)|[Mm]et[ \t]with|[Aa]sked|[Ff]amily[ \t]of|[Pp]arents[ \t]of|[Mm]other[ \t]of|[Ff]ather[ \t]of|[Ww]ife[ \t]of|[Hh]usband[ \t]of|[Dd]/[Ww]|[Dd]iscussed[ \t](?:(?:the[ \t])?(?:case|pt|care|plan)[ \t])?with|[Bb]ed[ \t]\d{1,3}[ABD]?[ \t]is|[Rr]eassured|[Tt]hanked|[Vv]isited|[Cc]ounsell?ed|[Ii]nformed|[Uu]pdated|[Gg]reeted|[Nn]urse|[Rr][Nn]|[Aa]ide|[Tt]ech|[Cc]oach|[Cc]hef|[Jj]udge|[Oo]fficer|[Pp]astor|[Rr]abbi|[Ii]mam|[Cc]haplain"
_HUMAN_OBJECT = watch(re.compile(rf"{one_of(_OBJECT_OF, cased=True)}[ \t]{_ONE}(?![\w'-])"))


# "GOMEZ-REYES, LUCIA ALLERGY: LATEX", "REED, WHITE WBC 9" at the head of a line.
_CAPS_LAST_FIRST = watch(
    re.compile(
        rf"(?:^|\n)[ \t]{{0,4}}(?P<v>(?:{UPPER}{{2,}}[ ])?(?P<l>{UPPER}{{2,}}(?:[-']{UPPER}{{2,}})?),[ ](?P<f>{UPPER}{{3,}})(?:[ ]{UPPER}\b)?)(?![\w,/&'-])"
    )
)
# "TUIASOSOPO,SEFO L", as the systems of the VA print it
_CAPS_GLUED = watch(
    re.compile(
        rf"(?<![\w,'-])(?P<v>(?P<l>{UPPER}{{3,}}(?:[-']{UPPER}{{2,}})?),(?P<f>{UPPER}{{3,}})(?:[ ]{UPPER}(?:\b|{UPPER}+))?)(?![\w,'-])"
    )
)
_CAPS_SUBJECT = watch(
    re.compile(
        rf"(?:^|\n|[.!?][ ])[ \t]{{0,4}}(?P<v>{UPPER}{{3,}})[ ](?:AGE[ ]\d|(?:IS|WAS|HAS|ALSO)[ ](?:A|AN|NO|SEEN|HERE|PAGED|TOLD|BROUGHT|CALLED|ADMITTED|DISCHARGED|NOT|VERY|ALERT|AMBULATING|REFUSING|FEELING|DOING|BEEN)\b|(?:STATES|DENIES|REPORTS|SAYS|SAID|REFUSED|REFUSES|CALLED|ASKED|ASKS|WANTS|COMPLAINS|LIVES|AGREES|AMBULATED|TOLERATED|SLEPT|ATE|ARRIVED|TO[ ](?:CT|MRI|OR|XRAY|ICU|FLOOR|RADIOLOGY))\b)"
    )
)
# A given name that is hardly a word, then any capitalised word, before a comma or a colon: "Joe Coreg, BP 120/70".
_OPENING_PAIR = watch(
    re.compile(
        rf"(?:^|\n)[ \t]{{0,4}}(?P<v>(?P<g>{UPPER}[a-z]{{2,12}})[ ](?P<f>{UPPER}[a-z]{{2,16}}))(?P<e>[,:]|[ ](?=[a-z]))"
    )
)
_NO_SURNAMES = frozenset("test sign scale score index criteria disease syndrome catheter reflex position".split())
# "Adichie-Brown, N" on a jar
_LAST_INITIAL = watch(
    re.compile(
        rf"(?<![\w'-])(?P<v>(?P<l>{UPPER}[a-z]{{2,16}}-{UPPER}[a-z]{{2,16}}|(?:(?<=\n)|^){UPPER}[a-z]{{3,16}}),[ ]{UPPER}\b\.?)(?![\w'-])",
        re.MULTILINE,
    )
)
# "Tegretti level pending": a word of no list that opens a sentence; one in 9 of mtsamples' notes has one.
_OPENING_UNKNOWN = watch(
    re.compile(rf"(?:^|(?<=[.!?\n][ ])|(?<=\n))(?P<v>{UPPER}[a-z]{{3,15}})(?=[ ][a-z]|,[ ]|[ ]-[ ])", re.MULTILINE)
)
_NO_NAME_FORM = re.compile(
    r"(?:micro|macro|sub|post|pre|non|poly|hyper|hypo|neuro|osteo|hydro|cysto|juxta|inter|intra|trans|peri|extra|electro|arthro|laparo|broncho|lympho|thoraco|veno|vaso|myo|cardio|gastro|hepato|nephro|oculo|pseudo|trach|uro|dermato|ultra|multi|anti|retro|supra|infra|angio|cine|echo|immuno|radio|re(?=[a-z]{6})|un(?=[a-z]{5}))"
    r"|.*(?:al|ic|ies|ly|ous|tion|tions|ated|ating|ed|ing|ia|ias|itis|osis|oses|ectomy|otomy|otomies|scopy|scopies|gram|grams|graphy|ness|ity|ize|ized|izes|ive|able|oid|plasty|pathy|emia|uria|ular|ary|ase|gen|cath|stick|ment|ments|ers|nge|sis|ectomies|oma|omas|cele|itides|trophy|lysis|iform|ite|ist|ism)$"
)
# "Shirley D", "Merhawit G.", alone on a line or before a comma
_FIRST_INITIAL = watch(
    re.compile(rf"(?:^|\n|[-*][ ])[ \t]{{0,4}}(?P<v>(?P<g>{UPPER}[a-z]{{2,14}})[ ]{UPPER}\.?)(?=[ \t]*(?:\n|\Z|,[ ]))")
)
# "BOUDREAUX, C" wherever it stands
_CAPS_LAST_INITIAL = watch(
    re.compile(rf"(?<![\w'-])(?P<v>(?P<l>{UPPER}{{3,}}(?:-{UPPER}{{3,}})?),[ ]{UPPER}\.?)(?![\w'.,/-])")
)
# "Kaposi, Istvan HIV neg", "Pt Self, Brandy here", "Nguyen, Baby Boy B"
_OPENING_LAST_FIRST = watch(
    re.compile(
        rf"(?:^|\n|\b[Pp]t:?[ ]|\bPatient:?[ ]|\bInfant:[ ])[ \t]{{0,4}}(?P<v>(?P<l>{UPPER}[a-z]{{2,16}}(?:-{UPPER}[a-z]{{2,16}})?),[ ](?P<f>{UPPER}[a-z]{{2,14}})(?:[ ]{UPPER}\b\.?)?)(?![\w'-])"
    )
)
_LIST_GOES_ON = re.compile(r",[ ]|[ ](?:and|or|sump|Stedy)\b")
_OPENERS = frozenset(
    "today yesterday tonight overnight currently however also finally then later meanwhile additionally hello hi dear sincerely thanks regards mom dad".split()
)
_PT_NAME = watch(
    re.compile(rf"\b(?:[Pp]t|Patient|[Cc]lient|[Rr]esident)[ ](?P<v>{UPPER}[a-z]{{2,18}})(?![\w'-]|[ ]?:)")
)
# "k. johnson slept well"
_SMALL_INITIAL = watch(re.compile(r"(?<![\w.'])(?P<v>[a-z]\.[ ](?P<l>[a-z]{3,16}))(?![\w'-])"))
_NEWBORN = watch(
    re.compile(
        rf"\b(?:[Bb]aby|[Ii]nfant|[Nn]ewborn|[Nn]eonate|BABY|BB|BG)(?:[ ](?:[Bb]oy|[Gg]irl|[Mm]ale|[Ff]emale|BOY|GIRL|[A-D1-3]))?(?<!aby)(?<!fant)(?<!born)[ ](?P<v>{UPPER}(?:{LETTER}|['-](?={LETTER})){{2,24}})(?![\w'-])"
    )
)


def _shorthand(word: str) -> bool:
    """Clinical shorthand in capitals, and hardly a name in a note of capitals."""
    return word.isupper() and word.lower() in SHORTHAND and name_share(word) < 0.6


@lru_cache(maxsize=1 << 15)
def _is_unknown(word: str) -> bool:
    """A word of no list of ours: of no name and no place, no dictionary, no drug, no device, without the form of a term."""
    low = word.lower()
    return not (
        flags(word)
        or _in_dictionary(low)
        or _ordinary(low)
        or low in phrases.words("things")
        or low in phrases.words("eponym_surnames")
        or _NO_NAME_FORM.match(low)
    )


def _is_name(word: str) -> bool:
    """A word that people are called by, or one on no list; none of medicine's and no everyday word."""
    bits = flags(word)
    return not bits or (name_share(word) >= 0.1 and not bits & CLINICAL and not is_clinical(word.lower()))


def _in_dictionary(word: str) -> bool:
    return word in dictionary_words() or bool(flags(word) & (WORD | WORD_RARE | CLINICAL))


def _ordinary(word: str) -> bool:
    return (
        (word in common_words() and word not in NAME_WORDS)
        or word in NATIONS
        or word in EPONYMS
        or word in BRANDS
        or is_clinical(word)
        or word in STATE_WORDS
    )


_LIST_JOIN = re.compile(r",[ \t]?(?:and[ \t])?|[ \t](?:and|&)[ \t]|/")


def _split_list(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of "Maria, John and Ana"; a title inside a part is left to its own rule."""
    at = start
    for join in _LIST_JOIN.finditer(text, start, end):
        yield at, join.start()
        at = join.end()
    yield at, end


def recognizer() -> ClinicalRecognizer:
    """The recognizer of people."""
    return ClinicalRecognizer("names", ["NAME", "CLINICIAN"], find)
