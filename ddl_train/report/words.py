"""Numbers as people read them."""

import math

STEPS = ("", "k", "M", "G", "T", "P", "E")
COUNT_STEPS = ("", "k", "M", "B", "T")


def amount(value: float) -> str:
    """`7`, `3.2`, `1,234`, `5.6M`: three or four digits that matter."""
    if not math.isfinite(value):
        return "-"
    if abs(value) < 10 and value != int(value):
        return f"{value:.1f}"
    if abs(value) < 100_000:
        return f"{value:,.0f}"
    return _scaled(value, steps=COUNT_STEPS)


def operations(flops: float) -> str:
    """`3.2 TFLOP`."""
    return f"{_scaled(flops, ' ')}FLOP"


def size(num_bytes: float) -> str:
    """`1.6 GB`."""
    return f"{_scaled(num_bytes, ' ')}B"


def share(value: float | None) -> str:
    """`12 %`, `0.4 %`; a dash for what is not known."""
    if value is None or not math.isfinite(value):
        return "-"
    percent = 100 * value
    return f"{percent:.1f} %" if 0 < percent < 10 else f"{percent:.0f} %"


def duration(seconds: float) -> str:
    """`0.4 s`, `7 s`, `3 min 20 s`, `2 h 05 min`, `3.5 days`."""
    if seconds < 1:
        return f"{seconds:.1f} s" if seconds >= 0.05 else f"{1000 * seconds:.1f} ms"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole / 86400:.1f} days"


def count(n: int, one: str, many: str | None = None) -> str:
    """`1 idea`, `3 ideas`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def printable(text: str) -> str:
    """Text of a model or a document, without what would steer a terminal."""
    return "".join(letter for letter in text if letter in "\n\t" or letter.isprintable())


def _scaled(value: float, gap: str = "", steps: tuple[str, ...] = STEPS) -> str:
    step = 0
    while abs(value) >= 999.5 and step < len(steps) - 1:
        value, step = value / 1000, step + 1
    digits = 0 if abs(value) >= 100 or (step == 0 and value == int(value)) else 1
    return f"{value:.{digits}f}{gap}{steps[step]}"
