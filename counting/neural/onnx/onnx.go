// Package onnx reads the part of an ONNX file that a small network needs:
// nodes, weights, inputs and outputs, straight from the protobuf wire format
// (onnx.proto3 of ONNX IR version 3 to 10). It checks the file's structure,
// not its meaning, and refuses anything that would make a reader of a foreign
// file take more memory than a few times the file.
package onnx

import (
	"errors"
	"fmt"
	"math"
)

// The bounds on a file. A detector that a small computer can afford is far
// inside of them.
const (
	MaxBytes = 256 << 20 // of the file
	MaxNodes = 20_000
	MaxDims  = 8       // of one tensor
	MaxElems = 1 << 26 // elements of one tensor
)

// ErrFormat is wrapped by every error about the file's structure.
var ErrFormat = errors.New("not a well-formed ONNX file")

// Model is one file.
type Model struct {
	IR       int64
	Producer string
	Opset    int64             // of the default operator set
	Meta     map[string]string // metadata_props: author, license, …
	Name     string            // of the graph
	Nodes    []Node            // in the file's order, which ONNX demands to be topological
	Weights  map[string]*Tensor
	Inputs   []Value // without those that are weights
	Outputs  []Value
}

// Node is one operator. An omitted optional input is the empty string.
type Node struct {
	Op, Name, Domain string
	In, Out          []string
	Attrs            map[string]Attr
}

// Attr is one attribute; which field holds it depends on the operator.
type Attr struct {
	F      float32
	I      int64
	S      string
	T      *Tensor
	Floats []float32
	Ints   []int64
}

// Value is a named tensor of the graph. A dimension of -1 is left open by the
// file.
type Value struct {
	Name  string
	Type  Type
	Shape []int
}

// Type is ONNX's element type.
type Type int32

// The element types that are read. Float16 and Double arrive as float32, the
// integers and booleans as int64.
const (
	Float   Type = 1
	Uint8   Type = 2
	Int8    Type = 3
	Int32   Type = 6
	Int64   Type = 7
	Bool    Type = 9
	Float16 Type = 10
	Double  Type = 11
)

// Real says that a tensor of this type is kept as float32.
func (t Type) Real() bool { return t == Float || t == Float16 || t == Double }

// Tensor is a constant: exactly one of F and I is filled, row-major.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int
	F     []float32
	I     []int64
}

// Elems is the number of elements of a shape, or an error when it is negative
// somewhere or exceeds MaxElems.
func Elems(shape []int) (int, error) {
	if len(shape) > MaxDims {
		return 0, fmt.Errorf("%d dimensions: at most %d", len(shape), MaxDims)
	}
	n, empty := 1, false
	for _, d := range shape {
		switch {
		case d < 0:
			return 0, fmt.Errorf("shape %v: a dimension is unknown or negative", shape)
		case d == 0:
			empty = true
		case n > MaxElems/d:
			return 0, fmt.Errorf("shape %v: more than %d elements", shape, MaxElems)
		default:
			n *= d
		}
	}
	if empty {
		return 0, nil
	}
	return n, nil
}

// Parse reads a model. The result shares no memory with b.
func Parse(b []byte) (*Model, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFormat, len(b), MaxBytes)
	}
	m := &Model{Meta: map[string]string{}, Weights: map[string]*Tensor{}}
	graphs := 0
	err := parseFields(b, func(f field) error {
		switch f.num {
		case 1:
			m.IR = f.asInt()
		case 2:
			m.Producer = f.asString()
		case 7:
			graphs++
			if graphs > 1 {
				return errors.New("two graphs")
			}
			return m.parseGraph(f.b)
		case 8:
			return m.parseOpset(f.b)
		case 14:
			k, v, err := parsePair(f.b)
			m.Meta[k] = v
			return err
		}
		return nil
	})
	if err == nil && graphs == 0 {
		err = errors.New("no graph")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return m, nil
}

func (m *Model) parseOpset(b []byte) error {
	var domain string
	var version int64
	err := parseFields(b, func(f field) error {
		switch f.num {
		case 1:
			domain = f.asString()
		case 2:
			version = f.asInt()
		}
		return nil
	})
	if domain == "" || domain == "ai.onnx" {
		m.Opset = version
	}
	return err
}

