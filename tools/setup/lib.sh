# Shared by ./run, ./test, .ci/run and tools/setup/setup.sh; POSIX sh, sourced with $root set to the clone.
# shellcheck shell=sh disable=SC2034,SC2154

# Exit code, as in src/ipctune/errors.py.
NOT_POSSIBLE=3

say() { printf '%s\n' "$*" >&2; }

# die WHAT [HINT]: what happened, and what to do about it; not possible here.
die() {
    say "ipctune: $1"
    [ -z "${2:-}" ] || say "  $2"
    exit "$NOT_POSSIBLE"
}

# Changes whenever something that goes into the package does: an edit, a deleted file, a moved clone.
fingerprint() {
    ( cd "$root" && printf '%s\n' "$root" &&
        find pyproject.toml meson.build native src -name __pycache__ -prune -o \
            -type f -printf '%p %s %T@ %m\n' 2>/dev/null | LC_ALL=C sort ) | cksum
}

# Where an environment may live, best first: in the clone; else (not writable, noexec) in this user's own cache.
places() {
    printf '%s\n' "$root/.venv"
    cache=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
    case $cache in
        /*) ;;
        *) [ "$(id -u)" = 0 ] || return 0
           cache=/var/cache ;;
    esac
    name=$(printf '%s' "$root" | cksum)
    printf '%s\n' "$cache/ipctune/env-${name%% *}"
}

# trusted DIR: the clone's own, or owned by us and written by nobody else.
trusted() { [ "$1" = "$root/.venv" ] || [ -n "$(find "$1" -prune -user "$(id -u)" ! -perm /022 2>/dev/null)" ]; }

# usable DIR: an environment was finished there and can be started; -x also sees a mount that forbids it.
usable() { [ -f "$1/ipctune-stamp" ] && [ -x "$1/bin/python" ] && [ -x "$1/bin/ipctune-core" ] && trusted "$1"; }

# current DIR: usable, and made from these very sources. Needs $now, the fingerprint.
current() { usable "$1" && IFS= read -r stamp <"$1/ipctune-stamp" && [ "$stamp" = "$now" ]; }

# find_place TEST: print the first place that passes TEST.
find_place() {
    places | while IFS= read -r place; do
        "$1" "$place" || continue
        printf '%s\n' "$place"
        break
    done
}

# find_python CODE: print the first interpreter we support that runs CODE. The system's come first, for a shim in PATH
# may have nothing behind it and costs 0.1 s; IPCTUNE_PYTHON_DIRS names other folders.
find_python() {
    for dir in ${IPCTUNE_PYTHON_DIRS-/usr/bin /usr/local/bin} ''; do
        for version in 3.13 3.12 3.11; do
            python=${dir:+$dir/}python$version
            ( cd / && "$python" -I -c "$1" ) >/dev/null 2>&1 || continue
            printf '%s\n' "$python"
            return 0
        done
    done
    return 1
}
