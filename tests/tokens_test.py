#!/usr/bin/env python3
"""Our token ids of 10,000 lines of mixed text against those that llama.cpp gave for them, frozen as
hashes in tests/golden/tokens.json. Vocabularies: those of the fixtures, and of the models that
MODEL names or that were fetched. See compare_tokens.py."""
import json
import os
import sys

sys.dont_write_bytecode = True
import compare_tokens as compare  # noqa: E402


def places():
    shared = os.path.join(compare.TOP, "..", "shared", "fixtures")
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    for folder in ["tests/fixtures", "tests/fixtures/vocab", shared, os.path.join(shared, "vocab"),
                   os.path.join(data, "duet", "models")]:
        yield os.path.join(compare.TOP, folder)


def find(name):
    named = os.environ.get("MODEL", "")
    if os.path.basename(named) == name and os.path.exists(named):
        return named
    paths = (os.path.join(folder, name) for folder in places())
    return next((p for p in paths if os.path.exists(p)), None)


def main():
    with open(compare.FROZEN) as f:
        frozen = json.load(f)
    texts, passed, failed, skipped = compare.lines(), 0, 0, []
    for name, digest in frozen.items():
        path = find(name)
        if not path:
            skipped.append(name)
        elif compare.hash_of(compare.our_ids(path, texts)) == digest:
            passed += 1
        else:
            failed += 1
            print(f"  FAILED  {name}: other ids than llama.cpp's")
    if skipped:
        print("  not here, not tested: " + ", ".join(skipped))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or passed < 7 else 0


if __name__ == "__main__":
    sys.exit(main())
