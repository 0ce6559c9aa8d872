package opener

import (
	"fmt"
	"os"
	"strconv"
	"time"
	"unsafe"
)

// packagedTarget is what a taken-over decoder would like to reach where kerb runs as
// its package installs it, with the services of test/systemd/guest. The supervisor is
// $MAINPID, which systemd sets for the control, else the parent of this process.
func packagedTarget() hostile {
	const state = "/var/lib/kerb"
	supervisor, err := strconv.Atoi(os.Getenv("MAINPID"))
	if err != nil {
		supervisor = os.Getppid()
	}
	return hostile{
		Secrets: []string{state + "/bait", state + "/spool.db", "/etc/kerb/site.toml", "/etc/kerb/broker-password", "/etc/kerb/camera-password"},
		Dir:     state, TCP: "127.0.0.1:1883", UDP: "127.0.0.1:9", Socket: state + "/aim.sock",
		Processes: pidsBetween(supervisor, os.Getpid()), Supervisor: supervisor,
	}
}

// pidsBetween returns the numbers from first on and below end, 10,000 at most: the
// supervisor and all that it started before this process.
func pidsBetween(first, end int) (pids []int) {
	for pid := first; pid < min(end, first+10_000); pid++ {
		pids = append(pids, pid)
	}
	return pids
}

// bePackagedHostile makes all attempts on the packaged kerb. The control, which has an
// environment, prints them, the last as another program. A decoder within the walls has
// no way to tell: kerb passes on neither its pictures nor its words. It writes one letter
// for each attempt, d or r, over its own arguments, as setproctitle(3bsd) does, where
// root reads them in /proc, and waits.
func bePackagedHostile() {
	h := packagedTarget()
	letters := "attempts="
	control := len(os.Environ()) > 0
	h.tryAll(func(name string, err error) {
		letter, verdict := "d", "done"
		if err != nil {
			letter, verdict = "r", "refused"
		}
		if letters += letter; control {
			fmt.Printf("attempt %s: %s\n", name, verdict)
		}
	})
	if control {
		return
	}
	overwriteArgs(letters + ".")
	time.Sleep(time.Minute)
}

// overwriteArgs writes a text over the arguments of this process after its name. They
// lie one behind another in memory, with a zero between them (execve(2)).
func overwriteArgs(text string) {
	room := 0
	for _, a := range os.Args[1:] {
		room += len(a) + 1
	}
	if room > 0 {
		copy(unsafe.Slice(unsafe.StringData(os.Args[1]), room-1), text)
	}
}