func parsePair(b []byte) (k, v string, err error) {
	err = parseFields(b, func(f field) error {
		switch f.num {
		case 1:
			k = f.asString()
		case 2:
			v = f.asString()
		}
		return nil
	})
	return k, v, err
}

func (m *Model) parseGraph(b []byte) error {
	var inputs []Value
	err := parseFields(b, func(f field) error {
		switch f.num {
		case 1:
			if len(m.Nodes) == MaxNodes {
				return fmt.Errorf("more than %d nodes", MaxNodes)
			}
			n, err := parseNode(f.b)
			if err != nil {
				return fmt.Errorf("node %d (%s %q): %w", len(m.Nodes), n.Op, n.Name, err)
			}
			m.Nodes = append(m.Nodes, n)
		case 2:
			m.Name = f.asString()
		case 5:
			t, err := parseTensor(f.b)
			if err != nil {
				return fmt.Errorf("weight %q: %w", t.Name, err)
			}
			m.Weights[t.Name] = t
		case 11, 12:
			v, err := parseValue(f.b)
			if err != nil {
				return fmt.Errorf("value %q: %w", v.Name, err)
			}
			if f.num == 11 {
				inputs = append(inputs, v)
			} else {
				m.Outputs = append(m.Outputs, v)
			}
		case 15:
			return errors.New("sparse weights are not supported")
		}
		return nil
	})
	for _, v := range inputs {
		if m.Weights[v.Name] == nil { // IR 3 lists the weights among the inputs
			m.Inputs = append(m.Inputs, v)
		}
	}
	return err
}

func parseNode(b []byte) (Node, error) {
	n := Node{Attrs: map[string]Attr{}}
	err := parseFields(b, func(f field) error {
		switch f.num {
		case 1:
			n.In = append(n.In, f.asString())
		case 2:
			n.Out = append(n.Out, f.asString())
		case 3:
			n.Name = f.asString()
		case 4:
			n.Op = f.asString()
		case 5:
			name, a, err := parseAttr(f.b)
			if err != nil {
				return fmt.Errorf("attribute %q: %w", name, err)
			}
			n.Attrs[name] = a
		case 7:
			n.Domain = f.asString()
		}
		return nil
	})
	return n, err
}

func parseAttr(b []byte) (name string, a Attr, err error) {
	err = parseFields(b, func(f field) error {
		switch f.num {
		case 1:
			name = f.asString()
		case 2:
			a.F = math.Float32frombits(f.asFixed32())
		case 3:
			a.I = f.asInt()
		case 4:
			a.S = f.asString()
		case 5:
			t, err := parseTensor(f.b)
			a.T = t
			return err
		case 6, 11:
			return errors.New("subgraphs are not supported")
		case 7:
			a.Floats, err = f.appendFloats(a.Floats)
			return err
		case 8:
			a.Ints, err = f.appendInts(a.Ints)
			return err
		}
		return nil
	})
	return name, a, err
}

func parseValue(b []byte) (Value, error) {
	v := Value{}
	err := parseFields(b, func(f field) error {
		switch f.num {
		case 1:
			v.Name = f.asString()
		case 2:
			return parseFields(f.b, func(f field) error { // TypeProto
				if f.num != 1 {
					return nil
				}
				return parseFields(f.b, v.parseTensorType)
			})
		}
		return nil
	})
	return v, err
}

func (v *Value) parseTensorType(f field) error {
	switch f.num {
	case 1:
		v.Type = Type(f.asInt())
	case 2:
		return parseFields(f.b, func(f field) error { // TensorShapeProto
			if f.num != 1 {
				return nil
			}
			if len(v.Shape) == MaxDims {
				return fmt.Errorf("more than %d dimensions", MaxDims)
			}
			dim := -1
			err := parseFields(f.b, func(f field) error {
				if f.num == 1 && f.asInt() > 0 && f.asInt() <= MaxElems {
					dim = int(f.asInt())
				}
				return nil
			})
			v.Shape = append(v.Shape, dim)
			return err
		})
	}
	return nil
}
