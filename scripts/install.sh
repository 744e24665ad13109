#!/usr/bin/env bash
# Makes .venv and installs this package with the versions it was tested with. Run again, it does
# nothing when all is up to date.
#
#   bash scripts/install.sh            what a run needs
#   bash scripts/install.sh test       and what the suite needs; any extras of pyproject.toml, by comma
#
# PYTHON=/path/to/python3.12 picks the interpreter; otherwise the first of 3.11, 3.12, 3.13 is taken.
set -euo pipefail
cd "$(dirname "$0")/.."
extras="${1:-}"

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3 python}; do
    if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  echo "install.sh: needs Python 3.11 or newer and found none; install it, or say where it is:" \
    "PYTHON=/path/to/python3.11 bash scripts/install.sh" >&2
  return 1
}

# A plain torch brings gigabytes of CUDA. Without an NVIDIA card the CPU build is asked for, where
# its index can be reached; where it cannot, the pinned torch comes from wherever pip looks.
torch_index() {
  local url=https://download.pytorch.org/whl/cpu
  if ! command -v nvidia-smi >/dev/null &&
    "$1" -c "import urllib.request; urllib.request.urlopen('$url/torch/', timeout=8)" 2>/dev/null; then
    echo "--extra-index-url $url"
  fi
}

stamp=".venv/.installed${extras:+-${extras//,/-}}"
wanted="$(cat pyproject.toml scripts/constraints.txt scripts/install.sh | cksum)"
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi

if ! [ -x .venv/bin/python ] || ! is_new_enough .venv/bin/python; then
  python="$(find_python)"
  echo "making .venv with $("$python" --version)"
  "$python" -m venv --clear .venv
fi
echo "installing ddl-train${extras:+ with $extras} and what it was tested with; a few minutes"
# shellcheck disable=SC2046  # no option at all when there is no index to name
.venv/bin/python -m pip install --quiet --disable-pip-version-check --retries 2 \
  $(torch_index .venv/bin/python) --constraint scripts/constraints.txt --editable ".${extras:+[$extras]}"
echo "$wanted" | tee .venv/.installed >"$stamp" # any extras bring what a run needs with them
