"""Times and sizes for display. The forms of Argo and Kubernetes are in argo/durations.py and kubernetes_api/tables.py."""

from __future__ import annotations


def stopwatch(seconds: float) -> str:
    """`1.2 s`, `00:41`, `1:02:03`; `2 s` for whole seconds, `< 1 s` for 0."""
    if seconds == 0:
        return "< 1 s"
    if seconds < 10:
        return f"{seconds:.0f} s" if seconds == int(seconds) else f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def span_in_words(seconds: float | None) -> str:
    """`12 s`, `3 min 05 s`, `2 h 05 min`; "" for None."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 and seconds != int(seconds) else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def rough_span(seconds: float) -> str:
    """`47 min`, `3 h`, `2 days`, whatever its sign."""
    minutes = abs(seconds) / 60
    if minutes < 1:
        return f"{abs(seconds):.0f} s"
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days"


def age(seconds: float) -> str:
    """`41s`, `5m`, `3h`, `12d`, as kubectl writes ages in its tables."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def processor_time(seconds: float) -> str:
    """`3.2 CPU-hours`, `12 CPU-minutes`, `0.5 CPU-seconds`."""
    for size, unit in ((3600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.2g} CPU-{unit}" if seconds < 100 * size else f"{seconds / size:.0f} CPU-{unit}"
    return f"{seconds:.2g} CPU-seconds"


def size_in_words(count: float) -> str:
    """`512 B`, `12.5 MiB`, `215 MiB`."""
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    power = min(len(units) - 1, max(0, int(count).bit_length() - 1) // 10)
    value = count / 1024**power
    return f"{value:.1f} {units[power]}" if power and value < 100 else f"{value:.0f} {units[power]}"
