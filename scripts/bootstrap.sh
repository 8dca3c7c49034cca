#!/usr/bin/env bash
# Makes .venv: finds or fetches uv, finds Python 3.12, installs the locked packages and this project.
# Called by make when requirements.lock or pyproject.toml changed.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf 'setup: %s\n' "$1" >&2
    exit 1
}

find_uv() {
    if command -v uv >/dev/null; then
        UV=uv
        return
    fi
    UV=.uv/bin/uv
    [ -x "$UV" ] && return
    local python
    python=$(command -v python3 || true)
    [ -n "$python" ] || fail "no python3 found: install any Python 3 with your system's package manager"
    echo "setup: fetching uv into .uv"
    "$python" -m venv .uv >/dev/null 2>&1 ||
        fail "$python cannot make a venv (on Debian and Ubuntu: apt-get install python3-venv), or put uv on PATH"
    .uv/bin/python -m pip install --quiet --disable-pip-version-check uv ||
        fail "uv could not be installed with pip: check the package index in your pip configuration, or put uv on PATH"
}

make_venv() {
    if [ -x .venv/bin/python ] && .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))'; then
        return
    fi
    "$UV" venv --quiet --clear --python 3.12 .venv ||
        fail "no Python 3.12: run '$UV python install 3.12' or 'pyenv install 3.12', or install python3.12 with your system's package manager"
}

find_compiler() {
    command -v cc >/dev/null || command -v gcc >/dev/null ||
        fail "no C compiler: some packages are built here (on Debian and Ubuntu: apt-get install build-essential)"
}

find_uv
make_venv
find_compiler
echo "setup: installing packages (the first time builds one of them, 2 to 3 minutes)"
"$UV" pip sync --quiet --compile-bytecode --python .venv --require-hashes requirements.lock ||
    fail "packages could not be installed: see above, then run make again"
"$UV" pip install --quiet --python .venv --no-deps --editable . ||
    fail "this project could not be installed: see above, then run make again"
touch .venv/.ready
