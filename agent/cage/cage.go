// Package cage restricts a process to the system calls, files and ports of its
// role, and measures whether the restrictions hold.
//
// kerb runs as three kinds of process. The one that sees pixels ([Sense])
// cannot open a file, a socket or a program; the one that speaks to the broker
// ([Uplink]) never sees a pixel, is handed its connection and opens nothing outside
// its directory; the one that starts both ([Supervisor]) parses no input from
// outside. The walls are seccomp filters
// made from one table for amd64, arm64 and arm, resource limits, no core dumps,
// no capabilities, and Landlock where the kernel has it.
//
//	report, err := cage.Sense().Apply()
//	report, err := cage.Uplink().State("/var/lib/kerb").Apply()
//
// Apply assumes no wall: it ends by trying every forbidden call from inside,
// and the [Report] says of each wall whether it holds and which errno the
// kernel returned. A kernel without seccomp or Landlock is not an error of
// Apply, but its Report says so; [Report.Strict] makes it one.
//
// Before Apply, a process opens all that it will need: descriptors it was
// started with stay open, named time zones and certificates are to be loaded, a
// database may be opened. Standard output and error of [Sense] must be pipes:
// it cannot make a file longer, not even one that was handed to it.
//
// The cage refuses to filter the bytes that are written to a descriptor that is
// already open: the process that starts a caged one decides, by the descriptors
// it hands over, where the caged one can send to.
//
// Filters hold for all threads of the process, present and future, and cannot
// be removed. Builds with cgo are not supported.
package cage

// Role is one of [SenseRole], [UplinkRole] and [SupervisorRole].
type Role interface {
	// Apply puts the walls around this process, permanently, and measures them.
	// It returns an error for a mistake in the role, a second cage, or a call
	// that the kernel should have accepted; the process may be caged in part
	// then, and should end.
	Apply() (Report, error)

	roleName() string
	makePlan() plan
}

// plan is a role in the terms of the walls.
type plan struct {
	grants grant
	memory uint64   // bytes by which the address space may still grow; 0: no limit
	dir    string   // the one directory that may be written
	read   []string // files and directories that may be read
	run    []string // files that may be read and started
}

// SenseRole is the role of the process that sees pixels. Its zero value is
// [Sense].
type SenseRole struct {
	extra grant
	bytes uint64
}

// Sense returns the role of the process that sees pixels: it reads and writes
// descriptors that are open already. It opens no file, not even for reading,
// and makes no socket call.
func Sense() SenseRole { return SenseRole{} }

// Handover adds recvmsg, for descriptors that arrive over a Unix socket
// (SCM_RIGHTS).
func (r SenseRole) Handover() SenseRole { r.extra |= handover; return r }

// Video adds setting up and reading a V4L2 device that is already open: its
// formats, the exchange of buffers, and shared mappings. Controls that change
// the picture, and all output, are refused.
func (r SenseRole) Video() SenseRole { r.extra |= video; return r }

// Lines adds waiting for GPIO lines that are already requested, and
// GPIO_V2_LINE_GET_VALUES on them.
func (r SenseRole) Lines() SenseRole { r.extra |= lines; return r }

// Memory limits the address space to the present mappings and so many bytes
// more. A Go program that reaches the limit dies; leave room for its heap.
func (r SenseRole) Memory(bytes uint64) SenseRole { r.bytes = bytes; return r }

// Apply puts the walls around this process, permanently, and measures them.
func (r SenseRole) Apply() (Report, error) { return applyRole(r) }

func (r SenseRole) roleName() string { return "sense" }
func (r SenseRole) makePlan() plan   { return plan{grants: living | r.extra, memory: r.bytes} }

// UplinkRole is the role of the process that speaks to the broker. Its zero value is
// [Uplink].
type UplinkRole struct {
	extra grant
	dir   string
	bytes uint64
}

// Uplink returns the role of the process that speaks to the broker: it reads and
// writes descriptors that are open already or are handed over to it (SCM_RIGHTS), and
// opens no socket. It opens only the files that are added to the role.
func Uplink() UplinkRole { return UplinkRole{} }

// Database adds writing, mapping, locking and syncing a database that is open
// already. It opens no file, which holds without Landlock too.
func (r UplinkRole) Database() UplinkRole { r.extra |= database; return r }

// State adds databases in one directory: creating, renaming and removing files
// there. The directory must exist. Without Landlock, file permissions alone
// confine the process to that directory, and the Report says so.
func (r UplinkRole) State(dir string) UplinkRole {
	r.extra |= state | database
	r.dir = dir
	return r
}

// Memory limits the address space to the present mappings and so many bytes
// more; the database is mapped and counts.
func (r UplinkRole) Memory(bytes uint64) UplinkRole { r.bytes = bytes; return r }

// Apply puts the walls around this process, permanently, and measures them.
func (r UplinkRole) Apply() (Report, error) { return applyRole(r) }

func (r UplinkRole) roleName() string { return "uplink" }

func (r UplinkRole) makePlan() plan {
	return plan{grants: living | handover | r.extra, memory: r.bytes, dir: r.dir}
}

// SupervisorRole is the role of the process that starts the others. Its zero
// value is [Supervisor].
type SupervisorRole struct{}

// Supervisor returns the role of the process that dials cameras and starts the
// others. It keeps files, sockets and programs, and so do the programs it
// starts (ffmpeg, rpicam-vid), which inherit its walls. It gives up, for all of
// them: other processes' memory, io_uring, bpf, mounts, namespaces, keys,
// modules, the clock, more privileges, core dumps, and programs of another
// architecture than its own.
func Supervisor() SupervisorRole { return SupervisorRole{} }

// Apply puts the walls around this process, permanently, and measures them.
func (r SupervisorRole) Apply() (Report, error) { return applyRole(r) }

func (r SupervisorRole) roleName() string { return "supervisor" }
func (r SupervisorRole) makePlan() plan   { return plan{grants: keeping} }
