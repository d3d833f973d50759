#!/bin/sh
# Makes or renews the environment and prints its folder: what the system lacks, a venv, the package in it.
#   setup.sh run|test|ci [--no-packages]     (--no-packages: build if that needs nothing of the system, else exit 3)
# Exit 0: done. 3: not possible here, or refused at the question. 130: Ctrl-C.
set -eu
trap 'exit 130' INT

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
. "$root/tools/setup/lib.sh"
. "$root/tools/setup/system.sh"
. "$root/tools/setup/aside.sh"
purpose=${1:?run, test, vm or ci}
packages_allowed=yes
[ "${2:-}" != --no-packages ] || packages_allowed=no

# --- where -----------------------------------------------------------------------------------------------------------

# buildable DIR: it can be made, is trusted, and its mount lets programs run.
buildable() {
    mkdir -p -- "$1" 2>/dev/null || return 1
    trusted "$1" || return 1
    try=$1/try.$$
    { printf '#!/bin/sh\n' >"$try" && chmod 700 "$try" && "$try"; } 2>/dev/null
    works=$?
    rm -f -- "$try"
    return "$works"
}

# One set-up at a time for an environment; the lock ends with the process. Commands that may start daemons get no fd 9.
# Who may install nothing wants an answer at once: it does not wait.
lock() {
    exec 9>"$environment/.lock"
    command -v flock >/dev/null 2>&1 || return 0
    flock -n 9 && return 0
    [ "$packages_allowed" = yes ] || exit "$NOT_POSSIBLE"
    say "ipctune: another start is setting up $environment; waiting for it"
    flock 9
}

# --- what the system lacks -------------------------------------------------------------------------------------------

ready() { [ "$purpose" = run ] || [ -f "$environment/ipctune-dev" ]; }

on_terminal() { [ -t 0 ] && [ -t 2 ]; }

# Ask once, on a terminal; elsewhere saying it is enough.
consent() {
    on_terminal || return 0
    printf 'Go on? [Y/n] ' >&2
    IFS= read -r answer || answer=n
    case $answer in
        ''|[yY]*) ;;
        *) die "set-up was refused" "nothing was installed" ;;
    esac
}

# Say what will be installed, with sizes, and ask.
agree() {
    lacking=$(missing)
    if [ -n "$lacking" ]; then
        [ "$packages_allowed" = yes ] || exit "$NOT_POSSIBLE"
        plan_packages "$lacking"
    fi
    if ! usable "$environment" || ! ready; then
        size=40
        [ "$purpose" = run ] || size=150
        say "From PyPI, into $environment alone: what pyproject.toml names (about $size MB)."
    elif [ -z "$lacking" ]; then
        return 0
    fi
    consent
}

# --- the environment -------------------------------------------------------------------------------------------------

# quietly COMMAND…: what it says goes to a file.
quietly() { "$@" </dev/null >"$environment/setup.log" 2>&1; }

# attempt WHAT HINT COMMAND…: run quietly; where it fails, show the end of what it said.
attempt() {
    what=$1 hint=$2
    shift 2
    quietly "$@" && return 0
    tail -n 15 "$environment/setup.log" >&2
    die "$what failed" "$hint (all of it: $environment/setup.log)"
}

venv_python() { "$environment/bin/python" -I "$@"; }
pip() { venv_python -m pip --disable-pip-version-check --no-input "$@"; }

# From here on what the environment holds is not to be trusted until it is finished.
begin_change() { : >"$environment/unfinished" && rm -f -- "$environment/ipctune-stamp"; }
end_change() { rm -f -- "$environment/unfinished"; }

empty_environment() { find "$environment" -mindepth 1 -maxdepth 1 ! -name .lock ! -name tools -exec rm -rf -- {} +; }

# A venv that was left half made is not trusted: made anew. `unfinished` stands while its contents change.
make_venv() {
    works='import sys, pip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'
    if [ ! -e "$environment/unfinished" ] && venv_python -c "$works" 2>/dev/null; then
        return 0
    fi
    empty_environment
    begin_change
    python=$(find_python 'import venv, ensurepip') || die "python with venv is still missing" "$(by_hand)"
    say "Making $environment with $python …"
    attempt "making the environment" "see the lines above" "$python" -I -m venv "$environment"
    end_change
}

# The requirements of pyproject.toml, for building and running, and for the tests once those were asked for.
requirements() {
    venv_python - "$root/pyproject.toml" "$1" <<'PY'
import sys, tomllib
with open(sys.argv[1], "rb") as file:
    data = tomllib.load(file)
wanted = data["build-system"]["requires"] + data["project"].get("dependencies", [])
if sys.argv[2] == "dev":
    wanted += data["project"]["optional-dependencies"]["dev"]
print("\n".join(wanted))
PY
}

# Download what pyproject.toml names, unless the same list is there.
install_requirements() {
    extent=run
    if ! [ "$purpose" = run ] || [ -f "$environment/ipctune-dev" ]; then extent=dev; fi
    wanted=$(requirements "$extent")
    if [ "$wanted" != "$(cat "$environment/requirements" 2>/dev/null)" ]; then
        printf '%s\n' "$wanted" >"$environment/requirements.new"
        say "Fetching Python packages …"
        begin_change
        attempt "fetching Python packages from PyPI" "is there a network? 'pip config list' shows which index is asked" \
            pip install --retries 2 -r "$environment/requirements.new"
        mv -f -- "$environment/requirements.new" "$environment/requirements"
        end_change
    fi
    [ "$extent" = run ] || : >"$environment/ipctune-dev"
}

# Built aside, by one job (a machine that checks has more memory); the environment changes only when the wheel is whole.
install_package() {
    say "Building ipctune …"
    jobs=1
    [ "$purpose" != ci ] || jobs=2
    build=$environment/build
    [ ! -e "$environment/building" ] || rm -rf -- "$build"
    : >"$environment/building"
    rm -rf -- "$environment/wheel"
    cd "$root"
    PATH=$environment/bin:$PATH attempt "building ipctune" "a C compiler with its headers is needed" \
        pip wheel --no-deps --no-build-isolation --no-index --wheel-dir "$environment/wheel" \
        --config-settings=build-dir="$build" --config-settings=compile-args=-j"$jobs" "$root"
    rm -f -- "$environment/building"
    begin_change
    attempt "installing ipctune" "see the lines above" \
        pip install --no-deps --no-index --force-reinstall "$environment"/wheel/ipctune-*.whl
    end_change
}

main() {
    umask 022
    environment=$(find_place buildable)
    [ -n "$environment" ] || die "there is no folder for the environment that is writable and lets programs run" \
        "set HOME or XDG_CACHE_HOME to a folder of yours on a mount without noexec"
    # A question can stand for hours: others must not wait for its answer. Where nobody is asked, one plans at a time.
    if on_terminal; then
        agree
        lock
    else
        lock
        agree
    fi
    now=$(fingerprint)
    # Another set-up may have brought it while the question stood.
    if [ -n "$lacking" ] && [ -n "$(missing)" ]; then install_packages; fi
    if ! current "$environment" || ! ready; then
        make_venv
        install_requirements
        install_package
        printf '%s\n' "$now" >"$environment/ipctune-stamp.new"
        mv -f -- "$environment/ipctune-stamp.new" "$environment/ipctune-stamp"
    fi
    printf '%s\n' "$environment"
}

main
