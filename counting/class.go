// Package counting holds the plain values of kerb: classes, lines and zones,
// crossings, and the window (Tally) in which a sensor's crossings and presences
// are added up.
//
// It has no pixel, no wire format and no file: it imports none of them, and a
// Crossing carries no identity that could link two crossings of one object.
//
// Image coordinates are fractions of the picture: x 0 (left) to 1 (right),
// y 0 (top) to 1 (bottom). A line therefore keeps its place when a camera
// changes its resolution.
package counting

import (
	"errors"
	"fmt"
	"strings"
)

// Class is the class of a road user. A bicycle includes its rider.
// Motorcycle, Car and Heavy split Vehicle where detector and policy allow it;
// a stream counts either Vehicle or its three parts, never both.
type Class uint8

// The closed set of classes, in the order in which they appear on the wire. A new
// class is appended: stored releases hold their numbers.
const (
	Person Class = iota
	Bicycle
	Vehicle
	Motorcycle
	Car
	Heavy
	Classes = 6 // number of classes: the length of every per-class array
)

var classNames = [Classes]string{"person", "bicycle", "vehicle", "motorcycle", "car", "heavy"}

// String is the word of the wire, such as "person"; "class(N)" for a value
// outside the set.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// WithoutSplit maps Motorcycle, Car and Heavy to Vehicle; the other classes stay.
func (c Class) WithoutSplit() Class {
	switch c {
	case Motorcycle, Car, Heavy:
		return Vehicle
	}
	return c
}

// AllClasses returns every class, in the order of the wire.
func AllClasses() (all []Class) {
	for c := range Class(Classes) {
		all = append(all, c)
	}
	return all
}

// CoarseClasses returns the classes that are no part of another one: person,
// bicycle and vehicle.
func CoarseClasses() (coarse []Class) {
	for _, c := range AllClasses() {
		if c.WithoutSplit() == c {
			coarse = append(coarse, c)
		}
	}
	return coarse
}

// otherWords are words that people write for a class.
var otherWords = map[string]Class{
	"people": Person, "persons": Person, "pedestrian": Person, "pedestrians": Person, "bike": Bicycle, "bikes": Bicycle, "bicycles": Bicycle,
	"cyclist": Bicycle, "cyclists": Bicycle, "vehicles": Vehicle, "cars": Car, "truck": Heavy, "trucks": Heavy, "lorry": Heavy, "lorries": Heavy,
	"bus": Heavy, "van": Car, "motorbike": Motorcycle, "motorbikes": Motorcycle, "motorcycles": Motorcycle, "scooter": Motorcycle,
}

// ParseClass is the inverse of Class.String. Its error lists the words allowed.
func ParseClass(s string) (Class, error) {
	for i, n := range classNames {
		if n == s {
			return Class(i), nil
		}
	}
	text := fmt.Sprintf("class %q: must be one of %s", s, strings.Join(classNames[:], ", "))
	if c, ok := otherWords[strings.ToLower(s)]; ok {
		text += "; did you mean " + c.String() + "?"
	}
	return 0, errors.New(text)
}

// Direction is the direction of a crossing, from one side of a line to the other.
type Direction uint8

// The two directions over a line.
const (
	AToB       Direction = iota // from side a (negative) to side b (positive)
	BToA                        // from side b to side a
	Directions = 2              // number of directions: the length of every per-direction array
)

var directionNames = [Directions]string{"a_to_b", "b_to_a"}

// String is the word of the wire, a_to_b or b_to_a; "direction(N)" for a value
// outside the set.
func (d Direction) String() string {
	if int(d) < len(directionNames) {
		return directionNames[d]
	}
	return fmt.Sprintf("direction(%d)", uint8(d))
}

// ParseDirection is the inverse of Direction.String. Its error lists the words
// allowed.
func ParseDirection(s string) (Direction, error) {
	for i, n := range directionNames {
		if n == s {
			return Direction(i), nil
		}
	}
	return 0, fmt.Errorf("direction %q: must be a_to_b or b_to_a", s)
}
