package arch

import "maps"

// A room is a package and what it may lean on. A package that is not in this
// table does not build; an edge that is not in it is a mistake in the design.
type room struct {
	path string   // below the module
	why  string   // the job of the room, by which its edges are judged
	ours []string // packages of this module that it may import
	libs []string // modules from outside; each has its reason in libraries
	// bans are packages of the standard library that must not be imported
	// here, with the reason.
	bans map[string]string
}

const (
	noPictureOut = "a picture could be written or sent with it"
	noPictureTyp = "a picture type would outlive the step that saw it"
	noRawMemory  = "it reaches memory that the wipe does not know of"
	plainNumbers = "plain numbers need nothing from the machine"
)

// darkRoom is what no package that holds a picture may touch.
var darkRoom = map[string]string{
	"os": noPictureOut, "os/exec": noPictureOut, "net": noPictureOut, "net/http": noPictureOut,
	"syscall": noPictureOut, "log": noPictureOut, "log/slog": noPictureOut, "io/fs": noPictureOut,
	"image": noPictureTyp, "image/jpeg": noPictureTyp, "image/png": noPictureTyp,
	"image/draw": noPictureTyp, "image/color": noPictureTyp,
	"encoding/json": noPictureOut, "encoding/base64": noPictureOut, "encoding/hex": noPictureOut,
	"unsafe": noRawMemory, "runtime/debug": noPictureOut,
}

// darkRoomTyped is darkRoom for a package that divides the memory that it is handed
// into values of its own types.
var darkRoomTyped = without(darkRoom, "unsafe")

// without returns a copy of bans without one package.
func without(bans map[string]string, path string) map[string]string {
	bans = maps.Clone(bans)
	delete(bans, path)
	return bans
}

// values is what a package of plain values may not touch.
var values = map[string]string{
	"os": plainNumbers, "net": plainNumbers, "net/http": plainNumbers, "syscall": plainNumbers,
	"image": plainNumbers, "unsafe": plainNumbers, "log": plainNumbers, "log/slog": plainNumbers,
}

// eyes is what the drivers that fill the picture's buffer may not touch.
var eyes = map[string]string{
	"image": noPictureTyp, "image/jpeg": noPictureTyp, "image/png": noPictureTyp,
	"image/draw": noPictureTyp, "unsafe": noRawMemory, "log": noPictureOut, "log/slog": noPictureOut,
}

// speaker is what the packages that store and send may not touch.
var speaker = map[string]string{
	"image": "the process that sends must not be able to see", "image/jpeg": "the process that sends must not be able to see",
	"unsafe": "stored bytes are read with checks", "os/exec": "nothing that a broker says may start a program",
}

// page is what the room of the commissioning page may not touch. It draws, so it
// has pictures of its own making; it cannot get at one of the street, as it
// imports neither the dark room nor a driver, and opens nothing.
var page = map[string]string{
	"os": "what is kept is handed to the wiring", "os/exec": noPictureOut, "syscall": noPictureOut,
	"unsafe": noRawMemory, "image/png": "one kind of drawing is enough",
}

// statusPage is what the room of the status page may not touch: it draws with text alone.
var statusPage = map[string]string{
	"os": "what is shown is handed to it", "os/exec": noProgram, "syscall": noPictureOut, "unsafe": noRawMemory,
	"image": noPictureTyp, "image/jpeg": noPictureTyp, "image/png": noPictureTyp,
}

// command lists the bans of package main: it passes values between the rooms
// and reads no picture itself.
var command = map[string]string{
	"image": noPictureTyp, "image/jpeg": noPictureTyp, "image/png": noPictureTyp,
	"unsafe": noRawMemory, "plugin": "one static binary",
	module + "/counting/vision": noPictureHere, module + "/counting/neural": noPictureHere, module + "/drivers/camera": noPictureHere,
}

const (
	noPictureHere = "main wires values; a room beneath it reads pictures"
	noProgram     = "only the opener and the process starter run programs"
	noNetwork     = "this room works on files and values, and reaches no network"
	noSecondPipe  = "numbers leave the sensing process as ipc records alone"
)

// pictures lists the bans of rooms that move open descriptors and never read a
// picture from them.
var pictures = map[string]string{
	"image": noPictureTyp, "image/jpeg": noPictureTyp, "image/png": noPictureTyp, "unsafe": noRawMemory,
}

