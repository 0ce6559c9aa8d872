// Package onnx reads the part of an ONNX file that a small network needs: nodes,
// weights, inputs and outputs. It decodes the protobuf wire format directly
// (onnx.proto3 of ONNX IR version 3 to 10), without generated code. It checks
// the file's structure; package neural checks its meaning.
//
// It refuses subgraphs, sparse weights, weights in other files, element types
// other than those below, and files or tensors beyond the bounds below. A
// hostile file cannot make it allocate more than a few times the file's size.
package onnx

import (
	"errors"
	"fmt"
	"math"
)

// The bounds on a file (chosen by hand). A detector that a small computer can
// run stays far below them.
const (
	MaxBytes = 256 << 20 // bytes of the file
	MaxNodes = 20_000    // nodes of the graph
	MaxDims  = 8         // dimensions of one tensor
	MaxElems = 1 << 26   // elements of one tensor
)

// ErrFormat is the error that every error of Parse wraps.
var ErrFormat = errors.New("not a well-formed ONNX file")

// Model is the content of one file (ModelProto).
type Model struct {
	IR       int64             // version of the format
	Producer string            // the program that wrote the file
	Opset    int64             // version of the default operator set
	Meta     map[string]string // metadata_props: author, license, …
	Name     string            // of the graph
	Nodes    []Node            // in the file's order, which ONNX requires to be topological
	Weights  map[string]*Tensor
	Inputs   []Value // without those that are weights
	Outputs  []Value
}

// Node is one operator (NodeProto) with the names of its tensors. An optional
// input that is left out has the empty name.
type Node struct {
	Op, Name, Domain string
	In, Out          []string
	Attrs            map[string]Attr
}

// Attr is one attribute (AttributeProto). Its operator defines which field holds
// the value.
type Attr struct {
	F      float32
	I      int64
	S      string
	T      *Tensor
	Floats []float32
	Ints   []int64
}

// Value is a named input or output of the graph (ValueInfoProto). A dimension
// that the file leaves open is -1.
type Value struct {
	Name  string
	Type  Type
	Shape []int
}

// Type is ONNX's element type (TensorProto.DataType).
type Type int32

// The element types that Parse reads. It converts Float16 and Double to float32,
// the integers and booleans to int64.
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

// IsReal reports whether a tensor of this type is kept as float32, in Tensor.F.
func (t Type) IsReal() bool { return t == Float || t == Float16 || t == Double }

// Tensor is a constant (TensorProto), row-major. F holds the elements of real
// types, I those of the others.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int
	F     []float32
	I     []int64
}

// ElemCount returns the number of elements of a shape. A shape with a negative
// dimension, more than MaxDims dimensions or more than MaxElems elements is an
// error.
func ElemCount(shape []int) (int, error) {
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

// Parse decodes a file. The result shares no memory with b. Every error wraps
// ErrFormat.
func Parse(b []byte) (*Model, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFormat, len(b), MaxBytes)
	}
	m := &Model{Meta: map[string]string{}, Weights: map[string]*Tensor{}}
	graphs := 0
	err := parseFields(b, func(f field) error {
		switch f.num {
		case modelIRVersion:
			m.IR = f.asInt()
		case modelProducer:
			m.Producer = f.asString()
		case modelGraph:
			graphs++
			if graphs > 1 {
				return errors.New("two graphs")
			}
			return m.parseGraph(f.b)
		case modelOpsetImport:
			return m.parseOpset(f.b)
		case modelMetadata:
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

// parseOpset reads an entry of opset_import. It keeps the version of the default
// domain only.
func (m *Model) parseOpset(b []byte) error {
	var domain string
	var version int64
	err := parseFields(b, func(f field) error {
		switch f.num {
		case opsetDomain:
			domain = f.asString()
		case opsetVersion:
			version = f.asInt()
		}
		return nil
	})
	if domain == "" || domain == "ai.onnx" {
		m.Opset = version
	}
	return err
}

// parsePair reads an entry of metadata_props.
func parsePair(b []byte) (k, v string, err error) {
	err = parseFields(b, func(f field) error {
		switch f.num {
		case entryKey:
			k = f.asString()
		case entryValue:
			v = f.asString()
		}
		return nil
	})
	return k, v, err
}

// parseGraph reads nodes, weights, inputs and outputs. It refuses sparse weights.
func (m *Model) parseGraph(b []byte) error {
	var inputs []Value
	err := parseFields(b, func(f field) error {
		switch f.num {
		case graphNode:
			if len(m.Nodes) == MaxNodes {
				return fmt.Errorf("more than %d nodes", MaxNodes)
			}
			n, err := parseNode(f.b)
			if err != nil {
				return fmt.Errorf("node %d (%s %q): %w", len(m.Nodes), n.Op, n.Name, err)
			}
			m.Nodes = append(m.Nodes, n)
		case graphName:
			m.Name = f.asString()
		case graphInitializer:
			t, err := parseTensor(f.b)
			if err != nil {
				return fmt.Errorf("weight %q: %w", t.Name, err)
			}
			m.Weights[t.Name] = t
		case graphInput, graphOutput:
			v, err := parseValue(f.b)
			if err != nil {
				return fmt.Errorf("value %q: %w", v.Name, err)
			}
			if f.num == graphInput {
				inputs = append(inputs, v)
			} else {
				m.Outputs = append(m.Outputs, v)
			}
		case graphSparse:
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
		case nodeInput:
			n.In = append(n.In, f.asString())
		case nodeOutput:
			n.Out = append(n.Out, f.asString())
		case nodeName:
			n.Name = f.asString()
		case nodeOpType:
			n.Op = f.asString()
		case nodeAttribute:
			name, a, err := parseAttr(f.b)
			if err != nil {
				return fmt.Errorf("attribute %q: %w", name, err)
			}
			n.Attrs[name] = a
		case nodeDomain:
			n.Domain = f.asString()
		}
		return nil
	})
	return n, err
}

// parseAttr reads one attribute. It refuses subgraphs.
func parseAttr(b []byte) (name string, a Attr, err error) {
	err = parseFields(b, func(f field) error {
		switch f.num {
		case attrName:
			name = f.asString()
		case attrFloat:
			a.F = math.Float32frombits(f.asFixed32())
		case attrInt:
			a.I = f.asInt()
		case attrString:
			a.S = f.asString()
		case attrTensor:
			t, err := parseTensor(f.b)
			a.T = t
			return err
		case attrGraph, attrGraphs:
			return errors.New("subgraphs are not supported")
		case attrFloats:
			a.Floats, err = f.appendFloats(a.Floats)
			return err
		case attrInts:
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
		case valueName:
			v.Name = f.asString()
		case valueType:
			return parseFields(f.b, func(f field) error { // TypeProto
				if f.num != typeTensor {
					return nil
				}
				return parseFields(f.b, v.parseTensorType)
			})
		}
		return nil
	})
	return v, err
}

// parseTensorType reads element type and shape. A dimension that is no positive
// number up to MaxElems is left open, as -1.
func (v *Value) parseTensorType(f field) error {
	switch f.num {
	case tensorTypeElem:
		v.Type = Type(f.asInt())
	case tensorTypeShape:
		return parseFields(f.b, func(f field) error { // TensorShapeProto
			if f.num != shapeDim {
				return nil
			}
			if len(v.Shape) == MaxDims {
				return fmt.Errorf("more than %d dimensions", MaxDims)
			}
			dim := -1
			err := parseFields(f.b, func(f field) error {
				if f.num == dimValue && f.asInt() > 0 && f.asInt() <= MaxElems {
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
