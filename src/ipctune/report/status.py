"""The screen of `ipctune status`. Standard library alone: it works where nothing can be installed."""

from time import localtime, strftime

from ipctune.journal.status import SettingStatus, Status
from ipctune.report.fit import fit
from ipctune.report.style import PLAIN, Style

__all__ = ["render"]


def render(status: Status, style: Style = PLAIN, *, verdict: str = "", effects: dict[str, str] | None = None) -> str:
    """What is set, was, since when; its price; how to undo it. `verdict` says whether the last run still counts."""
    lines = [_headline(status, style), *_under_way(status), *_unseen(status, style), *_problems(status, style)]
    if status.settings:
        lines += ["", style.dim(f"{'setting':<38}{'was':<10}{'set to':<10}{'now':<10}since")]
        lines += [_line(s, style, (effects or {}).get(s.knob, "")) for s in status.settings]
        lines += ["", *_facts(status, verdict)]
    return "\n".join(lines)


def _headline(status: Status, style: Style) -> str:
    clock = strftime("%H:%M:%S", localtime(status.until)) if status.until else ""
    return {
        "nothing": "nothing of yours is set" if status.hidden else "nothing is set",
        "trying": f"a run is under way (pid {status.tuner}): what it tries comes back by itself",
        "active": style.bold("ACTIVE, NOT COMMITTED")
        + f"\ngoes back by itself in {_minutes(status.seconds_left)} (at {clock}):"
        + " keep --for 24h | commit | revert",
        "committed": style.bold("COMMITTED")
        + ("" if status.not_lasting else ": lasts over reboots until `ipctune revert`"),
        "left behind": style.yellow(f"LEFT BEHIND ({status.why_left})" if status.why_left else "LEFT BEHIND")
        + ": `ipctune revert` puts it back",
    }[status.state]


def _under_way(status: Status) -> list[str]:
    """Who measures: a run that has not set anything yet leaves no other trace."""
    pid = status.tuner or status.measuring
    ends = f"Ctrl-C there, or kill {pid}, ends it with everything back"
    if status.state == "trying":
        return [ends]
    return [] if pid is None else [f"a run is under way, and measures (pid {pid}):", ends]


def _unseen(status: Status, style: Style) -> list[str]:
    what = f"what root may have set can't be seen by this user ({status.hidden}):"
    return [style.yellow(what), "sudo ipctune status"] if status.hidden else []


def _problems(status: Status, style: Style) -> list[str]:
    lines = [style.red(f"problem: {problem}") for problem in status.problems]
    lines += [style.yellow(f"not over a reboot: {what}") for what in status.not_lasting]
    if status.left_behind and status.state != "left behind":
        lines.append(style.yellow(f"{status.left_behind} settings were left behind: ipctune revert"))
    return lines


def _line(s: SettingStatus, style: Style, effect: str) -> str:
    since = strftime("%H:%M", localtime(s.since)) if s.since else ""
    name = f"{s.title} {s.part}" if s.part not in s.title else s.title
    now = s.now if s.now is not None else "?"
    text = f"{fit(name, 37):<38}{fit(s.was, 9):<10}{fit(s.wanted, 9):<10}{fit(now, 9):<10}{since}"
    note = "" if s.state == "in force" else style.yellow(f"  {s.state}")
    return text + note + (f"\n  {effect}" if effect else "")


def _facts(status: Status, verdict: str) -> list[str]:
    ours = sum(s.state == "in force" for s in status.settings)
    changed = [_changed(s) for s in status.settings if s.state == "changed by someone else"]
    price = (
        "unknown (sampled once a minute)"
        if status.polling_vcpus is None
        else f"{status.polling_vcpus:.2f} vCPU polling"
    )
    facts = {
        "read back just now": f"{ours} of {len(status.settings)} as we set it",
        "changed by others": ", ".join(changed) or "none",
        "price, last minute": f"{price}; top does not show it",
        "undo": f"ipctune revert      without ipctune: sh {status.undo}",
        "watchdog": _watchdog(status),
        "verdict": verdict,
    }
    return [f"{name:<21}{text}" for name, text in facts.items() if text]


def _changed(s: SettingStatus) -> str:
    """The part, and whose line says what it reads now, where there is one."""
    return f"{s.knob} {s.part}" + (f" (as in {s.by})" if s.by else "")


def _watchdog(status: Status) -> str:
    if status.watchdog_pid is None:
        return "not running" if status.state != "committed" else "not needed"
    size = f", {status.watchdog_bytes / 1e6:.0f} MB" if status.watchdog_bytes else ""
    return f"pid {status.watchdog_pid}{size}, survives logout"


def _minutes(seconds: float | None) -> str:
    if seconds is None:
        return "an unknown time"
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s"
