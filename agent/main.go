package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata" // hours have a time zone, and an image such as gokrazy's has no zoneinfo

	"github.com/alecthomas/kong"

	"kerb/agent/admission"
	"kerb/agent/child"
	"kerb/agent/fleet"
	"kerb/agent/manual"
	"kerb/agent/mistake"
	"kerb/agent/replay"
	"kerb/agent/terminal"
)

// The exit statuses, on which scripts branch.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // a wrong command line, or a wrong file
)

// commands are all commands with their one-line help, as kong reads them: group is who
// uses it, example a line that works (test/script runs or parses each of them).
type commands struct {
	Demo   demoCmd        `cmd:"" group:"desk" example:"kerb demo -for 30s" help:"The whole pipeline in one go: a street, counts, a broker, messages."`
	Replay replay.Command `cmd:"" group:"desk" example:"kerb replay street.mp4" help:"Count clips or stills as fast as possible, against the truth."`
	Model  modelCmd       `cmd:"" group:"desk" example:"kerb model" help:"Networks: what one is and costs here, and making .kerb files."`

	Probe  probeCmd  `cmd:"" group:"pole" example:"kerb probe -write site.toml" help:"What this device has: walls, cameras, loops, clock, disk."`
	Check  checkCmd  `cmd:"" group:"pole" example:"kerb check -connect" help:"Check site.toml and policy.toml, and one against the other."`
	Aim    aimCmd    `cmd:"" group:"pole" example:"kerb aim north" help:"A page to draw lines, see live counts, and tally by hand."`
	Button buttonCmd `cmd:"" group:"pole" example:"kerb button GPIO21" help:"Wait until a push button is held; kerb-button.service opens a session then."`
	Loops  loopsCmd  `cmd:"" group:"pole" example:"kerb loops -for 5m" help:"A live table of the inductive loops: state, passages, faults."`
	Run    runCmd    `cmd:"" group:"pole" example:"kerb run -site site.toml -policy policy.toml" help:"The agent: count until stopped."`
	Enrol  enrolCmd  `cmd:"" group:"pole" example:"kerb enrol" help:"Get the device's certificate from an EST server, or renew it."`
	Status statusCmd `cmd:"" group:"pole" example:"kerb status -follow" help:"Cameras, broker, clock, disk, the last windows; what to do."`
	Spool  spoolCmd  `cmd:"" group:"pole" example:"kerb spool -csv" help:"The windows that are stored, and which are delivered."`
	Report reportCmd `cmd:"" group:"pole" example:"kerb report" help:"One file for support, without secrets."`
	Wipe   wipeCmd   `cmd:"" group:"pole" example:"kerb wipe" help:"Destroy what this device has stored, and certify it."`

	Acceptance acceptanceCmd `cmd:"" group:"pole" example:"kerb acceptance -lang de" help:"The acceptance sheet to print: lines, tallies by hand, intervals."`

	Explain explainCmd `cmd:"" group:"review" example:"kerb explain /etc/kerb/policy.toml" help:"The policy in plain English, and what it makes impossible."`
	Prove   proveCmd   `cmd:"" group:"review" example:"kerb prove -out proof" help:"Test the walls on this very device, and sign the result."`
	Record  recordCmd  `cmd:"" group:"review" example:"kerb record" help:"The transparency record: for registers, the sign, and a page."`
	Audit   auditCmd   `cmd:"" group:"review" example:"kerb audit verify" help:"List or verify the log of what was done to this device."`

	Schema  schemaCmd     `cmd:"" group:"platform" example:"kerb schema count" help:"The schemas of the messages and of the two files."`
	Fleet   fleet.Command `cmd:"" group:"platform" example:"kerb fleet check -broker mqtt://broker.example" help:"Many devices: site files from a table, signed changes, health."`
	Relay   relayCmd      `cmd:"" group:"platform" example:"kerb relay -broker mqtts://broker.example -to csv -out csv" help:"At the centre: windows as DATEX II, NGSI-LD, CSV …; the ledger."`
	Version versionCmd    `cmd:"" group:"platform" example:"kerb version -json" help:"The version."`

	Sense       senseCmd       `cmd:"" hidden:"" help:"The process that sees one camera, or the loops; kerb run starts it."`
	Look        lookCmd        `cmd:"" hidden:"" help:"The process that sees a camera for a moment; kerb probe starts it."`
	Sketch      sketchCmd      `cmd:"" hidden:"" help:"The process that sees a camera while it is aimed; kerb aim starts it."`
	Decode      decodeCmd      `cmd:"" hidden:"" help:"Become a decoder of H.265, within walls; kerb run starts it."`
	Uplink      uplinkCmd      `cmd:"" hidden:"" name:"uplink" help:"The process that speaks; kerb run starts it."`
	Want        wantCmd        `cmd:"" hidden:"" help:"The process that examines the files which the platform wants; kerb run starts it."`
	Try         tryCmd         `cmd:"" hidden:"" help:"Build the walls of a role and say what holds."`
	AccessPoint accessPointCmd `cmd:"" hidden:"" help:"The process that opens an access point for a session of kerb aim; kerb-access-point.socket starts it."`

	Manual     manualCmd     `cmd:"" hidden:"" help:"Print a manual page."`
	Completion completionCmd `cmd:"" hidden:"" help:"Print the completion of a shell."`
	Names      namesCmd      `cmd:"" hidden:"" help:"Print names, for completion."`
}