// programs lists the bans of rooms that may hold sockets but start nothing.
var programs = map[string]string{
	"image": noPictureTyp, "image/jpeg": noPictureTyp, "image/png": noPictureTyp, "unsafe": noRawMemory,
	"os/exec": noProgram, "log": noPictureOut,
}

// outside lists the bans of rooms that work on files and values.
var outside = map[string]string{
	"image": noPictureTyp, "image/jpeg": noPictureTyp, "image/png": noPictureTyp, "unsafe": noRawMemory,
	"os/exec": noProgram, "net": noNetwork, "net/http": noNetwork,
}

// seeing lists the bans of the sensing process.
var seeing = map[string]string{
	"image": noPictureTyp, "image/jpeg": noPictureTyp, "image/png": noPictureTyp, "unsafe": noRawMemory,
	"os/exec": noProgram, "net": noNetwork, "net/http": noNetwork, "encoding/json": noSecondPipe, "log": noPictureOut,
}

var rooms = []room{
	{path: "agent", why: "the commands, and the values that the rooms hand to each other", ours: []string{everything}, libs: []string{kongLib, sysLib}, bans: command},
	{path: "agent/accesspoint", why: "the Wi-Fi of one aiming session: hostapd, an address, DHCP; a name comes in, a passphrase goes out, and nothing of the street", libs: []string{dhcpLib, genetlinkLib, netlinkLib, sysLib}, bans: pictures},
	{path: "agent/acceptance", why: "the acceptance sheet, from site.toml and the records of tallies alone", ours: []string{"agent/config", "agent/language", "agent/uplink", "counting"}, bans: outside},
	{path: "agent/admission", why: "decides which policy is in force, from files alone", ours: []string{"agent/audit", "agent/clock", "agent/config", "agent/ipc", "agent/mistake", "agent/policy", "agent/state"}, libs: []string{minisignLib}, bans: outside},
	{path: "agent/advice", why: "what to do about an error, by its text", bans: values},
	{path: "agent/aim", why: "the commissioning page; it draws silhouettes from blocks of numbers", ours: []string{"agent/aim/record", "counting"}, libs: []string{mjpegLib}, bans: page},
	{path: "agent/aim/record", why: "the fixed records between the page and the sketching process", ours: []string{"counting"}, bans: speaker},
	{path: "agent/audit", why: "an append-only log of facts about the device", bans: speaker},
	{path: "agent/busyness", why: "judges the alerts of a policy from Releases alone", ours: []string{"agent/policy", "agent/store", "counting"}, bans: speaker},
	{path: "agent/cage", why: "the walls are system calls", libs: []string{sysLib, landlockLib}},
	{path: "agent/canary", why: "makes marked pictures and finds them again, in memory only", bans: map[string]string{"os": noPictureOut, "net": noPictureOut, "net/http": noPictureOut}},
	{path: "agent/child", why: "the start of a child process: walls, heartbeats, log", ours: []string{"agent/cage", "agent/ipc"}, bans: outside},
	{path: "agent/clock", why: "reads the kernel's clocks", libs: []string{sysLib}, bans: speaker},
	{path: "agent/commission", why: "one aiming session beside kerb run, or without it", ours: []string{
		"agent/admission", "agent/aim", "agent/aim/record", "agent/audit", "agent/cage", "agent/clock", "agent/config", "agent/ipc", "agent/mistake",
		"agent/opener", "agent/policy", "agent/process", "agent/publisher", "agent/qrcode", "agent/state", "agent/store", "agent/terminal", "agent/uplink", "counting",
	}, bans: pictures},
	{path: "agent/config", why: "site.toml as checked values", ours: []string{"agent/mistake", "agent/state", "agent/week", "counting", "counting/neural/nets"}, libs: []string{minisignLib, netLib, textLib}, bans: speaker},
	{path: "agent/demo", why: "the whole pipeline in one process, without walls: kerb demo and tests", ours: []string{
		"agent/admission", "agent/clock", "agent/config", "agent/ipc", "agent/localbroker", "agent/logbook", "agent/opener", "agent/policy", "agent/publisher",
		"agent/replay", "agent/sensor", "agent/source", "agent/store", "agent/terminal", "agent/uplink", "agent/week",
		"counting", "drivers/camera/scene", "drivers/loop/street",
	}, bans: pictures},
	{path: "agent/enrol", why: "gets and renews the device's certificate; started by kerb run as a process of its own", ours: []string{"agent/state"}, libs: []string{pkcs7Lib}, bans: pictures},
	{path: "agent/filecheck", why: "the two files judged, and one against the other: with the counter's own checks; kerb fleet sends, so no network of a camera is read", ours: []string{"agent/admission", "agent/config", "agent/mistake", "agent/policy", "agent/source"}, bans: outside},
	{path: "agent/fleet", why: "the centre of many devices: their site files, signed changes and health", ours: []string{"agent/admission", "agent/config", "agent/filecheck", "agent/mistake", "agent/policy", "agent/relay", "agent/terminal", "agent/uplink", "agent/want"}, libs: []string{minisignLib, pahoLib}, bans: pictures},
	{path: "agent/handover", why: "passes open descriptors over a Unix socket", libs: []string{sysLib}, bans: programs},
	{path: "agent/hardware", why: "facts of the board for the state message", ours: []string{"agent/ipc", "drivers/board"}, libs: []string{sysLib}, bans: outside},
	{path: "agent/ipc", why: "fixed records of numbers between the processes", ours: []string{"counting"}, bans: speaker},
	{path: "agent/language", why: "chooses the language of a page, and holds its words", bans: values},
	{path: "agent/localbroker", why: "the broker of demo and proof, and the listener of the demo", libs: []string{mochiLib, pahoLib}, bans: pictures},
	{path: "agent/logbook", why: "bounds the log of all processes, and keeps its last lines", bans: outside},
	{path: "agent/manual", why: "the help of the commands as manual page and completions, and the keys of the files as manual pages", ours: []string{"agent/mistake"}, libs: []string{kongLib}, bans: outside},
	{path: "agent/mistake", why: "tells every mistake of a TOML file at once", libs: []string{tomlLib}, bans: speaker},
	{path: "agent/model", why: "chooses and plans the network for a camera", ours: []string{"agent/config", "counting/neural", "counting/neural/nets", "counting/vision"}, bans: outside},
	{path: "agent/model/importer", why: "makes a .kerb file, on a desk", ours: []string{"agent/model", "agent/policy", "agent/replay", "agent/source", "agent/state", "agent/terminal"}, bans: outside},
	{path: "agent/opener", why: "opens cameras, programs and the broker for processes that may not, and reads nothing from them", ours: []string{"agent/cage", "agent/config", "agent/handover", "agent/process"}, libs: []string{netLib, sysLib}, bans: pictures},
	{path: "agent/policy", why: "the only room that makes a Release", ours: []string{"agent/mistake", "agent/week", "counting"}, libs: []string{minisignLib}, bans: speaker},
	{path: "agent/policy/policytest", why: "policies for tests", ours: []string{"agent/policy"}},
	{path: "agent/probe", why: "lists the hardware of this device", ours: []string{
		"agent/advice", "agent/cage", "agent/config", "agent/handover", "agent/ipc", "agent/logbook", "agent/opener", "agent/policy", "agent/process", "agent/source", "agent/terminal",
		"drivers/camera", "drivers/camera/v4l2", "drivers/lamp", "drivers/loop",
	}, libs: []string{sysLib}, bans: pictures},
	{path: "agent/process", why: "starts and watches child processes", ours: []string{"agent/cage", "agent/child", "agent/handover", "agent/ipc", "agent/retry"}, libs: []string{sysLib}, bans: map[string]string{
		"net": "only the opener dials", "image": noPictureTyp, "image/jpeg": noPictureTyp,
	}},
	{path: "agent/proof", why: "searches memory, files and wire for a marked picture", ours: []string{
		"agent/cage", "agent/canary", "agent/ipc", "agent/localbroker", "agent/process", "agent/state", "agent/terminal", "configs",
	}, libs: []string{minisignLib, mochiLib, pahoLib, sysLib}, bans: pictures},
	{path: "agent/publisher", why: "the process with a network: no picture can reach it", ours: []string{
		"agent/admission", "agent/advice", "agent/audit", "agent/busyness", "agent/cage", "agent/child", "agent/clock", "agent/config", "agent/handover", "agent/hardware", "agent/ipc",
		"agent/policy", "agent/retry", "agent/state", "agent/status", "agent/store", "agent/uplink", "agent/want", "counting", "counting/loop",
	}, bans: speaker},
	{path: "agent/relay", why: "at the centre: from the broker to the formats of others; it has messages alone, no device and no picture; advice says what to do about an error of the broker", ours: []string{"agent/advice", "agent/policy", "agent/retry", "agent/uplink"}, libs: []string{bboltLib, pahoLib, sysLib}, bans: speaker},
	{path: "agent/qrcode", why: "draws an address for a telephone to read", libs: []string{qrLib}, bans: values},
	{path: "agent/replay", why: "counts recordings, on a desk and without a network", ours: []string{
		"agent/config", "agent/model", "agent/policy", "agent/source", "agent/terminal", "agent/truth",
		"counting", "counting/loop", "counting/vision", "counting/vision/health", "drivers/camera", "drivers/camera/scene", "drivers/loop",
	}, bans: outside},
	{path: "agent/report", why: "what a device tells about itself, for support, without a secret", ours: []string{
		"agent/acceptance", "agent/admission", "agent/audit", "agent/clock", "agent/config", "agent/hardware", "agent/policy", "agent/probe", "agent/process", "agent/proof", "agent/publisher",
		"agent/state", "agent/status", "agent/statuspage", "agent/store", "agent/uplink", "counting", "drivers/board",
	}, libs: []string{sysLib}, bans: pictures},
	{path: "agent/retry", why: "computes delays", bans: values},
	{path: "agent/sensor", why: "the process that sees pixels: no network, no program, no file", ours: []string{
		"agent/aim/record", "agent/cage", "agent/child", "agent/clock", "agent/config", "agent/handover", "agent/ipc", "agent/model",
		"agent/policy", "agent/retry", "agent/source", "agent/week", "counting", "counting/loop", "counting/neural", "counting/neural/nets",
		"counting/vision", "counting/vision/health", "drivers/camera", "drivers/loop",
	}, bans: seeing},
	{path: "agent/source", why: "the switch from the words of site.toml to a driver", ours: []string{
		"agent/child", "agent/config", "agent/handover", "agent/policy", "counting/loop",
		"drivers/camera", "drivers/camera/auth", "drivers/camera/rtsp", "drivers/camera/scene", "drivers/loop", "drivers/loop/street",
	}, bans: programs},
	{path: "agent/state", why: "the layout of the state directory, and acting there as its owner", libs: []string{sysLib}, bans: outside},
	{path: "agent/status", why: "the status socket and its values; the supervisor leans on it, so it knows neither store nor uplink", ours: []string{"agent/advice", "agent/ipc", "agent/state"}, libs: []string{sysLib}, bans: programs},
	{path: "agent/statuspage", why: "the page for who stands at the pole: it has values of package status, and opens nothing", ours: []string{"agent/language", "agent/qrcode", "agent/status"}, bans: statusPage},
	{path: "agent/store", why: "the spool holds Releases alone", ours: []string{"agent/policy"}, libs: []string{bboltLib, sysLib}, bans: speaker},
	{path: "agent/store/storetest", why: "windows for tests", ours: []string{"agent/policy", "counting"}},
	{path: "agent/supervisor", why: "starts the processes and parses nothing that comes from outside", ours: []string{
		"agent/admission", "agent/advice", "agent/audit", "agent/cage", "agent/child", "agent/clock", "agent/config", "agent/hardware", "agent/ipc", "agent/logbook", "agent/mistake", "agent/opener",
		"agent/policy", "agent/process", "agent/state", "agent/status", "agent/want", "agent/week", "counting", "drivers/lamp", "drivers/loop",
	}, libs: []string{sysLib}, bans: pictures},
	{path: "agent/terminal", why: "prints for people", libs: []string{sysLib}, bans: outside},
	{path: "agent/truth", why: "compares counts with ground truth", ours: []string{"counting"}, bans: speaker},
	{path: "agent/transparency", why: "the transparency record: every value with its origin and source, from files alone", ours: []string{
		"agent/admission", "agent/audit", "agent/cage", "agent/config", "agent/mistake", "agent/policy", "agent/proof", "agent/publisher",
		"agent/state", "agent/status", "agent/store", "agent/uplink", "counting", "counting/neural",
	}, libs: []string{minisignLib}, bans: outside},
	{path: "agent/transparency/notice", why: "the sign and the page for who passes, from a record alone", ours: []string{"agent/qrcode", "agent/transparency", "agent/transparency/register", "agent/week", "counting"}, bans: outside},
	{path: "agent/transparency/output", why: "the flags of kerb record, and its files", ours: []string{
		"agent/config", "agent/policy", "agent/proof", "agent/terminal", "agent/transparency", "agent/transparency/notice", "agent/transparency/register",
	}, bans: outside},
	{path: "agent/transparency/recordtest", why: "records for tests", ours: []string{"agent/admission", "agent/cage", "agent/config", "agent/proof", "agent/publisher", "agent/transparency"}},
	{path: "agent/transparency/register", why: "a record in the form of each register", ours: []string{"agent/policy", "agent/transparency"}, bans: outside},
	{path: "agent/uplink", why: "sends Releases alone; of counting only the names of quantities", ours: []string{"agent/advice", "agent/busyness", "agent/policy", "agent/retry", "agent/store", "counting"}, libs: []string{gorillaLib, pahoLib}, bans: speaker},
	{path: "agent/vocabulary", why: "explains the words of the wire to platforms", ours: []string{"counting"}, bans: outside},
	{path: "agent/want", why: "which files a platform wants, who signed them, and which are in force", ours: []string{"agent/admission", "agent/config", "agent/mistake", "agent/policy", "agent/state"}, libs: []string{minisignLib}, bans: outside},
	{path: "agent/week", why: "opening hours", bans: values},
	{path: "agent/wipe", why: "destroys files and certifies it", ours: []string{"agent/audit", "agent/clock", "agent/config", "agent/state", "agent/store"}, libs: []string{sysLib}, bans: outside},
	{path: "configs", why: "shipped policies, sites and schemas", bans: speaker},
	{path: "configs/configstest", why: "checks messages of tests against the schemas", ours: []string{"configs"}, libs: []string{schemaLib}},
	{path: "counting", why: "plain values", bans: values},
	{path: "counting/loop", why: "edges to passages and traffic", ours: []string{"counting"}, bans: values},
	{path: "counting/neural", why: "networks on the processor, in the memory of the dark room", ours: []string{"counting/neural/kernel", "counting/neural/onnx"}, bans: darkRoom},
	{path: "counting/neural/nets", why: "the networks in the binary", bans: darkRoom},
	{path: "counting/neural/kernel", why: "arithmetic kernels", libs: []string{sysLib}, bans: darkRoom},
	{path: "counting/neural/onnx", why: "reads a network's graph", libs: []string{protoLib}, bans: darkRoom},
	{path: "counting/neural/onnx/onnxtest", why: "graphs for tests", ours: []string{"counting/neural/onnx"}, libs: []string{protoLib}},
	{path: "counting/vision", why: "the dark room: pictures in, crossings out", ours: []string{"counting", "counting/neural", "counting/vision/health"}, bans: darkRoom},
	{path: "counting/vision/health", why: "judges the view from numbers about pictures", ours: []string{"counting"}, bans: darkRoom},
	{path: "drivers/board", why: "facts of a Raspberry Pi", libs: []string{periphHostLib}, bans: eyes},
	{path: "drivers/camera", why: "fills the caller's buffer", ours: []string{"drivers/camera/h264", "drivers/camera/auth", "drivers/camera/head", "drivers/camera/luma", "drivers/camera/rtsp", "drivers/camera/v4l2"}, libs: []string{sysLib}, bans: eyes},
	{path: "drivers/camera/auth", why: "answers the challenges of cameras, for HTTP and RTSP", bans: eyes},
	{path: "drivers/camera/head", why: "reads the heads of answers as cameras send them", bans: darkRoom},
	{path: "drivers/camera/cameratest", why: "what every camera driver must do", libs: []string{goleakLib}},
	{path: "drivers/camera/h264", why: "decodes the luma of H.264; unsafe divides the caller's memory, in memory.go alone", bans: darkRoomTyped},
	{path: "drivers/camera/luma", why: "decodes the luma of a JPEG", bans: darkRoom},
	{path: "drivers/camera/rtsp", why: "RTSP over a socket that is handed in", ours: []string{"drivers/camera/auth", "drivers/camera/head"}, libs: []string{gortsplibLib, rtpLib}, bans: eyes},
	{path: "drivers/camera/v4l2", why: "the kernel's camera interface", libs: []string{sysLib}},
	{path: "drivers/camera/scene", why: "the built-in street with its truth", ours: []string{"counting"}, bans: eyes},
	{path: "drivers/button", why: "a push button that is held", ours: []string{"drivers/loop"}, bans: eyes},
	{path: "drivers/lamp", why: "the status lamp", libs: []string{periphConnLib, periphHostLib}, bans: eyes},
	{path: "drivers/loop", why: "edges of GPIO lines", libs: []string{sysLib, periphConnLib, periphHostLib}},
	{path: "drivers/loop/street", why: "made-up loops", ours: []string{"drivers/loop"}},
	{path: "drivers/loop/looptest", why: "recorded edges for tests", ours: []string{"drivers/loop"}},
}

