"""Streets, cities, counties, ZIP codes, rooms and facilities (Safe Harbor B). A whole state stays."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid.lexicon import CLINICAL, CLOSED, flags, is_safe
from deid.note import LETTER, UPPER, Note, watch
from deid.recognizers.common import SP, ClinicalRecognizer, Rule, apply_rules, one_of
from deid.spans import Span
from deid.vocabulary import EPONYMS, LANDS, NATIONS, STATES, common_words, is_clinical

_WORD = f"{UPPER}(?:{LETTER}|['.&\\-](?={LETTER})){{0,30}}"
_SUFFIX = (
    r"(?:Street|St|Avenue|Ave|Av|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Terrace|Ter|Terr|Circle|Cir|Way|Parkway|Pkwy"
    r"|Highway|Hwy|Square|Sq|Trail|Trl|Loop|Crescent|Cres|Alley|Aly|Plaza|Plz|Turnpike|Tpke|Path|Row|Run|Ridge|Close|Walk|Crossing|Xing"
    r"|Point|Pt|Cove|Cv|Bend|Pass|Pike|Commons|Green|Grove|Heights|Hts|Hill|Hollow|Landing|Manor|Meadows?|Mews|Oval|Park|Esplanade|Expressway|Expy|Freeway|Fwy|Causeway|Broadway|Steps|Quay|Wharf|Gardens|Rise|Vale|Wynd|Brae|Promenade|Gate|Mall)"
)
_DIRECTION = r"(?:[NSEW]\.?|[NS]\.?[EW]\.?|North|South|East|West|Northeast|Northwest|Southeast|Southwest)"
_SECONDARY = r"(?:,?[ \t]{0,2}(?:Apt|Apartment|Unit|Suite|Ste|Room|Rm|Floor|Fl|Bldg|Building|Lot|Space|Trailer|#)\.?[ \t]{0,2}#?[ \t]?[A-Za-z]?-?\d{0,5}[A-Za-z]?\b)"
_STATE_NAMES = "|".join(sorted((re.escape(s) for s in STATES.values()), key=lambda s: (-len(s), s)))
# Any two capitals count as a state in front of a ZIP code: gold sets and typing slips use codes that do not exist.
_STATE = rf"(?:[A-Z]{{2}}|[A-Z]\.[A-Z]\.|{_STATE_NAMES})"
_REAL_STATE = rf"(?:{'|'.join(STATES)}|{_STATE_NAMES}|Mass|Conn|Calif|Penn|Tenn|Wash|Fla|Mich|Minn|Wisc?|Ill|Ind|Ore)"
_CITY_WORD = rf"(?:{UPPER}(?:{LETTER}|['\-](?={LETTER})){{1,24}}|(?:St|Ft|Mt|Pt|Ste)\.)"
_CITY = rf"{_CITY_WORD}(?:{SP}(?:(?:de|del|la|las|los|of|by|on|upon|du|des|the){SP}){{0,2}}{_CITY_WORD}){{0,3}}"
_ZIP = r"\d{5}(?:[ \t]?-[ \t]?\d{4})?"
_GAP = r"[ \t]{0,3},?(?:[ \t]{1,3}|[ \t]{0,3}\n[ \t]{0,8})"

# The street of a postal address, then what follows it: the city with its state, the ZIP code. The state goes with the
# city here, because beside a street it is part of a person's address; "from Springfield, Illinois" keeps the state.
STREET = watch(
    re.compile(
        rf"(?<![\w./-])(?=[\dPCUMR])(?P<street>(?:\d{{1,6}}(?:[ -]?[A-Z]\b|[ -]\d/\d|-\d{{1,5}})?{SP}{{1,2}}(?:{_DIRECTION}{SP})?"
        rf"(?:(?:{_WORD}|\d{{1,3}}(?:st|nd|rd|th)|de|del|la|las|los|of|the)\.?{SP}{{1,2}}){{0,4}}?"
        rf"(?:(?:{_WORD}|\d{{1,3}}(?:st|nd|rd|th))\.?{SP}{{1,2}}){_SUFFIX}\b\.?"
        rf"|\d{{1,6}}{SP}(?:Avenue|Highway|Hwy|Route|Rte|County Road|State Route|Rural Route|Interstate|US Highway){SP}(?:[A-Z]\b|\d{{1,4}})"
        rf"|\d{{1,6}}{SP}(?:Rue|Calle|Via|Avenida|Camino|Paseo|Strada|Rua|Plaza|Piazza|Chemin|Boulevard|Vía|Carrer|Carrera|Ulica|Ul\.){SP}"
        rf"(?:(?:de|del|des|du|la|las|le|les|los|di|da|do|dos|della|d'|l'){SP}?){{0,2}}{_WORD}(?:{SP}{_WORD}){{0,2}}"
        rf"|\d{{1,6}}{SP}{UPPER}{LETTER}{{2,24}}(?:straße|strasse|weg|gasse|allee|platz|laan|straat|gatan|vägen|gade|vej|katu|utca)\b"
        # Whatever it is called: a number and capitalised words in front of a city with its state and ZIP code.
        rf"|\d{{1,6}}{SP}(?:{_WORD}{SP}){{0,4}}{_WORD}(?={_GAP}{_CITY},?{SP}{{1,2}}{_STATE},?{SP}{{1,3}}{_ZIP}(?!\d))"
        # or in front of a flat or a suite
        rf"|\d{{1,6}}{SP}(?:{_WORD}{SP}){{0,3}}{_WORD}(?:{SP}\d{{1,4}})?(?=,?{SP}(?:Apt|Apartment|Suite|Ste)\b)"
        rf"|\b(?:PSC|CMR|UPR|Unit){SP}\d{{1,6}},?{SP}Box{SP}\d{{1,6}}"
        rf"|\d{{2,5}}{SP}block{SP}of{SP}(?:{_DIRECTION}{SP})?{_WORD}(?:{SP}{_WORD})?"
        rf"|(?:Mile|Milepost|MP|Mile{SP}[Mm]arker){SP}\d{{1,4}},?{SP}(?:on{SP})?(?:Route|Rte|Highway|Hwy|Interstate|I)[ -]\d{{1,4}}"
        rf"|\d{{1,6}}{SP}Broadway\b)(?:{SP}{_DIRECTION}(?![A-Za-z]))?{_SECONDARY}{{0,2}}"
        r"|\b(?:P\.?[ \t]?O\.?|Post[ \t]Office)[ \t]{0,2}(?:Box|Drawer)[ \t]{0,2}#?[ \t]?\d{1,7}"
        r"|\b(?:Rural[ \t]Route|RR|R\.R\.)[ \t]{0,2}#?\d{1,3},?[ \t]{0,2}Box[ \t]{0,2}\d{1,6})"
        rf"(?:{_GAP}(?P<city>{_CITY}(?:,?[ \t]{{0,3}},?[ \t]{{0,2}}{_STATE})?\b)?(?:{_GAP}(?P<zip>{_ZIP})(?!\d))?)?"
    )
)
_STREET_LOWER = watch(
    re.compile(
        rf"(?<![\w./-])(?P<street>\d{{1,6}}{SP}{{1,2}}(?:[nsew]\.?{SP})?(?:[a-z][a-z'.-]{{1,20}}{SP}){{1,3}}?"
        r"(?:street|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|terrace|parkway|pkwy|highway|hwy)\b\.?)",
        re.IGNORECASE,
    )
)
_NUMBER_BEFORE_STREET = re.compile(
    r"(?:mg|mcg|ml|cc|cm|mm|kg|g|\d)[ \t]?\Z|(?:times|x|q|every|dose|grade|stage|type|score)[ \t]\Z", re.IGNORECASE
)

_HEADS = (
    r"(?:Hospital|Hospitals|Medical[ \t]Cent(?:er|re)|Med(?:ical)?\.?[ \t]Ctr|Medical[ \t]Group|Medical[ \t]Associates|Clinics?|Health[ \t]Cent(?:er|re)|Healthcare"
    r"|Health[ \t]?care[ \t](?:System|Center)|Health[ \t]System|Health[ \t]Services|Health[ \t]Network|Infirmary|Hospice|Sanatorium|Sanitarium|Nursing[ \t](?:Home|Center|Facility)|Nursing[ \t](?:&|and)[ \t]Rehab(?:ilitation)?(?:[ \t]Center)?"
    r"|Rehab(?:ilitation)?(?:[ \t](?:Hospital|Cent(?:er|re)|Institute|Facility|Services))?|Cancer[ \t](?:Cent(?:er|re)|Institute)|Infusion[ \t]Cent(?:er|re)|Surgery[ \t]Cent(?:er|re)|Surgical[ \t]Cent(?:er|re)|Surgicenter"
    r"|Imaging(?:[ \t]Cent(?:er|re))?|Dialysis(?:[ \t](?:Cent(?:er|re)|Unit|Clinic))?|(?:Care|Burn|Stroke|Surgical|Medical|Hospice|Rehab(?:ilitation)?|Nursing|Infusion|Psychiatric|Birthing|Pediatric|Trauma|Treatment)[ \t]Unit|Urgent[ \t]Care(?:[ \t]Cent(?:er|re))?|Care[ \t]Cent(?:er|re)|Assisted[ \t]Living(?:[ \t]Facility)?|Retirement[ \t](?:Home|Community|Village)|Senior[ \t]Living"
    r"|Family[ \t](?:Practice|Medicine|Health|Clinic)|Pharmacy|Physicians(?:[ \t]Group)?|VAMC|VA[ \t]Medical[ \t]Cent(?:er|re)|Birth[ \t]?(?:ing)?[ \t]Cent(?:er|re)|Eye[ \t](?:Institute|Cent(?:er|re)|Associates)|Heart[ \t](?:Institute|Cent(?:er|re)|Hospital)"
    r"|(?:Reference[ \t])?Lab(?:s|orator(?:y|ies))?|Pathology(?:[ \t]Associates)?|Skilled[ \t]Nursing|Post[- ]?Acute(?:[ \t](?:Care|Rehab))?|Convalescent(?:[ \t](?:Hospital|Home|Center))?|Transitional[ \t]Care|Health[ \t]Station|(?:Rescue[ \t])?Mission|Polyclinic|Lodge|Manor|Memorial|Pavilion|Medical[ \t](?:Office|Offices|Plaza|Tower|Campus|Pavilion|School)|Specialists|Orthop(?:a)?edics|Pediatrics|Dermatology[ \t]Associates|Hospital[ \t]Center|Ambulatory[ \t]Cent(?:er|re)|Trauma[ \t]Cent(?:er|re)|Wellness[ \t]Cent(?:er|re)|Treatment[ \t]Cent(?:er|re)|Behavioral[ \t]Health|Home[ \t](?:Health|Care)|Visiting[ \t]Nurses?|VNA|Blood[ \t]Bank|Shelter|Cardiology|Neurology|Dermatology|Urology|Oncology|Nephrology|Rheumatology|Endocrinology"
    r"|Gastroenterology|Obstetrics|Gynecology|OB/GYN|Ophthalmology|Optometry|Dental|Dentistry|Podiatry|Radiology|(?:Open[ \t])?MRI|Physical[ \t]Therapy|Psychiatry|Psychology|Research[ \t]Institute|Surgery|Foundation|Ministries|Hospitals?[ \t]and[ \t]Clinics|Counseling|Chiropractic|(?:Prosthetics[ \t](?:and|&)[ \t])?Orthotics|Prosthetics|Peds|Internal[ \t]Medicine|Primary[ \t]Care|Women's[ \t]Health)"
)
_LINKING = r"(?:of|the|and|at|for|de|in|&|on)"
FACILITY = re.compile(
    rf"(?<![\w'-])(?P<v>(?P<lead>(?:(?:{_WORD}|St\.|Mt\.|Ft\.|{UPPER}\.)(?:'s?)?{SP}(?:(?:of|the|and|&|de|for){SP}){{0,2}}){{1,5}}?){_HEADS}\b"
    rf"(?:{SP}(?:ED|ER|ICU|Center|Centre|Hospital|Clinic|Campus|System|Group|Associates|Institute|Inc\.?|LLC|Services))?"
    rf"(?:{SP}(?:of|at|for){SP}(?:the{SP})?{_WORD}(?:{SP}{_WORD}){{0,2}})?)"
)
_FACILITY_CAPS = re.compile(
    r"(?<![\w'-])(?P<v>(?P<lead>(?:(?:[A-Z][A-Z'.-]{1,20}|OF|AND|THE|&)[ \t]){1,5}?)(?:HOSPITAL|MEDICAL CENTER|HEALTH CENTER|CLINIC|HEALTH SYSTEM|HEALTHCARE|NURSING HOME|HOSPICE|REHABILITATION CENTER|CANCER CENTER|INFIRMARY|SURGERY CENTER|REFERENCE LAB|LABORATORY|LABS|SKILLED NURSING|NURSING AND REHAB|IMAGING|PATHOLOGY|MANOR|URGENT CARE|GYM|CARDIOVASCULAR|ORTHOPEDICS|DIALYSIS|PHARMACY|RADIOLOGY|SURGICAL CENTER|REHAB|NURSERY|DAYCARE))\b"
)
# "the Buena Vista Street clinic", "Cedar River gender clinic", "Los Angeles County health department"
_FACILITY_LOWER = re.compile(
    rf"(?<![\w'-])(?P<v>(?P<lead>(?:{_WORD}(?:'s)?{SP}){{1,4}})(?:(?!for{SP}|about{SP}|with{SP}|to{SP}|and{SP}|the{SP}|from{SP}|his{SP}|her{SP}|was{SP})[a-z]{{3,14}}{SP}){{0,2}}(?:clinic|hospital|pharmacy|hospice|health{SP}(?:department|center|centre)|nursing{SP}home|medical{SP}center|emergency{SP}room|urgent{SP}care|rehab|dialysis{SP}(?:unit|center)|infusion{SP}center|shelter|group{SP}home|birth{SP}center|jail|prison|hostel|refuge|satellite))\b"
)
_HOSPITAL_OF = re.compile(
    rf"\b(?P<v>(?:University|Hospital|Clinic|Children's Hospital|Medical Center|Sisters|College|Institute){SP}of{SP}(?:the{SP})?{_WORD}(?:{SP}(?:of{SP})?{_WORD}){{0,3}})"
)
_SAINT = re.compile(
    rf"\b(?:at|to|from|via|in|by|with)[ \t](?P<v>(?:St|Saint|Mt|Mount)\.?{SP}(?:{UPPER}{LETTER}{{2,20}}(?:'s)?(?:{SP}{UPPER}{LETTER}{{2,20}})?|{UPPER}'?s\b))"
)
# Words that say what kind of place it is, not which one.
KIND_WORDS = frozenset(
    """
    the a an our your his her my this that local outside nearby community regional general memorial university
    children childrens children's women womens women's veterans county state city public private national federal
    teaching district day night family primary specialty special acute long term short stay skilled same outpatient inpatient ambulatory
    emergency urgent mobile mental behavioral rural free walk weekly monthly annual follow up post pre home visiting
    medical surgical center centre hospital clinic health care healthcare system group services service
    cardiology oncology hematology neurology urology nephrology dermatology rheumatology endocrinology gastroenterology
    pulmonary pulmonology orthopedic orthopedics orthopaedic pediatric pediatrics psychiatry psychiatric surgery allergy
    immunology infectious disease diabetes pain wound coumadin warfarin anticoagulation asthma copd heart failure cancer breast
    prenatal obstetric obstetrics gynecology ob gyn eye ent hearing dental foot hand spine sleep stroke memory movement headache
    epilepsy transplant hepatitis liver kidney renal vascular vein travel vaccine std hiv tb lipid weight bariatric nutrition
    fertility genetics genetic internal medicine geriatric geriatrics palliative physical occupational speech therapy
    rehabilitation rehab nursing retirement assisted living senior adult child adolescent psych detox methadone suboxone
    infusion dialysis imaging radiology laboratory lab blood bank pharmacy retail discharge preferred patient preop employee
    continue continued recommend referred refer call see seen visit return returned transferred transfer transport admitted admit discharged sent from to at in on
    with for and of or by de course number name date status record consult new old current prior previous next last first history primary
    postanesthesia anesthesia maintenance academy american college combined resident student open mri therapy counseling women's
    cath angiography electrophysiology operating recovery delivery labor vascular interventional nuclear sleep unit ward floor
    birth birthing trauma treatment wellness intensive coronary burn stroke step down telemetry isolation observation progressive neonatal ed er icu va us usa
    """.split()
)
# Without the words that make of a kind some town's own: "Memorial Hospital", "County General".
GENERIC_WORDS = KIND_WORDS - frozenset(
    "county memorial general university community regional veterans va state city national federal district american academy children childrens children's"
    " women womens women's".split()
)


def _named(match: re.Match[str]) -> bool:
    """Whether something in the name says which place it is: "Mercy Hospital", not "Pain Clinic" or "the Hospital"."""
    words = [w.strip(".'").lower() for w in re.split(r"[ \t&]+", match["v"]) if w.strip(".'")]
    common = common_words()
    if any(
        w in ("county", "memorial", "general", "children's", "methodist", "baptist", "veterans", "va")
        for w in words[:-1]
    ):
        lead = [w for w in re.split(r"[ \t&]+", match["lead"].lower()) if w and w not in KIND_WORDS]
        if lead:
            return True
    if any(
        w not in KIND_WORDS
        and w not in NATIONS
        and (w in _NAMING_WORDS or not (w in common or is_safe(w) or is_clinical(w)))
        for w in words
    ):
        return True
    # "Big Sky Regional Pathology Associates", "Gateway VNA": names made of ordinary words that say nothing of medicine
    lead = [w.strip(".'").lower() for w in re.split(r"[ \t&]+", match["lead"])]
    return any(
        len(w) > 2
        and w not in KIND_WORDS
        and w not in CLOSED
        and w not in NATIONS
        and w not in EPONYMS
        and not is_clinical(w)
        and not flags(w) & CLINICAL
        for w in lead
    ) and not _FACILITY_VERB.match(match["lead"])


_FACILITY_VERB = re.compile(
    r"(?:Combined|Deferred|Review|Schedule|Obtain|Order|Await|Pending|Repeat|Appreciate|Arrange|Consider|Discuss|Upon|During|Via)\b",
    re.IGNORECASE,
)


def _named_lower(match: re.Match[str]) -> bool:
    """The same where the kind of place stands in small letters: its name must be one, not a drug or a disease."""
    words = [w.strip(".'").lower().removesuffix("'s") for w in match["lead"].split()]
    if words[0] in KIND_WORDS or is_safe(words[0]):
        words = words[1:]
    return any(
        w not in KIND_WORDS
        and w not in NATIONS
        and w not in EPONYMS
        and not flags(w) & CLINICAL
        and (w in _NAMING_WORDS or not (w in common_words() or is_safe(w) or is_clinical(w)))
        for w in words
    )


# Ordinary words that are the usual names of hospitals.
_NAMING_WORDS = frozenset(
    """
    mercy grace hope good sacred holy providence unity trinity cedar cedars maple oak pine valley lake river mountain hill hills
    park sunrise sunset bay harbor harbour ocean beach spring springs summit highland lakeside riverside northside southside
    eastside westside north south east west central main grand green white red black golden silver blue stone bridge mission
    liberty union pioneer heritage legacy century premier advanced select kindred beacon harmony serenity tranquil pleasant fair
    evergreen meadow garden forest grove orchard willow birch rose lily crystal diamond pearl star sun moon light angel angels
    lutheran presbyterian methodist baptist adventist episcopal jewish catholic christian deaconess samaritan
    """.split()
)


def _trim_lead(text: str, start: int, end: int) -> int:
    """Drop leading words that belong to the sentence: "Seen At Mercy Hospital", "Discharged From ..."."""
    while match := _LEAD_WORD.match(text, start, end):
        start = match.end()
    return start


_LEAD_WORD = re.compile(
    r"(?:The|A|An|At|In|On|From|To|Of|By|Via|And|With|For|Our|Your|His|Her|This|Outside|Local|Seen|Admitted|Discharged|Transferred|Transfer|Referred|Presented|Went|Came|Called|Per|Patient|Pt|Previously|Recently|Originally|Initially|Facility|Hospital:|Location:|Site:|Clinic:)[ \t]+",
    re.IGNORECASE,
)

_COUNTY_LEADS = frozenset("the a this that our local every each same other any his her their my your in of".split())
# "operating room #2" is everyone's.
# "ER 40": external rotation in degrees.
_MOTION = re.compile(
    r"\b(?:P?A?ROM|IR|flex\w*|abd\w*|rotation|pendulums?|lifting|FF|FE|PR|HER2|Ki-?67|grade)\b", re.IGNORECASE
)
_SHARED_ROOM = re.compile(r"(?:operating|operative|procedure|theater|theatre)[ \t]$", re.IGNORECASE)

_SPOKEN = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|oh|zero)"

# What stands before the number of a room, with its kind or without; before a place in a ward; of a bed.
_UNIT_WORDS = "room|rm|bed|ward|apt|apartment|cubicle|bay|pod|cell|dorm|trailer|suite|ste"
_UNIT = (
    r"(?:exam(?:ination)?|hospital|inpatient|icu|consult|safe|quiet|seclusion|family|private|isolation|trauma|treatment|procedure)"
    rf"[ \t](?:{_UNIT_WORDS})|{_UNIT_WORDS}"
)
_PLACE = r"ward|wing|cot|crib|isolette|warmer|cabin|bunk|berth|trailer|suite|ste\.?|apt\.?|cubicle|booth|stretcher|gurney|recliner|ldrp|hallway[ ]bed|trauma[ ]bay|hall[ ]bed|station|slip|dock|cell|bay|pod|rm\.?|room|bed|tower|hall|isolation"
_BED = "ldr|pacu|bay|chair|pod|slot|bed|rms?|rooms?|cell|stall|flat|trauma|resus|triage|hallway|tower"

RULES = (
    Rule(
        "city_state_zip",
        "CITY",
        0.92,
        re.compile(rf"(?<![\w'-])(?P<v>{_CITY},?[ \t]{{0,2}}[, ][ \t]{{0,2}}{_STATE}),?[ \t]{{1,3}}{_ZIP}(?!\d)"),
    ),
    Rule("zip_after_state", "ZIP", 0.94, re.compile(rf"(?<![A-Za-z]){_STATE}\.?,?[ \t]{{1,3}}(?P<v>{_ZIP})(?![\d.%])")),
    Rule(
        "zip_after_word",
        "ZIP",
        0.94,
        re.compile(r"\bzip(?:[ \t-]?code)?[ \t]{0,2}(?:is|was|of|:|=|#)?[ \t]{0,2}(?P<v>\d{5}(?:-\d{4})?)(?!\d)", re.IGNORECASE),
        only_if=("zip",),
    ),
    Rule("zip_plus_four", "ZIP", 0.7, re.compile(r"(?<![\w./-])(?P<v>\d{5}-\d{4})(?![\w-])")),
    Rule("city_state", "CITY", 0.85, re.compile(rf"(?<![\w'-])(?P<v>{_CITY}),[ \t]{{0,2}}{_REAL_STATE}(?![A-Za-z])\.?"), check=lambda m: _is_city(m["v"]) and not (m["v"].isupper() and len(m["v"]) < 6)),
    Rule(
        "city_after_word",
        "CITY",
        0.75,
        re.compile(
            r"\b(?:[Ll]iv(?:es|ed|ing)|[Rr]esid(?:es|ed|ing)|[Rr]esident|[Hh]ome|[Ss]tay(?:s|ed|ing)|[Mm]oved|[Rr]elocat(?:ed|ing)|[Bb]orn(?: and raised)?|[Rr]aised|[Gg]rew up|[Tt]ravel(?:s|ed|led|ing)|[Ff]lew|[Dd]rove|[Nn]ative|[Vv]isiting|[Rr]eturned|[Oo]riginally|[Tt]rip|[Vv]acation(?:ed|ing)?|[Hh]omeless|[Hh]ails|[Tt]own|[Cc]ity)"
            rf"[ \t](?:alone[ \t]|independently[ \t]|currently[ \t]|here[ \t]|back[ \t]|with[ \t](?:his|her|their)[ \t]\w{{3,12}}[ \t])?(?:in|from|to|near|at|of|outside|outside of|around)[ \t](?:downtown[ \t]|the[ \t](?:town|city|village)[ \t]of[ \t])?(?P<v>{_CITY})"
        ),
        check=lambda m: _is_city(m["v"]),
    ),
    Rule("quarter", "CITY", 0.75, re.compile(r"\b(?P<v>Little[ ](?:Haiti|Italy|Havana|Saigon|Tokyo|Armenia|India|Odessa|Ethiopia|Manila|Village|Rock)|Chinatown|Koreatown|Japantown|Greektown|[Tt]he Bronx)\b")),
    Rule("city_of", "CITY", 0.85, re.compile(rf"\b(?:[Cc]ity|[Tt]own|[Vv]illage|[Tt]ownship)[ \t](?:of[ \t]|:[ \t]?)(?P<v>{_CITY})"), check=lambda m: _is_city(m["v"])),
    Rule(
        "county",
        "COUNTY",
        0.85,
        re.compile(rf"(?<![\w'-])(?P<v>(?:(?:{UPPER}{LETTER}{{2,20}}|St\.|De|La|El){SP}){{1,3}}(?:County|Parish|Borough|Township|Precinct|COUNTY))\b(?!{SP}(?:Hospital|Medical|General|Health))"),
        check=lambda m: m["v"].split()[0].lower() not in _COUNTY_LEADS,
        only_if=("county", "parish", "borough", "township", "precinct"),
    ),
    # "ASHLAND, ROSEBUD CO" in a text of capitals
    Rule("county_capitals", "COUNTY", 0.75, re.compile(r"(?<=[,;] )(?P<v>[A-Z]{4,16}[ ]CO)(?=[ \t]*(?:\n|[.,;)]|\Z))")),
    Rule("county_of", "COUNTY", 0.85, re.compile(rf"\b(?:[Cc]ounty[ \t]of[ \t]|[Cc]ounty:[ \t]?)(?P<v>{_CITY})"), only_if=("county",)),
    Rule(
        "unit",
        "UNIT",
        0.8,
        re.compile(
            rf"(?P<v>{one_of(_UNIT)}\b\.?[ \t]{{0,2}}(?:(?:number|no\.?|#)[ \t]?)?:?[ \t]{{0,2}}#?(?:[A-Za-z]-?|[A-Za-z]{{2,3}}-)?\d{{1,5}}(?:-\d{{1,3}})?-?[A-Za-z]?)(?![\w%/:])(?!\.\d)(?![ \t](?:times|hours?|hrs?|days?|weeks?|min(?:utes?|s)?\b|liters?|l\b|degrees|mg|ml|units))",
            re.IGNORECASE,
        ),
        only_if=("room", "rm", "bed", "ward", "apt", "apartment", "cubicle", "bay", "pod", "cell", "dorm", "trailer", "suite", "ste"),
        # "bed 3 times", "cell 12"; a count after "cell" or "pod" needs a letter or three digits.
        check=lambda m: not _SHARED_ROOM.search(m.string[max(0, m.start() - 12) : m.start()])
        and (not m["v"].lower().startswith(("cell", "pod", "bay")) or bool(re.search(r"\d{3}|\d[A-Za-z]\b|#", m["v"]))),
    ),
    # "in room five twelve", "bed fourteen B", as one dictates
    Rule("unit_in_words", "UNIT", 0.75, re.compile(
        rf"\b(?P<v>(?:room|rm)[ ](?:number[ ])?{_SPOKEN}(?:[ -]{_SPOKEN}){{0,3}}(?:[ ](?-i:[A-D])\b)?|bed[ ](?:number[ ])?{_SPOKEN}(?:(?:[ -]{_SPOKEN}){{1,3}}(?:[ ](?-i:[A-D])\b)?|[ ](?-i:[A-D])\b))\b"
        r"(?![ -](?:times|hours?|days?|weeks?|months?|years?|minutes?|more|or|to|of|person|people|assist|liters?|rooms?|beds?|degrees|feet|percent))", re.IGNORECASE), only_if=("room", "rm", "bed")),
    # "Station 11, run 4 h" of a dialysis unit; the stations of a birth end at 5
    Rule("unit_station", "UNIT", 0.7, re.compile(r"\bstation[ \t:#|]{1,4}(?P<v>[6-9]|[1-5]\d)(?![\w%/.-])", re.IGNORECASE), only_if=("station",)),
    Rule("unit_site_of", "UNIT", 0.7, re.compile(r"\b(?P<v>(?:tent|lot|space|site|slip|pad)[ ]#?\d{1,3}[A-Z]?)(?=[,]?[ ](?:at|in|of)[ ](?:the[ ]|a[ ])?(?:\w+[ ])?(?:trailer|mobile|camp|encampment|rv\b|park|marina))", re.IGNORECASE), only_if=("tent", "lot", "space", "site", "slip", "pad")),
    Rule("unit_number_bed", "UNIT", 0.75, re.compile(r"(?:^|\n|[;,(:][ ]?|\b(?:in|to|from|rm|room)[ ])(?P<v>[1-9]\d{2,3}[ ](?:bed|window|door)[ ][a-dA-D1-4])(?![\w%/])")),
    Rule("unit_of_ward", "UNIT", 0.72, re.compile(r"\b(?:in|to|from|on)[ ](?:the[ ])?(?:antepartum|postpartum|telemetry|tele|oncology|onc|ortho|med-?surg|peds|pediatrics|surgical|step-?down|mother-?baby|maternity|rehab|neuro|cardiac|geri)[ ](?P<v>[1-9]\d{2,3}[A-D]?(?:-[12])?)(?![\w%/:-])(?![ ]?(?:mg|ml|hours?|hrs?|units))", re.IGNORECASE)),
    Rule("unit_pod_letter", "UNIT", 0.75, re.compile(r"\b(?P<v>[Pp]od[ ][A-Z][ -]?\d{2,3})(?![\w%/])")),
    # "7115 Mrs Ferraiolo 70F BK viremia", "6114  L. Oyelowo-Grant  93 F": a list of a ward's patients
    Rule("unit_of_list", "UNIT", 0.7, re.compile(
        rf"^[ \t]{{0,4}}(?P<v>\d{{3,4}}[A-D]?)[ \t]{{1,4}}(?:(?:Mrs|Mr|Ms|Miss)\.?[ ]|{UPPER}\.[ ]?)?{UPPER}[\w'-]{{1,24}}(?:,?[ ]{UPPER}[\w'.-]{{0,20}})?,?[ \t]{{1,4}}\d{{1,3}}[ ]?(?:[MF]\b|yo\b|y/o)", re.MULTILINE)),
    # "OR 2", "Obs 6", "Neuro ICU 3", "operatory 4", "pod Blue 7", "Zone C-07", "twin B in C-6"
    Rule("unit_short", "UNIT", 0.66, re.compile(
        r"(?<![\w/-])(?P<v>(?:(?:Neuro|Cardiac|Medical|Surgical|Trauma|Burn|Heart|Stroke)[ ])?(?:OR|Obs|OBS|Cath(?:[ ][Ll]ab)?|Endo|IR|Triage|Trauma|Resus|Zone|Operatory|operatory|Theatre|theatre|ICU|CDU|Pre-?op|Recovery|Lab[ ]Cath|CVU|IMCU|[Ee]xam|lab|[Cc]onf[ ]r(?:oo)?m|[Ff]amily[ ]R(?:oo)?m|Chair|Procedure[ ]R(?:oo)?m)(?:[ ](?:[Bb]ed|[Rr]oom|[Bb]ay|[Ss]uite|[Tt]able))?[ ]#?(?:[A-Z]-?)?\d{1,3}[A-Z]?)(?![\w%/:-])(?!\.\d)(?![ \t]?(?:days?|hours?|hrs?|h\b|nights?|mg|ml|times|x\b|weeks?|\(|%|to\b|cells?|of\b|=|[<>]))"),
        check=lambda m: not m["v"].startswith(("OR ", "IR ")) or bool(re.search(r"(?:\b(?:in|to|from|at|rm|room)|[·|,;:/\n]|^)[ \t]*$", m.string[max(0, m.start() - 8) : m.start()]))),
    Rule("unit_digits", "UNIT", 0.5, re.compile(r"\b(?:[Ff]or|[Ii]n|[Ii]nto|[Tt]o|[Ff]rom|[Oo]f|[Bb]y|[Ss]canned|[Pp]t|[Hh]ome|[Rr]m|[Rr]oom|[Bb]ed|[Tt]ele|[Oo]n|[Nn]ear|[Oo]utside|[Cc]hange|→|->|not|and|or)[ ](?P<v>[1-9]\d{2}-[1-4]|[1-9]\d[A-D]|[A-Z]?-?[1-9]\d{2,3}-?[A-Da-dNSEWw](?:-?[1-4])?|[A-Z]-\d{3}|\d{3,4}[ ](?:window|door|bed[ ][A-D12]))(?![\w%/-])(?!\.\d)")),
    Rule("unit_compass", "UNIT", 0.6, re.compile(r"(?<![\w-])(?P<v>\d{1,2}[NSEW]\d{2}[A-D]?|(?:TRIAGE|Triage|triage)[ \t]{1,10}[A-Z]-\d{1,2}|[Tt]rlr\.?[ ]#?\d{1,3})(?![\w-])")),
    Rule("unit_flat", "UNIT", 0.7, re.compile(r"\b(?P<v>(?:lower|upper|rear|front|basement|ground|garden|top)[ ](?:flat|apt|apartment|unit|level[ ]apt)|(?:Fl|Floor|Fl\.)[ ]\d{1,2}(?:[ ](?:Rear|Front|Left|Right))?)\b(?![ ]?[a-z]{2}/)", re.IGNORECASE), only_if=("flat", "apt", "apartment", "fl")),
    Rule("unit_colour", "UNIT", 0.66, re.compile(r"(?<![\w-])(?P<v>(?:pod|Pod|POD|team|Team|zone|Zone|wing|Wing|unit|Unit)[ ](?:Blue|Red|Green|Yellow|Orange|Purple|Gold|Silver|White|Teal|Aspen|Cedar|Oak|Maple|Pine|Birch|Willow)[ ]\d{1,3})(?![\w%/])")),
    Rule("unit_in_code", "UNIT", 0.6, re.compile(r"\b(?:in|to|from|bed|pod|zone|slot|station|chair|isolette|crib)[ ](?P<v>[A-H]-\d{1,2})(?![\w%/-])(?!\.\d)")),
    Rule("unit_moved", "UNIT", 0.55, re.compile(r"\b(?:[Mm]oved|[Tt]ransferred|[Tt]ransfer|[Rr]eturned|[Bb]ack|[Bb]rought|[Ww]heeled|[Ww]alked|[Cc]ame|[Ss]wapped|[Dd]entures|[Gg]lasses|[Bb]elongings|[Cc]harger|[Tt]ray|[Ll]eft|[Vv]isitor)[ ](?:back[ ])?(?:over[ ])?(?:to|from|in|for)[ ](?P<v>\d{3}[A-Z]?)(?=[ ]*(?:[,.;)\n]|\Z))")),
    # "LOCATION: 6 North / 219", "admitted to 5 East", "CCU 2": a ward points to a person on a day.
    Rule("unit_location", "UNIT", 0.6, re.compile(r"(?:^|\n|[ ]{2,})[ \t*]{0,4}(?:location|unit|ward|room)[ \t]{0,2}:[ \t]{0,4}(?P<v>(?=[^\n|;,]{0,24}\d|[a-z]{2,5}icu)[^\n|;,]{2,30})", re.IGNORECASE), only_if=("location", "unit", "ward", "room")),
    Rule("unit_wing", "UNIT", 0.7, re.compile(r"(?<![\w/.-])(?P<v>\d{1,2}[ \t](?:North|South|East|West|Pavilion|Tower|Main))\b(?![ \t](?:[A-Z][a-z]+[ \t])?(?:St|Street|Ave|Avenue|Rd|Road|Dr|Drive|Blvd|Lane|Ln|Way))", re.IGNORECASE), only_if=("north", "south", "east", "west", "pavilion", "tower", "main")),
    Rule("unit_icu", "UNIT", 0.7, re.compile(r"\b(?P<v>(?:MICU|SICU|CCU|NICU|PICU|CVICU|CTICU|NSICU|PACU|ICU)[ \t-](?:[A-F]\b|\d{1,3}\b))(?![/.%])(?![ ]?(?:days?|nights?|hours?|h\b|weeks?|beds?\b|x\b|times))", re.IGNORECASE), only_if=("cu",)),
    Rule("unit_floor", "UNIT", 0.65, re.compile(r"\b(?:[Aa]dmit(?:ted)?|[Tt]ransferr?(?:ed)?|[Mm]oved)[ \t]to[ \t](?P<v>\d{1,2}[A-Z]\b)")),
    Rule("unit_letter", "UNIT", 0.8, re.compile(r"\b(?P<v>(?:Unit|Apt\.?|Apartment|Ward|Pod|Room|Bed)[ \t](?:#[ \t]?)?(?:\d{1,4}-?[A-Z]|[A-Z]-?\d{1,4}|[A-Z](?=[.,;\n)])))\b")),
    Rule("unit_place", "UNIT", 0.72, re.compile(rf"(?P<v>{one_of(_PLACE)}[ \t]{{0,2}}#?[ \t]?(?:(?:(?!x\d)[A-Z]{{1,2}}-?)?\d{{1,4}}(?:-?[A-Z]\b)?(?:[-/][A-Z0-9]{{1,3}})?|(?-i:[A-H])\b(?![ \t]?[\w'])))(?![\w%/])(?!\.\d)", re.IGNORECASE), check=lambda m: not _SHARED_ROOM.search(m.string[max(0, m.start() - 12) : m.start()]) and not re.match(r"(?:(?:cell|bay|station|hall|tower)[ ]|pod[ ]?#?)\d{1,2}$|station[ ]\d{1,2}[rl]$", m["v"].lower()) and not re.match(r"[ \t]?(?:mg|ml|mcg|times|x\b|min|sec|reps|steps|days?|hours?|weeks?)", m.string[m.end("v") :])),
    Rule("unit_code", "UNIT", 0.68, re.compile(r"(?<![\w/-])(?P<v>(?:ED|ER|ICU|MICU|SICU|CCU|CICU|CVICU|PICU|NICU|PACU|LDR|L&D|IMC|PCU|TCU|SDU|BMT|PEDS|ONC|TELE)[- ](?:bed |rm |room |bay |pod )?#?(?:\d{1,3}[A-Z]?|[A-F](?=[ ,.;)\n]))|\d{1,2}[NSEW](?:-|[ ](?:bed |rm |room |-)?)#?\d{1,3}[A-Z]?)(?![\w%/])(?!\.\d)(?![ \t]?(?:days?|hours?|nights?|mg|ml))"), check=lambda m: not re.match(r"E[RD][ ]\d\d$", m["v"]) or not _MOTION.search(m.string[max(0, m.start() - 60) : m.end() + 30])),
    Rule("highway", "STREET", 0.7, re.compile(r"(?<![\w-])(?P<v>(?:Interstate|Route|Rte\.?|Hwy\.?|Highway|State[ ]Route|County[ ]Road|Farm[ ]Road|US[ ](?:Route|Highway|Hwy)|US-|I-(?=\d{2}\b(?!\d)))[ -]?\d{1,4}[A-Z]?(?:[ ][NSEW]B?\b)?(?:,?[ ](?:(?:near|at|by|past)[ ])?(?:mile[ ]marker|MM|exit|milepost)[ ]?\d{1,4}[A-Z]?)?)(?![\w-])(?!\.\d)", re.IGNORECASE), check=lambda m: not m["v"].startswith(("I-1", "i-1"))),
    Rule("state_road", "STREET", 0.75, re.compile(r"\b(?P<v>(?:State|County|Co\.?|US|U\.S\.)[ ](?:Rt|Rte|Rd|Road|Hwy|Route)\.?[ ]\d{1,4}[A-Z]?)(?![\w-])")),
    Rule("county_road", "STREET", 0.75, re.compile(r"\b(?P<v>(?:STATE|COUNTY|CO\.?|US|U\.S\.|FARM|RANCH|TOWNSHIP|TWP)[ ](?:RT|RTE|RD|ROAD|HWY|HIGHWAY|ROUTE)\.?[ ]\d{1,4}[A-Z]?(?:[ ](?:AT|AND|&)[ ][A-Z]{3,16}[ ](?:LN|ST|AVE|RD|DR|BLVD|HWY|WAY|CT|TRL?))?)(?![\w-])")),
    # "ice on SE Powell Blvd": no number, but a preposition and the kind of road
    Rule("street_no_number", "STREET", 0.65, re.compile(rf"\b(?:on|at|near|off|down|along|from|of|to)[ ](?P<v>(?:{_DIRECTION}[ ])?(?:{UPPER}{LETTER}{{2,20}}[ ]){{1,3}}(?:St|Street|Ave|Avenue|Blvd|Boulevard|Rd|Road|Hwy|Highway|Pkwy|Parkway|Lane|Ln|Turnpike|Expressway)\b(?:[ ]and[ ]{UPPER}{LETTER}{{2,20}}(?:[ ](?:St|Ave|Blvd|Rd))?)?)(?![ ]?'s)")),
    Rule("street_small_dr", "STREET", 0.8, re.compile(r"(?<![\w./-])(?P<v>\d{3,6}[ ](?:[nsew]\.?[ ])?(?:[a-z]{3,16}[ ]){1,2}(?:dr|st|ct|pl|cir|way|trl|ave|rd|ln)\b\.?)(?=[ ]?(?:[,#\n]|apt|unit|\Z))")),
    # "just S of CR 702", "off FM 1960"
    Rule("road_initials", "STREET", 0.75, re.compile(r"\b(?:[Oo]n|[Oo]f|[Oo]ff|[Nn]ear|[Aa]t|[Aa]long|[Dd]own|[Ff]rom|ON|OF|OFF|NEAR|AT|ALONG|DOWN|FROM|&)[ ](?P<v>(?:CR|FM|SR|TR|SH|[Cc]o\.?[ ]?[Rr]d\.?|[Cc]ty[ ][Rr]d)[ ]\d{2,4}[A-Z]?)(?![\w%/-])(?!\.\d)(?![ ]?(?:mg|ml|mm))")),
    Rule("mile_marker", "STREET", 0.75, re.compile(r"\b(?P<v>(?:MM|[Mm]ile[ ]?(?:[Mm]arker|[Pp]ost))[ ]\d{1,3}(?:\.\d)?)(?=[ ,]{1,2}(?:I-|US\b|HWY|[Hh]wy|SR|[Rr][Tt]|[Ss]tate|[Ii]nterstate|[Rr]oute))")),
    Rule("corner", "STREET", 0.7, re.compile(rf"\b[Cc]orner[ ]of[ ](?P<v>(?:[NSEW]\.?[ ])?(?:{UPPER}{LETTER}{{2,16}}|\d{{1,3}}(?:st|nd|rd|th))(?:[ ]{UPPER}{LETTER}{{1,16}})?[ ](?:and|&)[ ](?:{UPPER}{LETTER}{{2,16}}|\d{{1,3}}(?:st|nd|rd|th))(?:[ ](?:St|Ave|Rd|Blvd|Street|Avenue|Road)\b)?)")),
    Rule("small_box", "STREET", 0.85, re.compile(r"\b(?P<v>p\.?[ ]?o\.?[ ]?(?:box|drawer)[ ]?#?[ ]?\d{1,7})(?!\w)", re.IGNORECASE), only_if=("box", "drawer")),
    Rule("crossing", "STREET", 0.7, re.compile(rf"\b(?:[Nn]ear|[Cc]rossing of|[Ii]ntersection of|[Cc]orner of|NEAR)[ ](?P<v>(?:{UPPER}{LETTER}{{2,16}}|\d{{1,3}}(?:st|nd|rd|th))[ ](?:and|&|AND)[ ](?:{UPPER}{LETTER}{{2,16}}|\d{{1,3}}(?:st|nd|rd|th))|(?:Hwy|HWY|US|Rt|RT|Route)[ ]\d{{1,3}}[ ](?:and|&|AND)[ ](?:{UPPER}{LETTER}{{2,16}}|\d{{1,3}}(?:st|nd|rd|th)))")),
    Rule("rural_box", "STREET", 0.85, re.compile(r"\b(?P<v>(?:rr|r\.r\.|rt|rte|hc|route|star route)[ ]?#?\d{1,3},?[ ]box[ ]#?\d{1,6}[A-Z]?)(?!\w)", re.IGNORECASE), only_if=("box",)),
    # "112 1/2 n main": in small letters only by the usual names of streets
    Rule("street_small_usual", "STREET", 0.75, re.compile(
        r"(?<![\w./-])(?P<v>\d{2,5}(?:[ ]1/2)?[ ][nsew]\.?[ ](?:main|elm|oak|maple|pine|cedar|walnut|chestnut|cherry|birch|ash|spruce|broadway|washington|jackson|jefferson|lincoln|madison|franklin|adams|monroe|grant|park|church|school|mill|high|center|central|market|union|state|river|lake|spring|front|water|\d{1,3}(?:st|nd|rd|th))\b(?:[ ](?:st|ave|rd|blvd|street|avenue)\b)?)", re.IGNORECASE)),
    Rule("zip_before_word", "ZIP", 0.85, re.compile(r"(?<![\w.-])(?P<v>\d{5})(?=[ ]zip\b)", re.IGNORECASE), only_if=("zip",)),
    Rule("zip_label", "ZIP", 0.9, re.compile(r"\b(?:zip|zipcode|postal|post[ ]?code|pin[ ]?code)\b[^\d\n]{0,14}(?P<v>\d{5,6}(?:-\d{4})?)(?!\d)", re.IGNORECASE), only_if=("zip", "post", "pin")),
    Rule("zip_foreign", "ZIP", 0.8, re.compile(r"(?<![\w-])(?P<v>[A-PR-UWYZ][A-HK-Y]?\d[A-Z\d]?[ ]\d[ABD-HJLNP-UW-Z]{2}|[ABCEGHJ-NPRSTVXY]\d[A-Z][ -]?\d[A-Z]\d)(?![\w-])"), check=lambda m: not re.match(r"T\d[NI]\d[MS]\d|E\dV\dM\d", m["v"])),
    Rule("unit_bed", "UNIT", 0.7, re.compile(rf"(?P<v>{one_of(_BED)}[ \t]?#?(?:(?!x\d)(?:[A-Z]-?)?\d{{1,4}}-?[A-Z]?)(?:(?:,[ \t]|[ \t](?:and|&)[ \t])\d{{1,4}}[A-Z]?)?)(?![\w%/])(?!\.\d)(?![ \t]?(?:mg|ml|mcg|feet|ft|m\b|times|x\b|min|sec|reps|steps))", re.IGNORECASE), check=lambda m: not _SHARED_ROOM.search(m.string[max(0, m.start() - 12) : m.start()]) and not m["v"].lower().startswith("cell ") and not re.match(r"pod[ ]?#?\d{1,2}(?:$|,)", m["v"].lower()), only_if=("ldr", "pacu", "bay", "chair", "pod", "slot", "bed", "rm", "room", "cell", "stall", "flat", "trauma", "resus", "triage", "hallway", "tower")),
    # "SBAR 412-2   Pruett", "window bed (122-A)": a room and its bed as a column or in brackets
    Rule("unit_column", "UNIT", 0.6, re.compile(r"(?:(?<=\()|(?<=[A-Za-z] )|(?<=[ ]{2})|(?<=\n))(?P<v>[1-9]\d{2,3}-[1-4A-D])(?=[ ]{2,}[A-Za-z]|\)|[ ]*\n)")),
    Rule("unit_ward", "UNIT", 0.66, re.compile(r"(?<![\w/-])(?P<v>(?:CVSU|CVU|CTU|NTU|MSU|ACU|SAU|MAU|CDU|EDOU|PCICU|CSRU|CRU)[ -]#?\d{1,3}[A-D]?)(?![\w%/.-])")),
    # "880 Ky 66", "RT 146 NB at mile 7.2"
    Rule("state_number", "STREET", 0.75, re.compile(rf"(?<![\w-])(?P<v>\d{{2,5}}[ ](?:{'|'.join(w + '|' + w.title() for w in STATES)})[ ](?:Hwy[ ]|Rt[ ]|Route[ ])?\d{{1,3}})(?![\w%/.-])")),
    Rule("route", "STREET", 0.7, re.compile(r"(?<![\w-])(?P<v>R[Tt]E?\.?[ ]\d{1,3}[A-Z]?[ ](?:[NSEW]B?|[Nn]orth|[Ss]outh|[Ee]ast|[Ww]est)\b(?:[ ](?:at|near|by)[ ](?:mile|MM|exit)[ ]\d{1,3}(?:\.\d)?)?)(?![\w-])")),
    # "D-block cell 31", "habitación 512 B", "Mom and baby to PP 312"
    Rule("unit_block", "UNIT", 0.75, re.compile(r"\b(?P<v>[A-Z][- ]?block(?:[ ,]{1,2}(?:cell|bunk|tier)[ ]?\d{1,4}[A-Z]?)?)\b(?!er)", re.IGNORECASE), check=lambda m: " " in m["v"] or "-" in m["v"], only_if=("block",)),
    Rule("unit_foreign", "UNIT", 0.75, re.compile(r"\b(?P<v>(?:habitaci[oó]n|hab\.|cuarto|cama|piso|apto\.?|apartamento|depto\.?)[ ]#?\d{1,4}(?:[ ]?-?[A-Z]\b)?)", re.IGNORECASE)),
    Rule("unit_postpartum", "UNIT", 0.66, re.compile(r"(?<![\w/-])(?P<v>(?:PP|MBU|LDRP?|AP|WS|MB|BHU|OBS|TELE|PCU)[ ]#?\d{2,4}[A-D]?)(?![\w%/-])(?!\.\d)(?![ ](?:mg|ml|g|cc|kcal|units?|x)\b)")),
    Rule("unit_pod_cell", "UNIT", 0.8, re.compile(r"\b(?P<v>(?:[A-Z]-?pod|pod[ ]?[A-Z0-9])[ ,]{1,2}(?:cell|bed|bunk|rm|room)[ ]?\d{1,4}[A-Z]?)\b", re.IGNORECASE), only_if=("pod",)),
    Rule("unit_site", "UNIT", 0.65, re.compile(r"(?:\b[Pp]ark|[Cc]ampground|[Cc]ourt|[Ee]states|HD[ ]run[ ]sheet[^\n]{0,16})[ ,]{1,3}(?P<v>(?:site|lot|space|spc|sta|station|chair)\.?[ ]?#?\d{1,4}[A-Z]?)\b")),
    Rule("saint", "FACILITY", 0.7, _SAINT),
    Rule("saint_capitals", "FACILITY", 0.7, re.compile(r"\b(?:AT|TO|FROM|VIA)[ ](?P<v>ST\.[ ](?!ELEV|DEPR|SEGM|CHANG|WAVE)[A-Z]{3,20}(?:'S\b)?)")),
    Rule("facility", "FACILITY", 0.88, FACILITY, check=_named),
    Rule("facility_capitals", "FACILITY", 0.86, _FACILITY_CAPS, check=_named, only_if=("hospital", "medical center", "health", "clinic", "nursing home", "hospice", "center", "infirmary", "lab", "nursing", "imaging", "pathology", "manor", "urgent care", "gym", "cardiovascular", "orthopedics", "dialysis", "pharmacy", "radiology", "surgical", "rehab", "nursery", "daycare")),
    Rule("facility_small_letters", "FACILITY", 0.7, _FACILITY_LOWER, check=_named_lower, only_if=("clinic", "hospital", "pharmacy", "hospice", "health", "nursing home", "medical", "emergency", "urgent", "rehab", "dialysis", "infusion", "shelter", "home", "birth", "jail", "prison", "hostel", "refuge", "satellite")),
    # "Pharmacy: Hiron's on 18th", "SNF: Maple Crest"
    Rule("facility_header", "FACILITY", 0.72, re.compile(rf"(?:^|\n|[;.|][ ]|[ ]{{2}})(?:Pharmacy|Pharm|PHARMACY|SNF|ALF|HHA|DME|Facility|FACILITY|Dialysis unit|Nursing home)[ ]?:[ ]{{1,3}}(?P<v>{UPPER}(?:{LETTER}|['.&-](?={LETTER})){{2,20}}(?:'s)?(?:[ ](?:(?:on|of|at|and|&)[ ])?(?:{UPPER}|\d{{1,3}}(?:st|nd|rd|th))(?:{LETTER}|['.&-](?={LETTER})){{0,20}}){{0,4}})"),
        check=lambda m: not (is_safe(m["v"].split()[0]) and " " not in m["v"])),
    Rule("facility_initials", "FACILITY", 0.75, re.compile(rf"(?<![\w'-])(?P<v>(?:{UPPER}{LETTER}{{2,16}}[ ]){{1,3}}(?:OTP|MMTP|FQHC|CBOC|LTACH?|SNF|ALF|ICF|CHC|HHA|VAMC|ASC|IRF|PRTF))(?![\w'-])"), check=lambda m: not is_safe(m["v"].split()[0])),
    # 'Maunakea Rehab Pavilion ("the Pavilion")'
    Rule("alias", "FACILITY", 0.66, re.compile(rf"(?<=[A-Za-z.][ ])\([\"“](?P<v>(?:[Tt]he[ ])?{UPPER}{LETTER}{{2,16}}(?:[ ]{UPPER}{LETTER}{{2,16}})?)[\"”]\)"), check=lambda m: m["v"].lower().startswith("the ") or not is_safe(m["v"].split()[0])),
    # "Phyllis at Rosebud PHN office", "at Forsyth OB outreach"
    Rule("office", "FACILITY", 0.75, re.compile(rf"(?<![\w'-])(?P<v>(?:{UPPER}{LETTER}{{2,16}}[ ]){{1,2}}(?:(?:PHN|WIC|DHS|DSS|CPS|APS|DCFS|SSA|DOC|[Pp]robation|[Pp]arole|[Pp]ublic [Hh]ealth)[ ](?:office|dept|department|nurse)|(?:[A-Z]{{2,4}}[ ])?[Oo]utreach(?:[ ][Cc]linic)?))\b"), check=lambda m: not is_safe(m["v"].split()[0])),
    Rule("church", "FACILITY", 0.75, re.compile(rf"(?<![\w'-])(?P<v>(?:(?:{_WORD}|St\.|Mt\.)(?:'s)?{SP}(?:of{SP}(?:the{SP})?)?){{1,5}}(?:Church(?:{SP}of{SP}(?:God|Christ)(?:{SP}in{SP}Christ)?)?|Missionary{SP}Baptist|Baptist|Lutheran|Presbyterian|Tabernacle|Synagogue|Mosque|Masjid|Parish|Cathedral|Chapel|Ministries|Apostolic|AME{SP}Zion|AME|Temple)(?:{SP}Church)?)\b"), check=lambda m: m["v"].split()[0].lower() not in CLOSED),
    Rule("spanish_house", "FACILITY", 0.85, re.compile(rf"(?<![\w'-])(?P<v>(?:Hospital|Cl[ií]nica|Centro[ ]M[eé]dico|Sanatorio|Farmacia|Hogar|Policl[ií]nica|H[oô]pital|Clinique)[ ](?:(?:de|del|de[ ]la|la|el|los|las|San|Santa|Santo|Nuestra)[ ]){{0,2}}{UPPER}{LETTER}{{2,20}}(?:[ ](?:de[ ](?:la[ ])?)?{UPPER}{LETTER}{{2,20}}){{0,3}})"), check=lambda m: not all(is_safe(w) or w.lower() in KIND_WORDS for w in m["v"].split()[1:])),
    Rule("arc_of", "FACILITY", 0.75, re.compile(rf"\b(?P<v>(?:The[ ])?(?:Arc|Meadows|Villages?|Gardens|Cottages|Residence|Oaks|Pines|Willows|Arbors|Terrace)[ ](?:of|at)[ ](?:the[ ])?{UPPER}{LETTER}{{2,20}}(?:[ ]{UPPER}{LETTER}{{2,20}})?)")),
    Rule("center_for", "FACILITY", 0.75, re.compile(rf"\b(?P<v>(?:Center|Centre|Institute|Foundation|House|Partners|Home)[ ]for[ ](?:the[ ])?{UPPER}{LETTER}{{3,20}}(?:[ ](?:and[ ])?{UPPER}{LETTER}{{3,20}}){{1,3}})"), check=lambda m: "disease control" not in m["v"].lower() and "medicare" not in m["v"].lower()),
    Rule("hospice_of", "FACILITY", 0.85, re.compile(rf"\b(?P<v>(?:Hospice|Visiting{SP}Nurses?|VNA|Home{SP}Care|Friends|Sisters|Hospitals|Society|House){SP}of{SP}(?:the{SP})?{_WORD}(?:{SP}{_WORD}){{0,2}})")),
    # "HSHS St. John's", "Jewish in Louisville", "at Deaconess": well-known houses go by such names.
    Rule("system_saint", "FACILITY", 0.75, re.compile(rf"(?<![\w'-])(?P<v>(?:[A-Z]{{3,6}}{SP})?(?:St\.?|Saint|Mt\.?|Our{SP}Lady{SP}of(?:{SP}the)?){SP}{UPPER}{LETTER}{{2,20}}(?:'s)(?!{SP}(?:wort|fire|dance)\b)(?:{SP}(?:Hospital|ED|ER|ICU))?)")),
    Rule("city_va", "FACILITY", 0.7, re.compile(rf"\b(?:at|to|from|by|the|via)[ ](?P<v>(?:{UPPER}{LETTER}{{3,14}}[ ]){{1,2}}VA)(?![\w'-]|[ ]\d)")),
    Rule("va_in", "FACILITY", 0.75, re.compile(rf"\b(?P<v>(?:VA|IHS)(?:{SP}(?:in|at|of){SP}{_WORD}|{SP}(?:[a-z]{{3,12}}{SP})?(?:clinic|hospital|dental))(?:{SP}clinic)?)\b"), only_if=("va ", "ihs ")),
    Rule("university", "FACILITY", 0.85, _HOSPITAL_OF, check=lambda m: m["v"].split()[-1].lower() not in KIND_WORDS),
)  # fmt: skip


def _is_city(name: str) -> bool:
    """Not a state, a country or a common word: "lives in Texas", "travelled to Mexico", "lives in Assisted Living"."""
    words = [w.strip(".,'").lower() for w in name.split()]
    if name in STATES.values() or all(w in NATIONS for w in words):
        return False
    return not all(w in common_words() or w in NATIONS or w in LANDS for w in words)


def find(note: Note) -> Iterator[Span]:
    """Places of folded text."""
    text = note.text
    for match in note.finditer(STREET):
        start, end = match.span("street")
        if _NUMBER_BEFORE_STREET.search(text[max(0, start - 12) : start]):
            continue
        yield Span(start, end, "STREET", 0.93, "places.street")
        for group, identifier in (("city", "CITY"), ("zip", "ZIP")):
            if match[group] is not None and (
                group == "zip" or match["zip"] is not None or "," in text[end : match.start(group)]
            ):
                yield Span(match.start(group), match.end(group), identifier, 0.93, "places.street_" + group)
    for match in note.finditer(_STREET_LOWER):
        if not _NUMBER_BEFORE_STREET.search(text[max(0, match.start() - 12) : match.start()]):
            yield Span(match.start("street"), match.end("street"), "STREET", 0.8, "places.street_lower")
    for span in apply_rules("places", RULES, note):
        if span.identifier == "FACILITY":
            span = span._replace(start=_trim_lead(text, span.start, span.end))
        yield span


def recognizer() -> ClinicalRecognizer:
    """The recognizer of places and facilities."""
    return ClinicalRecognizer("places", ["STREET", "CITY", "COUNTY", "ZIP", "UNIT", "FACILITY"], find)
