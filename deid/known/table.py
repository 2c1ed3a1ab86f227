"""Reads the patient table: what a hospital knows of each patient, as rows of patient_id, kind and value.

CSV, Parquet and JSON lines (also gzipped) in two layouts, which may be mixed. Long: columns `patient_id`, `kind`, `value`,
one row a value. Wide: one row a patient, one column a kind ("First Name", "DOB", "phone_2"); a column that holds lists of
kind and value is unfolded, one that holds lists gives a value for each entry. Columns that identify nobody are left out by
a closed list; any other unknown column is refused, for what is silently left out would be left in the notes.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from clinicorpus_errors import UserError

KINDS = MappingProxyType(
    {
        "first_name": "NAME", "middle_name": "NAME", "last_name": "NAME", "name": "NAME", "nickname": "NAME",
        "former_name": "NAME", "initials": "OTHER_ID", "relative_name": "NAME", "clinician": "CLINICIAN",
        "facility": "FACILITY", "employer": "EMPLOYER", "address": "STREET", "street": "STREET", "unit": "UNIT",
        "city": "CITY", "county": "COUNTY", "zip": "ZIP", "birth_date": "DATE", "death_date": "DATE", "date": "DATE",
        "phone": "PHONE", "emergency_contact_phone": "PHONE", "fax": "FAX", "email": "EMAIL", "ssn": "SSN", "mrn": "MRN",
        "insurance_id": "HEALTH_PLAN", "account": "ACCOUNT", "license": "LICENSE", "vin": "VEHICLE", "plate": "VEHICLE",
        "device": "DEVICE", "url": "URL", "ip": "IP", "username": "USERNAME", "biometric": "BIOMETRIC",
        "other_id": "OTHER_ID",
    }
)  # fmt: skip
"""Kinds of values, each with its identifier."""
KIND = pl.Enum(list(KINDS))
"""Type of the column `kind`: one byte a value."""

_ALIASES: dict[str, str] = {
    alias: kind
    for kind, aliases in {
        "first_name": "given_name given firstname forename pat_first_name first",
        "middle_name": "middlename middle second_given_name middle_initial",
        "last_name": "family_name family lastname surname pat_last_name last",
        "name": "full_name fullname patient_name pat_name legal_name display_name",
        "nickname": "preferred_name goes_by known_as nick_name",
        "former_name": "maiden_name previous_name birth_name prior_name alias aliases aka also_known_as other_name suffix_name",
        "initials": "patient_initials",
        "relative_name": "relative relatives mother father spouse partner guardian parent child daughter son sibling "
        "brother sister wife husband next_of_kin nok emergency_contact contact guarantor subscriber policy_holder proxy "
        "health_care_proxy caregiver mother_name father_name spouse_name partner_name guardian_name parent_name "
        "child_name sibling_name next_of_kin_name nok_name emergency_contact_name contact_name guarantor_name "
        "subscriber_name policy_holder_name caregiver_name",
        "clinician": "clinician_name provider provider_name physician physician_name doctor pcp pcp_name attending "
        "attending_name primary_care_provider primary_care_physician referring_provider surgeon nurse care_team",
        "facility": "hospital hospital_name facility_name clinic clinic_name practice site pharmacy nursing_home",
        "employer": "employer_name company workplace school school_name work_place",
        "address": "full_address home_address mailing_address residence",
        "street": "street_address address_line address_line_1 address_line1 address_1 line1 addr1 addr street_1 po_box",
        "unit": "address_line_2 address_line2 line2 addr2 apartment apt suite room",
        "city": "town municipality place city_name birth_place birthplace",
        "county": "county_name parish",
        "zip": "zip_code zipcode postal_code postcode zip5 postal",
        "birth_date": "date_of_birth dob birthdate birth_datetime born birthday",
        "death_date": "date_of_death dod deathdate death_datetime deceased_date",
        "phone": "phone_number telephone tel home_phone work_phone cell cell_phone cellphone mobile mobile_phone pager "
        "phone_home phone_work phone_cell phone_mobile contact_phone",
        "emergency_contact_phone": "relative_phone next_of_kin_phone nok_phone spouse_phone guardian_phone emergency_phone",
        "fax": "fax_number",
        "email": "e_mail email_address mail",
        "ssn": "social_security_number social_security ss_number",
        "mrn": "medical_record_number record_number medical_record mr_number chart_number hospital_number pat_mrn_id",
        "insurance_id": "health_plan health_plan_id member_id insurance insurance_number medicare medicare_id mbi medicaid "
        "medicaid_id policy_number policy group_number plan_id beneficiary_id insurance_policy_number",
        "account": "account_number acct account_id encounter_number visit_number accession accession_number har csn fin",
        "license": "licence license_number licence_number drivers_license driver_license drivers_license_number drivers "
        "driving_licence passport passport_number npi dea state_id",
        "vin": "vehicle vehicle_id vehicle_identification_number",
        "plate": "license_plate licence_plate plate_number vehicle_plate",
        "device": "device_id device_serial serial_number device_serial_number udi implant_serial",
        "url": "website web_page",
        "ip": "ip_address",
        "username": "user_name login user_id portal_id",
        "biometric": "fingerprint_id biometric_id",
        "other_id": "study_id research_id external_id other identifier donor_id",
        "date": "admission_date discharge_date service_date",
    }.items()
    for alias in (kind, *aliases.split())
}

# Columns that point to nobody by themselves. The values of states and countries stay in notes, as Safe Harbor allows.
IGNORED = frozenset(
    """
    sex gender gender_identity birth_sex pronouns race ethnicity ethnic_group language preferred_language languages
    interpreter_needed marital_status religion country country_of_birth state state_code birth_state nationality citizenship
    deceased vital_status alive is_deceased age age_group income education occupation blood_type housing_status
    veteran_status organ_donor created_at updated_at active name_suffix name_prefix suffix prefix title lat lon
    healthcare_expenses healthcare_coverage
    """.split()
)
_IDS = ("patient_id", "patientid", "person_id", "subject_id", "pat_id", "patient", "id")
_SUFFIXES = (".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson", ".json")
# What people type when there is nothing to type, and what stands in the place of an employer.
NOTHING = frozenset(
    """
    n/a na none null nil nan unknown unk - -- . ? x xx xxx tbd no yes same self declined refused pending other not_given
    not_provided not_available not_applicable not_on_file deceased homeless no_fixed_address undomiciled
    no_address general_delivery retired unemployed disabled student not_employed self_employed self-employed homemaker
    housewife minor child on_disability full_time part_time baby newborn
    """.split()
)


def kind_of(name: str) -> str | None:
    """The kind that a header or a label names ("Date of Birth", "phone_2", "Home Phone"); None for an unknown one."""
    plain = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip()).lower()).strip("_")
    bare = re.sub(r"_?\d+(?=_|$)", "", plain).strip("_")
    return next((_ALIASES[form] for form in (plain, bare, bare.removesuffix("s")) if form in _ALIASES), None)


def _ignored(name: str) -> bool:
    plain = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip()).lower()).strip("_")
    return plain in IGNORED


def _broken(path: Path, problem: str) -> UserError:
    return UserError(
        "the patient table cannot be read", value=f"{path.name}: {problem}",
        cause="a broken copy, or another format than the name says", next="export it again as CSV, Parquet or JSON lines",
    )  # fmt: skip


def _frame(path: Path) -> pl.DataFrame:
    """The file as a frame; of a CSV every column is text."""
    name = path.name.lower().removesuffix(".gz")
    if not path.is_file():
        cause = "it is a folder" if path.is_dir() else None
        raise UserError("no such patient table", value=path, cause=cause, next="check the path")
    if not name.endswith(_SUFFIXES):
        raise UserError(
            "format of the patient table not known by its name", value=path.name, cause=f"known: {', '.join(_SUFFIXES)}"
        )
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        if name.endswith((".parquet", ".pq")):
            return pl.read_parquet(io.BytesIO(data))
        data.decode("utf-8-sig")
        data = data.removeprefix(b"\xef\xbb\xbf")
        if name.endswith((".csv", ".tsv")):
            tabs = name.endswith(".tsv")
            return pl.read_csv(data, infer_schema=False, separator="\t" if tabs else ",", raise_if_empty=False)
        return pl.read_ndjson(data, infer_schema_length=None) if data.strip() else pl.DataFrame()
    except UnicodeDecodeError:
        raise _broken(path, "it is not UTF-8") from None
    except pl.exceptions.PolarsError as error:
        raise _broken(path, type(error).__name__) from None
    except (OSError, EOFError, zlib.error) as error:
        raise _broken(path, type(error).__name__) from None


def _shown(columns: list[str]) -> str:
    """Names of columns for an error. Where the header is missing the "names" are a patient's values: then none."""
    if all(re.fullmatch(r"[A-Za-z][A-Za-z _]{0,40}\d?", name) for name in columns):
        return ", ".join(sorted(columns)[:20])
    return "names withheld, because the first line may be a patient and no header"