// apart lists pairs of packages that no room may reach both, by any way of
// imports, except those named: pixels on one side, storage and the wire on the
// other.
var apart = []struct {
	one, other string
	except     []string
	reason     string
}{
	{"counting/vision", "agent/store", []string{"agent", "agent/demo"}, "a room that reaches both could store a picture"},
	{"counting/vision", "agent/uplink", []string{"agent", "agent/demo"}, "a room that reaches both could send a picture"},
}

// everything is allowed to the wiring alone.
const everything = "..."

// libraries are the modules from outside, each with the reason why it is here.
var libraries = map[string]string{
	tomlLib:       "the two files are TOML; its parser tells the line of every key",
	kongLib:       "the command line as one struct, with help that cannot go stale",
	gorillaLib:    "MQTT over WebSocket on a connection that another process opened, which paho's own function cannot",
	pahoLib:       "MQTT; contained: one client per connection, see agent/uplink",
	mochiLib:      "the broker inside kerb demo, so that it needs nothing else",
	sysLib:        "the kernel: clocks, GPIO, seccomp, CPU features, free disk",
	landlockLib:   "Landlock on every thread, where the kernel has it",
	bboltLib:      "the spool: one file, one synced transaction per window; and the position of kerb relay",
	pkcs7Lib:      "reads the certificates that an EST server sends",
	minisignLib:   "signatures of policies and proofs, checkable with the common tool",
	protoLib:      "protowire reads ONNX without generated code",
	periphConnLib: "the port types of lamps and loops",
	periphHostLib: "finds board, chip and line",
	gortsplibLib:  "RTSP: sessions, authentication, RTP of three codecs; it takes sockets that are handed in",
	textLib:       "takes accents off letters, for names that are suggested",
	rtpLib:        "the packets that gortsplib gives, by their type",
	dhcpLib:       "the messages of DHCP, for telephones in the access point of an aiming session",
	genetlinkLib:  "nl80211: the interface of that access point, owned by a socket",
	netlinkLib:    "the attributes of those messages",
	netLib:        "which proxy a URL has, by the same rules as net/http; host names beyond ASCII in punycode; tests: runs the walls' filters of every processor on this one",
	goleakLib:     "tests: no goroutine is left behind",
	mjpegLib:      "the silhouettes as a stream; contained: one a viewer, exact bytes, see agent/aim",
	qrLib:         "the QR codes of the sign and of the pages on the device; no dependencies, by an author of Go, and a real decoder reads it in the tests",
	rapidLib:      "tests: properties over random input",
	schemaLib:     "tests: messages and files against their JSON Schemas",
	scriptLib:     "tests: the commands as typed",
	staticLib:     "tool: lint",
	gofumptLib:    "tool: one format",
}

