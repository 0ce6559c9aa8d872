package config

import (
	"strings"
	"testing"
)

func TestAnAccessPointNeedsACountry(t *testing.T) {
	for text, want := range map[string]string{
		"country = \"FI\"\nalways = true": "",
		"country = \"fi\"":                "must be the two capital letters of a country",
		"country = \"\"":                  "must be the two capital letters of a country",
		"always = true":                   "must be the two capital letters of a country",
		"ssid = \"x\"":                    "access_point.ssid: no such key",
	} {
		s, err := Parse("site.toml", []byte(sound+"\n[access_point]\n"+text+"\n"))
		switch {
		case want == "" && (err != nil || s.AccessPoint != AccessPoint{Country: "FI", Always: true}):
			t.Errorf("%s: %v, %+v", text, err, s)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v", text, err)
		}
	}
}
