package cage

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// launchWord is the first argument of kerb where it becomes a program of a camera.
const launchWord = "launch"

// init limits a process of kerb by its command line, before main and so before it has
// read anything. A parent cannot do that: it learns the number of a process when that
// runs already.
func init() {
	if len(os.Args) < 2 || os.Args[0] != "kerb" {
		return
	}
	switch word := os.Args[1]; {
	case slices.Contains([]string{"sense", "look", "sketch", "uplink"}, word):
		if err := limitFirst(word != "uplink"); err != nil {
			fmt.Fprintln(os.Stderr, "kerb:", err)
			os.Exit(1)
		}
	case word == launchWord:
		fmt.Fprintln(os.Stderr, "kerb:", execProgram(os.Args[2:]))
		os.Exit(1)
	}
}

// limitFirst sets the limits that a process needs from its first moment: it makes no
// file, where noFile, and its core goes nowhere, also not to a handler (see limitCore).
// Apply sets the others.
func limitFirst(noFile bool) error {
	now, err := hardLimit(unix.RLIMIT_CORE)
	if err == nil {
		err = setLimit(unix.RLIMIT_CORE, min(now, 1))
	}
	if err == nil && noFile {
		err = setLimit(unix.RLIMIT_FSIZE, 0)
	}
	if err != nil {
		return fmt.Errorf("limit core and file size: %w", err)
	}
	return nil
}

// LaunchArgs returns the arguments of kerb with which it limits itself and then becomes
// the program at a path. words are the program's name and arguments. The process must
// be started under the name kerb.
func LaunchArgs(path string, words []string) []string {
	return append([]string{launchWord, path}, words...)
}

// execProgram limits this process and becomes the program of LaunchArgs, which can then
// write to no file and leaves no core. It returns where that is not possible.
func execProgram(args []string) error {
	if len(args) < 2 {
		return errors.New("launch needs a path and a name")
	}
	if err := limitFirst(true); err != nil {
		return err
	}
	return fmt.Errorf("exec %s: %w", args[0], syscall.Exec(args[0], args[1:], os.Environ()))
}