const (
	tomlLib       = "github.com/pelletier/go-toml/v2"
	kongLib       = "github.com/alecthomas/kong"
	pahoLib       = "github.com/eclipse/paho.mqtt.golang"
	gorillaLib    = "github.com/gorilla/websocket"
	mochiLib      = "github.com/mochi-mqtt/server/v2"
	sysLib        = "golang.org/x/sys"
	landlockLib   = "github.com/landlock-lsm/go-landlock"
	bboltLib      = "go.etcd.io/bbolt"
	minisignLib   = "aead.dev/minisign"
	pkcs7Lib      = "github.com/smallstep/pkcs7"
	protoLib      = "google.golang.org/protobuf"
	periphConnLib = "periph.io/x/conn/v3"
	periphHostLib = "periph.io/x/host/v3"
	mjpegLib      = "github.com/hybridgroup/mjpeg"
	gortsplibLib  = "github.com/bluenviron/gortsplib/v5"
	textLib       = "golang.org/x/text"
	rtpLib        = "github.com/pion/rtp"
	dhcpLib       = "github.com/insomniacslk/dhcp"
	genetlinkLib  = "github.com/mdlayher/genetlink"
	netlinkLib    = "github.com/mdlayher/netlink"
	netLib        = "golang.org/x/net"
	qrLib         = "rsc.io/qr"
	goleakLib     = "go.uber.org/goleak"
	rapidLib      = "pgregory.net/rapid"
	schemaLib     = "github.com/santhosh-tekuri/jsonschema/v6"
	scriptLib     = "github.com/rogpeppe/go-internal"
	staticLib     = "honnef.co/go/tools"
	gofumptLib    = "mvdan.cc/gofumpt"
)
