"""Intervals for shares, exact and by patient, and how much evidence a claim needs.

Exact intervals are Clopper and Pearson's (1934), from the incomplete beta function, which is computed here: scipy is
not among the base dependencies. They take spans or notes as independent, which those of one patient are not. Two
answers to that: a bootstrap that draws whole patients (`bootstrap_shares`), and an exact bound on the effective number
of notes, which is smaller where leaks gather in few patients (`clustered_upper_bound`; Korn and Graubard 1998).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["shown", "not reached", "insufficient evidence"]

FEWEST_CLUSTERS = 20
"""A bootstrap of fewer patients than this claims more than it knows; none is given."""


def clopper_pearson(hits: int, total: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a proportion (Clopper and Pearson 1934); (0, 1) for no trials."""
    tail = (1 - confidence) / 2
    lower = 0.0 if hits == 0 else _solve(lambda p: _at_least(hits, total, p) < tail)
    upper = 1.0 if hits == total else _solve(lambda p: 1 - _at_least(hits + 1, total, p) > tail)
    return lower, upper


def upper_bound(hits: float, total: float, *, confidence: float = 0.95) -> float:
    """Exact one-sided upper bound of a proportion; the rule of three when `hits` is 0, and 1 for no trials.

    Takes effective counts too, which need not be whole.
    """
    return 1.0 if hits >= total else _solve(lambda p: 1 - _at_least(hits + 1, total, p) > 1 - confidence)


def lower_bound(hits: float, total: float, *, confidence: float = 0.95) -> float:
    """Exact one-sided lower bound of a proportion; 0 for no trials."""
    return 1 - upper_bound(total - hits, total, confidence=confidence) if total else 0.0


def examples_needed(claim: float, *, misses: int = 0, confidence: float = 0.95) -> int:
    """How many examples, `misses` of them missed, show a recall of at least `claim`.

    Without a miss the least n with claim^n <= 1 - confidence: 299 for 0.99, 598 for 0.995, 2,995 for 0.999.
    """
    if not 0 < claim < 1:
        raise ValueError(f"a claim lies between 0 and 1: {claim}")
    if misses == 0:
        return math.ceil(math.log(1 - confidence) / math.log(claim) - 1e-12)
    low, high = misses, max(2 * misses, examples_needed(claim, confidence=confidence))
    while not _enough(misses, high, claim, confidence):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _enough(misses, middle, claim, confidence) else (middle, high)
    return high


def _enough(misses: int, total: int, claim: float, confidence: float) -> bool:
    """Whether so few misses would come by chance in at most 1 - confidence of all samples if recall were `claim`."""
    return 1 - _at_least(misses + 1, total, 1 - claim) <= 1 - confidence + 1e-12


def judge(hits: int, total: int, claim: float, *, confidence: float = 0.95) -> dict[str, Any]:
    """Do these examples show a share of at least `claim`?

    `shown`: the one-sided lower bound reaches it. `not reached`: the one-sided upper bound lies below it. Else there
    is insufficient evidence, either way. `needed` is how many examples the claim takes with these many misses, `missing`
    how many more that is.
    """
    needed = examples_needed(claim, misses=total - hits, confidence=confidence)
    verdict: Verdict = "insufficient evidence"
    if total >= needed:
        verdict = "shown"
    elif total and upper_bound(hits, total, confidence=confidence) < claim:
        verdict = "not reached"
    return {"claim": claim, "verdict": verdict, "needed": needed, "missing": max(0, needed - total)}


def design_effect(hits: NDArray[np.int64], totals: NDArray[np.int64]) -> float:
    """How much wider than a simple random sample clusters make a share: its variance by clusters over p(1-p)/n.

    `hits` and `totals` have one entry a cluster. At least 1; 1 where there is nothing to compare (no hit, or all hit).
    """
    n, total, hit = int((totals > 0).sum()), int(totals.sum()), int(hits.sum())
    if n < 2 or not 0 < hit < total:
        return 1.0
    share = hit / total
    deviations = hits - share * totals
    by_clusters = n / (n - 1) * float((deviations**2).sum()) / total**2
    return max(1.0, by_clusters / (share * (1 - share) / total))


def clustered_upper_bound(hits: int, total: int, effect: float, *, confidence: float = 0.95) -> float:
    """Upper bound as if there were `total / effect` independent trials with the same share of hits."""
    return max(
        upper_bound(hits / effect, total / effect, confidence=confidence),
        upper_bound(hits, total, confidence=confidence),
    )


def bootstrap_shares(
    numerators: NDArray[np.int64], denominators: NDArray[np.int64], *, resamples: int = 1000, seed: int = 0,
    confidence: float = 0.95,
) -> list[tuple[float, float] | None]:  # fmt: skip
    """Percentile intervals of shares when whole clusters (patients) are drawn again, with replacement.

    `numerators` and `denominators` are (clusters, shares). None for a share that cannot vary (all or nothing, which
    the exact interval says better), and for all of them under FEWEST_CLUSTERS clusters. The same seed gives the same
    intervals. 1,000 resamples of 4,000 clusters take 0.1 s.
    """
    clusters, shares = numerators.shape
    if clusters < FEWEST_CLUSTERS or not resamples:
        return [None] * shares
    both = np.hstack([numerators, denominators]).astype(np.float64)
    random = np.random.default_rng(seed)
    step = max(1, 4_000_000 // clusters)
    drawn = np.empty((resamples, 2 * shares))
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        picks = random.integers(0, clusters, size=(rows, clusters)) + np.arange(rows)[:, None] * clusters
        weights = np.bincount(picks.ravel(), minlength=rows * clusters).reshape(rows, clusters)
        drawn[start : start + rows] = weights @ both
    tail = (1 - confidence) / 2
    out: list[tuple[float, float] | None] = []
    for i in range(shares):
        hit, total = int(numerators[:, i].sum()), int(denominators[:, i].sum())
        top, bottom = drawn[:, i], drawn[:, shares + i]
        varies = 0 < hit < total
        values = np.divide(top[bottom > 0], bottom[bottom > 0])
        low, high = np.quantile(values, (tail, 1 - tail)) if varies else (0.0, 0.0)
        out.append((float(low), float(high)) if varies else None)
    return out


def _solve(below: Callable[[float], bool]) -> float:
    """The point in 0..1 where `below` turns from true to false."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def _at_least(k: float, n: float, p: float) -> float:
    """P(X >= k) of a binomial: the incomplete beta function I_p(k, n - k + 1)."""
    if k <= 0 or p >= 1.0:
        return 1.0
    if p <= 0.0 or k > n:
        return 0.0
    a, b = k, n - k + 1
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(p) + b * math.log1p(-p))
    # The continued fraction converges fast on its own side of the mean only.
    if p < (a + 1) / (a + b + 2):
        return min(1.0, front * _fraction(a, b, p) / a)
    return max(0.0, 1 - front * _fraction(b, a, 1 - p) / b)


def _fraction(a: float, b: float, x: float) -> float:
    """Continued fraction of the incomplete beta function by Lentz's method; terms grow with the root of max(a, b)."""
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    total = d
    for m in range(1, 20_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + term * d or tiny)
            c = 1 + term / c or tiny
            total *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return total
