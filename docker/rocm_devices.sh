#!/bin/sh
# Refuses unless an AMD GPU's devices are under the folder $1 and open to this user.
set -eu
dev=$1

refuse() {
    echo "aiac: $1" >&2
    exit 1
}

without_gpu="or set AIAC_ENGINE to an engine that needs no GPU"
for device in "$dev/kfd" "$dev"/dri/renderD*; do
    [ -e "$device" ] ||
        refuse "$device: not in this container; expected an AMD GPU: start it with --device /dev/kfd --device /dev/dri, $without_gpu"
    { [ -r "$device" ] && [ -w "$device" ]; } ||
        refuse "$device: closed to user $(id -u) in groups $(id -G); expected its group: --group-add $(stat -c %g "$device") (compose: RENDER_GID=$(stat -c %g "$device")), $without_gpu"
done
