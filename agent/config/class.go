package config

import (
	"strings"

	"kerb/counting"
)

// parseClasses are the named classes, or all coarse ones for an empty list. A
// name that is no class is skipped: the checker has reported it.
func parseClasses(names []string) (cs []counting.Class) {
	for _, n := range names {
		if c, err := counting.ParseClass(n); err == nil {
			cs = append(cs, c)
		}
	}
	if len(cs) == 0 {
		return counting.CoarseClasses()
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
