package state

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// own gives what root made in the state directory to whoever the directory
// belongs to, so that an agent with a user of its own can go on with it.
func ChownTree(state string) {
	info, err := os.Stat(state)
	st, ok := info.Sys().(*syscall.Stat_t)
	if err != nil || !ok || os.Geteuid() != 0 || st.Uid == 0 {
		return
	}
	_ = filepath.WalkDir(state, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			_ = os.Lchown(path, int(st.Uid), int(st.Gid))
		}
		return nil
	})
}

// acceptanceFile is in the state directory: what tallies by hand have shown,
// one record a line of the site, the latest.
const AcceptanceFile = "acceptance.json"

// aimDoor is the socket in the state directory at which kerb aim asks a running
// agent to leave one camera alone. It is the only thing that can be asked
// there, and only from this machine, by root or by the agent's own user.
const AimSocket = "aim.sock"

// greeting is how long whoever came to aim may take to say so.
const GreetingTimeout = 5 * time.Second

// auditDir is the audit log's directory in the state directory.
const AuditDir = "audit"

// spoolFile is the spool's name in the state directory.
const SpoolFile = "spool.db"
