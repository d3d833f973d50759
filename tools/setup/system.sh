# What the system lacks, and how its package manager brings it without upgrading or restarting anything.
# Sourced by setup.sh; needs lib.sh, $root and $purpose (run, test, vm or ci). POSIX sh.
# Lists of packages are split on purpose: SC2086.
# shellcheck shell=sh disable=SC2154,SC2086,SC2015

asked_for() {
    case $purpose:$1 in
        *:run|test:test|vm:test|vm:vm|ci:test|ci:ci) return 0 ;;
    esac
    return 1
}

compiles() {
    for compiler in ${CC:-cc gcc clang}; do
        printf '#include <stdio.h>\nint main(void) { return 0; }\n' |
            "$compiler" -x c -o /dev/null - >/dev/null 2>&1 && return 0
    done
    return 1
}

# present HOW: see the head of tools/setup/packages.
present() {
    case $1 in
        compiles) compiles ;;
        library=*) file=$(gcc -print-file-name="${1#*=}" 2>/dev/null) && [ "${file#/}" != "$file" ] ;;
        file=*) any_file "${1#*=}" ;;
        *) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] ||
            [ -x "${environment:-}/tools/bin/$1" ] ;;
    esac
}

any_file() {
    for found in $(printf '%s' "$1" | tr '|' ' '); do
        [ ! -e "$found" ] || return 0
    done
    return 1
}

manager() {
    for name in apt-get dnf; do
        command -v "$name" >/dev/null 2>&1 && printf '%s\n' "$name" && return 0
    done
    return 1
}

# Print the packages that are missing, by the names that this system has for them; nothing where nothing is.
missing() {
    {
        find_python 'import venv, ensurepip' >/dev/null || python_packages
        while read -r when how debian fedora; do
            case $when in ''|'#'*) continue ;; esac
            asked_for "$when" || continue
            present "$how" && continue
            if [ "$(manager)" = dnf ]; then debian=$fedora; fi
            printf '%s\n' "$debian" | tr , '\n'
        done <"$root/tools/setup/packages"
    } | LC_ALL=C sort -u | tr '\n' ' ' | sed 's/ $//'
}

# venv for an interpreter that the system has; else its python3.11, beside whatever python3 it has; else what it offers.
python_packages() {
    if [ "$(manager)" = dnf ]; then
        printf 'python3.11\n'
        return 0
    fi
    for version in 3.13 3.12 3.11; do
        find_python "import sys; sys.exit(sys.version_info[:2] != (3, ${version#3.}))" >/dev/null || continue
        known "python$version-venv" || continue
        printf '%s\n' "python$version-venv"
        return 0
    done
    for version in 3.11 3.12 3.13; do
        known "python$version-venv" || continue
        printf '%s\n' "python$version-venv"
        return 0
    done
    printf 'python3.11-venv\n'
}

known() { apt-cache show "$1" >/dev/null 2>&1; }

by_hand() {
    case $(manager) in
        apt-get) printf 'as root: apt-get install --no-install-recommends %s' "$(missing)" ;;
        dnf) printf 'as root: dnf install %s' "$(missing)" ;;
        *) printf 'install Python 3.11, 3.12 or 3.13 with venv and ensurepip, and a C compiler with its headers' ;;
    esac
}

# plan_packages "NAMES": refuse what can't be done here; else print everything that comes, with its size.
# Sets $chosen, what install_packages asks for.
plan_packages() {
    chosen=$1
    asked=$1
    managed=$(manager) || die "packages are missing, and neither apt-get nor dnf is here" "$(by_hand)"
    [ "$(id -u)" = 0 ] || die "packages are missing, and installing takes root" "sudo ./run does it; or $(by_hand)"
    case $managed in
        apt-get) plan_apt ;;
        dnf) plan_dnf ;;
    esac
}

install_packages() {
    say "Installing packages …"
    case $managed in
        apt-get) install_apt ;;
        dnf) attempt "dnf" "see the lines above" dnf_ install -y $chosen 9>&- ;;
    esac
}

# --- apt -------------------------------------------------------------------------------------------------------------

