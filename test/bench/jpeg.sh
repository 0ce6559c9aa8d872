#!/bin/sh
# Luma decoding beside libjpeg-turbo's grey decoding of the same pictures, on
# one core, in alternating runs; medians, in microseconds per picture.
#
#   test/bench/jpeg.sh [CLIP…]      needs cc and libturbojpeg0-dev
#   ROUNDS=9 PASSES=5 CORE=0        by default
set -eu
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- ../shared/footage/*.avi
[ -e "$1" ] || { echo "jpeg.sh: no clip at $1" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cc -O2 -o "$tmp/turbo" test/bench/turbo.c -lturbojpeg
go build -o "$tmp/kerb" ./test/bench/jpeg
for round in $(seq "${ROUNDS:-9}"); do
	for clip; do
		for who in turbo kerb; do
			echo "$(basename "$clip" .avi) $who $(taskset -c "${CORE:-0}" "$tmp/$who" "$clip" "${PASSES:-5}")"
		done
	done
done >"$tmp/runs"
sort -k1,1 -k2,2 -k3,3n "$tmp/runs" | awk '
	{ key = $1 " " $2; v[key, ++n[key]] = $3; clip[$1] }
	function median(key) { return v[key, int((n[key] + 1) / 2)] / 1000 }
	END {
		printf "%-24s %8s %8s %6s\n", "clip", "kerb", "turbo", "ratio"
		for (c in clip) {
			k = median(c " kerb"); t = median(c " turbo")
			printf "%-24s %8.1f %8.1f %6.2f\n", c, k, t, k / t | "sort"
		}
	}'
