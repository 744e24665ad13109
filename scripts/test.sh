#!/usr/bin/env bash
# Everything that must hold: lint, format, types, and the whole suite.
#
#   bash scripts/test.sh                 all of it
#   bash scripts/test.sh -m "not slow"   the fast part; any arguments go to pytest
#
# Tests that reach the Hub stay out unless they are asked for; those that need a GPU skip without one.
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/install.sh test
export PATH="$PWD/.venv/bin:$PATH"
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}" OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

ruff check .
ruff format --check .
mypy
if [ "$#" -eq 0 ]; then
  set -- -m "not network"
fi
exec pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder "$@"
