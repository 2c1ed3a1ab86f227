"""Marks what may point to one person without being an identifier of the list: a public office, an event in the news, ...

Safe Harbor also wants "any other unique identifying number, characteristic, or code" removed (45 CFR 164.514(b)(2)(i)(R)),
and its last condition is that nobody knows how the rest could identify somebody ((b)(2)(ii)). Whether "the mayor" or "the
only survivor of the crash" does so depends on the place and the time, so nothing is masked here: what is found is
**flagged** for people who decide, case by case. The list for them stays in the PHI zone; the manifest tells how many notes
of each kind there are.

Rules ask for the role of a person, not for the word alone: "shooting pain", "an incarcerated hernia", "the judge ordered"
and "denies ever being in prison" flag nothing. Of 4,966 dictated reports of many specialties 1.0% were flagged, for a prison
or a named school with one exception; of 6,465 other public notes and reports 0.2%.

Cost: a pattern is tried on notes that hold one of its words only; 3 million characters a CPU-second. The shared pass of `deid.note`
is not used: with these patterns in it, compiling its database takes 40 s instead of 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from deid.folding import fold, unfold
from deid.lexicon import CLINICAL, flags
from deid.policy import placeholder
from deid.spans import Span

KINDS = (
    "public_office", "news_event", "tribe", "prison", "school", "military_unit", "rare_occupation_or_record", "rare_birth",
)  # fmt: skip


class Characteristic(NamedTuple):
    """What is flagged: half-open, in code points of the text that was given, and its kind."""

    start: int
    end: int
    kind: str


# --- conditions ----------------------------------------------------------------------------------------------

_DENIED = re.compile(
    r"\b(?:no|not|never|denies|denied|denying|without|nor|neither|negative[ \t]for)\b[^.;:\n]{0,30}$", re.IGNORECASE
)
_TRAPPED = re.compile(
    r"hernia|fracture|condyle|uvea|iris|bone\b|fragment|tissue|bowel|omentum|omental|strangulat|obstruct|colon\b|mesh\b|\bsac\b|\bloops?\b|reduc|uterus|placenta|gallstone",
    re.IGNORECASE,
)
_WATCHES = re.compile(
    r"\b(?:watch\w*|saw|see|sees|seen|read|reads|reading|heard|hears|listen\w*|follow\w*)\b[^.;\n]{0,25}$", re.I
)


def _told(match: re.Match[str]) -> bool:
    """Whether it is said of somebody at all: "denies ever being in jail" is not."""
    return not _DENIED.search(match.string, max(0, match.start() - 45), match.start())


def _person(match: re.Match[str]) -> bool:
    """Whether it is a person that is incarcerated, not a hernia."""
    around = match.string[max(0, match.start() - 80) : match.end() + 60]
    return _told(match) and not _TRAPPED.search(around)


def _appeared(match: re.Match[str]) -> bool:
    """Whether somebody is in the news, and does not only watch them."""
    return _told(match) and not _WATCHES.search(
        match.string, max(0, match.start() - 40), match.start("v") if match["v"] else match.start()
    )


def _ship(match: re.Match[str]) -> bool:
    """Whether a ship is meant: "USS Abdomen" is an ultrasound scan."""
    return not flags(match["v"].split()[-1].lower()) & CLINICAL


_COMMON_FIRES = frozenset(
    "house kitchen camp apartment car grease brush electrical cross open friendly structure the a his her".split()
)


def _named_fire(match: re.Match[str]) -> bool:
    name = match.groupdict().get("fire")
    return _told(match) and (name is None or name.lower() not in _COMMON_FIRES)


# --- rules ---------------------------------------------------------------------------------------------------


_GENERIC_SCHOOL = re.compile(
    r"(?:the|a|an|his|her|in|at|of|medical|nursing|law|graduate|high|grade|middle|junior|senior|elementary|public|private|catholic|"
    r"regular|night|summer|sunday|home|special|full|college|local|community|state|primary|old|new|currently|[ \t])*"
    r"(?:schools?|college|university|academy|seminary|kindergarten|preschool|elementary|high)",
    re.IGNORECASE,
)


def _named_school(match: re.Match[str]) -> bool:
    return _told(match) and not _GENERIC_SCHOOL.fullmatch(match["v"])


class Rule(NamedTuple):
    """A pattern and its kind. Group "v", else the whole match, is flagged unless `check` refuses the match. `words`: those of which
    a note must hold one, in lower case, for the pattern to match at all."""

    kind: str
    words: frozenset[str]
    pattern: re.Pattern[str]
    check: Callable[[re.Match[str]], bool]
    group: int | str


def _rule(
    kind: str, words: str, pattern: str, check: Callable[[re.Match[str]], bool] = _told, *, cased: bool = False
) -> Rule:
    compiled = re.compile(pattern, 0 if cased else re.IGNORECASE)
    return Rule(kind, frozenset(words.split()), compiled, check, "v" if "v" in compiled.groupindex else 0)


_S = r"[ \t\n]{1,3}"
# "is a retired", "works as the", "husband was elected": what comes before an office that is somebody's.
_AS = rf"\b(?:is|was|as|became|becomes?|been|being|elected|appointed|serv(?:es?|ed|ing)){_S}(?:(?:a|an|the|our|their|its){_S})?(?:\w+{_S}){{0,2}}?"
_OF = rf"(?:{_S}(?:of|for|from|in|at){_S}(?:the{_S})?\w+(?:{_S}\w+)?)?"
_ROLE = (
    r"(?:survivors?|survived|victims?|rescued?|trapped|injured|burned|wounded|hero|displaced|evacuated|evacuee|"
    r"lost[ \t\n](?:his|her|their)[ \t\n]\w+|shot|gunman|shooter|first[ \t]responder|witness(?:ed)?)"
)
_PLACE = r"(?:county|town|city|village|state|country|world|island|district|province|valley|reservation|parish|nation)"
_WHO = r"(?:wom[ae]n|m[ae]n|females?|males?|girls?|boys?|americans?|person|people|child|african[- ]american|veteran)"
_NAME = r"[A-Z][\w'.&-]{1,24}"
_NAMES = rf"{_NAME}(?:[ \t](?:of[ \t]the[ \t]|of[ \t]|and[ \t]|the[ \t])?{_NAME}){{0,4}}?"
_TRIBES = (
    "Abenaki|Acoma|Apache|Arapaho|Arikara|Assiniboine|Athabascan|Athabaskan|Blackfeet|Blackfoot|Caddo|Cayuga|Cherokee|Cheyenne|"
    "Chickasaw|Chinook|Chippewa|Choctaw|Chumash|Comanche|Coushatta|Cree|Eskimo|Gros[ \t]Ventre|Haida|"
    "Hidatsa|Ho-Chunk|Hopi|Hualapai|Hupa|Inuit|Inupiat|Inupiaq|Iroquois|Isleta|Karuk|Kickapoo|Kiowa|Klamath|Kootenai|Laguna[ \t]Pueblo|"
    "Lakota|Lenape|Lumbee|Lummi|Maidu|Makah|Mandan|Menominee|Mescalero|Miccosukee|Miwok|Modoc|Mohawk|Mohegan|Muscogee|"
    "Narragansett|Navajo|Nez[ \t]Perce|Ojibwe|Ojibwa|Ojibway|Oneida|Onondaga|Osage|Paiute|Passamaquoddy|Pawnee|Penobscot|Pequot|Pima|"
    "Pomo|Ponca|Potawatomi|Quapaw|Quechan|Quinault|Salish|Seminole|Seneca|Shawnee|Shoshone|Sioux|Tlingit|"
    "Tohono[ \t]O'odham|Tsimshian|Tuscarora|Umatilla|Wampanoag|Washoe|Wichita|Winnebago|Wyandotte|Yakama|Yaqui|Yavapai|Yupik|Yup'ik|"
    "Yurok|Zuni"
)
_SCHOOL_HEAD = (
    r"(?:(?i:elementary|primary|grammar|grade|middle|junior[ \t]high|senior[ \t]high|high|preparatory|prep|charter|montessori|"
    r"magnet|boarding|day|vocational|technical|nursing|law|medical|business|divinity)[ \t])?(?i:schools?|academy|college|university|seminary|"
    r"kindergarten|preschool|elementary|junior[ \t]high|high)\b"
)
_AT_SCHOOL = (
    r"(?i:principal|vice[ \t-]principal|superintendent|headmaster|headmistress|dean|provost|president|professor|lecturer|faculty|"
    r"coach(?:es|ed)?|teach(?:er|es|ing)|taught|librarian|counselor|custodian|janitor|students?|pupil|freshman|sophomore|junior|senior|"
    r"quarterback|valedictorian|cheerleader|grader?|attend(?:s|ed|ing)?|enrolled|graduat(?:e|ed|ing)|alumn(?:us|a)|degree|studie[sd]|studying|"
    r"goes|went|going|plays?|played)"
)
_UNIT_HEAD = (
    r"(?:(?i:infantry|airborne|armou?red|cavalry|mountain|marine|artillery|field[ \t]artillery|engineer|signal|fighter|bomber|aviation|"
    r"medical|support|special[ \t]forces|ranger|expeditionary|air|combat|training|security)[ \t]){0,3}"
    r"(?i:battalion|regiment|brigade|squadron|platoon|fleet|infantry|airborne|cavalry|marines|"
    r"(?:infantry|airborne|armou?red|cavalry|mountain|marine|artillery)[ \t]division|(?:fighter|bomber|air|training)[ \t]wing|"
    r"special[ \t]forces[ \t]group|armou?red[ \t]division|ranger)\b"
)
_TRIBE_WORDS = " ".join(re.findall(r"[a-z]{4,}", _TRIBES.lower())) + " reservation enrolled"
_WORD = re.compile(r"9/11|[a-z]+")

RULES: tuple[Rule, ...] = (
    # --- public office, and faces that are known
    _rule("public_office", "mayor mayoress senator congressman congresswoman congressperson assemblyman assemblywoman representative councilman councilwoman councilmember council alderman alderwoman governor commissioner selectman cabinet justice laureate", (
        r"\b(?:(?:former|ex|current|deputy|acting|city|town|lieutenant|lt\.?|vice)[ \t-])?(?:mayor(?:ess)?|(?:state|u\.?s\.?)[ \t]senator|senator|"
        r"congress(?:man|woman|person)|assembly(?:man|woman)|state[ \t]representative|council(?:man|woman|member)|city[ \t]council[ \t]member|"
        r"alder(?:man|woman)|governor|county[ \t]commissioner|selectman|cabinet[ \t](?:secretary|member)|supreme[ \t]court[ \t]justice|poet[ \t]laureate)\b"
        r"(?![ \t]+(?:\w+[ \t]+){0,3}(?:hospital|clinic|center|medical|street|avenue|road|building|house)\b)"
    )),
    _rule("public_office", "judge sheriff attorney ambassador diplomat consul archbishop bishop minister coroner politician board tribal president", (
        rf"{_AS}(?P<v>(?:(?:superior|district|federal|county|circuit|municipal|appellate|family|probate)[ \t](?:court[ \t])?judge|judge|"
        rf"sheriff|district[ \t]attorney|attorney[ \t]general|ambassador|diplomat|consul|archbishop|bishop|prime[ \t]minister|coroner|"
        rf"politician|school[ \t]board[ \t](?:member|president)|tribal[ \t](?:chair\w*|council\w*|elder|judge)|university[ \t]president))\b"
        rf"(?![ \t]of[ \t]character){_OF}"
    )),
    _rule("public_office", "chief commissioner chairman chairwoman", (
        r"\b(?:(?:police|fire)[ \t]chief|chief[ \t]of[ \t](?:police|the[ \t]fire[ \t]department)|(?:police|fire)[ \t]commissioner|"
        r"(?:tribal|village)[ \t](?:chief|chairman|chairwoman))\b"
    )),
    _rule("public_office", "anchor anchors anchored anchorman anchorwoman anchorperson newscaster weatherman personality meteorologist tv t television talk radio news", (
        r"\b(?:(?:news|weekend|morning|evening|sports|tv|t\.v\.|television|local|weather)[ \t](?:news[ \t])?(?:anchor(?:man|woman|person)?|newscaster|weatherman|personality)|"
        r"anchor(?:s|ed)?[ \t](?:(?:at|on|for|of)[ \t])?(?:the[ \t]\w+[ \t]news|channel|a[ \t]\w+[ \t](?:tv|television)|[kw][a-z]{3}\b)|"
        r"(?:tv|television|talk[ \t]show|radio|news)[ \t](?:host|star|reporter|presenter|announcer|personality|actor|actress)|weatherman|meteorologist[ \t](?:on|for|at)[ \t]\w+)\b"
    )),
    _rule("public_office", "professional professionally pro nfl nba wnba mlb nhl mls ufc nascar pga lpga olympian olympic paralympic league leagues", (
        r"\b(?:(?:former|retired|ex|current)[ \t-])?(?:(?:professional|pro)[ \t](?:athlete|(?:american[ \t])?(?:football|basketball|baseball|soccer|hockey|ice[ \t]hockey|tennis|golf|volleyball|rugby|rodeo)"
        r"[ \t]?(?:player|pitcher|coach)?|footballer|ballplayer|golfer|boxer|wrestler|skater|cyclist|surfer|skier|snowboarder|jockey|race[ \t]car[ \t]driver|bull[ \t]rider|dancer|ballerina)|"
        r"(?:nfl|nba|wnba|mlb|nhl|mls|ufc|nascar|pga|lpga)[ \t](?:player|athlete|draft(?:ee)?|coach|quarterback|pitcher|driver|golfer|fighter|hall|star|veteran|champion|all-star)|"
        r"play(?:s|ed|ing)?[ \t](?:professionally|(?:in|for)[ \t](?:the[ \t])?(?:nfl|nba|wnba|mlb|nhl|mls)|in[ \t]the[ \t](?:major|minor)[ \t]leagues?|(?:major|minor)[ \t]league[ \t]baseball)|"
        r"olympian|(?:olympic|paralympic)[ \t](?:athlete|\w*medall?ist|gold|silver|bronze|team|swimmer|skier|skater|gymnast|runner|boxer|wrestler|hopeful))\b"
    )),
    _rule("public_office", "celebrity famous renowned known winning selling celebrated movie film rock pop country soap reality broadway grammy oscar emmy tony pulitzer nobel brother", (
        r"\b(?:(?:local|minor|well[- ]known|national)[ \t])?celebrity\b(?![ \t]diet)|\b(?:famous|renowned|well[- ]known|award[- ]winning|best[- ]selling|celebrated)[ \t](?:\w+[ \t])?"
        r"(?:singer|actor|actress|author|writer|novelist|musician|artist|painter|chef|rapper|comedian|athlete|player|politician|pastor|preacher|coach)\b|"
        r"\b(?:movie|film|rock|pop|country[ \t]music|soap[ \t]opera|reality[ \t](?:tv|show)|broadway)[ \t](?:star|actor|actress)\b|"
        r"\b(?:grammy|oscar|emmy|tony|pulitzer|nobel)(?:[ \t](?:prize|award))?[ \t-](?:winn\w+|laureate|nominee|nominated)\b|\bbrother[ \t]of[ \t]the[ \t](?:president|governor|mayor)\b"
    )),
    # --- events that were in the news
    _rule("news_event", "shooting hostage terror terrorist", (
        r"\b(?:(?:mass|school|church|nightclub|workplace|mall|movie[ \t]theater|synagogue|mosque|concert|campus|drive-by[ \t]school)[ \t]shooting|"
        r"shooting[ \t](?:at|in|inside)[ \t](?:(?:the|a|an|his|her)[ \t])?(?:\w+[ \t]){0,2}?(?:school|mall|church|synagogue|mosque|temple|theater|concert|nightclub|campus|university|college|post[ \t]office|courthouse|supermarket|walmart)|"
        r"officer[- ]involved[ \t]shooting|hostage[ \t](?:situation|crisis|taking)|terror(?:ist)?[ \t]attack)\b"
    )),
    _rule("news_event", "crash crashed wreck derailment derailed collision accident sank sinking collapse", (
        r"\b(?:(?:air)?plane|airline|airliner|jet|helicopter|aircraft|train|school[ \t]bus|tour[ \t]bus|ferry|cruise[ \t]ship|subway)[ \t](?:crash(?:ed)?|wreck|derail(?:ment|ed)|collision|accident|sank|sinking)\b|"
        r"\bcrash[ \t]of[ \t](?:flight|a[ \t](?:small[ \t])?(?:plane|helicopter))\b|\b(?:bridge|building|mine|stadium|grandstand)[ \t]collapse\b"
    )),
    _rule("news_event", "hurricane storm typhoon superstorm fire wildfire tornado", (
        rf"\b(?i:{_ROLE})\b[^.;\n]{{0,60}}?\b(?:(?i:hurricane|tropical[ \t]storm|typhoon|superstorm)[ \t]{_NAME}|(?P<fire>[A-Z][a-z]{{2,15}})[ \t](?:Fire|Wildfire|FIRE|WILDFIRE)|(?:Joplin|Moore)[ \t]tornado)"
        rf"|\b(?:(?i:hurricane|tropical[ \t]storm|typhoon|superstorm)[ \t]{_NAME})[ \t](?i:{_ROLE})\b"
    ), _named_fire, cased=True),
    _rule("news_event", "bombing bombings massacre avalanche earthquake tsunami explosion wildfire wildfires trade 9/11 september holocaust titanic survivor", (
        rf"\b(?:{_ROLE})\b[^.;\n]{{0,40}}?\b(?:bombings?|massacre|avalanche|earthquake|tsunami|mine[ \t]explosion|wildfires?|world[ \t]trade[ \t]center|9/11|september[ \t]11(?:th)?)\b(?![ \t]*,?[ \t]*\d)"
        r"|\b(?:9/11|world[ \t]trade[ \t]center|holocaust|titanic|bombing|massacre)[ \t](?:survivor|responder|victim|first[ \t]responder)\b|\bsole[ \t]survivor\b"
    )),
    _rule("news_event", "news newspaper newspapers headline headlines publicized publicised media television tv viral amber", (
        rf"\b(?:was|were|been|being|is|are|case|appear(?:s|ed)|story|made|featured|interviewed|publici[sz]ed|incident|accident)\b(?:{_S}\w+){{0,3}}?{_S}"
        r"(?P<v>(?:in|on)[ \t](?:(?:all|the|local|national|evening|international)[ \t]){1,3}(?:news(?:papers?)?|headlines|media|television|tv)\b|(?:local|national|international|front[- ]page|the)[ \t](?:news(?:papers?)?|headlines)\b)"
        r"|\b(?:widely|highly|heavily|nationally|much)[- ]publici[sz]ed\b|\bmedia[ \t](?:coverage|attention)\b|\bmade[ \t](?:national[ \t]|local[ \t])?headlines\b|\bwent[ \t]viral\b|\bamber[ \t]alert\b"
    ), _appeared),
    _rule("news_event", "lottery powerball millions jackpot", (
        r"\b(?:lottery|powerball|mega[ \t]millions|jackpot)[ \t](?:winner|winnings|jackpot)\b|\bw(?:on|ins|inning)[ \t](?:(?:the|a|in|\$?[\d.,]+|million|dollars?|state)[ \t]){0,5}(?:lottery|powerball|mega[ \t]millions|jackpot)\b"
    )),
    # --- tribe
    _rule("tribe", "nation tribe tribes pueblo rancheria band indian indians reservation", (
        rf"\b(?i:(?:tribal[ \t])?members?|enrolled|enrollment|citizens?|elders?|chief|chair(?:man|woman|person)|registered)[ \t](?i:in|of|with|by|at)[ \t](?i:the[ \t])?(?P<v>(?:{_NAMES}[ \t])?(?i:nation|tribe|pueblo|rancheria|band|tribes|indians)(?:[ \t](?i:of)[ \t](?i:the[ \t])?{_NAMES})?)(?![\w'-])"
        rf"|\b(?P<w>(?:{_TRIBES})[ \t](?:Nation|Tribe|Pueblo|Band|Reservation|Indians?|Rancheria))\b|\bPueblo[ \t]of[ \t]{_NAME}\b"
    ), cased=True),
    _rule("tribe", _TRIBE_WORDS, (
        rf"\b(?:is|was|are|full[- ]blooded|half|part|of|a|an|enrolled|identifies[ \t]as)[ \t](?P<v>(?:{_TRIBES}))(?:[ \t](?:man|woman|male|female|gentleman|lady|boy|girl|elder|descent|heritage|ancestry|tribe|tribal|indian|family|background))\b"
        r"|\b(?:lives|living|resides|raised|grew[ \t]up|born)[ \t]on[ \t](?:the|a|an)[ \t](?:\w+[ \t]){0,3}(?:indian[ \t])?reservation\b|\benrolled[ \t](?:tribal[ \t]member|member[ \t]of[ \t](?:a|the|his|her)[ \t]\w+)"
    )),
    # --- prison
    _rule("prison", "inmate inmates prisoner prisoners death felon offender murderer", (
        r"\b(?:(?:prison|jail|county|state|federal|death[ \t]row)[ \t])?(?:inmates?|prisoners?(?![ \t]of[ \t]war))\b|\bdeath[ \t]row\b|\b(?:convicted|registered)[ \t](?:felon|sex[ \t]offender|murderer)\b"
    )),
    _rule("prison", "correctional penitentiary detention juvenile corrections prison jail", (
        r"\b(?:in|at|from|to|by|into|of)[ \t](?:(?:the|a|an|local)[ \t])?(?P<v>(?:\w+[ \t]){0,3}?(?:(?:county|city|state|federal)[ \t])?(?:correctional[ \t](?:facility|institution|cent(?:er|re)|complex)|penitentiary|detention[ \t](?:facility|cent(?:er|re))|juvenile[ \t]hall|department[ \t]of[ \t]corrections|prison|jail))\b(?![ \t](?:guard|officer|warden|nurse))"
    )),
    _rule("prison", "incarcerated incarceration sentence parole jailed", (
        r"\b(?:is|was|been|being|currently|previously|formerly|recently|while|when|father|mother|husband|wife|son|brother|boyfriend|partner)[ \t](?:\w+[ \t])?incarcerated\b|\bincarcerated[ \t](?:at|for|since|from|until|man|woman|male|female|patient|gentleman|person|individual)\b|"
        r"\b(?:during|history[ \t]of|prior|previous|since|release[ \t]from|periods?[ \t]of|years[ \t]of)[ \t](?:\w+[ \t])?incarceration\b|\b(?:serving|served)[ \t](?:a[ \t])?(?:\w+[ \t-]){0,3}(?:life[ \t])?sentence\b|\bon[ \t]parole\b|\bjailed\b"
    ), _person),
    # --- school
    _rule("school", "school schools academy college university seminary kindergarten preschool elementary high", (
        rf"\b{_AT_SCHOOL}\b(?:[ \t](?i:student|teacher|teaching|teaches|coach|class|english|math|science|history|biology|music|art|here|currently|nursing|law|medicine|engineering|school|grade|\d{{1,2}}(?:st|nd|rd|th)|football|basketball)){{0,3}}"
        rf"[ \t](?i:at|of|for|from|in|to|with)?[ \t]?(?i:the[ \t])?(?P<v>(?-i:(?:University|College|Academy|School)[ \t]of[ \t]{_NAMES}(?![\w'-])|{_NAMES}[ \t]{_SCHOOL_HEAD}(?:[ \t]District)?))"
    ), _named_school, cased=True),
    _rule("school", "school schools college academy district districts principal", (
        r"\b(?:principal|vice[ \t-]principal|superintendent|headmaster|headmistress|valedictorian|school[ \t](?:nurse|superintendent|principal)|coach|teacher)[ \t](?:of|at|for|in)[ \t](?:the|our|her|his|a)[ \t]"
        r"(?:(?:local|town'?s?|county|village|only|nearby|neighborhood)[ \t])(?:\w+[ \t]){0,2}(?:school|college|academy|district)s?\b|"
        r"\b(?:principal|superintendent|headmaster|headmistress|valedictorian)[ \t](?:of|at|for)[ \t](?:the|our|her|his|a|an)[ \t](?:\w+[ \t]){0,3}?(?:school|college|academy|district)s?\b|\b(?:high|middle|elementary|grade|junior[ \t]high|school)[ \t](?:school[ \t])?principal\b|"
        r"\b(?:attends|student[ \t]at|teaches[ \t]at|goes[ \t]to)[ \t]the[ \t](?:local|town|only|village|neighborhood)[ \t](?:\w+[ \t]){0,2}(?:school|college|academy)\b"
    )),
    # --- military
    _rule("military_unit", "battalion regiment brigade squadron platoon fleet infantry airborne cavalry marines division wing forces ranger served serving fought deployed enlisted", (
        rf"\b(?:\d{{1,3}}(?:st|nd|rd|th|d|ST|ND|RD|TH)|(?i:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth))[ \t]{_UNIT_HEAD}"
        r"|\b(?i:served|serving|fought|deployed|enlisted)[ \t](?i:with|in)[ \t](?i:the[ \t])(?P<v>\d{1,3}(?:st|nd|rd|th))\b(?![ \t](?i:grade|percentile|century|month|week|day|floor|trimester|year|position|place|decade|digit|rib|toe|finger|ray|metatarsal|ward|district|quartile|hour))"
    ), cased=True),
    _rule("military_unit", "seal beret berets delta ranger rangers angel angels forces tuskegee talker talkers stalker stalkers company stationed deployed based battalion regiment squadron platoon brigade force", (
        r"\b(?i:seal[ \t]team(?:[ \t](?:\d|six))?|navy[ \t]seal|green[ \t]berets?|delta[ \t]force|army[ \t]rangers?|blue[ \t]angels?|special[ \t]forces|tuskegee[ \t]airm[ae]n|code[ \t]talkers?|night[ \t]stalkers?)\b"
        rf"|\b(?:Alpha|Bravo|Charlie|Delta|Echo|Foxtrot)[ \t]Company\b|\b(?i:stationed|deployed|based)[ \t](?i:at|aboard|on)[ \t](?i:the[ \t])?(?P<v>(?:Fort|Ft\.?|Camp|USS|FOB|NAS|FORT|CAMP)[ \t]{_NAME})"
        rf"|\b(?i:battalion|regiment|squadron|platoon|brigade)[ \t](?i:commander|leader|sergeant|medic|surgeon)\b|\b{_NAME}[ \t](?i:air[ \t]force[ \t]base)\b"
    ), cased=True),
    _rule("military_unit", "uss uscgc hms usns", (
        rf"\b(?P<v>(?:USS|USCGC|HMS|USNS)[ \t]{_NAME}(?:[ \t]{_NAME})?)"
    ), _ship, cased=True),
    # --- what only one person is or did
    _rule("rare_occupation_or_record", "only sole", (
        rf"\b(?:the|our)[ \t](?:only|sole)[ \t](?!ones?[ \t])(?:\w+[ \t]){{1,4}}?(?:in|for|of|on)[ \t](?:the|this|our|his|her|their)[ \t](?:\w+[ \t])?{_PLACE}\b(?![ \t]of[ \t](?:health|mind|affairs))"
    )),
    _rule("rare_occupation_or_record", "youngest oldest surviving longest tallest heaviest first only", (
        rf"\b(?:first|youngest|oldest|only|last[ \t]surviving|longest[- ]serving)[ \t](?:\w+[ \t])?{_WHO}[ \t](?:ever[ \t](?:to[ \t])?|in[ \t](?:the[ \t])?(?:\w+[ \t]){{0,2}}?{_PLACE}[ \t]to[ \t]|to[ \t](?:be[ \t](?:elected|ordained|appointed|admitted)|win|run|climb|sail|swim|fly|walk|serve|graduate|cross|become|hold|play|receive|complete|reach|survive|summit|join|command|lead)\b)|"
        rf"\b(?:oldest|tallest|heaviest|youngest)[ \t](?:living[ \t])?{_WHO}[ \t](?:in|alive)\b"
    )),
    _rule("rare_occupation_or_record", "record records guinness champion fame medal miss mrs", (
        r"\b(?:world|national|olympic|guinness|state|school)[ \t-]+record[- ](?:holder|holding)\b|\b(?:holds?|held|set|sets|broke|breaking)[ \t](?:the|a|several|two|three)[ \t](?:\w+[ \t]){0,3}?(?:world|national|olympic|guinness|state|school|course)[ \t-]+records?\b|\bworld[ \t]record\b|\bguinness[ \t](?:book|world)\b|"
        r"\b(?:world|national|olympic|state|heavyweight)[ \t](?:\w+[ \t])?champion(?!ship)\b|\b(?:inducted|member)[ \t](?:into|of)[ \t](?:the[ \t])?(?:\w+[ \t]){0,3}hall[ \t]of[ \t]fame\b|\bmedal[ \t]of[ \t]honor\b|\b(?:miss|mrs\.?)[ \t](?:america|usa|universe)\b"
    )),
    _rule("rare_occupation_or_record", "astronaut cosmonaut lighthouse circus tamer swallower trapeze matador bullfighter bull rodeo stunt stuntman stuntwoman pilot chaser alligator snake zookeeper concert opera ballerina dancer inventor founder justice ringmaster taxidermist", (
        r"\b(?:astronaut|cosmonaut|lighthouse[ \t]keeper|circus[ \t](?:performer|clown|acrobat|worker)|lion[ \t]tamer|sword[ \t]swallower|trapeze[ \t]artist|matador|bullfighter|bull[ \t]rider|rodeo[ \t](?:clown|rider|champion|star)|"
        r"stunt(?:man|woman)|stunt[ \t](?:double|pilot|performer)|test[ \t]pilot|storm[ \t]chaser|alligator[ \t](?:wrestler|trainer)|snake[ \t](?:handler|charmer)|zookeeper|concert[ \t](?:pianist|violinist)|opera[ \t]singer|prima[ \t]ballerina|principal[ \t]dancer|"
        r"inventor[ \t]of[ \t]the|founder[ \t]of[ \t]the[ \t](?:company|town|church|first)|chief[ \t]justice|circus[ \t]owner|ringmaster|harbor[ \t]pilot|taxidermist)\b"
    )),
    # --- births that a region remembers
    _rule("rare_birth", "quadruplet quadruplets quintuplet quintuplets sextuplet sextuplets septuplet septuplets octuplet octuplets conjoined siamese born", (
        r"\b(?:quadruplets?|quintuplets?|sextuplets?|septuplets?|octuplets?|(?:conjoined|siamese)[ \t]twins?|born[ \t](?:on|aboard|in)[ \t](?:a|an|the)[ \t](?:airplane|plane|train|ship|taxi|elevator|submarine|boat))\b"
    )),
)  # fmt: skip


# --- finding -------------------------------------------------------------------------------------------------


def characteristics(text: str) -> list[Characteristic]:
    """What is flagged in folded text: sorted; of overlapping ones the one that begins first, then the longer."""
    held = set(_WORD.findall(text.lower()))
    found = []
    for kind, words, pattern, check, group in RULES:
        if words.isdisjoint(held):
            continue
        for match in pattern.finditer(text):
            if check(match):
                # Where another alternative matched there is no group.
                start, end = match.span(group) if match[group] else match.span()
                found.append(Characteristic(start, end, kind))
    out: list[Characteristic] = []
    for one in sorted(found, key=lambda c: (c.start, -c.end, c.kind)):
        if not out or one.start >= out[-1].end:
            out.append(one)
    return out


def flagged(text: str, spans: Iterable[Span]) -> list[Characteristic]:
    """What is flagged of a note as it came, in its own offsets, but for what `spans` mask to the last letter."""
    folded, offsets = fold(text)
    found = [Span(start, end, kind, 1.0, "review") for start, end, kind in characteristics(folded)]
    if not found:
        return []
    masked = sorted((s.start, s.end) for s in spans)
    return [
        Characteristic(s.start, s.end, s.identifier)
        for s in unfold(found, offsets)
        if _shows(text, s.start, s.end, masked)
    ]


def _shows(text: str, start: int, end: int, masked: Sequence[tuple[int, int]]) -> bool:
    at = start
    for a, b in masked:
        if b <= at:
            continue
        if a >= end:
            break
        if any(c.isalnum() for c in text[at : max(at, a)]):
            return True
        at = b
    return any(c.isalnum() for c in text[at:end])


_SENTENCE = re.compile(r"[.!?](?=\s)|\n\s*\n|\n(?=\s*[-*•\d])")
AROUND = 200


class Excerpt(NamedTuple):
    """A flagged place for a person who decides: the sentence around it, identifiers replaced by their class."""

    before: str
    flagged: str
    after: str


def excerpt(text: str, spans: Iterable[Span], found: Characteristic) -> Excerpt:
    """The sentence around what was flagged, at most AROUND characters to each side."""
    start = max(0, found.start - AROUND)
    for match in _SENTENCE.finditer(text, start, found.start):
        start = match.end()
    stop = _SENTENCE.search(text, found.end, found.end + AROUND)
    end = stop.end() if stop else min(len(text), found.end + AROUND)
    inside = [s for s in sorted(spans) if s.end > start and s.start < end]

    def shown(a: int, b: int) -> str:
        parts, at = [], a
        for span in inside:
            if span.end <= at or span.start >= b:
                continue
            # A span over both edges is told once, where it begins.
            parts += [text[at : max(at, span.start)], placeholder(span.identifier) if span.start >= a else ""]
            at = max(at, span.end)
        return "".join([*parts, text[at:b]])

    return Excerpt(shown(start, found.start).lstrip(), shown(found.start, found.end), shown(found.end, end).rstrip())
