package policy

import (
	"reflect"

	"kerb/agent/mistake"
)

// methodRules are the conditions of the schema on the keys of each method.
const methodRules = `"allOf": [
      {"if": {"properties": {"method": {"const": "noise"}}}, "then": {"required": ["epsilon", "below"], "properties": {"round": false, "totals": false, "bands": false}}},
      {"if": {"properties": {"method": {"const": "suppress"}}}, "then": {"required": ["below"], "properties": {"below": {"minimum": 5}, "epsilon": false, "bands": false}}},
      {"if": {"properties": {"method": {"const": "bands"}}}, "then": {"required": ["bands"], "properties": {"epsilon": false, "below": false, "round": false, "totals": false}}}
    ]`

// JSONSchema is the JSON Schema of policy.toml, for editors, in the order of
// the canonical form. It has the range of every key and the keys of each
// method; it does not have the floors between keys, which Parse checks.
func JSONSchema() []byte {
	keys := append([]mistake.Key{
		mistake.Required("count", "", ""),
		mistake.Required("clear", "", methodRules),
		mistake.Required("keep", "", ""),
	}, Keys()...)
	return mistake.JSONSchema("kerb policy.toml", reflect.TypeFor[terms](), keys)
}

// Keys returns all keys of policy.toml with their documentation, in the order of the
// canonical form.
func Keys() (keys []mistake.Key) {
	for _, k := range policyKeys() {
		keys = append(keys, k.Key)
	}
	return keys
}
