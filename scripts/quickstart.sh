#!/usr/bin/env bash
# From nothing to a model that was changed by its own ideas: installs what was tested, makes a small
# invented world, runs three days and nights on it, and shows what came of it. No GPU, no download
# of weights, no token. Stopped or killed, it goes on from where it was when it is run again.
#
#   bash scripts/quickstart.sh [section.key=value ...]
set -euo pipefail
cd "$(dirname "$0")/.."
bash scripts/install.sh
export PATH="$PWD/.venv/bin:$PATH"

world=checkpoints/quickstart-world
if ! [ -d "$world/docs" ]; then
  rm -rf "$world.new"
  ddl-train world "$world.new" --seed 7 --preset quickstart
  mv "$world.new" "$world"
fi
ddl-train run configs/quickstart.yaml "$@"