def _id_column(table: pl.DataFrame, path: Path) -> str:
    plain = {re.sub(r"[^a-z0-9]+", "_", c.strip().lower()): c for c in table.columns}
    for name in _IDS:
        if name in plain:
            return plain[name]
    raise UserError(
        "the patient table has no column patient_id", value=path.name,
        cause=f"it has {table.width} columns: {_shown(table.columns)}", next="rename the column that the notes share",
    )  # fmt: skip


def _long(table: pl.DataFrame, ids: pl.Expr, path: Path) -> pl.DataFrame:
    """Rows of a table of kind and value."""
    rows = table.select(ids, pl.col("kind").cast(pl.String), pl.col("value").cast(pl.String)).drop_nulls("value")
    names = rows["kind"].drop_nulls().unique().to_list()
    if rows["kind"].null_count():
        raise UserError(
            "the patient table has values without a kind", value=f"{path.name}: {rows['kind'].null_count()} rows"
        )
    return _mapped(rows, {name: kind_of(name) for name in names if not _ignored(name)}, names, path)


def _mapped(rows: pl.DataFrame, kinds: dict[str, str | None], names: list[str], path: Path) -> pl.DataFrame:
    unknown = sorted(name for name in names if name in kinds and kinds[name] is None)
    if unknown:
        raise _unknown(unknown, path, "kinds")
    known = {name: kind for name, kind in kinds.items() if kind}
    return rows.filter(pl.col("kind").is_in(list(known))).with_columns(
        pl.col("kind").replace_strict(known, return_dtype=KIND)
    )


