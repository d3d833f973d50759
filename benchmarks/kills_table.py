"""What became of each kill, and the table of all of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Killed", "table"]


@dataclass(frozen=True, slots=True)
class Killed:
    """One run: whom, at which call; empty `wrong` if everything came back; `took`: seconds until it had.

    `disturbed`: how often it had to be repeated, because someone else on this machine set one of the values.
    """

    mode: str
    call: str
    number: int
    died: bool
    wrong: str
    took: float
    disturbed: int = 0


def table(found: Sequence[Killed]) -> list[str]:
    """The results as Markdown."""
    rows: dict[tuple[str, str], list[Killed]] = defaultdict(list)
    for killed in found:
        rows[killed.mode, killed.call].append(killed)
    lines = [
        "| killed | at each | runs | kills | fails | longest until all was back |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for (mode, call), runs in rows.items():
        took = max((r.took for r in runs if r.died), default=0.0)
        fails = sum(bool(r.wrong) for r in runs)
        lines.append(f"| {mode} | `{call}` | {len(runs)} | {sum(r.died for r in runs)} | {fails} | {took:.2f} s |")
    kills, fails = sum(r.died for r in found), sum(bool(r.wrong) for r in found)
    again = sum(r.disturbed for r in found)
    return [*lines, "", f"{kills} kills, {fails} fails; {again} runs repeated: others set a value."]
