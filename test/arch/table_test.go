package arch

// A room is a package and what it may lean on. A package that is not in this
// table does not build; an edge that is not in it is a mistake in the design.
type room struct {
	path string   // below the module, or a prefix that ends in /...
	ours []string // packages of this module that it may import
	libs []string // modules from outside; each has its reason in libraries
	// bans are packages of the standard library that must not be imported
	// here, with the reason. They hold below the path too.
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
	"image/draw": noPictureTyp, "image/color": noPictureTyp, "bytes": noPictureOut,
	"encoding/json": noPictureOut, "encoding/base64": noPictureOut, "encoding/hex": noPictureOut,
	"unsafe": noRawMemory, "runtime/debug": noPictureOut,
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
	"image": "whoever speaks must not be able to see", "image/jpeg": "whoever speaks must not be able to see",
	"unsafe": "stored bytes are read with checks", "os/exec": "nothing that a broker says may start a program",
}

var rooms = []room{
	{path: "counting", bans: values},
	{path: "counting/vision", ours: []string{"counting", "counting/neural"}, bans: darkRoom},
	{path: "agent/truth", ours: []string{"counting"}},
	{path: "agent/policy", ours: []string{"counting", "agent/mistake"}, libs: []string{tomlLib}, bans: speaker},
	{path: "agent/config", ours: []string{"counting", "agent/mistake"}, libs: []string{tomlLib}},
}

const (
	tomlLib = "github.com/pelletier/go-toml/v2"
)

// libraries are the modules from outside, each with the reason why it is here.
var libraries = map[string]string{
	tomlLib: "the two files are TOML; its parser tells the line of every key",
}
