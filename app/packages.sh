#!/bin/sh
# packages.sh -- the one list of Debian packages duet needs, and what installs the missing ones.
#
#   app/packages.sh [build] [test] [fetch] [fuzz]       no group = all but fuzz
#
# Says and changes nothing when nothing is missing. Otherwise installs as root or through sudo;
# where neither is possible it prints the line to run and fails. DUET_NO_INSTALL=1 only names them.
set -eu

build='gcc libc6-dev make pkg-config libncurses-dev libedit-dev libopenblas-dev libcjson-dev
       libpcre2-dev libutf8proc-dev libxxhash-dev libmd4c-dev'
test='libcmocka-dev tmux procps python3'
fetch='python3 python3-pip ca-certificates'
fuzz='clang libclang-rt-dev'

wanted=
for group in "${@:-all}"; do
    case $group in
    build) wanted="$wanted $build" ;;
    test) wanted="$wanted $test" ;;
    fetch) wanted="$wanted $fetch" ;;
    fuzz) wanted="$wanted $fuzz" ;;
    all) wanted="$build $test $fetch" ;;
    *) echo "packages.sh: no such group: $group (build, test, fetch, fuzz)" >&2; exit 2 ;;
    esac
done

# Elsewhere the packages have other names: the compiler tells what is missing.
command -v dpkg-query >/dev/null || exit 0

present=$(dpkg-query -W -f '=${db:Status-Status} ${Package} \n' $wanted 2>/dev/null || true)
missing=
for package in $wanted; do
    case "$present" in
    *"=installed $package "*) continue ;;
    esac
    case "$missing " in
    *" $package "*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ "$missing" ] || exit 0

line="apt-get install --no-install-recommends$missing"
if [ "${DUET_NO_INSTALL:-}" ]; then
    echo "duet: packages are missing:$missing" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    root='env'
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    root='sudo env'
else
    echo "duet: packages are missing; as root, run: $line" >&2
    exit 1
fi

apt() {
    $root DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" </dev/null
}
add() {
    apt install -y --no-install-recommends $missing
}

echo "duet: installing$missing" >&2
# Lists that are absent or too old to find the packages are renewed once.
if ! apt-get install --simulate -qq --no-install-recommends $missing >/dev/null 2>&1; then
    apt update
    add
else
    add || { apt update && add; }
fi || { echo "duet: could not install everything; as root, run: $line" >&2; exit 1; }
