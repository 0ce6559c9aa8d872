package config

import (
	"strings"

	"kerb/counting"
)

// allClasses are the classes of package counting, in the order of the wire.
func allClasses() (cs []counting.Class) {
	for c := range counting.Class(counting.Classes) {
		cs = append(cs, c)
	}
	return cs
}

// coarseClasses are those that are no part of another one.
func coarseClasses() (cs []counting.Class) {
	for _, c := range allClasses() {
		if c.WithoutSplit() == c {
			cs = append(cs, c)
		}
	}
	return cs
}

// parseClasses are the named classes, or all coarse ones for an empty list. A
// name that is no class is skipped: the checker has reported it.
func parseClasses(names []string) (cs []counting.Class) {
	for _, n := range names {
		if c, err := counting.ParseClass(n); err == nil {
			cs = append(cs, c)
		}
	}
	if len(cs) == 0 {
		return coarseClasses()
	}
	return cs
}

// listClasses names classes in a sentence: person, bicycle and vehicle.
func listClasses(cs []counting.Class) string {
	var names []string
	for _, c := range cs {
		names = append(names, c.String())
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
