package neural

import _ "embed"

//go:embed MODEL.md
var modelCard string // set by the compiler, read only

// ModelCard returns MODEL.md, the model card of the networks in the binary: their
// training data, accuracy and known weaknesses, in Markdown. The transparency record
// reads its tables.
func ModelCard() string { return modelCard }
