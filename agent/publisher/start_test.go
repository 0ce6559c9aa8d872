package publisher

import (
	"log/slog"
	"strings"
	"testing"

	"kerb/agent/ipc"
	"kerb/agent/store"
)

func TestEveryReasonOfANewEpochHasANumberAndALogLine(t *testing.T) {
	for _, r := range store.StartReasons() {
		if n := ipc.StartNumber(r); n == 0 || ipc.StartWord(n) != r {
			t.Errorf("%s has the number %d", r, n)
		}
		var b strings.Builder
		LogStart(slog.New(slog.NewTextHandler(&b, nil)), store.Start{Reason: r, Lost: []store.Tombstone{{From: 3, To: 5}}})
		if l := b.String(); !strings.Contains(l, "WARN") || !strings.Contains(l, "lost=3") || strings.Contains(l, `epoch: "`) {
			t.Errorf("%s", l)
		}
	}
}
