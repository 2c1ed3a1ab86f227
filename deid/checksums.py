"""Check digits of the numbers that have one. Each takes the bare number and says whether its check digit fits."""

from __future__ import annotations


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def npi(digits: str) -> bool:
    """National Provider Identifier: 10 digits, first 1 or 2, Luhn over "80840" + number (45 CFR 162.406)."""
    return len(digits) == 10 and digits[0] in "12" and luhn("80840" + digits)


def dea(number: str) -> bool:
    """DEA registration: two letters and seven digits; d1+d3+d5 + 2(d2+d4+d6) ends in d7 (21 CFR 1301)."""
    d = [int(c) for c in number[-7:]]
    return (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]


_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", [*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)], strict=True))
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def vin(number: str) -> bool:
    """Vehicle identification number: 17 characters, check digit in the ninth (49 CFR 565.15)."""
    if len(number) != 17:
        return False
    try:
        values = [int(c) if c.isdigit() else _VIN_VALUES[c] for c in number.upper()]
    except KeyError:
        return False
    remainder = sum(v * w for v, w in zip(values, _VIN_WEIGHTS, strict=True)) % 11
    return number[8].upper() == ("X" if remainder == 10 else str(remainder))


def gtin14(digits: str) -> bool:
    """GS1 check digit of the device identifier in a UDI (21 CFR 830)."""
    total = sum(int(c) * (3 if place % 2 == 0 else 1) for place, c in enumerate(digits[:-1]))
    return len(digits) == 14 and (10 - total % 10) % 10 == int(digits[-1])
