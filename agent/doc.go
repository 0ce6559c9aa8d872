// Command kerb counts people and vehicles at the kerb and forgets what it saw.
//
// Package main holds the commands, one file cmd_x.go for each: flags, help, the
// text and JSON that are printed, and the calls into the packages below agent/
// that do the work. It reads no picture itself: test/arch bans counting/vision,
// counting/neural, drivers/camera, image and unsafe here, and allows to no package but
// this one and agent/demo both counting/vision and agent/store or agent/uplink.
//
// Standard output is for data and standard error for messages, each line of which
// begins with "kerb: ". The exit status is 0 for success, 1 for a failure and 2 for
// a wrong command line or a wrong file; a child process of kerb run also uses
// child.ExitRefused.
//
// # The processes
//
// kerb run is the supervisor. It starts the others from the same binary:
//
//	kerb run             agent/supervisor  starts, watches, cuts windows, opens cameras
//	  kerb sense NAME    agent/sensor      one camera: pictures in, tallies out
//	  kerb sense         agent/sensor      the loops: edges in, tallies out
//	  kerb uplink        agent/publisher   releases in; to the spool and the broker
//	  kerb sketch NAME   agent/sensor      one camera while it is aimed (started by kerb aim)
//	  kerb look NAME     agent/sensor      one camera for seconds (started by kerb probe and check)
//	  kerb access-point  agent/accesspoint the Wi-Fi of an aiming session (started by systemd for kerb aim)
//	  kerb decode        agent/cage        becomes ffmpeg for one camera with H.265 (started by agent/opener)
//
// agent/process starts and watches a child, agent/child is the child's own side,
// agent/ipc holds the fixed records between them, agent/handover passes open
// descriptors to a process that cannot open files, and agent/opener opens them.
// agent/cage builds the walls and measures what holds.
//
// agent/demo runs the same rooms in one process, without walls, for kerb demo and tests.
//
// # The way of a picture
//
//	drivers/camera   reads a picture into the caller's buffer (latest.go, jpegstream.go, avcstream.go, luma, h264)
//	agent/source     has opened the driver that site.toml names (open.go)
//	counting/vision  steps: background, blobs, network, trackers, line sides (process.go)
//	agent/sensor     adds the crossings to the open window (camera.go, counting/tallier.go)
//	agent/sensor     answers ipc.CloseWindow with an ipc.Tally (process.go, ipc/tally.go)
//	agent/supervisor collects the tallies of one window, clears each by the policy, once, and queues the releases (window.go, queue.go)
//	agent/policy     draws the noise or suppresses (clear.go, noise.go)
//	agent/publisher  stores the releases (publisher.go, clear.go)
//	agent/store      commits all releases of a window in one synced transaction (append.go)
//	agent/uplink     encodes, publishes and deletes after the acknowledgement (scheduler.go, kerbv1.go)
//
// The picture itself ends in counting/vision: the buffer is overwritten by the
// next step and wiped at the end, also after an error or a panic.
//
// # The way of a loop's edge
//
//	drivers/loop     timestamps the edge in the kernel (port_linux.go)
//	counting/loop    edge → presence → passage → window (input.go, lane.go, window.go)
//	agent/sensor     adds up the windows of lanes (loops.go), then as above
//
// # The way of a command
//
//	agent/uplink     receives …/cmd and parses it (session.go, command.go)
//	agent/policy     says whether the policy allows the verb (Policy.AllowsCommand)
//	agent/store      looks the windows up again (pending.go)
//	agent/uplink     publishes them on …/backfill and answers on …/ack
//
// # The way of files from afar
//
//	agent/uplink     receives …/want and hands the bytes on unread (session.go)
//	agent/publisher  stores them in the state directory (want.go)
//	agent/want       judges them in a process of its own, kerb want (load.go, examine.go)
//	agent/supervisor starts anew under them, on trial, and keeps them or goes back (want.go)
//
// # The way of a question
//
//	agent/status     kerb status, kerb spool and kerb report ask the socket (client.go)
//	agent/status     takes fixed records, few clients and no slow ones (server.go)
//	agent/supervisor tells sensors, lamp, clock and disk (status.go)
//	agent/publisher  tells broker and spool; the supervisor passes it on unread (status.go)
//	agent/advice     says what to do about an error, by its text (advice.go)
//	agent/publisher  adds up the stored windows of the last 72 hours (history.go)
//	agent/statuspage draws the answer for a browser, behind the code of kerb aim or on loopback (statuspage.go, plot.go, serve.go)
//
// # The way of a message at the centre
//
//	agent/relay      commits what the broker sends, and then acknowledges it (receive.go, position.go)
//	agent/relay      adds each window to the account of its day (day.go, ledger.go)
//	agent/relay      writes documents of a format to the sink, and then removes the windows (deliver.go, format.go, sink.go)
//	agent/relay      asks for missing windows, and tells devices which the sink has (commands.go)
//
// # The way of a log line
//
//	agent/process    cuts what a child writes to printable text, and bounds it (process.go)
//	agent/logbook    drops what repeats a loss, and keeps the last lines (logbook.go)
//
// # Add a payload format
//
//  1. agent/uplink/myformat.go: a type with Topic, Append and Frame (see Format),
//     and its value in formats (format.go).
//  2. agent/uplink/format_test.go holds every format to the rules: the same bytes
//     for the same window, topics without wildcards, a length that does not depend
//     on the counts (pad left-out cells). Add a test with the format's own parser.
//  3. The choice: Opts.Format in agent/publisher/open.go. With the second format
//     comes a key of site.toml: agent/config (config.go, file.go, check.go,
//     schema.go), then KERB_UPDATE=1 go test ./agent/config writes its schema.
//  4. firmware-notes/network.md, where the topics have another root: the ACL.
//
// # Add a format of the relay
//
//  1. agent/relay/myformat.go: a type with windows, sites and forMQTT (see format), and its
//     row in formats (format.go). A gap and a withheld number must not become 0.
//  2. test/relay/formats_test.go: the format's own validator over a day of the fleet, with
//     a planted mistake that it must find.
//  3. firmware-notes/relay.md: the rows of both tables.
//
// # Add a register to the transparency record
//
//  1. agent/transparency/register/myregister.go: a type with Name, File and Export (see
//     Exporter), and its value in Exporters (register.go). What only people can say is
//     asked with asker.answer, and never filled; a new question is a row of Questions
//     and a field of declaredFile (agent/transparency/questions.go).
//  2. register_test.go: the register's own check, with an empty declared.toml and a full
//     one. The tests of flips (notice/flip_test.go) and of warnings find it by themselves.
//  3. KERB_UPDATE=1 go test ./agent/transparency writes the schemas of the two files, and
//     firmware-notes/record.md gets a row.
//
// # Add a camera kind
//
//  1. drivers/camera/mykind.go: an Open function that returns a source, and its row
//     in the conformance table (conform_test.go). No driver is needed where
//     camera.OpenPipe reads the data (JPEGs, raw pictures, YUV4MPEG2).
//  2. agent/config/source.go: a type with isSource and String, and its case in
//     ParseSource. The texts that list the kinds: errSourceScheme, sourceExample
//     (source_check.go) and the key's doc (schema.go); then
//     KERB_UPDATE=1 go test ./agent/config.
//  3. The case that opens it in agent/opener (openCamera) and the case that reads it
//     in agent/source (OpenCamera): a test in agent/source names the missing ones.
//     An open must not block, and opens for reading only.
//  4. firmware-notes/hardware.md and configs/site-camera.toml: a line for the engineer.
//
// # Add an event, or a reason
//
//  1. A reason: counting/reason.go, the constant and its word at the end of both
//     lists. An event: a call of Store.AddNote with the kind written out.
//  2. agent/vocabulary: its meaning, what a platform shall do, and the members of its
//     data. Its tests name the missing entries; KERB_UPDATE=1 go test ./agent/vocabulary
//     writes firmware-notes/words.md and the schemas.
//
// # Add a class
//
//  1. counting/class.go: append the constant and its word, never insert: stored
//     releases hold the number. Raise Classes; WithoutSplit says whether it is a
//     part of another class.
//  2. The compiler then names agent/policy/english.go and finnish.go; tests name
//     the page's words and colours (agent/aim/page/words.json, style.css,
//     agent/aim/draw.go) and the schemas of the messages (configs/count.schema.json,
//     meta.schema.json). KERB_UPDATE=1 go test ./agent/config ./agent/policy writes
//     the schemas of the two files.
//  3. counting/vision: heads.go or head_kerb.go, where a network finds the class;
//     scale.go, where motion shall assign it.
//  4. A stream without the key classes counts every coarse class. A new coarse class
//     therefore needs a place in the shipped policies (configs/policy-*.toml), or
//     sites that leave classes out are refused.
package main
