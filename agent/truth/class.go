package truth

import (
	"encoding/json"
	"fmt"

	"kerb/counting"
)

// addCoarse adds up the counts of all classes that are c or a part of it.
func addCoarse(counts [counting.Classes]int, c counting.Class) (sum int) {
	for part, n := range counts {
		if counting.Class(part).WithoutSplit() == c {
			sum += n
		}
	}
	return sum
}

// object is a JSON object with the keys of T and keys that are named by class.
type object[T any] struct {
	keys T
	all  map[string]json.RawMessage
}

// UnmarshalJSON reads the object twice: into T, and by name.
func (o *object[T]) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &o.keys); err != nil {
		return err
	}
	return json.Unmarshal(b, &o.all)
}

// parseByClass reads the values of the keys CLASS+suffix for all coarse
// classes. A key that is missing or null gives nil.
func parseByClass[V any](all map[string]json.RawMessage, suffix string) (vs [counting.Classes]*V, err error) {
	for _, c := range counting.CoarseClasses() {
		key := c.String() + suffix
		raw, ok := all[key]
		if !ok {
			continue
		}
		if err := json.Unmarshal(raw, &vs[c]); err != nil {
			return vs, fmt.Errorf("%s: %w", key, err)
		}
	}
	return vs, nil
}
