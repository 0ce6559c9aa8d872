package policy

// A Key is one key of policy.toml, for documents and schemas.
type Key struct {
	Name string // dotted
	Doc  string // what it is, in one line
}

// Doc is what a key of policy.toml is, in one line; empty if there is no such key.
func Doc(name string) string {
	for _, k := range Keys {
		if k.Name == name {
			return k.Doc
		}
	}
	return ""
}

// Keys are all keys of policy.toml, in the order of the canonical form.
var Keys = [...]Key{
	{"schema", "the form of this file"},
	{"version", "the number of this version of the policy; a later one must be higher"},
	{"title", "what you call this policy"},
	{"purpose", "statistical, or operational when the numbers steer something now"},
	{"controller.name", "who answers for the counting"},
	{"controller.contact", "how to reach them"},
	{"count.streams", "what may be counted: line, zone, loop"},
	{"count.classes", "which objects may be counted"},
	{"camera.pixels", "the largest picture that may be looked at"},
	{"camera.follow_max", "the longest that one object may be followed; 0s: nothing is followed"},
	{"camera.masks_required", "whether a camera without a mask is refused"},
	{"mask", "areas that are blackened before anything looks at the picture"},
	{"hours.open", "days and hours in which counting is allowed"},
	{"hours.timezone", "the time zone of these hours"},
	{"clear.window", "how long a time one number stands for"},
	{"clear.method", "noise, suppress or bands"},
	{"clear.epsilon", "the privacy loss that one passage over one line can cause"},
	{"clear.below", "numbers smaller than this are withheld"},
	{"clear.round", "numbers are rounded to multiples of this"},
	{"clear.totals", "whether both directions together are given too"},
	{"clear.bands", "where the occupancy bands begin, but for the first"},
	{"clear.overlap", "in how many streams of one sensor the same object may be counted"},
	{"keep.retention", "how long a released number may stay on the device"},
	{"aim.show", "what the commissioning page may show: nothing or silhouettes"},
	{"aim.session", "the longest that it may do so at a time"},
	{"broker.commands", "which commands the broker may give: resend, watermark"},
}
