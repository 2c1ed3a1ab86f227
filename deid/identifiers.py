"""The closed list of identifiers with their Safe Harbor letters, and how labels of gold sets map onto it.

Letters are the paragraphs of 45 CFR 164.514(b)(2)(i). Q, photographs, is left out: text cannot hold one.
"""

from __future__ import annotations

from types import MappingProxyType

from clinicorpus_errors import UserError

SAFE_HARBOR = MappingProxyType(
    {
        "NAME": "A",  # patients, relatives, anyone not known to be a clinician
        "CLINICIAN": "A",
        "EMPLOYER": "A",
        "FACILITY": "B",
        "STREET": "B",
        "CITY": "B",
        "COUNTY": "B",
        "ZIP": "B",
        "UNIT": "B",  # room, ward, apartment that points to a person
        "DATE": "C",
        "AGE": "C",  # over 89 only
        "PHONE": "D",  # pager too
        "FAX": "E",
        "EMAIL": "F",
        "SSN": "G",  # also the last four
        "MRN": "H",
        "HEALTH_PLAN": "I",
        "ACCOUNT": "J",  # also accession, encounter and visit numbers
        "LICENSE": "K",  # NPI, DEA, state and driver's licences, passports
        "VEHICLE": "L",
        "DEVICE": "M",
        "URL": "N",
        "IP": "O",
        "BIOMETRIC": "P",
        "USERNAME": "R",
        "OTHER_ID": "R",  # initials, dictation and transcription marks, other unique codes
    }
)
IDENTIFIERS: tuple[str, ...] = tuple(SAFE_HARBOR)

# Identifiers that point to one person without help from anything else; a release gate counts these apart.
DIRECT = frozenset(
    "NAME STREET PHONE FAX EMAIL SSN MRN HEALTH_PLAN ACCOUNT LICENSE VEHICLE DEVICE URL IP BIOMETRIC USERNAME "
    "OTHER_ID".split()
)

# None: the label names something that is no identifier under Safe Harbor (a nation, a title, a whole state).
_FROM_GOLD: dict[str, str | None] = {
    # i2b2/UTHealth 2014 and 2016, sub-types
    "PATIENT": "NAME",
    "DOCTOR": "CLINICIAN",
    "PROFESSION": None,
    "HOSPITAL": "FACILITY",
    "ORGANIZATION": "EMPLOYER",
    "DEPARTMENT": None,
    "ROOM": "UNIT",
    "STATE": None,
    "COUNTRY": None,
    "LOCATION-OTHER": "CITY",
    "LOCATION_OTHER": "CITY",
    "MEDICALRECORD": "MRN",
    "HEALTHPLAN": "HEALTH_PLAN",
    "IDNUM": "OTHER_ID",
    "BIOID": "BIOMETRIC",
    "IPADDR": "IP",
    "IPADDRESS": "IP",
    # i2b2 2006
    "ID": "OTHER_ID",
    "LOCATION": "CITY",
    # presidio-research
    "PERSON": "NAME",
    "STREET_ADDRESS": "STREET",
    "GPE": "CITY",
    "DATE_TIME": "DATE",
    "PHONE_NUMBER": "PHONE",
    "EMAIL_ADDRESS": "EMAIL",
    "ZIP_CODE": "ZIP",
    "DOMAIN_NAME": "URL",
    "IP_ADDRESS": "IP",
    "US_SSN": "SSN",
    "US_DRIVER_LICENSE": "LICENSE",
    "CREDIT_CARD": "ACCOUNT",
    "IBAN_CODE": "ACCOUNT",
    "NRP": None,
    "TITLE": None,
    # clinical_dev (a public synthetic challenge)
    "ADDRESS": "STREET",
}


def identifier_of(label: str) -> str | None:
    """Map a gold label, of our own list or of a known gold set, onto the closed list; None when it is no identifier.

    Raises UserError for a label that no table knows: a silently dropped class would flatter every figure.
    """
    name = label.strip().upper().replace(" ", "_")
    if name in SAFE_HARBOR:
        return name
    if name in _FROM_GOLD:
        return _FROM_GOLD[name]
    raise UserError(
        "unknown identifier label in the gold set",
        value=label,
        cause="the label stands in no table of deid/identifiers.py",
        next="map it there; docs/add-an-identifier.md shows how",
    )