// groups say who uses the commands, in the order of the help.
var groups = []kong.Group{
	{Key: "desk", Title: "At a desk, without a device"},
	{Key: "pole", Title: "At the pole: the engineer"},
	{Key: "review", Title: "Proof: the privacy reviewer"},
	{Key: "platform", Title: "Messages: the platform"},
}

func main() {
	log.SetOutput(io.Discard) // libraries print with it what they read: net/http the bytes of a camera, hybridgroup/mjpeg addresses
	os.Exit(runCommand(os.Args[1:], terminal.Terminal{Out: os.Stdout, Err: os.Stderr}))
}

// runCommand parses a command line, runs its command and returns the exit status.
// SIGINT and SIGTERM cancel the command's context.
func runCommand(args []string, t terminal.Terminal) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the default action is restored, so that a second
	// signal ends a command that does not react to the first.
	context.AfterFunc(ctx, stop)

	var c commands
	exitStatus := -1 // set where kong itself exits, after --help
	parser, err := kong.New(&c, kong.Name("kerb"),
		kong.Description("Counts people and vehicles at the kerb and forgets what it saw."),
		kong.Writers(t.Out, t.Err), kong.UsageOnError(),
		kong.Exit(func(code int) { exitStatus = code }),
		kong.ExplicitGroups(groups), kong.Help(manual.PrintHelp), kong.ValueFormatter(manual.FormatValue),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(t))
	if err != nil {
		fmt.Fprintf(t.Err, "kerb: %v\n", err)
		return exitFailed
	}
	parsed, err := parser.Parse(doubleDashes(rewriteHelp(args)))
	switch {
	case exitStatus >= 0:
		return exitStatus
	case err != nil:
		what, hint := manual.ExplainParseError(err)
		fmt.Fprintf(t.Err, "kerb: %s\nkerb: hint: %s\n", what, hint)
		return exitUsage
	}
	return printError(t.Err, runSelected(ctx, parsed, t))
}

// runSelected runs the command of a parsed command line. It calls those that run for long
// itself: kong's own call would keep the model of all commands, 0.4 MB in each process.
func runSelected(ctx context.Context, parsed *kong.Context, t terminal.Terminal) error {
	if node := parsed.Selected(); node != nil {
		switch c := node.Target.Addr().Interface().(type) {
		case interface{ Run(context.Context) error }:
			return c.Run(ctx)
		case interface {
			Run(context.Context, terminal.Terminal) error
		}:
			return c.Run(ctx, t)
		}
	}
	return parsed.Run()
}

// printError prints each line of err with the prefix "kerb: ", adds a hint for
// common mistakes, and returns the exit status.
func printError(w io.Writer, err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errNotWell):
		return exitFailed
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(w, "kerb: %s\n", strings.TrimRight(line, "\n"))
	}
	if hint := admission.HintFor(err); hint != "" {
		fmt.Fprintln(w, "kerb: hint:", hint)
	}
	var list mistake.List
	var usage terminal.UsageError
	if errors.As(err, new(child.RefusedError)) {
		return child.ExitRefused
	}
	if errors.As(err, &list) || errors.As(err, &usage) || errors.As(err, new(admission.Refusal)) || errors.As(err, new(admission.ConflictError)) {
		return exitUsage
	}
	return exitFailed
}

// rewriteHelp turns the other usual ways to ask for help and version into kong's: kerb
// alone, kerb help, kerb help COMMAND, kerb -v and kerb --version.
func rewriteHelp(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case len(args) == 1 && slices.Contains([]string{"-v", "-V", "-version", "--version"}, args[0]):
		return []string{"version"}
	}
	return args
}

// oneDash matches a flag that is written with one dash, such as -for or -for=30s.
var oneDash = regexp.MustCompile(`^-[a-z][a-z-]+(=|$)`)

// doubleDashes turns -for into --for, up to the argument "--". This is unambiguous
// because the only short flag is -h, so that no group of short flags looks like it.
func doubleDashes(args []string) []string {
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
