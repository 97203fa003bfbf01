#!/bin/sh
# Refuses what cannot work, then becomes `aiac`: exec, so that signals reach it. It waits for nothing; /ready says when the
# service can answer. GPU_PLATFORM is set by the image.
set -eu

if [ "${GPU_PLATFORM:-}" = rocm ] && [ "${AIAC_ENGINE:-}" = vllm ]; then
    case "${1:-}" in
    models | data | -*) ;; # these compute nothing
    *) sh "$(dirname "$0")/rocm_devices.sh" /dev ;;
    esac
fi
exec aiac "$@"
