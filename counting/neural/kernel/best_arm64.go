package kernel

// Sets lists what this processor can run, best first.
func Sets() []*Set { return []*Set{Portable()} }
