"""`undo.sh`: the same restoring in plain sh, for when Python, the environment and the clone are gone."""

from collections.abc import Iterable

from ipctune.journal.entry import Entry, Phase
from ipctune.journal.lasting import FILES
from ipctune.journal.restore import is_history

__all__ = ["undo_script"]

_HEAD = """\
#!/bin/sh
# Puts back what ipctune set, as recorded before each change. Needs nothing but sh and cat; run it as root.
# A value that someone else changed since is left alone and named. May run any number of times.
failed=0
boot='@BOOT@'
now_boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)

# restore PATH ORIGINAL OURS...   (--any: whatever is there but the original is ours)
restore() {
    path=$1 original=$2
    shift 2
    [ -e "$path" ] || { echo "$path is not there any more"; failed=1; return; }
    now=$(squeeze "$(cat "$path" 2>/dev/null)")
    [ "$now" != "$original" ] || return 0
    ours=no
    for value in "$@"; do
        if [ "$value" = --any ] || [ "$value" = "$now" ]; then ours=yes; fi
    done
    if [ "$ours" = no ]; then
        echo "left alone: $path is $now, which ipctune never set (the original was $original)"
        return
    fi
    if printf '%s' "$original" >"$path" && [ "$(squeeze "$(cat "$path" 2>/dev/null)")" = "$original" ]; then
        echo "restored: $path = $original"
    else
        echo "could not restore: $path (the original was $original)"
        failed=1
    fi
}
squeeze() {
    set -f
    # Word splitting is meant: tabs and runs of blanks become one blank.
    # shellcheck disable=SC2086,SC2116
    set -- $(echo $1)
    echo "$*"
}
"""
_TAIL = """
exit $failed
"""


def undo_script(entries: Iterable[Entry], boot: str, *, committed: bool = False) -> str:
    """The script for these entries; after a commit it removes the commit's files first."""
    volatile: list[str] = []
    lasting: list[str] = []
    for entry in entries:
        if not is_history(entry):
            (lasting if entry.phase is Phase.COMMITTED else volatile).extend(_lines(entry))
    head = _HEAD.replace("@BOOT@", boot) + (_removals() if committed else "")
    return head + _guarded(volatile) + "".join(f"{line}\n" for line in lasting) + _TAIL


def _lines(entry: Entry) -> list[str]:
    parts = reversed(list(entry.parts().items()))
    return [line for name, part in parts for line in part.undo_lines(entry.original[name], entry.ours(name))]


def _guarded(lines: list[str]) -> str:
    """What was not committed is gone after a reboot: then there is nothing to restore."""
    if not lines:
        return ""
    return '\nif [ "$boot" = "$now_boot" ]; then\n' + "".join(f"    {line}\n" for line in lines) + "fi\n"


def _removals() -> str:
    lines = []
    for path in FILES:
        if path.endswith(".service"):
            unit = path.rsplit("/", 1)[-1]
            lines.append(f"[ ! -e {path} ] || systemctl --quiet disable --now {unit}")
        lines.append(f"rm -f -- {path}")
    return "\n" + "".join(f"{line}\n" for line in lines)
