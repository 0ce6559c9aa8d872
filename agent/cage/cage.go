// Package cage puts walls around a process and measures whether they stand.
//
// kerb runs as three kinds of process. The one that sees pixels ([Sense])
// cannot open a file, a socket or a program; the one that speaks ([Uplink])
// never sees a pixel and can only dial out; the one that starts both
// ([Supervisor]) parses nothing from outside. The walls are seccomp filters
// made from one table for amd64, arm64 and arm, resource limits, no core
// dumps, no capabilities, and Landlock where the kernel has it.
//
//	report, err := cage.Sense().Apply()
//	report, err := cage.Uplink(8883).Names().State("/var/lib/kerb").Apply()
//
// Nothing is assumed: Apply ends by trying every forbidden call from inside,
// and the [Report] says of each wall whether it holds and what the kernel
// answered. On a kernel without seccomp or Landlock, Apply is no error but its
// Report says so; [Report.Strict] is for those who want no less than all of it.
//
// Before Apply, a process opens what it will need: descriptors it was started
// with are its own, named time zones and certificates are to be loaded, a
// database may be opened. Standard output and error of [Sense] must be pipes:
// it cannot make a file longer, not even one that was handed to it.
//
// What the cage refuses to do: it does not filter what is written to a
// descriptor that is already open. Whoever starts a caged process decides,
// by what it hands over, where that process can speak to.
//
// Filters hold for all threads of the process, present and future, and can
// never be taken off. Builds with cgo are not supported.
package cage

import "slices"

// Role is one of [SenseRole], [UplinkRole] and [SupervisorRole].
type Role interface {
	// Apply builds the walls around this process, for good, and measures them.
	// An error is a mistake in the role, a second cage, or a call the kernel
	// should have taken; the process may be caged in part then, and should end.
	Apply() (Report, error)

	name() string
	plan() plan
}

// plan is a role in the terms of the walls.
type plan struct {
	grants grant
	memory uint64   // bytes the address space may still grow by; 0: no limit
	dir    string   // the one directory that may be written
	read   []string // files and directories that may be read
	ports  []uint16 // TCP ports that may be dialled
}

// SenseRole is the role of the process that sees. Its zero value is [Sense].
type SenseRole struct {
	extra grant
	bytes uint64
}

// Sense is the role of the process that sees pixels: it reads descriptors that
// are open already and writes to others. It opens nothing, not even for
// reading, and makes no socket call.
func Sense() SenseRole { return SenseRole{} }

// Handover adds recvmsg, for descriptors that arrive over a Unix socket.
func (r SenseRole) Handover() SenseRole { r.extra |= handover; return r }

// Video adds setting up and reading a V4L2 device that is already open: which
// formats it has, which one is set, the exchange of buffers, and shared
// mappings. What changes the picture otherwise, and all output, is refused.
func (r SenseRole) Video() SenseRole { r.extra |= video; return r }

// Lines adds waiting for, and GPIO_V2_LINE_GET_VALUES on, GPIO lines that are
// already requested.
func (r SenseRole) Lines() SenseRole { r.extra |= lines; return r }

// Memory limits the address space to what is mapped now and so many bytes
// more. A Go program that meets the limit dies; leave room for its heap.
func (r SenseRole) Memory(bytes uint64) SenseRole { r.bytes = bytes; return r }

// Apply builds the walls around this process, for good, and measures them.
func (r SenseRole) Apply() (Report, error) { return apply(r) }

func (r SenseRole) name() string { return "sense" }
func (r SenseRole) plan() plan   { return plan{grants: living | r.extra, memory: r.bytes} }

// UplinkRole is the role of the process that speaks. Make one with [Uplink].
type UplinkRole struct {
	extra grant
	dir   string
	read  []string
	ports []uint16
	bytes uint64
}

// Uplink is the role of the process that speaks: a TCP client of one port,
// IPv4 and IPv6. It does not listen, and opens no file unless told which.
// Only Landlock (ABI 4) holds it to the port, and to the files.
func Uplink(port uint16) UplinkRole { return UplinkRole{ports: []uint16{port}} }

// Names lets it ask name servers over UDP and TCP port 53, and read the files
// that Go's resolver reads. As resolv.conf is replaced by renaming, the whole
// directory it lies in may be read.
func (r UplinkRole) Names() UplinkRole { r.extra |= names; return r }

// Read lets it open these files and directories for reading.
func (r UplinkRole) Read(paths ...string) UplinkRole {
	r.extra |= reading
	r.read = append(slices.Clip(r.read), paths...)
	return r
}

// Database lets it go on with a database that is open already: write, map,
// lock and sync it. Nothing is opened, which holds without Landlock too.
func (r UplinkRole) Database() UplinkRole { r.extra |= database; return r }

// State lets it keep databases in one directory: also create, rename and
// remove files there. The directory must exist. Without Landlock only file
// permissions hold it to that directory, and the Report says so.
func (r UplinkRole) State(dir string) UplinkRole {
	r.extra |= state | database
	r.dir = dir
	return r
}

// Memory limits the address space to what is mapped now and so many bytes
// more; the database is mapped and counts.
func (r UplinkRole) Memory(bytes uint64) UplinkRole { r.bytes = bytes; return r }

// Apply builds the walls around this process, for good, and measures them.
func (r UplinkRole) Apply() (Report, error) { return apply(r) }

func (r UplinkRole) name() string { return "uplink" }

func (r UplinkRole) plan() plan {
	return plan{
		grants: living | network | r.extra, memory: r.bytes,
		dir: r.dir, read: r.read, ports: r.ports,
	}
}

// SupervisorRole is the role of the process that starts the others. Its zero
// value is [Supervisor].
type SupervisorRole struct{}

// Supervisor is the role of the process that dials cameras and starts the
// others. It keeps files, sockets and programs, and so do the programs it
// starts (ffmpeg, rpicam-vid), which inherit its walls. It gives up, for all
// of them: other processes' memory, io_uring, bpf, mounts, namespaces, keys,
// modules, the clock, more privileges, core dumps, and programs of another
// architecture than its own.
func Supervisor() SupervisorRole { return SupervisorRole{} }

// Apply builds the walls around this process, for good, and measures them.
func (r SupervisorRole) Apply() (Report, error) { return apply(r) }

func (r SupervisorRole) name() string { return "supervisor" }
func (r SupervisorRole) plan() plan   { return plan{grants: keeping} }
