"""Figures as people read them: µs, per cent, vCPUs, with their intervals."""

from ipctune.tune.model import Effect, LoadResult, Settings

__all__ = ["duration", "effect", "load_name", "micro", "named", "percent", "plain", "share", "short_load", "value"]


def micro(ns: float | None) -> str:
    """Nanoseconds as µs with three significant figures; `unknown` for None."""
    if ns is None:
        return "unknown"
    us = ns / 1000
    return f"{us:.0f} µs" if us >= 100 else f"{us:.1f} µs" if us >= 1 else f"{us:.2f} µs"


def percent(fraction: float) -> str:
    """A signed change: -89 %, +3.2 %."""
    scaled = fraction * 100
    return f"{scaled:+.0f} %" if abs(scaled) >= 10 else f"{scaled:+.1f} %"


def effect(found: Effect) -> str:
    """The effect with its interval."""
    if found.low is None or found.high is None:
        return f"{percent(found.effect)} ({found.pairs} pairs: too few)"
    return f"{percent(found.effect)} ({_number(found.low)} … {_number(found.high)})"


def share(fraction: float) -> str:
    """A part of a whole: 84 %."""
    return f"{fraction * 100:.0f} %"


def _number(fraction: float) -> str:
    return percent(fraction).removesuffix(" %")


def plain(value: float) -> str:
    """A number in whatever unit, with four significant figures: 12,345, 52.13, 0.0004."""
    return f"{value:,.0f}" if 1000 <= value < 1e12 else f"{value:.4g}"


def load_name(load: LoadResult) -> str:
    """`at 1,000/s`, `as fast as it goes, not pinned`, or what a workload calls it."""
    if load.name:
        return load.name
    where = ", not pinned" if load.placement == "free" else ""
    return (f"at {load.rate:,.6g}/s" if load.rate else "as fast as it goes") + where


def short_load(load: LoadResult) -> str:
    """The same for a column: `at 1,000/s`, `flat out, unpinned`; at most 21 characters."""
    if load.name:
        name = load.name.removeprefix("in ")
        return name if len(name) <= 21 else name[:20] + "…"
    where = ", unpinned" if load.placement == "free" else ""
    return (f"at {load.rate:,.6g}/s" if load.rate else ("flat out" if where else "as fast as it goes")) + where


def value(settings: dict[str, str]) -> str:
    """A knob's value in short: the text alone where there is one; of a part's name what comes after pid and inode."""
    if not settings:
        return "none"
    if len(set(settings.values())) == 1:
        return next(iter(settings.values()))
    return " ".join(f"{name.rpartition(':')[2]}={text}" for name, text in settings.items())


def duration(seconds: float) -> str:
    """Seconds as `2 min 40 s`, `10 min`, `24 h`."""
    whole = round(seconds)
    if whole >= 7200:
        return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 >= 60 else "")
    if whole >= 60:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole} s"


def named(settings: Settings) -> str:
    """What the user named to be measured, in the middle of a sentence; empty for the built-in pair."""
    if settings.command is not None:
        return "your command"
    if settings.attach:
        return f"the service {settings.attach}"
    own_file = "/" in settings.workload
    return "your workload" if own_file else settings.workload
