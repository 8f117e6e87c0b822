#!/bin/sh
# Makes .venv from a hashed lock: "run" (what running needs) or "dev" (and what tests and checks need).
# The project itself is not installed: everything runs from the root of the checkout.
set -eu
cd "$(dirname "$0")/.."
what=$1
lock=requirements/$what.txt

fail() {
    echo "install: $*" >&2
    exit 1
}

case "$(uname -s)" in
    MINGW* | MSYS* | CYGWIN*) fail "Windows itself can't run the servers: clone and run inside WSL." ;;
esac

# The state of an environment: where it was made (its scripts hold the path) and of which lock.
state() {
    echo "$(cksum <"requirements/$1.txt") $(pwd)"
}

is_current() {
    [ "$(cat ".venv/.installed-$1" 2>/dev/null)" = "$(state "$1")" ] && .venv/bin/python -c "" 2>/dev/null
}

if is_current dev || { [ "$what" = run ] && is_current run; }; then
    exit 0
fi

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

python=$(find_python)
[ -n "$python" ] || fail "Python 3.11 or newer is needed and was not found; name one by: make PYTHON=/path/to/python3.11 ..."
"$python" -c "import ensurepip, venv" 2>/dev/null ||
    fail "$python has no ensurepip or venv; install it (Debian and Ubuntu: apt install python3-venv) and try again."
if "$python" -c 'import platform, sys; sys.exit(not (sys.platform == "linux" and platform.libc_ver()[0] != "glibc"))'; then
    fail "this system uses musl (Alpine?), and the locked servers have no build for it: use a glibc system" \
        "(Debian, Ubuntu, Fedora), or a container of one."
fi
if [ -e .venv ] && [ ! -w .venv ]; then
    fail ".venv belongs to another user ($(ls -ld .venv | awk '{print $3}')); work in a clone of your own."
fi

if ! [ -x .venv/bin/python ] || ! .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    { [ -e .venv/.made-in ] && [ "$(cat .venv/.made-in)" != "$(pwd)" ]; }; then
    echo "install: making .venv with $("$python" --version) ($python)"
    "$python" -m venv --clear .venv || fail "$python could not make .venv; is there space and may you write here?"
    pwd >.venv/.made-in
fi
echo "install: installing $(grep -c '^[a-z].*==' "$lock") packages of $lock"
# The lock is complete, so pip has nothing to resolve.
PIP_USER=0 .venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r "$lock" ||
    fail "pip could not install $lock; its own message stands above."
state "$what" >".venv/.installed-$what"
