"""Employers, schools and well-known houses (Safe Harbor A and B): by the lists of their short names, and by rules."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deid import phrases
from deid.lexicon import is_safe
from deid.note import LETTER, UPPER, Note, has_few_capitals
from deid.recognizers.common import SP, ClinicalRecognizer, Rule
from deid.recognizers.names import STOP_WORDS
from deid.spans import Span
from deid.vocabulary import EPONYMS, NATIONS, common_words, is_clinical

_IDENTIFIER = {"facilities": "FACILITY", "employers": "EMPLOYER"}

_BUSINESS_NEVER: frozenset[str] = frozenset(
    "the his her their my our no per at for with from ice water blood home health social hospital".split()
)

_EMPLOYERS = (
    Rule(
        "employer",
        "EMPLOYER",
        0.8,
        re.compile(
            rf"\b(?:[Ww]ork(?:s|ed|ing)?|[Ee]mployed|[Jj]ob|[Rr]etired|[Tt]eaches|[Tt]aught|[Vv]olunteer(?:s|ed|ing)?|[Cc]ashier|[Mm]anager|[Dd]river|[Ee]ngineer|[Aa]ccountant|[Cc]lerk|[Tt]eacher|[Ll]aid off)[ \t](?:\w{{1,14}}[ \t]){{0,5}}?(?:at|for|by|from|with)[ \t](?:the[ \t])?"
            rf"(?P<v>{UPPER}(?:{LETTER}|['&.\-](?={LETTER})){{1,24}}(?:{SP}(?:(?:of|and|&|the){SP})?{UPPER}(?:{LETTER}|['&.\-](?={LETTER})){{1,24}}){{0,4}})"
        ),
    ),
    Rule("employer_header", "EMPLOYER", 0.88, re.compile(rf"\b(?:[Ee]mployer|EMPLOYER|[Pp]lace of [Ee]mployment|[Ww]orkplace|[Ss]chool|[Cc]ompany)(?:[ \t][Nn]ame)?(?:[ \t]{{0,2}}(?::|\bis\b)[ \t]{{0,2}}|[ \t])(?P<v>{UPPER}[^\n,;.()]{{2,50}})")),
    Rule("company", "EMPLOYER", 0.8, re.compile(rf"(?<![\w'-])(?P<v>(?:{UPPER}(?:{LETTER}|['&.\-](?={LETTER})){{1,24}},?{SP}(?:(?:and|&|of){SP})?){{1,4}}(?:Inc|LLC|L\.L\.C|Ltd|Corp|Corporation|Company|Industries|Enterprises|Holdings|Partners|LLP|PLC|GmbH|Incorporated|Bros|Brothers|& Co|and Sons|& Sons))\b\.?")),
    Rule("employer_capitals", "EMPLOYER", 0.8, re.compile(r"\b(?:(?:WORKS?|WORKED|WORKING|EMPLOYED|RETIRED|DRIVES|COOKS?|CASHIER|MANAGER|DRIVER|CLERK|SERVER|TEACHES)[ ](?:AT|FOR|BY|FROM|WITH)(?:[ ]THE)?[ ]|(?:FORMER[ ])?EMP(?:LOYER)?:[ \t]{0,3})(?P<v>[A-Z][A-Z&'.-]{1,20}(?:[ ](?!AND\b|IN\b|AS\b|ON\b|FOR\b|WITH\b|UNTIL\b|SINCE\b|DOB\b)[A-Z&][A-Z&'.-]{0,20}){0,4})(?![a-z])")),
    # "works 2nd shift at the Hyundae seat plant", "retired from the gaseous diffusion plant"
    Rule("works", "EMPLOYER", 0.7, re.compile(r"\b(?:works?|worked|working|retired|shift|job|employed|welder|welds|foreman|machinist|line|laid[ ]off|hurt|injured)\b[^.;\n]{0,24}?\b(?:at|from|for|in)[ ](?:the|a)[ ](?P<v>(?:[\w'-]{2,16}[ ]){1,3}(?:plant|mill|factory|refinery|mine|shipyard|cannery|foundry|quarry|brewery|smelter|sawmill|steelworks|packing[ ]?house))\b", re.IGNORECASE), only_if=("plant", "mill", "factory", "refinery", "mine", "shipyard", "cannery", "foundry", "quarry", "brewery", "smelter", "works", "pack")),
    # "B Co 2-27 IN", "a co 307 beb", "1st Cav Div surgeon's office", "HSM-37": a unit of the forces points to few
    Rule("regiment", "EMPLOYER", 0.78, re.compile(
        r"(?<![\w/-])(?P<v>(?:[A-Z][ ]Co\.?,?[ ])?\d{1,3}[-/]\d{1,3}(?:st|nd|rd|th)?[ ](?:IN|INF|AR|FA|CAV|AVN|BSB|BEB|ADA|EN|MP|SFG|STB|ABN|SBCT|ABCT|Marines|Infantry|Cavalry|Cav|Rangers?|Armor|Aviation)"
        r"|[A-Za-z][ ][Cc]o\.?,?[ ]\d{1,3}(?:st|nd|rd|th)?[ ](?:[A-Z]{2,4}|in|inf|beb|bsb|fa|ar|cav|avn|en|mp|mi|sig|med)"
        r"|\d{1,3}(?:st|nd|rd|th)[ ](?:Cav|Cavalry|Infantry|Inf|Airborne|ABN|Armored|Mountain|Marines?|Fighter|Bomb|Ranger|Engineer|Signal|MP|CSH|FH|Combat|Aviation|Sustainment|Special[ ]Forces|Stryker|Brigade|BCT|Wing|MEU|FSB|Sustainment)(?:[ ](?:Div|Division|Regiment|Regt|Bn|Battalion|Brigade|Bde|BCT|Wing|Squadron|Sqdn|Group|Gp|Company|Regimental|Combat|Team|Aviation|Support|Infantry|Hospital))*(?:[ ]surgeon's[ ]office)?"
        r"|(?:HSM|HSC|HSL|VFA|VMFA|VMM|HMLA|HMH|VAQ|VAW|DDG|CVN|LHD|LPD)-\d{1,3}|USS[ ][A-Z][a-z]{2,14}(?:[ ][A-Z][a-z]{2,14})?)(?![\w-])")),
    # "boss at Samjin Semiconductor Taylor plant", "at work (Wheeler motor pool)"
    Rule("named_works", "EMPLOYER", 0.72, re.compile(
        rf"(?:\b(?:boss|supervisor|foreman|HR|coworkers?|works?|worked|working|job|shift|employed|hired|work)[ ](?:at|from|for|by|in|\()[ ]?|\()(?:the[ ])?(?P<v>{UPPER}[\w'-]{{2,16}}(?:[ ][\w'-]{{2,16}}){{0,3}}[ ](?:plant|mill|factory|refinery|mine|warehouse|motor pool|depot|shipyard|foundry|distribution center|quarry|cannery))\b")),
    # "Robeson Central HS vs", "teacher (Cleveland HS)"; but "Colace HS"
    Rule("school_short", "EMPLOYER", 0.7, re.compile(
        rf"(?:\b(?:at|from|for|vs\.?|attends|teacher|student|coach|nurse|custodian|grade|[Ss]chool:)[ ,(]{{1,2}}|- |\()(?P<v>(?:{UPPER}{LETTER}{{2,16}}[ ]){{1,3}}(?:HS|ISD|USD|Elem|JHS))(?![\w'-])"), check=lambda m: not is_clinical(m["v"].split()[0].lower())),
    # "cumberland dme notified"
    Rule("supplier", "EMPLOYER", 0.7, re.compile(r"(?<![\w'-])(?P<v>(?!(?:the|by|from|with|for|to|and|of|his|her|home|new|via|call|called|per|order|ordered)\b)[A-Za-z][\w'-]{3,16}[ ](?:DME|dme|[Hh]ome [Mm]edical))(?=[ ](?:notified|called|aware|delivered|to|will|re)\b|[,.;)])"), check=lambda m: not is_safe(m["v"].split()[0])),
    # "works at ferrell's tire barn" in a note without capitals
    Rule("employer_small", "EMPLOYER", 0.62, re.compile(r"\b(?:works?|worked|working|employed|job|manager|cashier|driver)[ ](?:at|for)[ ](?P<v>(?!(?:a|an|the|his|her|their|my|our|home|night|nights|least|present|desk|school|this|that|some|family|another|minimum)\b)[a-z][a-z&'.-]{2,16}(?:[ ](?!(?:and|as|in|on|since|for|but|who|with|until|from|at|w|full|part|x|doing)\b)[a-z&][a-z&'.-]{1,16}){0,3})(?=[ ]?(?:[,;.)\n]|and\b|as\b|in\b|since\b|for\b|but\b|full|part|$))"), check=lambda m: has_few_capitals(m.string)),
    # "Seagirt Cold Storage", "Outer Banks Seafood Traders": what kind of business, behind a name
    Rule("business", "EMPLOYER", 0.62, re.compile(
        rf"(?<![\w'-])(?P<v>(?P<l>(?:{UPPER}(?:{LETTER}|['&.-](?={LETTER})){{1,20}}(?:'s)?[ ](?:&[ ])?){{1,3}})(?:(?:and|&)[ ])?(?:Cold Storage|Co-?op|Traders|Seafood|Trucking|Logistics|Roofing|Plumbing|Construction|Landscaping|Bakery|Diner|Restaurant|Grill|Café|Cafe|Pizza|Barbecue|BBQ|Tavern|Brewery|Brewing|Market|Grocery|Foods|Farms?|Dairy|Poultry|Orchards?|Ranch|Mills?|Steel|Foundry|Machine Shop|Machining|Welding|Paving|Concrete|Lumber|Hardware|Motors|Auto Body|Auto Repair|Auto Parts|Auto|Tire|Towing|Freight|Shipping|Shipyard|Airlines|Airways|Hotel|Motel|Resort|Casino|Salon|Barber Shop|Barbershop|Gym|Credit Union|Insurance|Realty|Schools|Public Schools|Schools [Tt]ransportation|Museum|Public Library|Press|Gazette|Studios?|Systems|Solutions|Technologies|Manufacturing|Mfg|Packing|Packaging|Fisheries|Textiles?|Furniture|Apparel|Warehouse|Distribution|Staffing|Security|Janitorial|Cleaners|Cleaning|Contractors?|Contracting|Builders|Energy|Mining|Utilities|Sheet Metal|Works|Iron Works|Tire (?:&|and) Lube|Nail Bar|Nails|Lube|Respiratory|CRO|Daughters?|Sons|Draw Station|Co-?Op|CO-?OP|Spa|Nursery|Florist|Analytics|Aggregates?|Language Line|Software|Robotics|Consulting|Telecom|Wireless|Quarry|Sawmill|Greenhouses?|Vineyards?|Winery|Distillery|Creamery|Deli|Bistro|Catering|Childcare|Barge Lines?|Bus Lines?|Truck Lines?|Van Lines|Shipbuilding|Mine(?: No\.? \d{{1,2}})?|Mercantile|Canning|Cannery|Transit|Haulers|Drilling|Refining|Rail(?:road|way)|Rentals?|Moving|Movers|FD|PD|Fire Dept|Police)\b(?![ \t]*:))"),
        check=lambda m: any(not is_safe(w) and not is_clinical(w.lower()) and w.lower() not in EPONYMS and w.lower() not in _BUSINESS_NEVER for w in m["l"].split())),
    Rule("school", "EMPLOYER", 0.75, re.compile(rf"(?<![\w'-])(?P<v>(?:{UPPER}{LETTER}{{1,24}}(?:'s)?\.?{SP}){{1,4}}(?:Elementary|Middle School|High School|School District|Academy|College|University|Preschool|Daycare|Police Department|Fire Department|Correctional Facility|Prison|Penitentiary|Ambulance|Funeral (?:Home|Service)|Mortuary|EMS|Fire (?:& )?Rescue|Union Hall|Congregational|Oxygen|Medical Supply)(?:{SP}(?:School|Service|Church))?|(?:IBEW|UAW|SEIU|UFCW|AFSCME|Teamsters|[A-Z]{{3,7}}){SP}Local{SP}\d{{1,5}})\b")),
)  # fmt: skip

_SCHOOL_WORDS = frozenset(
    "school elementary middle high college university academy district department police fire group partners company".split()
)


def find(note: Note) -> Iterator[Span]:
    """Organisations of folded text."""
    for start, end, name in phrases.find(note.text, phrases.phrases(*_IDENTIFIER)):
        yield Span(start, end, _IDENTIFIER[name], 0.72, f"organisations.{name}")
    yield from _employers(note)


def _employers(note: Note) -> Iterator[Span]:
    """Employers, schools and businesses by what stands around them and by what kind of business they are."""
    for rule in _EMPLOYERS:
        for match in note.finditer(rule.pattern):
            opening = match["v"].split()[0].strip(".,'").lower()
            words = [w.strip(".,'&").lower() for w in match["v"].split()]
            if (
                opening in STOP_WORDS
                or opening in ("a", "his", "her", "an", "their", "my", "our", "home", "night", "nights")
                or (opening == "the" and rule.name != "employer_capitals")
                or (
                    rule.name not in ("works", "regiment", "named_works")
                    and all(w in common_words() or w in NATIONS or w in _SCHOOL_WORDS for w in words if w)
                )
            ):
                continue
            yield Span(*match.span("v"), rule.identifier, rule.score, f"organisations.{rule.name}")


def recognizer() -> ClinicalRecognizer:
    """The recognizer of organisations."""
    return ClinicalRecognizer("organisations", ["FACILITY", "EMPLOYER"], find)
