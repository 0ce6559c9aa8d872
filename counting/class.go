// Package counting holds the plain numbers of kerb: what was seen, where it
// crossed and how often. It knows no pixel, no wire and no file.
//
// Image coordinates are fractions of the picture: x 0 (left) to 1 (right),
// y 0 (top) to 1 (bottom), so a line stays where it is when a camera changes
// its resolution.
package counting

import (
	"fmt"
	"strings"
)

// Class is what an object is on the road. A bicycle includes its rider.
// Motorcycle, Car and Heavy split Vehicle where detector and policy allow it;
// a stream counts either Vehicle or its three parts, never both.
type Class uint8

// The closed set of classes, in the order in which they appear on the wire.
const (
	Person Class = iota
	Bicycle
	Vehicle
	Motorcycle
	Car
	Heavy
	Classes = 6 // how many there are: the length of every per-class array
)

var classNames = [Classes]string{"person", "bicycle", "vehicle", "motorcycle", "car", "heavy"}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// Coarse is the class without the vehicle split.
func (c Class) Coarse() Class {
	if c >= Motorcycle {
		return Vehicle
	}
	return c
}

// ParseClass is the inverse of String.
func ParseClass(s string) (Class, error) {
	for i, n := range classNames {
		if n == s {
			return Class(i), nil
		}
	}
	return 0, fmt.Errorf("class %q: must be one of %s", s, strings.Join(classNames[:], ", "))
}

// Direction says from which side of a line to which.
type Direction uint8

// The two ways over a line.
const (
	AToB       Direction = iota // from side a (negative) to side b (positive)
	BToA                        // from side b to side a
	Directions = 2              // how many there are: the length of every per-direction array
)

var directionNames = [Directions]string{"a_to_b", "b_to_a"}

func (d Direction) String() string {
	if int(d) < len(directionNames) {
		return directionNames[d]
	}
	return fmt.Sprintf("direction(%d)", uint8(d))
}

// ParseDirection is the inverse of String.
func ParseDirection(s string) (Direction, error) {
	for i, n := range directionNames {
		if n == s {
			return Direction(i), nil
		}
	}
	return 0, fmt.Errorf("direction %q: must be a_to_b or b_to_a", s)
}
