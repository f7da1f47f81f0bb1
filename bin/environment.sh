# Sourced by the commands in this folder: finds a Python and prepares .venv with it.
# shellcheck shell=sh

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
case ${ATRIUM_HOME:-/} in
/*) ;;
*) ATRIUM_HOME=$PWD/$ATRIUM_HOME && export ATRIUM_HOME ;; # relative to the caller's folder
esac
cd -- "$root" || exit 1
unset PYTHONHOME PYTHONPATH

suits() { # Whether $1 runs and is a supported Python. A name on PATH may be a wrapper without one.
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1
}

prepare() { # prepare REQUIREMENTS: install that file into .venv, or exit with a message
    python=.venv/bin/python
    if ! suits "$python"; then
        python=
        for candidate in ${PYTHON:+"$PYTHON"} python3.14 python3.13 python3.12 python3.11 python3 python; do
            suits "$candidate" || continue
            python=$candidate
            # Debian's Python may lack ensurepip, which makes virtual environments. Another Python may have it.
            "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1 && break
        done
        if [ -z "$python" ]; then
            echo "Atrium needs Python 3.11, 3.12, 3.13 or 3.14, and none was found on PATH." >&2
            echo "Install one (https://www.python.org/downloads/), or name it: PYTHON=/path/to/python3 $0" >&2
            exit 1
        fi
    fi
    "$python" bin/prepare.py "$1" || exit 1
}
