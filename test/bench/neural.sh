#!/bin/sh
# The executor beside onnxruntime on the same file and inputs, in alternating
# runs, one thread and two.
#
#   KERB_ORT=DIR test/bench/neural.sh [MODEL…]
#   DIR holds: npm install --ignore-scripts onnxruntime-node@1.30.0
set -eu
cd "$(dirname "$0")/../.."
[ -d "${KERB_ORT:-}/node_modules/onnxruntime-node" ] || { echo "skipped: KERB_ORT names no folder with onnxruntime-node" >&2; exit 0; }
[ $# -gt 0 ] || set -- "${KERB_SHARED:-../shared}"/models/*.onnx
echo "== one thread, pinned"
taskset -c "${CORE:-1}" go run ./test/bench/neural "$@"
echo "== one thread, pinned, 1×1 convolutions in eight bits, as kerb runs its own networks"
taskset -c "${CORE:-1}" go run ./test/bench/neural -int8 "$@"
echo "== two threads"
go run ./test/bench/neural -threads 2 "$@"