def _unknown(names: list[str], path: Path, what: str) -> UserError:
    return UserError(
        f"the patient table has {what} that are not known", value=f"{path.name}: {_shown(names)}",
        cause=f"known: {', '.join(KINDS)}; left out: {', '.join(sorted(IGNORED)[:12])} and the like",
        next="rename or remove them: an identifier that is not read is not looked for",
    )  # fmt: skip


def _is_pairs(dtype: pl.DataType) -> bool:
    return (
        isinstance(dtype, pl.List)
        and isinstance(dtype.inner, pl.Struct)
        and {"kind", "value"} <= {field.name for field in dtype.inner.fields}
    )


def _parts(table: pl.DataFrame, ids: pl.Expr, id_column: str, path: Path) -> Iterator[pl.DataFrame]:
    """Rows of each column of a wide table."""
    unknown = []
    for name, dtype in table.schema.items():
        if name == id_column or _ignored(name) or dtype == pl.Null:
            continue
        if _is_pairs(dtype):
            pairs = table.select(ids, pl.col(name)).explode(name).drop_nulls(name)
            yield _long(
                pairs.select("patient_id", *(pl.col(name).struct.field(f) for f in ("kind", "value"))),
                pl.col("patient_id"),
                path,
            )
            continue
        kind = kind_of(name)
        column = pl.col(name)
        if kind is None or isinstance(dtype, pl.Struct) or dtype == pl.Binary:
            unknown.append(name)
            continue
        if isinstance(dtype, pl.List):
            if dtype.inner is not None and dtype.inner.is_nested():
                unknown.append(name)
                continue
            part = table.select(ids, value=column).explode("value")
        else:
            part = table.select(ids, value=column)
        if part["value"].dtype.is_float():
            # A column of numbers with gaps comes as floats from some exports: 48291.0 is 48291.
            part = part.with_columns(pl.col("value").cast(pl.Int64, strict=False))
        yield part.select(
            "patient_id", kind=pl.lit(kind, dtype=KIND), value=pl.col("value").cast(pl.String)
        ).drop_nulls("value")
    if unknown:
        raise _unknown(unknown, path, "columns")


_DATE_KINDS = ("birth_date", "death_date", "date")


def _dates(rows: pl.DataFrame, path: Path) -> pl.DataFrame:
    """The same with every date as YYYY-MM-DD. Raises UserError when a date of the table cannot be read."""
    is_date = pl.col("kind").is_in(_DATE_KINDS)
    if not rows.select(is_date.any()).item():
        return rows
    value = pl.col("value").str.strip_chars()
    day = pl.coalesce(
        value.str.extract(r"^(\d{4}-\d{1,2}-\d{1,2})(?:$|[T ])").str.to_date("%Y-%m-%d", strict=False),
        value.str.extract(r"^(\d{1,2}/\d{1,2}/\d{4})(?:$| )").str.to_date("%m/%d/%Y", strict=False),
        value.str.extract(r"^(\d{1,2}-\d{1,2}-\d{4})(?:$| )").str.to_date("%m-%d-%Y", strict=False),
        value.str.extract(r"^(\d{8})$").str.to_date("%Y%m%d", strict=False),
        value.str.extract(r"^(\d{1,2}-[A-Za-z]{3}-\d{4})(?:$| )").str.to_date("%d-%b-%Y", strict=False),
        value.str.extract(r"^(\d{4}/\d{1,2}/\d{1,2})(?:$| )").str.to_date("%Y/%m/%d", strict=False),
    )
    dates = rows.with_row_index("_row").filter(is_date).with_columns(_day=day.dt.to_string("%Y-%m-%d"))
    bad = dates["_day"].null_count()
    if bad:
        raise UserError(
            "dates of the patient table cannot be read", value=f"{path.name}: {bad} values",
            cause="read are YYYY-MM-DD, MM/DD/YYYY, MM-DD-YYYY, YYYYMMDD and DD-MON-YYYY", next="export dates as YYYY-MM-DD",
        )  # fmt: skip
    rest = rows.with_row_index("_row").filter(~is_date)
    read = dates.select("_row", "patient_id", "kind", value="_day")
    return pl.concat([rest, read]).sort("_row").drop("_row")


