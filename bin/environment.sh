# Read by the commands in this folder: finds a Python, and has it make and fill .venv.
# shellcheck shell=sh

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
case ${ATRIUM_HOME:-/} in
/*) ;;
*) ATRIUM_HOME=$PWD/$ATRIUM_HOME && export ATRIUM_HOME ;; # before we go elsewhere
esac
cd -- "$root" || exit 1
unset PYTHONHOME PYTHONPATH

suits() { # Whether $1 runs, and is a Python that the requirements are locked for. A name on PATH may be an empty shell.
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1
}

prepare() { # prepare REQUIREMENTS: .venv/bin/python has what that file names, or this ends with a sentence
    python=.venv/bin/python
    if ! suits "$python"; then
        python=
        for candidate in ${PYTHON:+"$PYTHON"} python3.14 python3.13 python3.12 python3.11 python3 python; do
            suits "$candidate" || continue
            python=$candidate
            # Debian's Python comes without what makes a virtual environment; another one may have it.
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
