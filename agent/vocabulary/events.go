package vocabulary

// The shapes of members that several events have.
const (
	text    = `"type": "string"`
	flag    = `"type": "boolean"`
	seq     = `"type": "integer", "minimum": 1`
	number  = `"type": "integer", "minimum": 0`
	level   = `"type": "string", "pattern": "^[a-z0-9_-]{1,64}$"`
	word    = `"type": "string", "pattern": "^[a-z0-9_]{1,32}$"`
	uuid    = `"type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"`
	instant = `"type": "string", "format": "date-time"`
	hash    = `"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"`
)

// Events explains every kind of event, in the order of their names.
func Events() []Event {
	return []Event{
		{
			"aim", "Somebody aims a camera with kerb aim: a session began or ended, or something was done in it.",
			"Expect gaps with the reason aiming. A session that no engineer of yours has opened is an incident.",
			[]Member{
				{"act", word, "start, entered (with the right code), locked (too many wrong codes), changed (site.toml was written), undone, accepted (a tally by hand became the acceptance), extended (more time, within the policy), page_refused (somebody asked for the status page, which the policy forbids), access_point (one is open for the session, and ends with it), end", false},
				{"camera", text, "the camera", true},
				{"code", `"type": "string", "pattern": "^[0-9a-f]{8}$"`, "number of the code that the viewer used, not the code", true},
				{"by", word, "of start: command (typed, or a unit), card (aim.toml on the image's card), button, power (three short starts by the power switch)", true},
				{"for_s", `"type": "number", "minimum": 0`, "of start and extended: length of the whole session", true},
				{"site", hash, "of changed and undone: SHA-256 of the new site.toml", true},
				{"why", word, "of end: done, expired, guessed (too many wrong codes), stopped, lost, closed", true},
			},
		},
		{
			"audit_cut", "The audit log of the device lacks entries that it wrote: they were cut off or changed, or the log was deleted. It is sent once for each finding.",
			"An incident: find out who could write there. The last agent.audit of a state that you keep tells what was there: signing.md.",
			[]Member{
				{"had", seq, "number of the last entry that the device wrote; absent where that is not known", true},
				{"found", number, "number of the last entry that was there, 0: none; had or more: an entry was changed", false},
			},
		},
		{
			"busy", "A zone became busy, or is so no longer, by an alert of the policy ([[alert]]). It is judged from released bands alone.",
			"Act, or stop. After a start of yours, read the present state from the retained message on now. An epoch that follows a lost spool begins as not busy.",
			[]Member{
				{"stream", level, "the zone", false},
				{"class", word, "whose band it is", false},
				{"on", flag, "it begins; false: it is over", false},
				{"since_epoch", uuid, "of since_seq", false},
				{"since_seq", seq, "the first window in which it was busy: the same at its end", false},
				{"since", instant, "start of that window; absent while the clock was not trusted", true},
				{"until_epoch", uuid, "of an end with why cleared: of until_seq", true},
				{"until_seq", seq, "of an end with why cleared: the first window in which it was busy no longer", true},
				{"why", word, "of an end: cleared, or removed (the policy has the alert no longer)", true},
			},
		},
		{
			"camera_fault", "The view of a camera has a fault, or has it no longer. It is sent when the window ends in which that happened.",
			"See the reason of the same name.",
			[]Member{
				{"camera", text, "the camera", false},
				{"fault", word, "camera_frozen, camera_dark, camera_blinded, camera_covered, camera_blurred, camera_moved, or camera_drops: rain, snow or dirt on the lens, while counting goes on", false},
				{"on", flag, "it begins; false: it is over", false},
				{"counting", flag, "whether this camera is counted with meanwhile", false},
			},
		},
		{
			"camera_lost", "A camera has delivered no picture for ten seconds, or delivers again. Closing hours and aiming are no loss.",
			"kerb status at the device tells the camera's own words, and what to do.",
			[]Member{
				{"camera", text, "the camera", false},
				{"on", flag, "it is lost; false: it delivers again", false},
				{"why", word, "of a loss: login (it refuses user or password), missing (no such file or device), refused (nothing listens at the port), unreachable, silent (connected, but no picture), protocol (an answer that is not understood), other", true},
			},
		},
		{
			"clock_step", "The wall clock was set. Windows are cut by a monotonic clock, so that no time is counted twice or lost.",
			"Place windows with synced false by boot and mono_ms, if you need them.",
			[]Member{
				{"from", instant, "the time before", false},
				{"to", instant, "the time after", false},
				{"synced", flag, "whether the clock is trusted now", false},
				{"mono_ms", number, "monotonic time of the step, since boot", false},
			},
		},
		{
			"compaction_failed", "The spool file could not be made smaller. It works on as it is.",
			"Look at the free space of the disk.",
			[]Member{{"why", text, "the error, for a person", false}},
		},
		{
			"config_refused", "kerb run does not count because its files have mistakes. It is sent once for each try.",
			"Correct the file. Until then the device sends nothing else.",
			[]Member{
				{"mistakes", `"type": "array", "items": {"type": "string"}`, "one line each, for a person", false},
				{"kerb", text, "version of kerb", false},
			},
		},
		{
			"epoch", "A new epoch began: seq starts again from 1.",
			"Compare last with what you have of the previous epoch, and ask for what is missing with resend.",
			[]Member{
				{"epoch", uuid, "the new one", false},
				{"previous", uuid, "the one before; absent if it is not known", true},
				{"last", `"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}`, "stream → last seq of the previous epoch", false},
				{"reason", word, "why: see below", false},
				{"undelivered", number, "where windows are lost: how many the broker had not acknowledged, as far as it was written down", true},
			},
		},
		{
			"evicted", "Windows are gone for good. The same n may come again with a higher to.",
			"Close the hole: these seq will not come.",
			[]Member{
				{"epoch", uuid, "of the windows", false},
				{"stream", level, "of the windows", false},
				{"from", seq, "first seq", false},
				{"to", seq, "last seq, inclusive", false},
				{"reason", word, "why: see below", false},
			},
		},
		{
			"loop_fault", "A loop, its card or its wire has a fault, or has it no longer.",
			"See the reason of the same name.",
			[]Member{
				{"stream", level, "the lane", false},
				{"line", text, "the contact, by its name in site.toml", false},
				{"fault", word, "loop_relay, loop_card, loop_stuck_on, loop_chatter, loop_silent, loop_pair, edges_missed, loop_drift, loop_daily", false},
				{"on", flag, "it begins; false: it is over", false},
				{"n", number, "how many edges or vehicles it was found in; of loop_card what was found: 1 a pulse card declared as presence, 2 a presence card declared as pulse, 3 an extended output, 4 a contact the wrong way round, 5 two pulses a vehicle, 6 both loops on one contact, 7 lengths that no vehicle has, 8 vehicles that leave the loops in the wrong order", false},
			},
		},
		{
			"policy_refused", "The policy file of the device is not in force. The last one that the device accepted is.",
			"Look why, in the audit log or on the device. Compare in_force with the policy of the windows.",
			[]Member{
				{"why", text, "for a person", false},
				{"in_force", hash, "the policy that is in force", false},
			},
		},
		{
			"record_damaged", "Pending windows in the spool could not be read. They are lost, and their seq are not known.",
			"Close the holes in seq of that time. Replace the card, if it comes again.",
			[]Member{{"windows", seq, "how many", false}},
		},
		{
			"reload", "Somebody at the device changed its files and let the agent read them anew (systemctl reload kerb).",
			"Of taken: compare hash and policy of the next meta with what you expect. Of refused: the device goes on under the files before; kerb check there tells every mistake.",
			[]Member{
				{"outcome", word, "taken (the agent starts anew under them), refused", false},
				{"reason", word, "of refused: mistakes, forbidden, policy_refused, as of the event want; unchecked (kerb check did not answer)", true},
				{"file", `"enum": ["site", "policy"]`, "which of the two has the first mistake", true},
				{"line", seq, "of the first mistake", true},
			},
		},
		{
			"sense_lost", "The process that looks at a sensor ended, and another one took its place.",
			"Report it, if it comes more than once a day.",
			[]Member{
				{"sensor", text, "the camera, or loops", false},
				{"why", word, "ended, stalled (no heartbeat), malformed (it sent something else than counts, and was killed)", false},
			},
		},
		{
			"spool_damaged", "The spool file was not readable, and was put aside.",
			"What is lost is in events evicted. Replace the card, if it comes again.",
			[]Member{
				{"why", text, "the error, for a person", false},
				{"kept", text, "name of the file that was put aside", false},
			},
		},
		{
			"spool_foreign", "The spool was that of another device, and was put aside.",
			"Look for a swapped or copied card.",
			[]Member{
				{"device", text, "the other device", false},
				{"kept", text, "name of the file that was put aside", false},
			},
		},
		{
			"spool_refused", "Records in the spool file were changed, or written by another device, and were put aside. The others stay.",
			"Look who can write to the card. What is lost is in events evicted, with the reason refused.",
			[]Member{
				{"windows", seq, "how many", false},
				{"kept", text, "name of the file that was put aside", false},
			},
		},
		{
			"store_failed", "The spool file cannot be written. kerb counts on, and keeps windows in memory: a power cut would lose them.",
			"Look at the disk.",
			[]Member{{"why", text, "the error, for a person", false}},
		},
		{
			"store_recovered", "The spool file can be written again, and the windows in memory are in it.",
			"Nothing.",
			[]Member{{"windows", number, "how many came from memory", false}},
		},
		{
			"streams_drift", "The ratio of two streams that see the same road, of their counts or their mean speeds, has drifted, or is as expected again ([[compare]] in site.toml).",
			"One of them is wrong: look at both.",
			[]Member{
				{"a", level, "one stream", false},
				{"b", level, "the other one", false},
				{"expected", `"type": "number"`, "a divided by b, as site.toml expects it", false},
				{"ratio", `"type": "number"`, "a divided by b as released; absent where b counted none", true},
				{"drifted", flag, "it begins; false: it is over", false},
				{"quantity", `"const": "speed"`, "what the ratio is of: the mean speeds, expected to be equal; absent: the counts", true},
			},
		},
		{
			"twin", "Another process publishes under the topics of this device: a cloned card, or one site.toml on two machines. Both sides send it, once for each run of the other.",
			"Windows of the two must not be added up: they differ in epoch. Find the second device and give it a name of its own.",
			[]Member{{"epoch", uuid, "of the other one's spool, where it told", true}},
		},
		{
			"want", "Files that a platform wanted (topic want) are on trial, or the trial has ended, or they were refused.",
			"Of refused and reverted: see reason. A version that went back is not tried again: send a higher one.",
			[]Member{
				{"version", number, "of the message; 0 where none could be read", false},
				{"outcome", word, "trial, kept, refused (never in force), reverted (what was in force before is again)", false},
				{"reason", word, "of refused and reverted: see below", true},
				{"line", seq, "of the file that has the mistake", true},
			},
		},
	}
}