def read_rows(path: Path) -> pl.DataFrame:
    """The patient table as patient_id, kind (KIND), value (text), in the order of the columns, then of the file.

    Values that mean "nothing" are left out, and values joined by ";" or "|" are parted. Dates come as YYYY-MM-DD. The
    patient_id itself is a value too (other_id). Raises UserError for what cannot be read.
    """
    table = _frame(path)
    if not table.width:
        raise UserError("the patient table is empty", value=path.name)
    lower = {c: c.strip().lower() for c in table.columns}
    if len(set(lower.values())) < table.width:
        raise UserError("the patient table has columns of the same name", value=path.name)
    table = table.rename({c: low for c, low in lower.items() if low in ("kind", "value")})
    id_column = _id_column(table, path)
    dtype = table.schema[id_column]
    if dtype.is_nested() or dtype == pl.Binary or dtype.is_float():
        raise UserError(
            "patient_id of the patient table is neither text nor a whole number", value=f"{path.name}: {dtype}"
        )
    ids = pl.col(id_column).cast(pl.String).str.strip_chars().alias("patient_id")
    nameless = table.select((ids.is_null() | (ids == "")).sum()).item()
    if nameless:
        raise UserError("rows of the patient table have no patient_id", value=f"{path.name}: {nameless} rows")
    if {"kind", "value"} <= set(table.columns):
        parts = [clean(_long(table, ids, path), path)]
        rest = table.drop("kind", "value")
        parts += [clean(part, path) for part in _parts(rest, ids, id_column, path)] if rest.width > 1 else []
    else:
        # Each column by itself, so that nothing holds the whole table twice.
        parts = [clean(part, path) for part in _parts(table, ids, id_column, path)]
    if not parts:
        raise UserError(
            "the patient table holds no values", value=path.name, cause=f"known: {', '.join(KINDS)}",
            next="give it columns besides patient_id",
        )  # fmt: skip
    own = table.select(ids, kind=pl.lit("other_id", dtype=KIND), value=ids)
    return pl.concat([*parts, own], rechunk=False)


def clean(rows: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Rows without those that hold nothing, with dates in one form; see `read_rows`."""
    several = ~pl.col("kind").is_in(["url", *_DATE_KINDS]) & pl.col("value").str.contains(r"[;|]")
    if rows.select(several.any()).item():
        numbered = rows.with_row_index("_row")
        split = numbered.filter(several).with_columns(
            pl.col("value").str.replace_all("|", ";", literal=True).str.split(";")
        )
        rows = (
            pl.concat([numbered.filter(~several), split.explode("value")])
            .sort("_row", maintain_order=True)
            .drop("_row")
        )
    value = pl.col("value").str.strip_chars()
    rows = rows.with_columns(value).filter(pl.col("value") != "")
    # The longest of NOTHING has 19 signs; only such short values are looked up in it.
    plain = pl.col("value").str.to_lowercase().str.replace_all(" ", "_", literal=True)
    parted = rows.filter(~((pl.col("value").str.len_bytes() < 20) & plain.is_in(list(NOTHING))))
    return _dates(parted, path)


def as_rows(values: dict[str, list[tuple[str, str]]]) -> pl.DataFrame:
    """Rows from (kind, value) pairs by patient, for callers that hold the table in memory. Raises UserError as `read_rows`."""
    flat: list[tuple[Any, ...]] = [(p, kind, value) for p, pairs in values.items() for kind, value in pairs]
    schema = {"patient_id": pl.String, "kind": pl.String, "value": pl.String}
    table = pl.DataFrame(flat, schema=schema, orient="row")
    return clean(_long(table, pl.col("patient_id"), Path("rows")), Path("rows"))
