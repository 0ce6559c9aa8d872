package mistake

import (
	"reflect"
	"strings"
	"testing"
)

type shopFile struct {
	Name   string     `toml:"name"`
	Rate   float64    `toml:"rate"`
	Corner [2]float64 `toml:"corner"`
	Shelf  []struct {
		Height int  `toml:"height"`
		Glass  bool `toml:"glass"`
	} `toml:"shelf"`
}

func TestASchemaHasTheTypesOfTheStructAndTheShapesOfTheKeys(t *testing.T) {
	got := string(JSONSchema("shop", reflect.TypeFor[shopFile](), []Key{
		Required("name", `its "name"`, `{"const": "x"}`),
		Optional("rate", "a second", `"minimum": 1`),
		Optional("corner", "", `"items": {"maximum": 1}`),
		Required("shelf[].height", "in m", ""),
	}))
	want := `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "shop",
  "type": "object",
  "additionalProperties": false,
  "required": ["name"],
  "properties": {
    "name": {"description": "its \"name\"", "const": "x"},
    "rate": {"description": "a second", "type": "number", "minimum": 1},
    "corner": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"maximum": 1}},
    "shelf": {"type": "array", "items": {
      "type": "object",
      "additionalProperties": false,
      "required": ["height"],
      "properties": {
        "height": {"description": "in m", "type": "integer"},
        "glass": {"type": "boolean"}
      }
    }}
  }
}
`
	if got != want {
		t.Errorf("got %s", got)
	}
}

func TestAShapeThatIsNotJSONPanics(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), "the shape of rate") {
			t.Error(r)
		}
	}()
	JSONSchema("shop", reflect.TypeFor[shopFile](), []Key{Optional("rate", "", `"minimum"`)})
}
