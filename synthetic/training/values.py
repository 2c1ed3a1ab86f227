"""What stands in the slots of training templates: people, organisations, addresses, dates, contacts and numbers.

Names and places come from the word lists that the caller hands in; how they are written (order, initials, misspelling,
invented spellings that no list holds) is decided here, because a model that has only seen listed names learns the list.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

from synthetic import dates, people
from synthetic.damage import _slip

Weighted = Sequence[tuple[str, int]]
STATES = (
    "AL AK AZ AR CA CO CT DC DE FL GA HI IA ID IL IN KS KY LA MA MD ME MI MN MO MS MT NC ND NE NH NJ NM NV NY OH OK OR PA RI SC SD "
    "TN TX UT VA VT WA WI WV WY"
).split()


@dataclass(frozen=True)
class Vocabulary:
    """Word lists: names as (name, weight) by origin, cities as (name, state), counties, and nicknames by name.

    `word_surnames` are surnames that are also ordinary words (Rose, Long, Pain): drawn more often than they occur,
    because they are what a model misses; `eponym_surnames` are those by which diseases and devices are called. `drugs`, `terms` and `eponyms` (of several words) make lines that hold no
    identifier, and `unmistakable` are those of them that are no ordinary words; `facilities` and `employers` are known ones, by their short names.
    """

    given: dict[str, dict[str, Weighted]]
    surnames: dict[str, Weighted]
    cities: Sequence[tuple[str, str]]
    counties: Sequence[str]
    nicknames: dict[str, list[str]]
    word_surnames: Sequence[str]
    word_given: Sequence[str]
    eponym_surnames: Sequence[str]
    drugs: Sequence[str]
    terms: Sequence[str]
    eponyms: Sequence[str]
    facilities: Sequence[str]
    employers: Sequence[str]
    unmistakable: Sequence[str]

    @cached_property
    def by_ending(self) -> dict[str, list[str]]:
        """The unmistakable clinical words by their last two letters."""
        out: dict[str, list[str]] = {}
        for word in self.unmistakable:
            out.setdefault(word[-2:], []).append(word)
        return out

    @cached_property
    def known_terms(self) -> frozenset[str]:
        """The unmistakable clinical words."""
        return frozenset(self.unmistakable)

    @cached_property
    def known_given(self) -> frozenset[str]:
        """Every given name, in lower case."""
        return frozenset(name.lower() for both in self.given.values() for names in both.values() for name, _ in names)

    @cached_property
    def known_words(self) -> frozenset[str]:
        """Every name that is an ordinary word, in lower case."""
        return frozenset(word.lower() for word in (*self.word_given, *self.word_surnames))

    @cached_property
    def known_eponyms(self) -> frozenset[str]:
        """Every name by which diseases and devices are called, in lower case."""
        return frozenset(word.lower() for word in (*self.eponym_surnames, *EPONYMS))

    @cached_property
    def home_cities(self) -> list[tuple[str, str]]:
        """Places of the United States: most that a note names."""
        return [place for place in self.cities if place[1] in STATES]

    @cached_property
    def origins(self) -> list[str]:
        """Origins with both given names and surnames, apart from the large "us" list."""
        return sorted(o for o in self.surnames if o in self.given and o != "us")


def flat(rng: random.Random, names: Weighted) -> str:
    """A name by the root of its weight or, as often, any name of the list: rare names are where models fail."""
    if rng.random() < 0.45:
        return rng.choice(names)[0]
    # Two draws, the heavier wins: near to a draw by weight, and no table of cumulated weights to keep.
    a, b, c = rng.choice(names), rng.choice(names), rng.choice(names)
    return max(a, b, c, key=lambda pair: pair[1])[0]


def invented(rng: random.Random, names: Weighted) -> str:
    """A name that stands in no list: the front of one and the end of another."""
    a, b = rng.choice(names)[0], rng.choice(names)[0]
    cut_a, cut_b = max(2, len(a) * 3 // 5), len(b) // 2
    return (a[:cut_a] + b[cut_b:].lower()).replace(" ", "")


@dataclass
class Someone:
    """A person and how the forms of the name are written all through one note."""

    given: str
    middle: str
    family: str
    sex: str
    nick: str
    suffix: str = ""
    credential: str = ""
    title: str = ""
    cache: dict[str, str] = field(default_factory=dict)


_CREDENTIALS = (
    "MD MD MD MD DO RN RN RN NP PA-C PhD LCSW PharmD PT OT LPN CNA MBBS APRN DPT M.D. D.O. R.N. FNP-BC CRNA DDS RD CCRN RRT PsyD MSW "
    "FACS SLP CMA EMT-P DPM OD"
).split()
_TITLES = {"M": ["Mr."] * 6 + ["Mr", "mr.", "MR."], "F": ["Ms."] * 4 + ["Mrs."] * 4 + ["Miss", "Ms", "Mrs", "mrs."]}
_PARTICLES = ["de", "de la", "del", "van", "van der", "von", "di", "da", "dos", "al-", "El ", "bin", "Le", "La", "St. ", "Mc", "O'", "D'", "Mac", "ben", "Abu "]  # fmt: skip


# Diseases, signs and devices are called after people, and other people have these names today.
EPONYMS = (
    "Parkinson Alzheimer Crohn Addison Hodgkin Down Turner Bell Graves Cushing Hashimoto Marfan Tourette Huntington Wilson Whipple Foley Babinski Kaposi Paget Wegener Sjogren Raynaud Behcet Reiter Ewing Wilms Barrett Meckel Hirschsprung Murphy McBurney Homans Romberg "
    "Weber Rinne Phalen Tinel Lachman Apgar Glasgow Braden Norton Ranson Child Pugh Gleason Breslow Duke Holter Swan Hickman Penrose Jackson Pratt Allis Kelly Kocher Mayo Harrington Kirschner Steinmann Thomas Hare Bryant Russell Buck Gardner Gilbert Dubin Rotor Fanconi Alport "
    "Goodpasture Berger Henoch Churg Strauss Kawasaki Takayasu Horton Still Felty Baker Charcot Dupuytren Peyronie Colles Smith Monteggia Bennett Jones Lisfranc Pott Legg Osgood Scheuermann Perthes Koch Pasteur Lister Mantoux Coombs Rorschach Snellen Epworth Ishihara Bishop Ballard"
).split()
SHORT = "Mai Pa Houa Tou Ger See Xee Yer Nhia Pao Chue Mee Kao Bee Lue Ka Zong Thi Hai Anh Bao Ngoc Kim Mei Li Xiu Ying Hui Wei Jun Min Soo Ji Hye Eun Phu Lan Su Lay Htoo Eh Moo Naw Hser Ku Kyaw Aye Thida Sok Srey Ly Tsz Kit Chi Wai Ming Siu Yuk Kwok Ho Yin Man-Yee Ka-Wai".split()


def someone(rng: random.Random, vocabulary: Vocabulary, family: str = "", *, ambiguous: bool = False) -> Someone:
    """A person: most origins are drawn evenly, and a tenth of the names are misspelt, invented or ordinary words.

    An `ambiguous` one is called by a word, an eponym or like a drug in three of four cases.
    """
    sex = rng.choice("MF")
    draw = rng.random()
    origin = "us" if draw < 0.5 else rng.choice(vocabulary.origins)
    given_list = vocabulary.given[origin][sex] or vocabulary.given["us"][sex]
    if ambiguous and rng.random() < 0.75 and not family:
        family = rng.choice(rng.choice(
            [vocabulary.word_surnames, vocabulary.word_surnames, vocabulary.eponym_surnames, EPONYMS, vocabulary.drugs]
        )).title().split(" ")[0]  # fmt: skip
    if draw > 0.85:  # a family of one origin with a given name of another
        given_list = vocabulary.given["us"][sex]
    given, surnames = flat(rng, given_list), vocabulary.surnames[origin]
    last = family or flat(rng, surnames)
    odd = rng.random()
    if odd < 0.04:
        given = invented(rng, given_list)
    elif odd < (0.5 if ambiguous else 0.07):
        given = rng.choice(vocabulary.word_given)
    odd = rng.random()
    if rng.random() < 0.02:  # Miles Walker, Patience Early: both words of the dictionary
        given, family = rng.choice(vocabulary.word_given), family or rng.choice(vocabulary.word_surnames)
        last = family
    if not family:
        if odd < 0.06:
            last = invented(rng, surnames)
        elif odd < 0.10:
            last = rng.choice(vocabulary.word_surnames)
        elif odd < 0.125:
            last = rng.choice(EPONYMS)
        elif odd < 0.145:
            last = rng.choice(vocabulary.drugs).title().split(" ")[0]
        elif odd < 0.17:
            last = f"{last}-{flat(rng, vocabulary.surnames[rng.choice((origin, 'us'))])}"
        elif odd < 0.19:
            particle = rng.choice(_PARTICLES)
            last = f"{particle}{last}" if particle[-1] in " -'" or particle in ("Mc", "Mac") else f"{particle} {last}"
        elif odd < 0.22:
            last = f"{last} {flat(rng, surnames)}"
        elif odd < 0.25 and len(last) > 4 and last.isalpha():
            last = _slip(rng, last)
        elif odd < 0.30:
            # Mark, Lewis, James: a family name that is also a given one, and the reverse.
            last = flat(rng, vocabulary.given["us"][rng.choice("MF")])
    draw = rng.random()
    if draw < 0.02:
        given = f"{given}-{flat(rng, given_list)}"
    elif draw < 0.06:  # Mai See, Pa Houa, Mary Ann
        given = f"{given} {flat(rng, given_list)}"
    elif draw < 0.08:
        given = rng.choice(SHORT) + (f" {rng.choice(SHORT)}" if rng.random() < 0.6 else "")
    middle = rng.choice(["", "", rng.choice("ABCDEFGHJKLMNPRSTW"), flat(rng, given_list)])
    nicks = vocabulary.nicknames.get(given)
    nick = rng.choice(nicks) if nicks and rng.random() < 0.7 else given
    suffix = rng.choice(["Jr.", "Jr", "Sr.", "III", "II"]) if sex == "M" and rng.random() < 0.04 else ""
    return Someone(given, middle, last, sex, nick, suffix, rng.choice(_CREDENTIALS), rng.choice(_TITLES[sex]))


def name_form(rng: random.Random, who: Someone, form: str) -> str:
    """One written form of a name; see the list of slots in docs/add-an-identifier.md."""
    g, m, f = who.given, who.middle, who.family
    mi = f" {m[0]}{rng.choice(['.', '.', ''])}" if m else ""
    if form == "full" and rng.random() < 0.04:
        form = rng.choice(["quoted", "quoted", "caps", "surname_first", "spelled"])
    if form == "any":
        form = rng.choice("full full last first last_first i_last full_mid last_comma_i nick initials".split())
    match form:
        case "full":
            return f"{g} {f}"
        case "quoted":
            return f"{g} {rng.choice([chr(34), chr(34), '(', chr(39)])}{who.nick}{chr(34)} {f}".replace(
                "(" + who.nick + chr(34), "(" + who.nick + ")"
            ).replace(chr(39) + who.nick + chr(34), chr(39) + who.nick + chr(39))
        case "surname_first":
            return f"{f} {g}"
        case "spelled":
            return "-".join(f.upper()) if rng.random() < 0.5 else " ".join(f.upper())
        case "full_mid":
            return f"{g}{mi if rng.random() < 0.7 or not m else ' ' + m} {f}" + (f" {who.suffix}" if who.suffix else "")
        case "last_first":
            return f"{f},{rng.choice([' ', ' ', ' ', ''])}{g}{rng.choice([mi, ''])}"
        case "first":
            return g
        case "last":
            return f
        case "last_comma_i":
            return f"{f}, {g[0]}{rng.choice(['.', ''])}"
        case "i_last":
            return f"{g[0]}{rng.choice(['. ', '. ', ' ', '.'])}{f}"
        case "nick":
            return who.nick
        case "initials":
            letters = [part[0].upper() for part in (g, m, f.split()[-1]) if part]
            text = rng.choice(["", "", "", ".", "."]).join(letters)
            text += "." if "." in text and rng.random() < 0.8 else ""
            return text.lower() if rng.random() < 0.35 else text
        case "caps":
            return f"{g}{mi} {f}".upper()
        case "last_caps_first":
            return f"{f.upper()}, {g}{mi}"
    raise KeyError(form)


# --- organisations and addresses --------------------------------------------------------------------------------

_SAINTS = "Mary Joseph Luke Francis Vincent Jude Anthony John Anne Elizabeth Agnes Catherine Michael Peter Paul Rita Clare Barnabas Raphael Dominic Bernard Alphonsus".split()
_TREES = "Oak Maple Cedar Willow Pine Birch Elm Aspen Juniper Magnolia Sycamore Laurel Hawthorn Poplar Cypress Chestnut Hickory Spruce Linden Alder".split()
_LAND = "Ridge Valley Grove Creek Hills Lake View Park Brook Springs Meadow Point Harbor Bay Field Run Glen Shore Bluff Terrace Haven Crossing Landing".split()
_FINE = "Sunrise Golden Evergreen Liberty Heritage Pioneer Summit Beacon Horizon Providence Mercy Grace Good Samaritan Sacred Heart Bethesda Trinity Unity Hope Faith Emmanuel Holy Cross Methodist Baptist Presbyterian Lutheran Community Memorial General".split()
_HOSPITAL = (
    "Hospital", "Medical Center", "Regional Medical Center", "General Hospital", "Memorial Hospital", "Health System", "Community Hospital", "Medical Centre",
    "Regional Hospital", "Children's Hospital", "Medical Center - Main Campus", "University Hospital", "VA Medical Center", "Health", "Healthcare", "VAMC", "Hosp",
    "County Hospital", "Cancer Center", "Heart Institute", "Rehabilitation Hospital", "Infirmary", "Surgical Hospital", "Women's Hospital", "Clinic", "Trauma Center",
    "Cancer Institute", "District Hospital", "Med Ctr", "Medical Ctr", "Burn Center", "Psychiatric Hospital", "Specialty Hospital", "LTACH", "ED", "ER", "Med Center", "Mem Hosp",
)  # fmt: skip
_SPECIALTY = (
    "Dermatology", "Skin", "Endoscopy", "Infusion", "Sleep", "Sleep & Breathing", "Renal", "Kidney", "Oral Surgery", "Dental", "Genetics", "Child Development", "Imaging", "Radiology",
    "Eye", "Vision", "Retina", "Hearing", "ENT", "Spine", "Hand", "Foot & Ankle", "Joint", "Sports Medicine", "Physical Therapy", "PT", "Motion", "Hematology Oncology", "Oncology", "Heart",
    "Cardiology", "Vascular", "Vein", "Lung", "Pulmonary", "GI", "Digestive Health", "Liver", "Urology", "Fertility", "OB/GYN", "Women's Health", "Midwifery", "Birth", "Pediatrics",
    "Kids", "Family Medicine", "Internal Medicine", "Primary Care", "Urgent Care", "Walk-In", "Occupational Health", "Travel", "Allergy & Asthma", "Endocrine", "Diabetes", "Wound Care",
    "Pain", "Neurology", "Brain & Spine", "Memory", "Psychiatry", "Behavioral Health", "Counseling", "Recovery", "Methadone", "Addiction", "Hospice", "Palliative", "Home Health", "Home Care",
    "Visiting Nurse", "Dialysis", "Transplant", "Blood", "Plasma", "Tissue", "Pathology", "Diagnostics", "Laboratory", "Labs", "Lab", "Reference Lab", "Reference Laboratory", "Regional Pathology", "Pathology Associates", "Skilled Nursing", "Motion Works", "Vascular Access", "Surgery", "Arthritis", "Weight Management", "Arrhythmia", "MRI", "Mammography", "Surgical", "Surgery", "Orthopedics",
    "Orthopaedics", "Podiatry", "Chiropractic", "Acupuncture", "Wellness", "Weight Loss", "Nutrition", "Rheumatology", "Infectious Disease", "Veterans", "Student Health", "Tribal Health", "Refugee Health",
)  # fmt: skip
_PRACTICE = (
    "Clinic", "Center", "Associates", "Group", "Specialists", "Institute", "Partners", "Physicians", "Practice", "Services", "Medical Group", "PC", "LLC", "Ctr", "Care", "Centre", "Consultants",
    "of the South", "Collective", "Providers", "Network", "Program", "Unit", "Office", "", "", "", "", "", "",
)  # fmt: skip
_CHAINS = (
    "Quest", "LabCorp", "Labcorp", "DaVita", "Fresenius", "Concentra", "MinuteClinic", "CityMD", "One Medical", "Kaiser", "Planned Parenthood", "Aspen Dental", "CareNow", "NextCare", "PhysioOne", "MedExpress",
    "LabPoint", "QuickLab", "CarePoint", "MediStop", "VitalCheck", "HealthFirst", "ClearView", "ProMotion", "FastMed", "MedCheck", "BioLab", "LabOne", "PrimeCare", "UrgentPoint", "DocNow", "StatCare", "MyDoc",
)  # fmt: skip
_HOME = (
    "Manor", "Nursing Home", "Rehabilitation Center", "Rehab", "Care Center", "Assisted Living", "Senior Living", "Village", "Nursing & Rehab", "Health and Rehabilitation", "Nursing and Rehab",
    "Skilled Nursing Facility", "SNF", "Hospice", "House", "Memory Care", "Convalescent Home", "Retirement Community", "Place", "Gardens", "Care and Rehab", "Lodge", "Terrace", "Commons", "Court",
    "Group Home", "Adult Family Home", "Care Ctr", "Living Center", "Health Care", "Residence", "Towers", "Villa", "Estates", "Park", "Shelter", "Recovery House", "Sober Living", "Board and Care",
)  # fmt: skip
_PHARMACY = (
    "CVS", "Walgreens", "Rite Aid", "Walmart Pharmacy", "Costco Pharmacy", "Kroger Pharmacy", "Safeway Pharmacy", "Publix", "Duane Reade", "Optum Rx", "H-E-B Pharmacy", "Walmart", "Costco", "Target pharmacy",
    "Sam's Club", "Meijer", "Hy-Vee", "Giant", "Giant Eagle", "Stop & Shop", "Kinney Drugs", "Bartell", "Longs", "Express Scripts", "Wegmans", "Albertsons", "Winn-Dixie", "Shoppers", "Fred Meyer",
)  # fmt: skip
_TRADE = (
    "Logistics", "Construction", "Plumbing", "Trucking", "Foods", "Steel", "Insurance", "Bank", "Motors", "Electric", "Roofing", "Landscaping", "Farms", "Bakery", "Airlines", "Nails", "Nail Salon", "Livery",
    "Software", "Systems", "Consulting", "Law Firm", "Auto Body", "Hardware", "Dry Cleaners", "Diner", "Market", "Lumber", "Textiles", "Paper Mill", "Mining", "Shipping", "Industries", "Cartage", "Biscuit",
    "Manufacturing", "Realty", "Cleaning Services", "Security", "Daycare", "Salon", "Grill", "Brewing", "Packaging", "Chemical", "Energy", "Telecom", "Media", "Capital", "Partners", "Laundry", "Taxi", "Cab Co",
    "Contracting", "Dairy", "Poultry", "Cannery", "Foundry", "Tool & Die", "Machine Shop", "Plastics", "Freight", "Transit Authority", "Technologies", "Pest Control", "Orchards", "Herbs", "Herb Co", "Grocery",
    "Ambulance", "Volunteer Ambulance", "EMS", "Fire & Rescue", "Funeral Home", "Funeral Service", "Mortuary", "Oxygen", "Medical Supply", "Home Oxygen", "Prosthetics", "Transport", "Union Hall", "Health Plan", "Mutual", "Life", "Insurance Company", "Workers Fund", "Credit Union", "Casino", "Hotel", "Inn", "Resort", "Cafe", "Coffee", "Pizza", "Tacos", "Seafood", "Fisheries", "Marine", "Shipyard",
    "Nursery", "Florist", "Feed & Seed", "Ranch", "Vineyards", "Winery", "Produce", "Meats", "Catering", "Tire", "Garage", "Towing", "Moving", "Storage", "Warehouse", "Staffing", "Accounting", "Studio",
    "Theater", "Radio", "News", "Printing", "Books", "Furniture", "Flooring", "Glass", "Paint", "HVAC", "Heating & Cooling", "Solar", "Oil", "Gas", "Drilling", "Pipeline", "Railroad", "Aviation", "Aerospace",
)  # fmt: skip
_KNOWN_EMPLOYERS = (
    "Walmart", "Target", "Amazon", "UPS", "FedEx", "Home Depot", "Lowe's", "Starbucks", "McDonald's", "Boeing", "Ford", "General Motors", "Google", "Microsoft", "IBM", "Intel", "Tesla", "Uber", "Lyft",
    "Apple", "Verizon", "AT&T", "Comcast", "Costco", "Kroger", "Delta", "United Airlines", "Lockheed Martin", "Raytheon", "John Deere", "Caterpillar", "Tyson Foods", "Wells Fargo", "Southwest", "Marriott",
    "Chase", "State Farm", "Allstate", "the Post Office", "USPS", "the Navy", "Amtrak", "Union Pacific", "Exxon", "Chevron", "Dow", "DuPont", "3M", "Whirlpool", "GE", "Honeywell", "Best Buy", "Sears", "Kmart",
    "Aetna", "Cigna", "Humana", "Blue Cross", "UnitedHealthcare", "Anthem", "Molina", "Goodwill", "Salvation Army", "YMCA", "Head Start", "Perdue", "Smithfield", "Cargill", "Frito-Lay", "Pepsi", "Coca-Cola",
)  # fmt: skip
_BUSINESS_END = ("", "", "", "", "", "", " Inc.", " Inc", " LLC", " Co.", " Corp.", " Company", " & Sons", " Brothers", " Group", ", Inc.", ", LLC", " Bros")  # fmt: skip
_SCHOOL = (
    "Elementary", "Elementary School", "Middle School", "High School", "High", "Academy", "Community College", "College", "University", "Preschool", "Montessori", "School", "Middle", "Primary", "ISD",
    "State University", "Technical College", "Charter School", "Head Start", "Junior High", "Prep", "Law School", "Day School", "Unified School District", "Kindergarten", "Institute of Technology", "Seminary",
)  # fmt: skip
_CHURCH = (
    "Church", "Baptist Church", "Lutheran Church", "Catholic Church", "AME Church", "Temple", "Parish", "Methodist", "Assembly of God", "Mosque", "Chapel", "Fellowship", "Tabernacle", "Synagogue", "Islamic Center",
    "Gurdwara", "Cathedral", "Orthodox Church", "Mission", "Congregation", "Ministries", "Church of Christ", "Kingdom Hall", "Mandir", "Buddhist Temple", "Church Hall", "Presbyterian", "Ethiopian Orthodox Church",
)  # fmt: skip
_STREET_TYPES = "St St St. Street Ave Ave Ave. Avenue Rd Rd Road Dr Drive Ln Lane Blvd Boulevard Ct Court Pl Place Way Ter Terrace Cir Circle Pkwy Parkway Trail Hwy Loop Pike Row Square Xing Run".split()
_STREET_WORDS = (
    "Main Washington Lincoln Jefferson Church Mill Park Center Market Walnut Spring Lake River Highland Franklin Madison Jackson Adams Monroe Prospect Union Broad High School Water "
    "Front Sunset Hillcrest Meadow Forest Ridge Valley Orchard Chestnut Cherry Dogwood Peachtree Canal Commerce Industrial College Railroad Pleasant Summit Fairview Woodland Cottage"
).split()


def city(rng: random.Random, vocabulary: Vocabulary) -> tuple[str, str]:
    """A place and its state or country: one in six lies abroad."""
    return rng.choice(vocabulary.cities if rng.random() < 0.2 else vocabulary.home_cities)


def _stem(rng: random.Random, vocabulary: Vocabulary) -> str:
    """What an organisation is called before its kind: a place, a saint, a surname, a tree."""
    draw = rng.random()
    if draw < 0.27:
        return city(rng, vocabulary)[0]
    if draw < 0.36:
        return f"{rng.choice(['St.', 'St', 'Saint'])} {rng.choice(_SAINTS)}{rng.choice(['', chr(39) + 's'])}"
    if draw < 0.58:
        return flat(rng, vocabulary.surnames[rng.choice(("us", "us", rng.choice(vocabulary.origins)))])
    if draw < 0.74:
        return (
            f"{rng.choice(_TREES)} {rng.choice(_LAND)}"
            if rng.random() < 0.5
            else rng.choice(_TREES) + rng.choice(_LAND).lower()
        )
    if draw < 0.84:
        return rng.choice(_FINE)
    if draw < 0.90:
        return f"{flat(rng, vocabulary.surnames['us'])}-{flat(rng, vocabulary.surnames['us'])}"
    if draw < 0.95:
        return f"{rng.choice(['North', 'South', 'East', 'West', 'Upper', 'Lower', 'New', 'Mid', 'Greater'])} {city(rng, vocabulary)[0]}"
    return f"{rng.choice(['Lake', 'Mount', 'Fort', 'Port', 'Camp', 'Rancho', 'Villa', 'Casa'])} {flat(rng, vocabulary.surnames['us'])}"


def organisation(rng: random.Random, vocabulary: Vocabulary, kind: str) -> str:
    """A made-up organisation of a kind: hospital, hospital.short, clinic, nursing_home, pharmacy, employer, school, church."""
    stem = _stem(rng, vocabulary)
    match kind:
        case "hospital":
            return f"{stem} {rng.choice(_HOSPITAL)}" + (
                f"{rng.choice([', ', ' of ', ' - ', ' at '])}{city(rng, vocabulary)[0]}" if rng.random() < 0.06 else ""
            )
        case "hospital.short" | "clinic" | "nursing_home" if rng.random() < 0.25:
            return rng.choice(vocabulary.facilities)
        case "hospital.short":
            full = f"{stem} {rng.choice(_HOSPITAL)}"
            letters = "".join(word[0] for word in full.split() if word[0].isalpha()).upper()
            if rng.random() < 0.1:
                return _at(rng, vocabulary, rng.choice([stem, *_CHAINS[:8]]), 0.6)
            return rng.choice(
                [stem, stem, f"{stem} Hosp", f"{stem} General", f"{stem} ER", f"{stem} Memorial"]
                + [letters] * (len(letters) > 2)
            )
        case "clinic":
            if rng.random() < 0.15:
                return _at(rng, vocabulary, rng.choice(_CHAINS))
            return _at(rng, vocabulary, f"{stem} {rng.choice(_SPECIALTY)} {rng.choice(_PRACTICE)}".strip(), 0.06)
        case "nursing_home":
            return (
                f"{rng.choice(['', '', '', '', 'The '])}{stem} {rng.choice(_HOME)}"
                if rng.random() < 0.9
                else f"The {rng.choice(_TREES)}s at {stem}"
            )
        case "pharmacy":
            if rng.random() < 0.5:
                return _at(
                    rng,
                    vocabulary,
                    rng.choice(_PHARMACY)
                    + rng.choice(["", "", "", f" #{rng.randint(100, 99999):05d}", f" #{rng.randint(100, 9999)}"]),
                    0.35,
                )
            return (
                f"{stem} {rng.choice(['Pharmacy', 'Drug', 'Drugs', 'Apothecary', 'Drug Store', 'Rx', 'Compounding'])}"
            )
        case "school":
            if rng.random() < 0.12:
                return f"University of {city(rng, vocabulary)[0]}"
            return f"{stem} {rng.choice(_SCHOOL)}"
        case "church":
            return f"{rng.choice(['First ', '', '', 'Our Lady of ', 'New '])}{stem} {rng.choice(_CHURCH)}"
    draw = rng.random()
    if draw < 0.1:
        return rng.choice(_KNOWN_EMPLOYERS)
    if draw < 0.2:
        return rng.choice(vocabulary.employers)
    if draw < 0.28:
        return rng.choice(["City of ", "Town of ", "County of "]) + city(rng, vocabulary)[0]
    if draw < 0.34:
        return f"{city(rng, vocabulary)[0]} {rng.choice(['Police Department', 'Fire Department', 'Public Schools', 'Public Works', 'Sheriff', 'Housing Authority', 'Library', 'PD', 'Fire Dept'])}"
    if draw < 0.36:
        return rng.choice(
            [
                f"{rng.choice(['IBEW', 'UAW', 'Teamsters', 'SEIU', 'Carpenters', 'AFSCME', 'UFCW'])} Local {rng.randint(3, 1999)}",
                f"{stem} {rng.choice(['Congregational', 'Ward', 'Second Ward', 'Stake', 'Grange', 'Lodge', 'VFW Post', 'Elks'])}",
            ]
        )
    if draw < 0.40:
        return stem
    if draw < 0.46:
        return f"{rng.choice(_OPENERS)} {rng.choice(_OPENERS)} {rng.choice(_TRADE)}"
    if draw < 0.50:
        return _at(rng, vocabulary, f"{rng.choice(_OPENERS)}", 0.8)
    return _at(rng, vocabulary, f"{stem} {rng.choice(_TRADE)}{rng.choice(_BUSINESS_END)}", 0.04)


_OPENERS = "Golden Lucky Lotus Blue Red Silver Happy Royal Star Dragon Sunny Crystal Diamond Pacific Atlantic Mountain Prairie River Island Modern Quick Perfect Polished Bright Green Rainbow Eagle Wolverine Tiger Phoenix Continental National Standard United American Great Northern Southern Empire Capital Metro Crown".split()


def _at(rng: random.Random, vocabulary: Vocabulary, name: str, rate: float = 0.5) -> str:
    """A branch of something: on a street, in a town, or simply the name."""
    if rng.random() >= rate:
        return name
    where = rng.choice(
        [
            street(rng, vocabulary, number=False),
            city(rng, vocabulary)[0],
            dates.ordinal(rng.randint(1, 120)),
            rng.choice(_STREET_WORDS),
            flat(rng, vocabulary.surnames["us"]),
        ]
    )
    return f"{name} {rng.choice(['on', 'on', 'on', 'in', 'at', 'of', '-', '@'])} {where}"


def street(rng: random.Random, vocabulary: Vocabulary, *, number: bool = True) -> str:
    """A street with its number, or a rural route or post-office box."""
    if number and rng.random() < 0.06:
        return rng.choice(
            [
                f"P.O. Box {rng.randint(11, 9899)}",
                f"PO Box {rng.randint(11, 99899)}",
                f"RR {rng.randint(1, 9)} Box {rng.randint(11, 400)}",
                f"{rng.randint(100, 19999)} County Road {rng.randint(2, 900)}",
                f"{rng.randint(100, 9999)} Highway {rng.randint(2, 99)}",
            ]
        )
    if rng.random() < 0.05:
        word = flat(rng, vocabulary.surnames[rng.choice(vocabulary.origins)])
        form = rng.choice(
            [
                "{} Strasse {}",
                "{}straat {}",
                "{}gatan {}",
                "ul. {} {}",
                "Calle {} {}",
                "Rua {} {}",
                "Via {} {}",
                "rue {} {}",
                "{} utca {}.",
                "{}vej {}",
                "{}weg {}",
                "Av. {} {}",
                "{} köz {}",
            ]
        )
        return form.format(word, rng.randint(1, 240)) if number else form.format(word, "").strip(" .")
    draw = rng.random()
    if draw < 0.25:
        name = rng.choice(_STREET_WORDS)
    elif draw < 0.45:
        name = flat(rng, vocabulary.surnames["us"])
    elif draw < 0.6:
        name = (
            f"{rng.choice(_TREES)} {rng.choice(_LAND)}"
            if rng.random() < 0.6
            else rng.choice(_TREES) + rng.choice(_LAND).lower()
        )
    elif draw < 0.75:
        name = dates.ordinal(rng.randint(1, 180))
    elif draw < 0.85:
        name = flat(rng, vocabulary.given["us"][rng.choice("MF")])
    else:
        name = city(rng, vocabulary)[0]
    way = f"{rng.choice(['', '', '', 'N ', 'S. ', 'East ', 'W ', 'NW ', 'North '])}{name} {rng.choice(_STREET_TYPES)}"
    return f"{rng.choice([rng.randint(1, 999), rng.randint(1000, 19999)])} {way}" if number else way


def unit(rng: random.Random) -> str:
    """A flat in an address."""
    if rng.random() < 0.2:
        kind = rng.choice(
            [
                "Trlr #",
                "Space #",
                "Fl #",
                "Lot ##",
                "#th Fl",
                "lower flat",
                "upper flat",
                "rear house",
                "Fl # Rear",
                "basement apt",
                "Bldg @",
                "Spc ##",
            ]
        )
        return people.pattern(rng, kind) if "#" in kind or "@" in kind else kind
    return rng.choice(
        ["Apt ", "Apt. ", "Unit ", "#", "Apartment ", "Ste ", "Suite ", "Lot ", "Bldg "]
    ) + people.pattern(rng, rng.choice(["#", "##", "###", "#@", "@", "##@", "@##"]))


def room(rng: random.Random) -> str:
    """A room or bed that points to a person."""
    if rng.random() < 0.25:  # without a word that says so, as in lists and between colleagues
        shape = rng.choice(
            ["###", "####", "###@", "@#", "@##", "#@##", "@-##", "###-@", "##-#", "@-#", "###@-#", "@@##"]
        )
        text = people.pattern(rng, shape)
        return (
            text.lower() if rng.random() < 0.15 else text + rng.choice(["", "", "", "", " window", " door", " bed 2"])
        )
    digits = people.pattern(rng, rng.choice(["###", "####", "##", "#@##", "###@", "#-##", "####-#", "###-@"]))
    return rng.choice(
        [
            "Room ",
            "Rm ",
            "rm ",
            "Rm. ",
            "Bed ",
            "bed ",
            "Room #",
            "MICU bed ",
            "Bay ",
            "4W ",
            "5 North ",
            "6E-",
            "ICU ",
            "Tower ",
            "Pod ",
            "ldr ",
            "LDR ",
            "chair ",
            "Chair ",
            "OR ",
            "or ",
            "bay ",
            "room ",
            "rm",
            "flat ",
            "cell ",
            "slot ",
            "triage ",
            "hall ",
            "PACU ",
            "ED ",
            "W",
            "7 East ",
            "North ",
            "recliner ",
            "LDRP ",
            "station ",
            "Station ",
            "exam ",
            "Exam ",
            "exam room ",
            "lab ",
            "Cath ",
            "CVU ",
            "Hall bed ",
            "hallway bed ",
            "Trauma Bay ",
            "TRAUMA ",
            "T-",
            "Tele ",
            "pod ",
            "isolette ",
            "crib ",
            "operatory ",
            "Op ",
            "theatre ",
            "Obs ",
            "Zone ",
            "cubicle ",
            "Family Rm ",
            "conf rm ",
            "infusion chair ",
            "Neuro ICU ",
            "tower ",
            "stretcher ",
            "NICU ",
            "nursery ",
            "BMT ",
            "ONC ",
            "SDU ",
            "CCU-",
        ]
    ) + rng.choice([digits, digits, people.pattern(rng, rng.choice(["#", "##"]))])


# --- dates ------------------------------------------------------------------------------------------------------


def day(rng: random.Random) -> date:
    """A day of the years in which electronic notes are written."""
    return date(1998, 1, 1) + timedelta(days=rng.randrange(10_900))


_HOLIDAYS = (
    "Easter", "Easter Monday", "Whit Monday", "New Year's Eve", "Good Friday", "Ash Wednesday", "Palm Sunday", "Passover", "Yom Kippur", "Rosh Hashanah", "Hanukkah", "Ramadan", "Eid", "Eid al-Fitr", "Diwali", "Holi", "Lunar New Year", "Tet", "Chinese New Year", "Songkran",
    "Nowruz", "Pascha", "Orthodox Christmas", "Juneteenth", "Cinco de Mayo", "MLK Day", "Presidents Day", "Columbus Day", "Indigenous Peoples Day", "Groundhog Day", "Mardi Gras", "Super Bowl Sunday", "Kwanzaa", "Boxing Day",
    "Canada Day", "Guy Fawkes Night", "All Saints Day", "Day of the Dead", "Three Kings Day", "Vesak", "Obon", "Purim", "Sukkot", "Lent", "Election Day", "Patriots Day", "Black Friday", "spring break", "Tax Day", "Flag Day",
)  # fmt: skip
_SHORT_DAYS = {"Tuesday": "Tues", "Wednesday": "Weds", "Thursday": "Thurs"}
_ROMAN = "I II III IV V VI VII VIII IX X XI XII".split()
_FOREIGN_MONTHS = (
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split(),
    "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(),
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre".split(),
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro".split(),
)


def _odd_full(rng: random.Random, when: date) -> str:
    """Full dates in the rarer forms: roman months, other languages, dots and spaces."""
    m, d, y = when.month, when.day, when.year
    foreign = rng.choice(_FOREIGN_MONTHS)[m - 1]
    return rng.choice(
        [
            f"{d}.{_ROMAN[m - 1].lower()}.{y}", f"{d}/{_ROMAN[m - 1]}/{y}", f"{d} {foreign} {y}", f"{d} de {foreign} de {y}", f"{d}. {foreign} {y}", f"{m:02d}.{d:02d}.{y}", f"{d:02d}.{m:02d}.{y}",
            f"{m} {d} {y}", f"{m:02d} {d:02d} {y % 100:02d}", f"{dates.MONTHS[m - 1][:3]}.{d}, {y}", f"{d}{dates.MONTHS[m - 1][:3]}{y % 100:02d}", f"{d}{dates.MONTHS[m - 1][:3].upper()}{y}", f"{y}.{m:02d}.{d:02d}", f"{m}\\{d}\\{y % 100:02d}",
        ]
    )  # fmt: skip


def _odd_partial(rng: random.Random, when: date) -> str:
    """A day without its year in the rarer forms."""
    short, d = dates.MONTHS[when.month - 1][:3], when.day
    return rng.choice(
        [
            f"{short}.{dates.ordinal(d)}",
            f"{short}.{d}",
            f"the {dates.ordinal(d)}",
            f"{d}{short}",
            f"{short.lower()} {d}",
            f"{when.month}.{d}",
            f"{dates.ordinal(d)} {dates.MONTHS[when.month - 1]}",
            f"{d}/{short}",
            f"{short}-{d}",
            f"week of {when.month}/{d}",
            f"wk of the {dates.ordinal(d)}",
            f"the {dates.ordinal(d)}",
            f"{d}-{_ROMAN[when.month - 1].lower()}",
            f"{when.month}.{d}.",
            f"mid-{dates.MONTHS[when.month - 1]}",
            f"{short}-{dates.MONTHS[when.month % 12][:3]}",
        ]
    )


def date_form(rng: random.Random, form: str) -> str:
    """A date in one of the forms that the slots name."""
    when = date(1921, 1, 1) + timedelta(days=rng.randrange(37_000)) if form == "dob" else day(rng)
    match form:
        case "date" | "dob":
            text = dates.full(when, dates.pick_style(rng))
            if form == "date" and rng.random() < 0.05:
                return _odd_full(rng, when)
            return rng.choice([text] * 5 + [f"{when:%Y%m%d}", f"{when:%d/%m/%Y}", f"{dates.MONTHS[when.month - 1][:3].upper()} {when.day} {when.year}", f"{when.month}/{when.day}/'{when:%y}", f"{when:%Y/%m/%d}"])  # fmt: skip
        case "datetime":
            return dates.full(when, dates.pick_style(rng))
        case "date.md":
            return dates.partial(rng, when) if rng.random() < 0.85 else _odd_partial(rng, when)
        case "date.my":
            return (
                dates.month_year(rng, when)
                if rng.random() < 0.8
                else f"{rng.choice(['early', 'late', 'mid', 'mid-', 'the end of', 'around'])} {dates.MONTHS[when.month - 1]}{rng.choice(['', f' {when.year}'])}".replace(
                    "- ", "-"
                )
            )
        case "date.weekday":
            name = dates.DAYS[when.weekday()]
            short = rng.choice([name[:3], _SHORT_DAYS.get(name, name[:3])])
            return rng.choice([name] * 5 + [short, short, f"{name} the {dates.ordinal(when.day)}"])
        case "date.holiday":
            name = rng.choice(_HOLIDAYS) if rng.random() < 0.4 else dates.last_holiday(rng, when)[0]
            return rng.choice([name] * 5 + [f"{name} weekend", f"the day after {name}", f"{name} {when.year}"])
        case "date.range":
            end = when + timedelta(days=rng.randint(1, 20))
            return rng.choice(
                [
                    f"{when.month}/{when.day}-{end.month}/{end.day}", f"{when.month}/{when.day}/{when:%y} - {end.month}/{end.day}/{end:%y}",
                    f"{dates.MONTHS[when.month - 1]} {when.day}-{min(28, when.day + 3)}", f"{when.month}/{when.day} to {end.month}/{end.day}",
                    f"{dates.MONTHS[when.month - 1][:3]} {when.day} - {dates.MONTHS[end.month - 1][:3]} {end.day}, {end.year}",
                ]
            )  # fmt: skip
    month = dates.MONTHS[when.month - 1]
    return rng.choice([f"the {dates.ordinal_words(when.day)} of {month}", f"{month} {dates.ordinal_words(when.day)}", f"{month} the {dates.ordinal(when.day)}", f"the {dates.ordinal(when.day)} of {month}"])  # fmt: skip
