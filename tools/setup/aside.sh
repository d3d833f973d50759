# Tools of the tests whose packages can't be installed without upgrading something: unpacked beside the environment,
# for the tests alone. Sourced by setup.sh; needs lib.sh, system.sh, $root, $purpose and $environment. POSIX sh.
# Lists of packages are split on purpose: SC2086.
# shellcheck shell=sh disable=SC2154,SC2086

# tools_of PACKAGE: the commands that we want of it, where it is wanted for the tests alone.
tools_of() {
    while read -r when how debian _; do
        case $when:$how:",$debian," in
            run:*|*:compiles:*|*:library=*) ;;
            test:*,"$1",*|ci:*,"$1",*) printf '%s\n' "$how" ;;
        esac
    done <"$root/tools/setup/packages"
}

# plan_aside: move from $chosen to $aside what would upgrade something; fails where that is not a tool of the tests.
plan_aside() {
    [ "$purpose" != run ] || return 1
    clean='' aside=''
    for package in $chosen; do
        changes=$(apt_install -s "$package" 2>/dev/null | awk '$1 == "Remv" || ($1 == "Inst" && $3 ~ /^\[/)')
        if [ -z "$changes" ]; then
            clean="$clean $package"
            continue
        fi
        # A newer C library beside an older loader would not start.
        [ -n "$(tools_of "$package")" ] && ! printf '%s\n' "$changes" | grep -q ' libc6 ' || return 1
        aside="$aside $package"
    done
    chosen=$clean
    say "Installing$aside would upgrade what is here: unpacked into $environment/tools instead, for the tests alone."
}

# unpack PACKAGE: it and what it would have upgraded, and for each tool a script that finds both.
unpack() {
    tools=$environment/tools
    mkdir -p -- "$tools/bin" "$tools/$1" "$tools/archives"
    names=$(apt_install -s "$1" | awk '$1 == "Inst" { print $2 }')
    ( cd "$tools/archives" && attempt "fetching $1" "is there a network?" apt_ -qq download $names )
    for archive in "$tools"/archives/*.deb; do
        attempt "unpacking $1" "see the lines above" dpkg-deb -x "$archive" "$tools/$1"
    done
    rm -rf -- "$tools/archives"
    libraries=$(find "$tools/$1" -name '*.so*' -printf '%h\n' | LC_ALL=C sort -u | tr '\n' ':')
    for tool in $(tools_of "$1"); do
        program=$(find "$tools/$1/usr/bin" "$tools/$1/usr/sbin" "$tools/$1/bin" "$tools/$1/sbin" -name "$tool" \
            2>/dev/null | head -n 1)
        printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' "${libraries%:}" "$program" >"$tools/bin/$tool"
        chmod 755 "$tools/bin/$tool"
        attempt "$tool of $1" "apt-get install --only-upgrade what it needs, when it suits you" \
            "$tools/bin/$tool" --version
    done
}
