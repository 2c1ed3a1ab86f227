"""Numbers and codes that point to one person (Safe Harbor G to M, P, R).

Most hospital numbers have no form of their own, so the word beside them decides. Where a number has a check digit,
it is taken without such a word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

from deid import checksums, phrases
from deid.lexicon import CLINICAL, CLOSED, flags
from deid.note import LOOSER, Note, watch
from deid.recognizers.common import ClinicalRecognizer, Rule, apply_rules, one_of
from deid.spans import Span
from deid.vocabulary import STATES

_SPELLING = r"(?:Alpha|Alfa|Bravo|Charlie|Delta|Echo|Foxtrot|Golf|Hotel|India|Juliet|Kilo|Lima|Mike|November|Oscar|Papa|Quebec|Romeo|Sierra|Tango|Uniform|Victor|Whiskey|Xray|X-ray|Yankee|Zulu)"
_DIGIT_WORD = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)"
_DOSES_NEXT = re.compile(r"[ \t]?(?:mg|mcg|ml|units?|g\b|meq|cc)", re.IGNORECASE)
_COUNTED_NEXT = re.compile(
    r"[ \t]?(?:mg|mcg|ml|units?|iu\b|copies|cells|colon|cfu|org|/|per\b|k\b|dollars|steps|[a-z]{1,4}/)", re.IGNORECASE
)
# What stands alone on a line and is nobody's initials.
ABBREVIATIONS = frozenset(
    """
    abd abx adl ahf aki ama amb ams ao aox ap aps arf bka bm bmi bmp bp cad cbc cc ccu chf cmp cns cp cpr csf ct ctl cta cv cva
    cxr dc ddx dka dm dni dnr dob dot dtr dvt dx ecg ed eeg ekg emg ems ent er exp ext fen fh fhx fu fx ga gb gcs gen gi gsw gu
    gyn hd heb hep hr ht htn hx ibs icu id im imp inr iv ivf lab lad lbp le lle ltc lue mg mi micu ml mri ms msk mvp n/a na nad
    nb nc ncs neg neu ng nka nkda no nos npo ns nsr nsg ob ok op or ot ox pa pcn pcp pe pfsh ph phi php pl plan plt pm pmd pmh
    pna po pod pos ppx prn psh psy pt pta pts pvd pvr qd qhs qid ra rbc rds reg rn rom ros rr rrr rt rta rue rx sa sc sh shx
    si sig skn sle sob sp ss ssi stat std sts sw sx tab tb tbi td temp tid tka tpn tsh tx ua uop uri us uti va vip vit vs vss
    wbc wd wnl xr yes adm aaa ace acs ad af ald als amd ana asa asd avm avr bid bni bpd bph bun cab cbi cf cgm cin ckd cml cmv
    copd cr crp cto dcm dpt eom esr ext fhr fob fsh gad gfr gtt hcg hct hcv hdl hiv hpi hpv hsv ibd icd icp ids iop itp iud ivc
    ivp ldh ldl lft lmp lms loc lp lvh mac map mcv mdi mds mgd mrs msa msw mva nph nst ocd ocp ocs osa pac pad pap pci pd pdn
    pea peg pfo pft php pid pin ppd ppi ppm psa pth ptt pud rdw sah sbo sbp sdh sga sma sop svt tah tee the tia tib tkr tms tpa
    tte tur uds vma vsd vte wpw and but for his her not who all any day end her new now old one out see she two use was
    """.split()
)
SHORTHAND = ABBREVIATIONS | phrases.tokens("abbreviations")
# What is written with full stops and is nobody's initials.
_DOTTED = frozenset(
    """us uk md pa po iv im er do rn np or od os ou dc bs ms am pm qd bid tid qid prn npo hs ac pc cc lv rv ef lpn sp ct mri ekg ecg
    jp gi gu et dt va yo ng id sc sq ny nj dpm ie eg ob dds dmd bsa usa xyz abc""".split()
)
# Between the word and its value: "MRN: ", "MRN # ", "chart number was ", "account no. is ".
_LINK = (
    r"(?:[ \t]{0,2}(?:number|num\b|no\b\.?|nbr\b|#|id\b|identifier|code|there\b))?(?:[ \t]{0,2}\([A-Za-z# ]{1,20}\))?"
    r"[ \t]{0,2}(?:(?:is|was|of|as|are)\b|[:#=.,-]){0,2}[ \t]{0,2}(?:\n[ \t]{0,4})?[#(]{0,2}[ \t]?"
)
# A code: letters, digits, inner dots, dashes and slashes, one digit at least.
_CODE = (
    r"(?=[A-Za-z./#~-]{0,8}\d|[A-Za-z]{1,4}[ ]\d{2})[A-Za-z0-9](?:[A-Za-z0-9]|[-./_#~:*](?=[A-Za-z0-9])){0,38}"
    r"(?:[ ](?=[A-Za-z]{0,2}\d)[A-Za-z\d-]{2,10}(?![\w./%:])|[ ]\d(?=[ ]\d|[ \t]*(?:[.,;)\n]|$))){0,5}(?:(?<=\d)[ ][A-Z](?=[ \t]*(?:[.,;)\n]|$)))?"
)
LOOSER[_CODE] = r"[A-Za-z./#~ -]{0,8}\d"


_LETTER = "[A-Za-z]"
LOOSER[r"(?=[ \t]?:)"] = r"[ \t]?:"  # read over, it is optional behind
_PAYER = r"insurance|insurer|payer|payor|coverage|medicare|medicaid|humana|aetna|cigna|united[ ]?healthcare|kaiser(?:[ \t]permanente)?|anthem|blue[ \t]cross(?:[ \t]blue[ \t]shield)?|bcbs|tricare|molina|centene|medi-?cal|masshealth|soonercare|ahcccs|tenncare|badgercare|healthy[ ]?connections"
_SIGNED_WITH = r"transcriptionist|transcribed[ \t]by|typed[ \t]by|typist|dictated[ \t]but[ \t]not[ \t]read|tr(?:anscr)?(?=[ \t]?:)|initials|initialed(?:[ \t]by)?|scribe"


def _after(words: str, value: str = _CODE, flags: int = re.IGNORECASE) -> re.Pattern[str]:
    return re.compile(rf"{one_of(words, not_after=_LETTER)}{_LINK}(?P<v>{value})(?![\w])", flags)


def _plain(match: re.Match[str]) -> bool:
    """Not a date, a dose or a measurement: "order 3/4/2019", "case 5.2 cm", "visit 2 weeks"."""
    value = match["v"]
    if sum(c.isalnum() for c in value) < 3 or sum(c.isdigit() for c in value) < 2:
        return False
    if re.fullmatch(r"(?:[12]?\d|3[01])[/.-](?:[12]?\d|3[01])(?:[/.-]\d{2,4})?|\d+\.\d+|(?:19|20)\d\d", value):
        return False
    return not re.fullmatch(r"\d+(?:mg|ml|cm|mm|mcg|kg|st|nd|rd|th|yo|y|f|m)", value, re.IGNORECASE)


def _checked(function: Callable[[str], bool]) -> Callable[[re.Match[str]], bool]:
    return lambda match: function(match["v"])


_MRN = (
    r"m\.?r\.?n\.?|mr[ \t]?(?=#|no\b|num)|med(?:ical)?\.?[ \t]rec(?:ord)?s?\.?|chart(?=[ \t]{0,2}(?:#|no|num|id|:[ \t]{0,2}[a-z]{0,3}-?\d{4}))"
    r"|hospital(?=[ \t](?:#|no|num|id\b))|(?:patient|pt)(?=[ \t]{0,2}(?:#|id\b|no\b|num|identif))|unit(?=[ \t](?:#|no\b|num))|empi|e-?mrn"
    r"|record(?=[ \t](?:#|no\b|num|id\b))|medrec|h\.?n\.?(?=[ \t]?[:#])|(?:hospital|clinic|pat|file)(?=[ \t](?:no\b|num|#|id\b))"
)
_PLAN = (
    r"(?:member|subscriber|policy(?:[ \t]?holder)?|insurance(?:[ \t](?:member|policy|card|plan))?|beneficiary|medicare(?:[ \t]beneficiary)?|medicaid|plan|group|payer|payor"
    r"|health[ \t]plan|cardholder|coverage|enrollee|tricare|champus|hmo|ppo)(?=[ \t]{0,2}(?:id\b|#|no\b|num|identif|:[ \t]{0,2}[A-Za-z]{0,4}\d))"
    r"|hicn?|mbi|mcr\b|rx[ \t]?(?:bin|grp|pcn)|prior[ \t]auth(?:orization)?|authorization(?=[ \t]{0,2}(?:#|no\b|num|id\b))"
)
_ACCOUNT = (
    r"(?:billing[ \t]|hospital[ \t]|patient[ \t]|bank[ \t])?(?:account|acct)\b\.?|accession|acc(?=[ \t]?[#:])|har(?=[ \t]?[#:])|fin(?=[ \t]?[#:])|csn|guarantor(?=[ \t](?:#|no|num|id))"
    r"|(?:ems[ \t])?run(?=[ \t]?#)|rx(?=[ \t](?:#|no|num))|(?:encounter|visit|invoice|claim|order|requisition|specimen|sample|case|episode|admission|reference|receipt|bill|statement|check|path(?:ology)?|exam|referral|confirmation|tracking|ticket)"
    r"(?=[ \t]{0,2}(?:#|no\b\.?|num|id\b|identif))|contact[ \t]serial|routing(?=[ \t](?:#|num))|credit[ \t]card|card(?=[ \t](?:#|num))|iban"
)
LOOSER[r"(?=[ \t]{0,2}(?:#|no\b\.?|num|id\b|identif))"] = r"[ \t]{0,2}(?:#|no|num[a-z]{0,3}|id[a-z]{0,8})"
_LICENSE = (
    r"npi|dea|upin|(?:state[ \t]|medical[ \t]|nursing[ \t]|pharmacy[ \t]|driver'?s?'?[ \t]|drivers[ \t]|dr\.[ \t])?(?:licen[sc]e|lic)\b\.?|dl(?=[ \t]?[#:])|passport|certificate|certification(?=[ \t](?:#|no|num))"
    r"|(?:board|birth|death)[ \t]certificate|visa(?=[ \t](?:#|no|num))|alien[ \t]registration|green[ \t]card|tax(?:payer)?[ \t]id|ein(?=[ \t]?[:#])|cds[ \t]registration|registration(?=[ \t](?:#|no|num))|permit"
)
_DEVICE = (
    r"serial|s/n|ser\.?(?=[ \t](?:#|no))|sn(?=[ \t]?[:#])|(?:device|implant|pump|pacemaker|icd|generator|lead|equipment|asset|meter|sensor|transmitter)(?=[ \t](?:serial|id\b|identifier|#|no\b|num|s/n|sn\b))(?:[ \t](?:serial|s/n|sn))?"
    r"|udi(?:-di|-pi)?|imei|model(?=[ \t](?:serial|s/n))|device[ \t]identifier"
)
_OTHER = (
    r"(?:job|dictation|transcription|document|doc|voice|confirmation|transcript|report|d/t|work[ \t]?type|text)(?=[ \t]{0,2}(?:#|id\b|no\b|num|code))|dict(?=[ \t]?#)|job(?=[ \t]?:?[ \t]?\d{4})"
    r"|(?:study|subject|participant|protocol|trial|research|student|employee|staff|badge|donor|recipient|unos|inmate|prisoner|booking|military|service|tribal|enrollment|national|registry|tracking|family|household|pedigree|sample|barcode|bar[ \t]code|wristband|band|locker|key|unique|person|client|user|login|caregiver|provider|clinician|physician|resident|matricula|immigration|case[ \t]?worker)"
    r"[ \t]{0,2}(?:id\b|identifier|code|#|no\b\.?|number|num\b)|tid(?=[ \t]?:)|ref(?=[ \t]?[#:])|barcode|badge|pin(?=[ \t]?[:#])|passcode|access[ \t]code"
)

REFERENCE = re.compile(
    r"(?:pmid|pmc|nct|doi|icd(?:-?(?:9|10|11)(?:-?cm|-?pcs)?)?|cpt|hcpcs|drg|snomed|sctid|loinc|rxnorm|rxcui|ndc|isbn|issn|clinicaltrials|cui)\b[a-z \t:#.()-]{0,14}(?:\b[A-Z]?\d[\w.-]{2,8},[ ]?){0,3}$",
    re.IGNORECASE,
)

_IN_WORDS = r"no\b\.?|number|num\b|nbr\b|#|id\b|ref(?:erence)?\b\.?|serial|lot(?:[ \t](?:no\.?|number))?|tag|badge|voucher|(?:arm|wrist)band|bracelet|label(?:led|ed)?|sticker|docket|booking|ticket|card|reads|says|labell?ed|invoice|claim|REF"


# Of proteins and genes, "C282Y/H63D"; a grade of four letters, "M1E0S1T0".
_ALLELE = re.compile(r"(?:HLA-?)?[A-Z]{1,4}\d{0,2}[A-Z]?\d{0,2}\*\d{1,3}(?![\w*])")  # "UGT1A1*28", "DRB1*15"
_VARIANT = re.compile(r"(?:[ACDEFGHIKLMNPQRSTVWY]\d{1,5}[ACDEFGHIKLMNPQRSTVWYX]/?){1,3}|(?:[A-Z]\d){3,5}")


def _values(match: re.Match[str]) -> bool:
    """Whether groups of digits are readings or doses in turn: "eGFR 51-54-49", "Prednisone 40-30-20-10"."""
    groups = re.findall(r"\d+", match["v"])
    if max(map(len, groups)) <= 2 and not _WORD_IN_FRONT.match(match["v"]):
        return True
    if max(map(len, groups)) > 3:
        return False
    before = _WORD_IN_FRONT.match(match["v"]) or _WORD_BEFORE.search(
        match.string, max(0, match.start() - 24), match.start("v")
    )
    if before is None:
        return False
    word = before[1]
    return bool(flags(word) & CLINICAL) or word.lower() in phrases.tokens("abbreviations") or word.lower() in _READINGS


_WORD_BEFORE = re.compile(r"([A-Za-z]{2,24})[ \t]$")
_WORD_IN_FRONT = re.compile(r"([A-Z]{2,8})[ -]")
_READINGS = frozenset(
    "uo tsb asq hr rr no flow egfr gfr trop troponin weight weights sugars sugar fsbs bgs glucose readings pressures sats temps tapering taper ranging ran".split()
)


def _mixed(match: re.Match[str]) -> bool:
    """Not a dose, an interval of vertebrae or a time: "T1-T12", "2000MG", "BP128/83", "HR1200"."""
    value = match["v"]
    if len(value) < 6 or re.fullmatch(
        r"G\d+P\d+|[GP]\d+(?:-\d){2,3}|\d+[A-Z]{1,3}|(?:[A-Z]{1,3}\d{1,3}[-/]?){1,3}|[A-Z]{1,4}-?(?:19|20)?\d\d(?:/\d{2,3})?|(?:\d{1,3}/){1,2}[A-Z0-9]{1,4}",
        value,
    ):
        return bool(re.fullmatch(r"[A-Z]\d{2,3}[A-Z]\d{2,3}[A-Z]?\d{0,3}", value)) and len(value) >= 6
    if _VARIANT.fullmatch(value):
        return False
    return not REFERENCE.search(match.string[max(0, match.start() - 24) : match.start()])


_DICTATED = re.compile(r"\b(?:job|dict\w*|transcri\w*|typed|read|signed|signature|[DT]:)", re.IGNORECASE)

RULES = (
    # Whatever the thing is called: "student # 4418802", "voucher #0077-21", "lot U7719CB", "armband reads Z9-44-KLM".
    Rule(
        "numbered",
        "OTHER_ID",
        0.6,
        re.compile(
            rf"{one_of(_IN_WORDS, not_after=_LETTER)}[ \t]{{0,2}}(?:(?:is|was|reads?|shows?|marked|stamped|[:#=~-])[ \t]{{0,2}}){{0,2}}(?P<v>{_CODE})(?![\w])",
            re.IGNORECASE,
        ),
        check=lambda m: sum(c.isdigit() for c in m["v"]) >= (3 if len(m["v"]) < 9 else 4) and _plain(m) and not (" " in m["v"] and _DOSES_NEXT.match(m.string, m.end("v"))) and not REFERENCE.search(m.string[max(0, m.start() - 24) : m.start()]),
    ),
    # Codes that announce themselves: capitals and four digits or more ("GARC800101HD", "22-CV-01984"), three groups of
    # digits ("2310-998-114"), or four by four ("1234 5678 9012").
    Rule("mixed", "OTHER_ID", 0.5, re.compile(r"(?<![\w.-])(?P<v>(?=[A-Z0-9/-]{0,14}[A-Z])(?=(?:[A-Z/-]*\d){4})[A-Z0-9]+(?:[-/][A-Z0-9]+){0,5})(?![\w%])(?!\.\d)"), check=lambda m: _mixed(m)),
    Rule("digit_groups", "OTHER_ID", 0.5, re.compile(r"(?<![\w./+-])(?P<v>\d{1,6}(?:-\d{1,8}){2,5})(?![\w/%-])(?!\.\d)"), check=lambda m: not REFERENCE.search(m.string[max(0, m.start() - 24) : m.start()]) and sum(c.isdigit() for c in m["v"]) >= 7 and _plain(m) and not _values(m)),
    Rule("digit_quads", "OTHER_ID", 0.5, re.compile(r"(?<![\w./+-])(?P<v>\d{4}(?:[ -]\d{4}){2,4})(?![\w/%-])(?!\.\d)")),
    Rule("initials_and_job", "OTHER_ID", 0.8, re.compile(r"(?:^|\n|\.[ ])[ \t]{0,4}(?P<v>[A-Z]{2,3}[/:][A-Z]{2,4}[ \t]\d{4,9})[ \t]*(?=\n|$)")),
    Rule("initials_stamp", "OTHER_ID", 0.7, re.compile(r"(?:^|\n)[ \t]{0,4}(?P<v>[A-Z]{2,3})(?=[ \t]\d{1,2}/\d{1,2}(?:/\d{2,4})?[ \t]\d{1,2}:?\d{2}\b)")),
    Rule("crew", "VEHICLE", 0.7, re.compile(r"(?<![\w-])(?P<v>(?:Medic|Engine|Ladder|Squad|Ambulance|Air[ ]?Evac|Life[ ]?Flight|Med[ ]?Evac|MedFlight|AirLife)[ -]?#?\d{1,4})(?![\w.-]?\d)")),
    # "Hearing aids: tag nos. L 22-88190, R 22-88191"
    Rule("tags_by_side", "DEVICE", 0.8, re.compile(r"\b(?:tags?|serials?|s/n|sn)[ ]?(?:nos?\.?|numbers?|#s?)?:?[ ](?P<v>(?:L|R|left|right)[ :]{1,2}[\w-]{4,14}(?:[,;]?[ ](?:and[ ]|& )?(?:L|R|left|right)[ :]{1,2}[\w-]{4,14})?)(?![\w-])", re.IGNORECASE), check=lambda m: sum(c.isdigit() for c in m["v"]) >= 4, only_if=("tag", "serial", "s/n", "sn")),
    # "Delta 118820934-01", "Donor line 1117-0438"
    Rule("long_dashed", "OTHER_ID", 0.5, re.compile(r"(?<![\w./+-])(?P<v>\d{7,12}-\d{1,3})(?![\w/%-])(?!\.\d)")),
    Rule("four_four", "OTHER_ID", 0.5, re.compile(r"(?<![\w./+-])(?P<v>\d{4}-\d{4})(?![\w/%-])(?!\.\d)(?![ ]?(?:mg|ml|mL|mcg|units?|k?cal|g\b|cc|h\b|hrs?))"), check=lambda m: not all(n.endswith(("0", "5")) or n[:2] in ("19", "20") or (int(n[:2]) < 24 and int(n[2:]) < 60) for n in m["v"].split("-")) and not m.string[max(0, m.start() - 5) : m.start()].rstrip(" :#").endswith("NDC")),
    Rule("card_ending", "ACCOUNT", 0.8, re.compile(r"\b(?:card|account|acct|stipend)[ ](?:\w+[ ])?(?:ending|ends)(?:[ ](?:in|with))?[ ](?P<v>\d{3,6})\b", re.IGNORECASE), only_if=("ending", "ends")),
    Rule("plan_spaced", "HEALTH_PLAN", 0.8, re.compile(r"\b(?:policy|member|plan|subscriber|insurance|group|id)(?:[ ](?:no\.?|number|#|id))?[ :#]{1,3}(?P<v>[A-Z]{2,4}-[A-Z]{2,5}[ ]\d{3,6}(?:-\d{2,6})?)(?![\w-])", re.IGNORECASE)),
    Rule("mrn_ending", "MRN", 0.85, re.compile(r"\b(?:mrn|chart|record)[ ](?:number[ ])?(?:that[ ])?(?:ending|ends)(?:[ ](?:in|with))?[ ](?P<v>\d{2,6})\b", re.IGNORECASE), only_if=("ending", "ends")),
    Rule("site_number", "OTHER_ID", 0.7, re.compile(r"\b(?:protocol|study)\b[^\n.;]{0,40}?\bsite[ ](?:no\.?[ ]|#)?(?P<v>\d{2,4})\b", re.IGNORECASE), only_if=("site",)),
    Rule("tail", "VEHICLE", 0.85, re.compile(r"\btail(?:[ \t](?:number|no\.?|#))?[ \t:#]{1,3}(?P<v>N\d{1,5}[A-Z]{0,2})\b", re.IGNORECASE), only_if=("tail",)),
    Rule("plate_word", "VEHICLE", 0.8, re.compile(r"\bplates?[ \t]{1,2}(?P<v>(?=[A-Z]{0,4}[ -]?\d)[A-Z0-9]{1,4}[ -]?[A-Z0-9]{2,6})\b"), only_if=("plate",)),
    # Initials of who dictated, typed or witnessed.
    Rule("initials_bracketed", "OTHER_ID", 0.6, re.compile(r"\((?P<v>[a-z]{2,3})\)"), check=lambda m: not flags(m["v"])),
    Rule("initials_pair", "OTHER_ID", 0.7, re.compile(r"(?<![\w/:])(?P<v>[A-Z]{2,4}[/:][a-z]{1,4}\d{0,2}(?:/\w{1,6})?)[ \t]*(?=\n|$|[ ](?:job|JOB|Job|D:|T:))"), check=lambda m: m["v"].split("/")[0] not in ("IV", "PO", "IM", "SC", "BP", "HR", "NC", "RA")),
    # "CSM/KG", "PD/39" alone on a line, under a dictation
    Rule("initials_typed", "OTHER_ID", 0.7, re.compile(r"^[ \t]{0,4}(?P<v>[A-Z]{2,4}[/:](?:[A-Z]{2,3}|\d{2,3}))[ \t]*$", re.MULTILINE), check=lambda m: bool(_DICTATED.search(m.string[max(0, m.start() - 48) : m.start()]))),
    # "MLC, APRN, pager 8-5622"
    Rule("initials_credential", "OTHER_ID", 0.8, re.compile(r"^[ \t]{0,4}(?:--?[ ]?)?(?P<v>[A-Z]{2,3}),[ ](?:MD|DO|APRN|ARNP|RN|NP|PA(?:-C)?|FNP|CRNA|LPN|CNM|PharmD|PhD|MBBS|LCSW|DPT|RRT)\b", re.MULTILINE), check=lambda m: m["v"] not in ("MD", "DO", "RN", "NP", "PA", "RD", "MA", "MS", "BS", "ICU", "ER", "ED", "OR")),
    Rule("initials_dotted", "OTHER_ID", 0.75, re.compile(r"(?:^|\n)[ \t~-]{0,4}(?P<v>(?:[A-Za-z]\.[ ]?){2,4})[ \t]*(?=\n|$)")),
    Rule("initials_typist", "OTHER_ID", 0.8, re.compile(r"\b(?:dict|trans|typ|tr|td|dd)[/:][ ]?(?P<v>[a-z]{2,4}\d?)\b", re.IGNORECASE), check=lambda m: (m["v"].islower() or m["v"].isupper()) and not m["v"].lower().startswith("yy")),
    Rule("ssn", "SSN", 0.96, re.compile(r"(?P<v>\d(?<![\w.-]\d)\d\d(?:-\d\d-|[ ]\d\d[ ]|[ ]-[ ]\d\d[ ]-[ ])\d{4})(?![\w])(?!-\d)")),
    Rule(
        "ssn_after_word",
        "SSN",
        0.96,
        re.compile(
            rf"\b(?:ssn|ss[ \t]?#|s\.s\.n?\.?|soc(?:ial)?\.?[ \t](?:sec(?:urity)?)\b\.?){_LINK}(?P<v>[\dxX*]{{3}}[-. ]?[\dxX*]{{2}}[-. ]?\d{{4}})(?!\w)",
            re.IGNORECASE,
        ),
        only_if=("ss", "s.s", "soc"),
    ),
    Rule("ssn_masked", "SSN", 0.95, re.compile(r"(?<![\w*])(?P<v>[xX*#]{3}-?[xX*#]{2}-?\d{4})(?!\w)")),
    Rule(
        "ssn_last_four",
        "SSN",
        0.92,
        re.compile(
            r"\b(?:last[ \t](?:four|4)(?:[ \t]digits)?(?:[ \t](?:of[ \t])?(?:the[ \t]|his[ \t]|her[ \t]|their[ \t])?(?:ssn?|social(?:[ \t]security)?(?:[ \t]number)?))?"
            r"|(?:ssn?|ss#|soc|social(?:[ \t]security)?(?:[ \t]number)?)[ \t](?:number[ \t])?(?:that[ \t])?(?:ending|ends|last[ \t](?:four|4))(?:[ \t](?:in|with|digits))?)"
            r"(?:[ \t](?:is|was|are|in|of))?[ \t]{0,2}[:#=]?[ \t]{0,2}(?P<v>\d{4})(?!\d)",
            re.IGNORECASE,
        ),
        only_if=("last four", "last 4", "ss", "social"),
    ),
    Rule("mrn", "MRN", 0.95, _after(_MRN), check=_plain, only_if=("mr", "m.r", "rec", "chart", "#", " no", "num", "id", "empi", "hn", "h.n")),
    Rule("mrn_before_word", "MRN", 0.93, re.compile(r"(?<![\w.-])(?P<v>[A-Za-z]{0,3}-?\d[\d-]{4,14})[ \t]?[(\[]?(?:mrn|mr#|medical record)\b", re.IGNORECASE), only_if=("mr", "medical rec")),
    Rule("plan", "HEALTH_PLAN", 0.94, _after(_PLAN), check=_plain),
    Rule(
        "mbi",
        "HEALTH_PLAN",
        0.95,
        re.compile(r"(?<![\w-])(?P<v>[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d{2})(?![\w-])"),
    ),
    Rule("account", "ACCOUNT", 0.94, _after(_ACCOUNT), check=_plain),
    # "S19-12345", "SP-19-004512": surgical pathology and cytology
    Rule("accession", "ACCOUNT", 0.7, re.compile(r"(?<![\w-])(?P<v>[A-Z]{1,3}-?\d{2}-\d{4,7})(?![\w-])")),
    Rule(
        "card",
        "ACCOUNT",
        0.9,
        re.compile(r"(?<![\w.-])(?P<v>(?:\d[ -]?){12,18}\d)(?![\w-])"),
        check=lambda m: checksums.luhn("".join(c for c in m["v"] if c.isdigit())) and len(set(m["v"])) > 3,
    ),
    Rule("iban", "ACCOUNT", 0.9, re.compile(r"(?<!\w)(?P<v>[A-Z]{2}\d{2}[ ]?(?:[A-Z0-9]{4}[ ]?){3,7}[A-Z0-9]{1,4})(?!\w)")),
    Rule("license", "LICENSE", 0.95, _after(_LICENSE), check=_plain),
    Rule("npi", "LICENSE", 0.75, re.compile(r"(?<![\w.+-])(?P<v>[12]\d{9})(?![\w-])(?!\.\d)"), check=_checked(checksums.npi)),
    Rule("dea", "LICENSE", 0.85, re.compile(r"(?<!\w)(?P<v>[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7})(?!\w)"), check=_checked(checksums.dea)),
    Rule(
        "vin",
        "VEHICLE",
        0.9,
        re.compile(r"(?<![\w-])(?P<v>(?=[A-Z]{0,16}\d)[A-HJ-NPR-Z0-9]{17})(?![\w-])"),
        check=_checked(checksums.vin),
    ),
    Rule(
        "vin_after_word",
        "VEHICLE",
        0.95,
        _after(r"vin|vehicle[ \t]identification|vehicle[ \t]id\b", r"[A-HJ-NPR-Z0-9]{11,17}"),
        only_if=("vin", "vehicle"),
    ),
    Rule(
        "plate",
        "VEHICLE",
        0.92,
        re.compile(
            rf"\b(?:licen[sc]e[ \t](?:plates?|tags?)|(?:vehicle|car|registration|number)[ \t](?:plates?|tags?)|plates?(?=[ \t](?:#|no|num|is|was|:|[A-Z]{{0,3}}\d))|tag[ \t](?:#|number)){_LINK}(?:(?:[A-Z][a-z]+|[A-Z]{{2}})[ \t])?"
            r"(?!\d{1,2}[ ](?:hole|mm|cm))(?P<v>(?=[A-Za-z -]{0,5}\d)[A-Za-z0-9]{1,4}(?:[ -]?[A-Za-z0-9]{2,4}){1,2})(?!\w)",
            re.IGNORECASE,
        ),
        only_if=("plate", "tag"),
    ),
    Rule(
        "udi",
        "DEVICE",
        0.97,
        re.compile(r"(?P<v>\(01\)[ \t]?\d{14}(?:[ \t]?\(\d{2,3}\)[ \t]?[A-Za-z0-9/-]{1,20}){0,6})"),
        only_if=("(01)",),
    ),
    Rule(
        "gtin",
        "DEVICE",
        0.8,
        re.compile(r"(?<![\w(-])01(?P<v>\d{14})(?:1[017]\d{6})?"),
        check=_checked(checksums.gtin14),
    ),
    Rule("device", "DEVICE", 0.95, _after(_DEVICE), check=_plain),
    Rule(
        "biometric",
        "BIOMETRIC",
        0.93,
        _after(
            r"(?:finger[ \t-]?prints?|thumb[ \t-]?print|palm[ \t-]?(?:print|vein)|voice[ \t-]?prints?|(?:retinal?|iris|facial|face)(?=[ \t](?:scan|id\b|template|recognition))|biometrics?)(?:[ \t](?:scan|template|recognition|hash|sample|record))?(?:[ \t](?:on[ \t]file|enrolled|captured))?"
        ),
        only_if=("print", "retina", "iris", "facial", "face", "biometric", "palm"),
    ),
    Rule(
        "username",
        "USERNAME",
        0.9,
        re.compile(
            r"\b(?:user[ \t-]?names?|user[ \t]?id|userid|login(?:[ \t](?:name|id))?|log-?in[ \t](?:name|id)|screen[ \t]?name|portal[ \t](?:account|login|user|name)|(?:epic|cerner|network|portal|windows|ad)[ \t](?:user|id|login)|handle|(?:skype|twitter|instagram|facebook|snapchat|tiktok|telegram|whatsapp|discord|venmo|wechat|kakao(?:talk)?|viber|signal)(?:[ \t](?:id|name|handle|account|username))?)"
            r"(?:[ \t]{0,2}(?:is\b|was\b|as\b|:|=|-|#)[ \t]{0,2}|[ \t](?=[\w.]{0,30}[\d_]))[\"'(@]{0,2}(?P<v>[A-Za-z0-9][\w.@-]{2,40})",
            re.IGNORECASE,
        ),
        check=lambda m: any(c.isdigit() or c in "._-@" for c in m["v"].strip(".")) or "name" in m.group(0).lower()[:14],
        only_if=("user", "log", "portal", "handle", "screen", "skype", "twitter", "instagram", "facebook", "snapchat",
                 "tiktok", "telegram", "whatsapp", "discord", "venmo", "wechat", "kakao", "viber", "signal", "epic", "cerner"),
    ),
    Rule("handle", "USERNAME", 0.85, re.compile(r"(?<![\w.@/])(?P<v>@[A-Za-z_][\w.]{2,30})(?![\w@])"), only_if=("@",)),
    Rule(
        "entered_by",
        "USERNAME",
        0.85,
        re.compile(
            r"\b(?i:entered|edited|modified|updated|created|signed|verified|filed|documented|charted|logged|reviewed|scanned|released)[ \t](?:by|as)[ \t]{0,2}:?[ \t]{0,2}(?P<v>[a-z][a-z._-]{1,20}\d{1,6}|[a-z]{2,12}[._][a-z]{2,16}|[A-Z]{2,8}\d{1,6})\b"
        ),
        only_if=(" by", " as"),
    ),
    # "I LOG IN WITH rdelacroix58", "login of intern present: cmoyer_int"
    Rule("login", "USERNAME", 0.85, re.compile(r"(?i:\blog(?:ged|ging)?[ -]?(?:in|on)(?:[ ](?:as|with|name|id|is|under|of[ ][a-z ]{3,24}))?[ :]{1,3}[\"“']?)(?P<v>[a-z]{1,16}[._]?[a-z]{2,16}\d{1,5}|[a-z]{2,16}[._][a-z0-9]{2,16})(?![\w@]|\.\w)"), only_if=("log",)),
    # "MTO_face_v3.mp4": a recording is of somebody
    Rule("recording", "BIOMETRIC", 0.7, re.compile(r"(?<![\w./])(?P<v>[A-Za-z0-9][\w-]{2,40}\.(?:mp4|mov|avi|wav|mp3|m4a|jpe?g|png|heic|dcm))(?!\w)", re.IGNORECASE)),
    Rule("windows_account", "USERNAME", 0.8, re.compile(r"(?<![\w\\])(?P<v>[A-Z][A-Z0-9]{1,14}\\[a-z][\w.-]{2,24})"), only_if=("\\",)),
    Rule("other", "OTHER_ID", 0.92, _after(_OTHER), check=_plain),
    Rule(
        "other_long_word",
        "OTHER_ID",
        0.9,
        re.compile(r"(?<![A-Za-z])(?:ids?|identifier|identification)[ \t]{0,2}(?:number|no\.?|#)?[ \t]{0,2}(?:is\b|:|#|=)[ \t]{0,2}#?(?P<v>(?=[A-Za-z-]{0,6}\d)[A-Za-z0-9][A-Za-z0-9-]{3,24})(?!\w)", re.IGNORECASE),
        check=_plain,
    ),
    # "ID VP-852372", "armband scan E8099018", "wristband (28-50-42)", "subject 048-TRB-57", "their number MR115875"
    Rule(
        "code_after_word",
        "OTHER_ID",
        0.85,
        re.compile(
            r"\b(?:ids?|scan(?:ned)?|template(?:[ \t](?:no\.?|id|number))?|(?:wrist|arm)?band|subject|participant|enrollee|their[ \t]number|card|badge|group)[ \t]\(?"
            r"(?P<v>(?=(?:[A-Za-z-]{0,8}\d){1}[A-Za-z-]{0,4}\d)[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){4,24})(?![\w])",
            re.IGNORECASE,
        ),
        check=_plain,
    ),
    Rule(
        "biometric_code",
        "BIOMETRIC",
        0.86,
        re.compile(r"(?<![\w-])(?P<v>(?:VP|FP|IRIS|PALM|FACE|RET)-?(?=[A-Z0-9-]{0,6}\d)[A-Z0-9]{3,12}(?:-[A-Z0-9]{2,8})?)(?![\w-])", re.IGNORECASE),
        only_if=("vp", "fp", "iris", "palm", "face", "ret"),
    ),
    # "E100022001", "MR115875": up to three letters and six digits or more is the key of some record.
    Rule("lettered_number", "OTHER_ID", 0.5, re.compile(r"(?<![\w.-])(?P<v>[A-Za-z]{1,3}\d{6,12}[A-Za-z]?)(?![\w-])(?!\.\d)"),
         check=lambda m: not m["v"].lower().startswith(("nct", "pmc", "cui", "rs")) and not REFERENCE.search(m.string[max(0, m.start() - 24) : m.start()])),
    Rule(
        "payer_number",
        "HEALTH_PLAN",
        0.9,
        re.compile(
            one_of(_PAYER)
            + r"[:,]?[ \t]{1,2}(?:[A-Za-z][\w&-]{2,20}[ \t]){0,4}(?:id[ \t]|#[ \t]?)?(?P<v>(?=[A-Za-z-]{0,4}\d)(?=[A-Za-z0-9 -]{0,3}\d[A-Za-z0-9 -]{0,5}\d)[A-Za-z0-9](?:[A-Za-z0-9]|[- ](?=\d)|-(?=[A-Z])){5,20})(?!\w)",
            re.IGNORECASE,
        ),
        check=lambda m: sum(c.isdigit() for c in m["v"]) >= 4 and _plain(m),
        only_if=("insur", "payer", "payor", "coverage", "medica", "humana", "aetna", "cigna", "united", "kaiser", "anthem", "blue", "bcbs", "tricare", "molina", "centene", "medi-", "medical", "health", "care", "ahcccs", "connections"),
    ),
    # "[rbabcoc 09/10/2019 17:29]", "user oberholtzer6"
    Rule("audit_stamp", "USERNAME", 0.88, re.compile(r"\[(?P<v>[a-z][a-z0-9._]{2,20})[ \t]+(?=\d{1,4}[/-]|\d{1,2}[ \t][A-Z]|[A-Z][a-z]{2})"), only_if=("[",)),
    Rule("user_word", "USERNAME", 0.85, re.compile(r"\buser[ \t](?P<v>[a-z][a-z._-]{1,20}\d{1,5})\b"), only_if=("user ",)),
    # Initials at the end of a line: "--fmd", "closing encounter. /lla", and "JCG:HF" behind the date of transcription.
    Rule("signing_initials", "OTHER_ID", 0.75, re.compile(r"(?:--|(?<![\w])/)[ \t]?(?P<v>[a-z]{2,3}|[A-Z]{2,3})[ \t]*(?=\n|$)")),
    Rule("marks_after_date", "OTHER_ID", 0.8, re.compile(r"(?<=\d)[ \t]{1,3}(?P<v>[A-Z]{2,4}[/:](?!mL|dL|hr|min|kg|HPF|LPF)[A-Za-z]{2,4})(?=[ \t]|\n|$)")),
    Rule(
        "uuid",
        "OTHER_ID",
        0.95,
        re.compile(r"(?<![\w-])(?P<v>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?![\w-])"),
    ),
    # "JD/abc", "JD:mk", "RT: LM" at the foot of dictated reports; "D: 03/04/19 T: 03/05/19"
    Rule(
        "transcription_mark",
        "OTHER_ID",
        0.8,
        re.compile(r"(?:^|\n|,)[ \t]{0,4}(?P<v>[A-Z]{2,4}[/:][a-z]{2,4}(?:[/:]\w{2,10})?|[A-Z]{2,4}/[A-Z]{2,4}/\w{2,8}|/[a-z]{2,4})[ \t]{0,4}(?=\n|$|,|D:|T:|DD|DT|Job|\d)"),
    ),
    Rule(
        "initials",
        "OTHER_ID",
        0.89,
        re.compile(
            one_of(_SIGNED_WITH)
            + r"[ \t]{0,2}(?:is|are|:|=|#)?[ \t]{0,2}(?P<v>[A-Z](?:\.?[ ]?[A-Z]){1,3}\.?|[a-z]{2,4}(?=[ \t]*(?:\n|$)))(?![A-Za-z])",
            re.IGNORECASE,
        ),
        check=lambda m: m["v"].isupper() or (m["v"].islower() and not flags(m["v"])),
        only_if=("transcri", "typ", "tr", "initial", "scribe", "dictated"),
    ),
    # "EMS unit M-27", "Medic 12", "Rescue 27"; "run 23-118804", "PCR 2510-4482"
    Rule(
        "ambulance",
        "VEHICLE",
        0.8,
        re.compile(
            r"\b(?:(?i:ems|ambulance|medic|rescue|transport|squad|rig|helicopter)[ \t](?i:unit|crew|truck|rig)[ \t]{0,2}#?|AMR[ \t]#?|Ambulance[ \t]#?|[Uu]nit[ \t](?=Medic|Rescue|Engine|Squad))(?P<v>(?:[A-Z][a-z]{2,9}[ \t])?[A-Z]{0,3}-?\d{1,4}[A-Z]?)(?![\w%/-])(?!\.\d)"
        ),
        only_if=("ems", "ambulance", "medic", "rescue", "squad", "rig", "amr", "unit", "transport", "helicopter"),
    ),
    Rule(
        "ambulance_name",
        "VEHICLE",
        0.8,
        re.compile(
            r"\b(?P<v>(?:Medic|Rescue|Engine|Ladder|Squad|Truck|Ambulance|Medevac|LifeFlight|Life[ ]Flight|AirEvac)[ \t-]\d{1,4})(?![\w%/-])(?!\.\d)"
        ),
        only_if=("medic", "rescue", "squad", "ambulance", "engine", "ladder", "truck", "flight", "evac", "medevac"),
    ),
    Rule(
        "ambulance_run",
        "OTHER_ID",
        0.8,
        re.compile(r"\b(?:run|pcr|trip|epcr|incident|run[ \t]sheet|cad)[ \t]{0,2}(?:#|no\.?|number)?[ \t]?(?P<v>\d{2,4}-\d{3,8}|\d{5,12})(?![\w-])", re.IGNORECASE),
        only_if=("run", "pcr", "trip", "incident", "cad"),
    ),
    Rule("prescription", "OTHER_ID", 0.8, re.compile(r"\b[Rr][Xx][ \t]{0,2}#?[ \t]?(?P<v>(?=(?:-?\d){5})\d{1,12}(?:-\d{1,7})?)(?![\w-])(?!\.\d)"), only_if=("rx",)),
    Rule("driver_license", "LICENSE", 0.85, re.compile(rf"\bDL:?[ ](?P<v>(?:(?:{'|'.join(STATES)})[ ])?(?=[A-Z]{{0,3}}\d)[A-Z0-9]{{6,12}})(?![\w-])")),
    # "Zulu-Tango-88", "Trauma, Oscar-Nine": what a nameless patient is called.
    Rule(
        "trauma_alias",
        "OTHER_ID",
        0.82,
        re.compile(
            rf"(?<![\w-])(?P<v>(?:(?:Trauma|Unknown|Doe|TRAUMA|UNKNOWN|DOE),?[ \t])?(?:{_SPELLING}|(?<=TRAUMA )[A-Z]{{4,8}})[- ](?:{_SPELLING}(?:[- ]\d{{1,4}})?|\d{{2,4}}|(?<=[ ])\d|(?:One|Two|Three|Four|Five|Six|Seven|Eight|Nine|Ten|Zero)\b))(?![\w-])",
        ),
        check=lambda m: "-" in m["v"] or (" " in m["v"].strip() and m["v"].split()[0].strip(",") in ("Trauma", "Unknown", "Doe", "TRAUMA", "UNKNOWN", "DOE")),
    ),
    # Donated blood: a W or another letter, four digits, the year, a serial number.
    Rule("donation", "OTHER_ID", 0.85, re.compile(r"(?<![\w-])(?P<v>[A-Z]\d{4}[ -]?\d{2}[ -]?\d{6}(?:[ -]?[A-Z0-9]{1,2}(?![\w]))?)(?![\w-])")),
    # "QX*881*02", "MBUGUR*271KD", "S24:1182-B": signs that no measurement holds.
    Rule(
        "starred",
        "OTHER_ID",
        0.7,
        re.compile(r"(?<![\w*~-])(?P<v>(?=[A-Z0-9]{0,10}[*~]?[A-Z0-9]{0,6}\d)[A-Z0-9]{1,12}(?:[*~][A-Z0-9]{1,14}){1,4}|[A-Z]{1,3}\d{2}:\d{3,8}(?:-[A-Z0-9]{1,3})?|\d{2}:[A-Z]{1,3}\d{5,9})(?![\w*~-])"),
        check=lambda m: not _ALLELE.match(m["v"]) and sum(c.isdigit() for c in m["v"]) >= 3 and any(c.isalpha() for c in m["v"]),
    ),
    # "HC 55-20-19", "4471-0092-03": groups of digits that are no date and no telephone.
    Rule(
        "grouped_digits",
        "OTHER_ID",
        0.5,
        re.compile(r"(?<![\w./-])(?P<v>(?:(?!(?:SSN|SS|NDC|DOB|DOA|DOD|PH|FAX|TEL|MRN|ID|NO|CPT|ICD|LMP|EDC|EDD)\b)(?:[A-Z]{2,4}-)?[A-Z]{1,4}[ -])?\d{2,6}(?:-\d{2,6}){2,4}(?:-?[A-Z]{1,2})?)(?![\w/-])(?!\.\d)"),
        check=lambda m: not _DOSES_NEXT.match(m.string, m.end("v"))
        and not _values(m)
        and not REFERENCE.search(m.string[max(0, m.start() - 24) : m.start()] + m["v"][:4].rstrip("0123456789")),
    ),
    # "P 4410 8827 K", "9912 88 AX 7"
    Rule("spaced_code", "OTHER_ID", 0.5, re.compile(r"(?<![\w./-])(?P<v>(?:[A-Z]{1,2}[ ])?\d{3,4}[ ]\d{2,4}(?:[ ]\d{2,4})?[ ][A-Z]{1,2}(?:[ ]\d{1,2})?)(?![\w/%.-]|[ ][a-z]{2})"), check=lambda m: not m["v"].endswith((" MG", " ML", " H", " L", " AM", " PM", " G", " U", " F", " C"))),
    Rule("lot", "DEVICE", 0.8, re.compile(r"\b(?P<v>(?:(?:REF|LOT|SN)[ ]:?#?(?=[A-Z-]{0,6}\d)[A-Z0-9][A-Z0-9-]{4,20}[ ,]{0,2})+)(?![\w-])"), only_if=("ref", "lot", "sn")),
    # "Blue Shield number XEA 9 0 2 2 7 1 8 4", "record number 7 7 4 1 0 2 3": signs one by one, as one dictates
    Rule("spaced_signs", "OTHER_ID", 0.75, re.compile(r"\b(?:number|numbers|no\.?|id|mrn|policy|code|social|#)[ :]{1,2}(?:is[ ])?(?P<v>(?:[A-Z]{1,4}[ ])?\d(?:[ -](?:\d|(?-i:[A-Z]))){4,13})(?![\w/%]|\.\d)", re.IGNORECASE)),
    # "Dexcom transmitter 8G412K", "cochlear CI 44-120-77"
    Rule("worn_device", "DEVICE", 0.75, re.compile(r"\b(?:transmitter|cgm|cochlear(?:[ ]implant)?|processor|pacer|pacemaker|icd|lvad|ipg|stimulator|pump|reveal|loop[ ]recorder|hearing[ ]aids?)[ :]{1,2}(?P<v>(?:(?-i:[A-Z]{2})[ ])?(?=[A-Z-]{0,5}\d)(?=[\d-]{0,6}[A-Z]|\d{2}-\d{2,3}-\d{2})(?=(?:[A-Z-]*\d){3})[A-Z0-9][A-Z0-9-]{4,14})(?![\w%/])"), check=lambda m: not _DOSES_NEXT.match(m.string, m.end())),
    Rule("chart_pairs", "MRN", 0.85, re.compile(r"\b(?:chart|mrn|mr#?|unit)(?:[ ](?:no\.?|number|#))?[ :#]{1,3}(?P<v>\d\d-\d\d-\d\d)(?![\w/-])", re.IGNORECASE)),
    # "call me ext 114"; not "ext 10" of a knee
    Rule("extension_word", "OTHER_ID", 0.8, re.compile(r"\b(?:me|at|call|phone|desk|office|line|school|work)[ ,]{1,2}(?P<v>ext\.?[ ]?\d{2,6})(?![\w%/]|\.\d)(?![ ]?(?:deg|°))", re.IGNORECASE), only_if=("ext",)),
    Rule("system_user", "USERNAME", 0.85, re.compile(r"\b(?:epic|cerner|meditech|emr|ehr|athena|vista|cprs|citrix|vpn|portal)[ :]{1,2}(?:id[ ]|user[ ]|login[ ])?(?P<v>[a-z]{3,14}\d{1,4})(?![\w@.-])", re.IGNORECASE)),
    # "Transcriptionist: jam" is initials, whatever they spell
    Rule("typist_initials", "OTHER_ID", 0.95, re.compile(r"\b[Tt]ranscriptionist:[ ]{1,3}(?P<v>[A-Za-z]{2,4})(?=[ \t]*(?:\n|\Z))")),
    # "end of dictation cm slash jt"
    Rule("marks_spoken", "OTHER_ID", 0.8, re.compile(r"\b(?P<v>[a-z]{2,4}[ ]slash[ ][a-z]{2,4})(?=[ \t.]*(?:\n|\Z|job))", re.IGNORECASE), only_if=("slash",)),
    Rule("shop_handle", "USERNAME", 0.85, re.compile(r"\b(?:venmo|cash[ ]?app|zelle|insta(?:gram)?|ig|tiktok|snap(?:chat)?|twitter|telegram|discord)[ :]{1,2}(?P<v>[@$][\w.-]{2,30}\w)", re.IGNORECASE)),
    Rule("groups_of_four", "OTHER_ID", 0.7, re.compile(r"(?<![\w./-])(?P<v>\d{4}(?:[ ]\d{4}){3,6}(?:[ ]\d{1,3})?)(?![\w%/-])(?!\.\d)")),
    Rule("alien_number", "OTHER_ID", 0.85, re.compile(r"(?<![\w])A#?[ ]?(?P<v>\d{3}[ -]\d{3}[ -]\d{3}|(?<=#)\d{8,9}|(?<=# )\d{8,9})(?![\w-])")),
    Rule("payer_groups", "HEALTH_PLAN", 0.85, re.compile(r"\b(?:subscriber|member|policy|insured|medicaid|medicare|card)[ \t:#]{1,3}(?P<v>[A-Z]{1,3}[ ]?\d{3,5}(?:[ ]\d{2,5}){1,3})(?![\w-])", re.IGNORECASE)),
    Rule("police_number", "OTHER_ID", 0.8, re.compile(r"\b(?:[Oo]fficer|[Dd]eputy|[Dd]etective|[Tt]rooper|DET\.?|OFC\.?|Ofc\.?|DSN|[Ss]hield|[Uu]nit)[ ](?:[A-Z][.A-Za-z' -]{1,24}[ ])?(?:DSN[ ]|#|badge[ ])(?P<v>\d{2,6})\b")),
    # "drives a gray Kia 3EK 9071"
    Rule("car_plate", "VEHICLE", 0.7, re.compile(r"\b(?:Kia|Honda|Toyota|Ford|Chevy|Chevrolet|Nissan|Hyundai|Mazda|Subaru|Jeep|Dodge|Ram|GMC|Buick|Tesla|Volvo|BMW|Audi|Lexus|Acura|Jetta|Civic|Camry|Corolla|Accord|Tacoma|Tahoe|Odyssey|sedan|truck|van|SUV|minivan|pickup|motorcycle|car)(?:,|[ ][A-Z][a-z]{2,10}|[ ](?:plate|tag|reg|registration))?[ ](?P<v>(?=[A-Z0-9 -]{0,4}\d)(?=[0-9 -]{0,4}[A-Z])[A-Z0-9]{2,4}[ -][A-Z0-9]{2,5})(?![\w-])")),
    # "AL PTH 9914", "OK-P 30117": a state, a board, a number.
    Rule("state_license", "LICENSE", 0.75, re.compile(rf"(?<![\w-])(?P<v>(?:{'|'.join(STATES)})(?:[ -][A-Z]{{1,4}})?[ -]?\d{{4,7}})(?![\w-])"), check=lambda m: not re.fullmatch(r"[A-Z]{2} \d{5}", m["v"]) and (m["v"][:2] not in ("ID", "IN", "OR", "ME", "HI", "OK", "PA", "DE", "OH", "CO") or bool(re.search(r"[ -][A-Z]", m["v"][2:])))),
    Rule("doe", "NAME", 0.8, re.compile(r"(?<![\w-])(?P<v>(?:[A-Z][A-Za-z]{2,12},?[ ])?D(?:OE|oe),?[ ](?:[A-Z][A-Za-z]{2,12}[ ])?\d{1,5})(?![\w-])")),
    Rule("user_with_dot", "USERNAME", 0.8, re.compile(r"\b(?:by|user|as|login|[Pp]ortal ID|id)[ :](?P<v>[a-z]{2,16}[._][a-z]{2,16}(?:[._+]?[a-z0-9]{1,8}){0,2})(?![\w@.])")),
    Rule("lettered_job", "OTHER_ID", 0.7, re.compile(r"\b(?:JOB|[Jj]ob|[Bb]racelet says|[Bb]and says|[Tt]ag)[ #:]{1,3}(?P<v>(?=[A-Z-]{0,14}[ ]?\d)[A-Z-]{0,14}[ ]?\d{3,8}(?:[·.-][A-Z0-9]{1,3})?)(?![\w])")),
    # "J.R.", "A.C.": a person's initials, unless they shorten something known.
    Rule("dotted_initials", "OTHER_ID", 0.5, re.compile(r"(?<![\w.'])(?P<v>[A-Z]\.[ ]?[A-Z]\.(?:[ ]?[A-Z]\.)?)(?![\w'])(?![ ]?[A-Z][a-z])"), check=lambda m: m["v"].replace(".", "").replace(" ", "").lower() not in _DOTTED),
    Rule("relation_initial", "OTHER_ID", 0.7, re.compile(r"\b(?:son|daughter|wife|husband|mother|father|brother|sister|friend|partner|roommate|neighbor|patient|pt|client|peer|boyfriend|girlfriend)[ ](?P<v>[A-Z]\.(?:[ ]?[A-Z]\.)?)(?=[ ](?:[a-z]|$)|[,;)\n])")),
    Rule("witness_initials", "OTHER_ID", 0.7, re.compile(r"\b(?i:wast(?:e|ed|age)|witness(?:ed)?|dual[ ](?:sign|check|verif)\w*|double[- ]check\w*|co-?sign\w*|second[ ]RN|2nd[ ]RN|verified)\b[^\n.;]{0,24}?[ :](?P<v>[A-Z]{2,3}(?:[ ]?/[ ]?[A-Z]{2,3})?)(?![\w-])"), check=lambda m: m["v"] != "BY" and not any(w.strip().lower() in ABBREVIATIONS for w in m["v"].split("/"))),
    Rule("by_small_initials", "OTHER_ID", 0.6, re.compile(r"\b(?:[Bb]y|[Ss]ent by|[Pp]er|d/w|[Ii]nit(?:ials)?:?)[ ](?P<v>[a-z]{2,3})(?=[ ]*(?:\n|$|[01]\d[0-5]\d\b|2[0-3][0-5]\d\b|[.;]))"), check=lambda m: not flags(m["v"]) and m["v"] not in ABBREVIATIONS and m["v"] not in CLOSED),
    # "peer RS", "Resident AB"; "m.o. / y.y."; "moh/sb" behind the times of dictation
    Rule("peer_initials", "OTHER_ID", 0.6, re.compile(r"\b(?:[Pp]eer|[Rr]esident|[Rr]oommate|[Cc]lient|[Ss]tudent|[Mm]ember|[Pp]articipant|[Ss]itter|[Aa]ide|[Tt]ech|[Aa]nesthesia)[ ](?P<v>[A-Z]{2,3})(?![\w-])"), check=lambda m: m["v"].lower() not in ABBREVIATIONS and not flags(m["v"]) & CLINICAL),
    Rule("small_dotted", "OTHER_ID", 0.5, re.compile(r"(?<![\w.])(?P<v>[a-z]\.[a-z]\.)(?![\w])"), check=lambda m: m["v"].replace(".", "") not in _DOTTED),
    Rule("dictation_marks", "OTHER_ID", 0.7, re.compile(r"(?:(?<=[ \t]{2})|(?<=\d[ ])|(?<=MD )|(?<=\n))(?P<v>[a-z]{2,4}/[a-z]{2,4})(?=[ \t]*(?:\n|$|[ \t]Job|[ \t]\d))"), check=lambda m: not any(flags(part) for part in m["v"].split("/"))),
    Rule("marks_line", "OTHER_ID", 0.75, re.compile(r"(?:^|\n)[ \t]*(?P<v>[A-Z]{2,3}[:/](?:[a-z]{2,3}(?=[ \t]|\n|\Z)|[A-Z]{1,3}\d(?=[ \t]*(?:\n|\Z))))")),
    Rule("dictated_marks", "OTHER_ID", 0.75, re.compile(r"\b(?:[Dd]ict|[Tt]rans|[Tt]yped|[Ii]nit)[a-z]{0,6}\.?:[ \t]{0,3}(?P<v>[A-Za-z]{2,4}(?:[/:][A-Za-z]{2,4})?)(?=[ \t]*(?:\n|\Z|[ \t]{2}|[DT][: ]))"), check=lambda m: not flags(m["v"].split("/")[0])),
    # "witnesses: FK, ADM."; "(KB/OT)"; "two RN check AB + NV"
    Rule("initials_list", "OTHER_ID", 0.65, re.compile(r"(?:\b(?:[Ww]itness(?:es|ed by)?|RNs?|[Cc]ounted|[Cc]heck(?:ed)?(?: by)?|[Ii]nitial(?:s|ed))[ :(]{1,3}|[Rr]ecount ok, )(?P<v>[A-Z]{2,3}(?:[ ]?[/,&+][ ]?[A-Z]{2,3}){1,2})(?![\w-])"), check=lambda m: not all(w in ABBREVIATIONS for w in re.split(r"[ /,&+]+", m["v"].lower()))),
    Rule("bracketed_initials", "OTHER_ID", 0.6, re.compile(r"(?:RN|LPN|CNA|MD|DO|NP)[ ]\((?P<v>[A-Z]{2,3})\)")),
    # Spelled out by someone who dictates: "six six one nine four".
    Rule("spoken_digits", "OTHER_ID", 0.6, re.compile(rf"\b(?P<v>{_DIGIT_WORD}(?:[ ,-]{{1,2}}{_DIGIT_WORD}){{4,15}})\b", re.IGNORECASE)),
    Rule("not_read", "OTHER_ID", 0.75, re.compile(r"(?i:(?:dictated|transcribed|typed),?[ ](?:but[ ])?not[ ]read\.?)[ \t\n]{1,4}(?P<v>[A-Za-z]{2,4}[/:][A-Za-z]{2,4})(?!\w)")),
    # "voicemail re g.e.k., dob 26-nov-1946"
    Rule("initials_and_birth", "OTHER_ID", 0.75, re.compile(r"\b(?:re:?|for|pt|on|from|regarding|about)[ ](?P<v>[a-z]{2,4}|(?:[a-z]\.[ ]?){1,3}[a-z]\.?|[A-Z]{2,4}),{0,2}[. ]?,?[ ](?:dob|DOB|d\.o\.b|born)\b"), only_if=("dob", "d.o.b", "born")),
    # "job number three three one eight", "record number triple seven two oh one"
    Rule("spoken_after_word", "OTHER_ID", 0.62, re.compile(rf"\b(?:number|no|id|code|pin|serial|lot|badge|plate|chart|record|extension|ending(?:[ ]in)?|last[ ]four(?:[ ]is)?)[ :,]{{1,2}}(?:is[ ])?(?P<v>(?:(?:double|triple)[ ])?{_DIGIT_WORD}(?:[ ,-]{{1,2}}(?:(?:double|triple)[ ])?{_DIGIT_WORD}){{2,15}}(?:[ ][a-z]\b)?)\b", re.IGNORECASE)),
    Rule("protocol", "OTHER_ID", 0.75, re.compile(r"\b[Pp]rotocol[ :#]{1,2}(?:no\.?[ ]|number[ ])?(?P<v>[A-Z]{3,12}-\d{2,6}[A-Z]?)(?![\w-])"), only_if=("protocol",)),
    Rule("crew_initials", "OTHER_ID", 0.7, re.compile(r"\b(?:[Cc]rew|CREW|[Mm]edics?|MEDICS?|EMTs?|[Cc]ounts?[ ]by|[Cc]hecked[ ]by|RNs)[ :]{1,2}(?P<v>[A-Z]{2,3}(?:[/&+][A-Z]{2,3}){1,2})(?![\w/])")),
    # A bare number of seven digits; of six where nothing says that it is counted.
    Rule(
        "six_or_seven_digits",
        "OTHER_ID",
        0.42,
        re.compile(r"(?<![\w.,/+$<>=-])(?<![<>=] )(?P<v>\d{6,7})(?![\w,/%-])(?!\.\d)"),
        check=lambda m: not m["v"].endswith("000")
        and not _COUNTED_NEXT.match(m.string, m.end("v"))
        and not REFERENCE.search(m.string[max(0, m.start() - 24) : m.start()]),
    ),
    # Initials alone on the last line of a note, before a time, or behind "signed".
    Rule(
        "last_line_initials",
        "OTHER_ID",
        0.6,
        re.compile(r"\n[ \t]{0,8}(?P<v>[A-Z]{2,3})[ \t]*(?=\s*\Z|\n[ \t]*\n|[ \t]{1,3}(?:[01]\d|2[0-3]):?[0-5]\d[ \t]*(?:\n|\Z)|[ \t]pager\b)"),
        check=lambda m: m["v"].lower() not in ABBREVIATIONS,
    ),
    Rule(
        "signed_initials",
        "OTHER_ID",
        0.7,
        re.compile(r"\b(?:[Ss]igned|[Ii]nitialed|[Cc]osigned|[Cc]o-signed|[Ww]itnessed|[Vv]erified|[Cc]hecked|[Cc]harted|[Ee]ntered|[Ff]iled|[Dd]ictated|[Tt]yped|[Ss]cribed)(?:[ \t]by)?:?[ \t](?P<v>[A-Z]{2,3}(?:[/ :][a-z]{2,3}(?=[ \t]*(?:\n|$|[.;])))?)(?![\w-])"),
        check=lambda m: m["v"].split()[0].lower() not in ABBREVIATIONS and not flags(m["v"][:3]) & CLINICAL,
    ),
    # A bare number of eight digits or more, no telephone and no published study, is some record's key.
    Rule(
        "long_number",
        "OTHER_ID",
        0.5,
        re.compile(r"(?<![\w.,/+-])(?P<v>\d{8,20})(?![\w,/-])(?!\.\d)"),
        check=lambda m: not REFERENCE.search(m.string[max(0, m.start() - 24) : m.start()]),
    ),
)  # fmt: skip


# "CLR" at the end of an entry, "| RV" in the last cell of a row, "CLR = Christine L. Rasmussen" in the legend.
_ENTRY_END = watch(re.compile(r"(?:[.;][ ]|\|[ ]|[ ]{2,})(?P<v>[A-Z]{2,3})(?=[ \t]*\|?[ \t]*(?:\n|\Z))"))
# The last word of a note: "precautions reviewed. pd", "DH/pa" on a line of its own.
_LAST = watch(re.compile(r"(?P<gap>[.)][ ]|[ ]{2,}|\n[ \t]*)(?P<v>[A-Z]{2,3}(?:/[a-z]{2,3})?|[a-z]{2,3})[ \t]*\Z"))
_LEGEND = watch(re.compile(r"(?<![\w-])(?P<v>[A-Z]{2,4})[ ]?[=:][ ]?(?P<n>[A-Z][a-z]+[ ](?:[A-Z]\.?[ ])?[A-Z][a-z]+)"))
_CAPITALS = watch(re.compile(r"(?<![\w-])[A-Z]{2,4}(?![\w-])"))


def _initials(note: Note) -> Iterator[Span]:
    """Initials with which entries are signed: those of a legend everywhere, others where they end an entry.

    What is also an abbreviation (RV, TN) is taken for initials only if it ends several entries.
    """
    ends = [match for match in note.finditer(_ENTRY_END) if match["v"].lower() not in ABBREVIATIONS]
    counts = Counter(match["v"] for match in ends)
    known = {match["v"] for match in note.finditer(_LEGEND) if match["v"][0] == match["n"][0]}
    known |= {word for word, count in counts.items() if count > 2 and not flags(word) & CLINICAL}
    for match in ends:
        if counts[match["v"]] > 1 or not flags(match["v"]):
            yield Span(*match.span("v"), "OTHER_ID", 0.6, "codes.entry_initials")
    for match in note.finditer(_LAST):
        low = match["v"].split("/")[0].lower()
        apart = not match["gap"].startswith((".", ")"))
        if low in CLOSED or low in phrases.tokens("abbreviations"):
            continue
        if "/" in match["v"] or not flags(low) & (CLINICAL if apart else ~0):
            yield Span(*match.span("v"), "OTHER_ID", 0.6, "codes.last_initials")
    if known:
        for match in note.finditer(_CAPITALS):
            if match.group() in known:
                yield Span(*match.span(), "OTHER_ID", 0.6, "codes.legend_initials")


def find(note: Note) -> Iterator[Span]:
    """Numbers and codes of folded text."""
    yield from apply_rules("codes", RULES, note)
    yield from _initials(note)


def recognizer() -> ClinicalRecognizer:
    """The recognizer of numbers and codes."""
    identifiers = sorted({rule.identifier for rule in RULES})
    return ClinicalRecognizer("codes", identifiers, find)
