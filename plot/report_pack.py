"""
Makes the data of a report's charts small: curves with fewer points and a known error, whole numbers, gzip in base64.
It leaves out what the data mean (report_data.py) and how they are drawn (templates/*.js, which unpack by DecompressionStream).
Points are taken by greedy insertion, the one furthest from the line first (Garland and Heckbert 1995, for height fields).
"""
import base64
import gzip
import heapq
import json
import math

import numpy


def pack(value):
    """JSON, gzip, base64, the same text for the same value: letters, digits, '+', '/' and '=', so that no markup is in it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("utf-8"), 9, mtime=0)).decode("ascii")


def thin(x, y, keep, most, tolerance):
    """
    Indices of at most `most` points, and how far the line through them is from any point at most, in units of y. Kept are the
    ends, the highest and the lowest, and `keep`, be they more than `most`; then the one that is furthest off, until none is
    off by more than `tolerance`. x ascends. O(n log n) as a rule.
    """
    kept = sorted({0, len(x) - 1, int(numpy.argmax(y)), int(numpy.argmin(y)), *keep})
    heap = []
    for begin, end in zip(kept, kept[1:]):
        _push(heap, x, y, begin, end)
    while heap and -heap[0][0] > tolerance and len(kept) < most:
        _, at, begin, end = heapq.heappop(heap)
        kept.append(at)
        _push(heap, x, y, begin, at)
        _push(heap, x, y, at, end)
    return sorted(kept), -heap[0][0] if heap else 0.0


def _push(heap, x, y, begin, end):
    """The point between two that is furthest from the line through them."""
    if end - begin < 2:
        return
    inside = slice(begin + 1, end)
    width = x[end] - x[begin]
    share = (x[inside] - x[begin]) / width if width > 0 else numpy.zeros(end - begin - 1)
    off = numpy.abs(y[inside] - (y[begin] + share * (y[end] - y[begin])))
    at = int(off.argmax())
    heapq.heappush(heap, (-float(off[at]), begin + 1 + at, begin, end))


def unit(largest, steps):
    """1, 2 or 5 times a power of ten, so that `largest` has at least `steps` of them."""
    if not largest > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest / steps))
    return max((factor * power for factor in (1, 2, 5) if factor * power <= largest / steps), default=power)


def steps(values, of):
    """Each value in whole units `of`, as its difference from the one before."""
    whole = numpy.rint(numpy.asarray(values, float) / of).astype(numpy.int64)
    return numpy.diff(whole, prepend=0).tolist()


def short(value, digits=4):
    """A number with so many significant digits, None where there is none."""
    if value is None or not math.isfinite(value):
        return None
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded == int(rounded) and abs(rounded) < 1e15 else rounded