# Nothing asks, restarts or mails; recommended packages stay out; another apt is waited for.
apt_() {
    env LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1 \
        APT_LISTCHANGES_FRONTEND=none apt-get -o DPkg::Lock::Timeout=300 "$@"
}
apt_install() { apt_ install -y --no-install-recommends --no-upgrade "$@"; }

update_lists() {
    say "apt's package lists are $1: running apt-get update"
    attempt "apt-get update" "is there a network?" apt_ -qq update 9>&-
}

plan_apt() {
    for package in $chosen; do
        known "$package" && continue
        update_lists "missing"
        chosen=$(missing)
        asked=$chosen
        break
    done
    without_upgrades
    say "ipctune needs, of this system's packages: $asked"
    [ -n "$chosen" ] || return 0
    say "apt-get will install (and upgrade nothing):"
    apt_install -s $chosen | awk '$1 == "Inst" { printf " %s", $2 } END { print "" }' | fold -s -w 100 >&2
    apt_install --print-uris $chosen | grep -E '^(Need to get|After this operation)' >&2 || :
}

# A new package may want a newer version of one that is installed. Then ask for the new one in the version that fits
# what is there; where the archive no longer has it, a tool of the tests goes aside (aside.sh), and anything else
# stops us, for upgrading is the owner's decision.
without_upgrades() {
    pins=none
    while [ -n "$pins" ]; do
        plan=$(apt_install -s $chosen 2>&1) || die "apt-get can't install $chosen" "$(printf '%s\n' "$plan" | tail -n 3)"
        upgrades=$(printf '%s\n' "$plan" | awk '$1 == "Remv" || ($1 == "Inst" && $3 ~ /^\[/) { printf " %s", $2 }')
        [ -n "$upgrades" ] || return 0
        pins=$(printf '%s\n' "$plan" | awk '
            $1 != "Inst" { next }
            $3 ~ /^\[/ { old[substr($4, 2)] = substr($3, 2, length($3) - 2); next }
            { fresh[$2] = substr($3, 2) }
            END { for (name in fresh) if (fresh[name] in old) print name "=" old[fresh[name]] }')
        [ "$pins" != "${tried:-}" ] && apt_install -s $chosen $pins >/dev/null 2>&1 || break
        tried=$pins
        chosen="$chosen $pins"
    done
    [ -n "${aside:-}" ] || ! plan_aside || return 0
    die "that would upgrade or remove what is installed:$upgrades" \
        "when it suits you: apt-get install --only-upgrade$upgrades"
}

# Lists can be older than the archive: then what they name is gone, and only newer lists help.
install_apt() {
    for package in ${aside:-}; do
        unpack "$package"
    done
    [ -n "$chosen" ] || return 0
    if ! quietly apt_install -qq --download-only $chosen 9>&-; then
        update_lists "too old"
        chosen=$(missing)
        without_upgrades
    fi
    hold_services
    attempt "apt-get install" "see the lines above" apt_install -qq $chosen 9>&-
    release_services
}

# Packages of servers start them, unless this file says no (101, as Debian's policy-rc.d interface has it). One that is
# there already is the owner's. IPCTUNE_POLICY_FILE names another one, for the tests.
hold_services() {
    policy=${IPCTUNE_POLICY_FILE:-/usr/sbin/policy-rc.d}
    if [ "$purpose" != ci ] || [ -e "$policy" ]; then
        policy=
        return 0
    fi
    trap release_services EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 -- "$policy"
}

release_services() {
    [ -z "${policy:-}" ] || rm -f -- "$policy"
    policy=
}

# --- dnf -------------------------------------------------------------------------------------------------------------

dnf_() { env LC_ALL=C dnf --setopt=install_weak_deps=False "$@"; }

plan_dnf() {
    plan=$(dnf_ install --assumeno $chosen 2>&1) || :
    if printf '%s\n' "$plan" | grep -qE '^ *(Upgrad|Remov|Downgrad)'; then
        printf '%s\n' "$plan" >&2
        die "dnf would upgrade or remove what is installed (above)" "when it suits you: dnf upgrade, then again"
    fi
    say "ipctune needs, of this system's packages: $asked"
    say "dnf will install (and upgrade nothing):"
    printf '%s\n' "$plan" | grep -iE '^(total|installed) .*size|will be used|^ +[a-z0-9._+-]+ +(x86_64|aarch64|noarch)' >&2 || :
}
