package child

import (
	"log/slog"
	"os"
	"time"

	"kerb/agent/ipc"
)

// heartbeatInterval is the time between two heartbeats. The supervisor kills a
// child after ten missing ones.
const heartbeatInterval = time.Second

// SendHeartbeats writes the record of next to standard output once a second. It
// returns when stalled reports true or when the supervisor is gone, so that a
// process that does no work any more is killed and started again.
func SendHeartbeats(log *slog.Logger, stalled func() bool, next func() *ipc.Heartbeat) {
	for range time.Tick(heartbeatInterval) {
		if stalled() {
			log.Error("the sensor's loop does not move")
			return
		}
		if err := ipc.WriteRecord(os.Stdout, next()); err != nil {
			return // the supervisor is gone: the end of standard input ends this process
		}
	}
}
