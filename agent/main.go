// Command kerb counts people and vehicles at the kerb and forgets what it saw.
//
// This package holds the commands, one file each, and the wiring between the
// rooms. Everything that can be known without a terminal lives elsewhere.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	_ "time/tzdata" // hours have a time zone, and an image such as gokrazy's has no zoneinfo

	"github.com/alecthomas/kong"

	"kerb/agent/config"
	"kerb/agent/mistake"
)

// Exit codes: a script on a depot bench branches on them.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // a wrong command line, or a wrong file

	exitRefused = 3 // of a process within kerb run: a wall does not hold
)

type commands struct {
	Demo    demo     `cmd:"" help:"The whole pipeline in one go: a street, the counts, a broker, the messages."`
	Replay  replay   `cmd:"" help:"Count clips or stills as fast as possible and compare with the truth."`
	Run     run      `cmd:"" help:"The agent: count until stopped."`
	Aim     aimCmd   `cmd:"" help:"The commissioning page: lines over silhouettes, live counts, a tally by hand."`
	Check   check    `cmd:"" help:"Check site.toml and policy.toml, and one against the other."`
	Model   model    `cmd:"" help:"Networks: what one is and costs on this device, and making .kerb files of them."`
	Explain explain  `cmd:"" help:"The policy in plain English, and what it makes impossible."`
	Loops   cabinet  `cmd:"" help:"A live table of the inductive loops: state, passages, faults."`
	Audit   auditCmd `cmd:"" help:"List or verify the account of what was done to this device."`
	Spool   spool    `cmd:"" help:"List and check what is stored and not yet delivered."`
	Probe   probe    `cmd:"" help:"What this device has: walls, cameras, clock, disk."`
	Prove   prove    `cmd:"" help:"Run the evidence on this very device, and sign it."`
	Sense   sense    `cmd:"" hidden:"" help:"The process that sees one camera, or the loops; kerb run starts it."`
	Sketch  sketch   `cmd:"" hidden:"" help:"The process that sees a camera while it is aimed; kerb aim starts it."`
	Uplink  speak    `cmd:"" hidden:"" name:"uplink" help:"The process that speaks; kerb run starts it."`
	Try     try      `cmd:"" hidden:"" help:"Build the walls of a role and say what holds."`
	Schema  schema   `cmd:"" help:"Print the schemas of the messages and of the two files."`
	Wipe    wipe     `cmd:"" help:"Destroy what this device has stored, and certify it."`
	Version version  `cmd:"" help:"Print the version."`

	Manual     manual     `cmd:"" hidden:"" help:"Print the manual page."`
	Completion completion `cmd:"" hidden:"" help:"Print the completion of a shell."`
}

// terminal is where a command talks: data to out, words to err.
type terminal struct {
	out, err io.Writer
}

func main() {
	os.Exit(execute(os.Args[1:], terminal{os.Stdout, os.Stderr}))
}

func execute(args []string, t terminal) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends at once what will not end by itself.
	context.AfterFunc(ctx, stop)

	var c commands
	asked := -1
	parser, err := kong.New(&c, kong.Name("kerb"),
		kong.Description("Counts people and vehicles at the kerb and forgets what it saw."),
		kong.Writers(t.out, t.err), kong.UsageOnError(),
		kong.Exit(func(code int) { asked = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(t))
	if err != nil {
		fmt.Fprintf(t.err, "kerb: %v\n", err)
		return exitFailed
	}
	parsed, err := parser.Parse(dashes(args))
	switch {
	case asked >= 0:
		return asked
	case err != nil:
		fmt.Fprintf(t.err, "kerb: %v\nkerb: hint: kerb --help lists the commands\n", err)
		return exitUsage
	}
	return report(t.err, parsed.Run())
}

// report prints an error the way all of kerb's errors are printed.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(w, "kerb: %s\n", strings.TrimRight(line, "\n"))
	}
	switch {
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		fmt.Fprintln(w, "kerb: hint: what is kerb's may be read by root and the group kerb, and some of it by root alone: sudo kerb …")
	case errors.Is(err, fs.ErrNotExist) && strings.Contains(err.Error(), config.DefaultState+"/"):
		fmt.Fprintln(w, "kerb: hint: kerb has not run here yet")
	case errors.Is(err, fs.ErrNotExist) && strings.Contains(err.Error(), "/etc/kerb/"):
		fmt.Fprintln(w, "kerb: hint: -site FILE and -policy FILE name others; kerb probe -write site.toml begins one")
	}
	var list mistake.List
	var usage usageError
	if errors.As(err, new(refusedError)) {
		return exitRefused
	}
	if errors.As(err, &list) || errors.As(err, &usage) || errors.As(err, new(refusal)) || errors.As(err, new(conflictError)) {
		return exitUsage
	}
	return exitFailed
}

// usageError is a wrong command line that only the command itself can see.
type usageError string

func (e usageError) Error() string { return string(e) }

var oneDash = regexp.MustCompile(`^-[a-z][a-z-]+(=|$)`)

// dashes lets -for stand for --for: kerb has no short flags to confuse it with.
func dashes(args []string) []string {
	long := make([]string, len(args))
	for i, a := range args {
		if a == "--" {
			copy(long[i:], args[i:])
			break
		}
		if oneDash.MatchString(a) {
			a = "-" + a
		}
		long[i] = a
	}
	return long
}
