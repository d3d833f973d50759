"""`undo.sh`: the same restoring in plain sh, for when Python, the environment and the clone are gone."""

import shlex
from collections.abc import Iterable
from pathlib import Path

from ipctune.journal.entry import Entry, Phase
from ipctune.journal.lasting import FILES
from ipctune.journal.restore import is_gone, is_history

__all__ = ["undo_script"]

_HEAD = """\
#!/bin/sh
# Puts back what ipctune set, as recorded before each change. Needs nothing but sh and cat, and for
# limits of other namespaces readlink and nsenter; run it as root.
# A value that someone else changed since is left alone and named. May run any number of times.
failed=0 enter=
boot='@BOOT@'
state=@STATE@
now_boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)

# restore PATH ORIGINAL OURS...   (--any: whatever is there but the original is ours)
restore() {
    path=$1 original=$2
    shift 2
    if [ ! -e "$path" ]; then
        echo "$path is not there any more"
        [ "$boot" != "$now_boot" ] || failed=1
        return
    fi
    now=$(squeeze "$($enter cat "$path" 2>/dev/null)")
    [ "$now" != "$original" ] || return 0
    ours=no
    for value in "$@"; do
        if [ "$value" = --any ] || [ "$value" = "$now" ]; then ours=yes; fi
    done
    if [ "$ours" = no ]; then
        echo "left alone: $path is $now, which ipctune never set (the original was $original)"
        return
    fi
    if put "$original" "$path" && [ "$(squeeze "$($enter cat "$path" 2>/dev/null)")" = "$original" ]; then
        echo "restored: $path = $original"
    else
        echo "could not restore: $path (the original was $original)"
        failed=1
    fi
}
# put TEXT PATH: in the namespace that $enter leads to, where it is set.
put() {
    # shellcheck disable=SC2016
    if [ -n "$enter" ]; then $enter sh -c 'printf "%s" "$1" >"$2"' sh "$1" "$2"; else printf '%s' "$1" >"$2"; fi
}
squeeze() {
    set -f
    # Word splitting is meant: tabs and runs of blanks become one blank.
    # shellcheck disable=SC2086,SC2116
    set -- $(echo $1)
    echo "$*"
}

# Number KEY of a file of the state folder, which is one line of JSON; 0 where there is none.
number() {
    text=$(cat "$state/$2" 2>/dev/null)
    case $text in
        *"\\"$1\\": "*) text=${text#*"\\"$1\\": "} text=${text%%,*} ;;
        *) text=0 ;;
    esac
    case $text in ''|*[!0-9]*) echo 0 ;; *) echo "$text" ;; esac
}
# runs PID START: whether that very process runs, which started START ticks after boot.
runs() {
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086
    set -- "$2" ${stat##*) }
    [ "$2" != Z ] && [ "${21}" = "$1" ]
}
# restore_in KIND INODE TICKS PATH ORIGINAL OURS...: in another namespace (ipc or net), through a process that was in
# it by then: the number of one that has ended is given to the next. Where there is none, it is gone with its limits.
restore_in() {
    kind=$1 inode=$2 ticks=$3
    shift 3
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/ns/$kind" 2>/dev/null)" = "$kind:[$inode]" ] || continue
        begun=$(begun "$process")
        [ "${begun:-0}" != 0 ] && [ "$begun" -le "$ticks" ] || continue
        if ! command -v nsenter >/dev/null; then
            echo "could not restore: $1 in $kind:[$inode] (the original was $2): nsenter, of util-linux, is not here"
            failed=1
            return
        fi
        enter="nsenter --$kind=$process/ns/$kind"
        restore "$@"
        enter=
        return
    done
    echo "nothing to restore: $1 in $kind:[$inode] is gone with its processes"
}
# begun FOLDER: when the process started, in ticks after boot.
begun() {
    stat=$(cat "$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    [ "$1" = Z ] || echo "${20}"
}
# ends_with KNOB PID START WHAT: no shell can set it. It is left while the entry is there and the process runs.
ends_with() {
    [ -e "$state/journal/$1.json" ] && runs "$2" "$3" || return 0
    echo "left: $4; it ends with process $2, and 'ipctune revert' can put it back"
    failed=1
}
moment() { sleep 0.1 2>/dev/null || :; }

# The watchdog holds what ends with it (a latency request, pollers): it has to end. It puts values back by itself.
end_watchdog() {
    start=$(number tuner_start active.json) pid=$(number tuner active.json)
    if [ "$pid" != 0 ] && runs "$pid" "$start"; then
        echo "a run is at work (pid $pid): kill $pid, then start this again"
        failed=1
        return
    fi
    start=$(number start watchdog.json) pid=$(number pid watchdog.json)
    [ "$pid" != 0 ] && runs "$pid" "$start" || return 0
    { command=$(cat "/proc/$pid/cmdline"); } 2>/dev/null
    case $command in *ipctune.journal.watchdog*) ;; *) return 0 ;; esac
    kill "$pid" || { failed=1; return; }
    tries=0
    while runs "$pid" "$start"; do
        tries=$((tries + 1))
        [ "$tries" -le 100 ] || kill -9 "$pid" 2>/dev/null
        if [ "$tries" -gt 150 ]; then
            echo "could not end: the watchdog (pid $pid)"
            failed=1
            return
        fi
        moment
    done
    echo "ended: the watchdog (pid $pid), and with it what it held"
}
# remove_group PATH: only pollers of ours are ever put into that cgroup.
remove_group() {
    [ -d "$1" ] || return 0
    tries=0
    until rmdir "$1" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -gt 50 ]; then
            echo "could not remove: $1"
            failed=1
            return
        fi
        for pid in $(cat "$1/cgroup.procs" 2>/dev/null); do kill -9 "$pid" 2>/dev/null; done
        moment
    done
    echo "removed: $1"
}
end_watchdog
"""
_TAIL = """
exit $failed
"""


def undo_script(entries: Iterable[Entry], boot: str, state: Path, *, committed: bool = False) -> str:
    """The script for these entries; it ends the watchdog of that state folder, and after a commit removes its files."""
    volatile: list[str] = []
    lasting: list[str] = []
    for entry in entries:
        if not is_history(entry):
            (lasting if entry.phase is Phase.COMMITTED else volatile).extend(_lines(entry))
    head = _HEAD.replace("@BOOT@", boot).replace("@STATE@", shlex.quote(str(state)))
    return head + (_removals() if committed else "") + _guarded(volatile) + "".join(f"{x}\n" for x in lasting) + _TAIL


def _lines(entry: Entry) -> list[str]:
    parts = [(name, part) for name, part in reversed(list(entry.parts().items())) if not is_gone(entry, part)]
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
            there = f"[ ! -e {path} ] || [ ! -d /run/systemd/system ]"
            lines.append(f"{there} || systemctl --quiet disable --now {unit} || failed=1")
        lines.append(f"rm -f -- {path} || failed=1")
    return "\n" + "".join(f"{line}\n" for line in lines)
