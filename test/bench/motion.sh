#!/bin/sh
# The motion detector beside OpenCV's MOG2 and contours on the same pictures in
# memory, on one core, in alternating runs; medians, microseconds per picture.
#
#   test/bench/motion.sh [CLIP…]    needs c++ and libopencv-dev
#   ROUNDS=5 PASSES=2 CORE=0        by default
set -eu
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- ../shared/footage/*.avi
[ -e "$1" ] || { echo "motion.sh: no clip at $1" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
c++ -O2 -o "$tmp/mog2" test/bench/opencv_mog2.cpp -I/usr/include/opencv4 -lopencv_core -lopencv_imgproc -lopencv_video
go build -o "$tmp/motion" ./test/bench/motion
for clip; do
	size=$("$tmp/motion" raw "$clip" "$tmp/raw")
	name=$(basename "$clip" .avi)
	for round in $(seq "${ROUNDS:-5}"); do
		# shellcheck disable=SC2086
		echo "$name mog2 $(taskset -c "${CORE:-0}" "$tmp/mog2" "$tmp/raw" $size "${PASSES:-2}") 0 0"
		echo "$name kerb $(taskset -c "${CORE:-0}" "$tmp/motion" time "$clip" "${PASSES:-2}") $("$tmp/motion" rss "$clip" -)"
	done
done >"$tmp/runs"
sort -k1,1 -k2,2 -k3,3n "$tmp/runs" | awk '
	{ key = $1 " " $2; v[key, ++n[key]] = $3; if ($2 == "kerb") { a[$1] = $4; m[$1] = $5 } clip[$1] }
	function median(key) { return v[key, int((n[key] + 1) / 2)] / 1000 }
	END {
		printf "%-24s %8s %8s %6s %14s %8s\n", "clip", "kerb", "mog2", "ratio", "allocs/picture", "RSS, MB"
		for (c in clip) {
			k = median(c " kerb"); t = median(c " mog2")
			printf "%-24s %8.0f %8.0f %6.2f %14.3f %8d\n", c, k, t, k / t, a[c], m[c] | "sort"
		}
	}'
