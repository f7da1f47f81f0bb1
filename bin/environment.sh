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

time_of() { # Print the microseconds that $1 takes for a fixed piece of work; fail if it cannot make virtual environments
    # Debian's Python may lack ensurepip, which makes them.
    "$1" -c '
import ensurepip, time, venv

def work():
    began = time.process_time()
    count = {}
    for number in range(60_000):
        count[number % 97] = count.get(number % 97, 0) + len(f"{number}")
    return int((time.process_time() - began) * 1_000_000)

print(min(work() for _ in range(5)))' 2>/dev/null
}

find_python() { # Set $python to the Python that .venv is made with
    # The first on PATH, newest version first, unless another takes less than 4/5 of its time. A loop takes 1.7 times as
    # long in a Python that was compiled without profile-guided optimisation, which is pyenv's default.
    python='' best=0
    for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
        rest=$PATH:
        while [ "$rest" ]; do
            candidate=${rest%%:*}/$name rest=${rest#*:}
            [ -x "$candidate" ] && suits "$candidate" || continue
            time=$(time_of "$candidate") || time=0
            if [ -z "$python" ] || { [ "$time" -gt 0 ] && { [ "$best" -eq 0 ] || [ $((time * 5)) -lt $((best * 4)) ]; }; }; then
                python=$candidate best=$time
            fi
        done
    done
}

prepare() { # prepare REQUIREMENTS: install that file into .venv, or exit with a message
    python=.venv/bin/python
    if ! suits "$python"; then
        if [ "${PYTHON:-}" ] && suits "$PYTHON"; then python=$PYTHON; else find_python; fi
        if [ -z "$python" ]; then
            echo "Atrium needs Python 3.11, 3.12, 3.13 or 3.14, and none was found on PATH." >&2
            echo "Install one (https://www.python.org/downloads/), or name it: PYTHON=/path/to/python3 $0" >&2
            exit 1
        fi
    fi
    "$python" bin/prepare.py "$1" || exit 1
}
