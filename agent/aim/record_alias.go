package aim

import (
	"io"

	"kerb/agent/aim/record"
)

// Aliases of agent/aim/record for callers that do not import it yet.
type (
	// Report is record.Report.
	Report = record.Report
	// Layout is record.Layout.
	Layout = record.Layout
	// Pass is record.Pass.
	Pass = record.Pass
	// Area is record.Area.
	Area = record.Area
	// Pen is record.Writer.
	Pen = record.Writer
)

// MaxMasks is record.MaxMasks.
const MaxMasks = record.MaxMasks

// NewPen is record.NewWriter.
func NewPen(w io.Writer) *Pen { return record.NewWriter(w) }

// ReadReport is record.ReadReport.
func ReadReport(r io.Reader) (*Report, error) { return record.ReadReport(r) }

// ReadLayout is record.ReadLayout.
func ReadLayout(r io.Reader) (*Layout, error) { return record.ReadLayout(r) }

// Faults is record.Faults.
func Faults() []string { return record.Faults() }
