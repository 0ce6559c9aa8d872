package language

import (
	"slices"
	"testing"
)

func TestTheFirstLanguageThatThereIsIsChosen(t *testing.T) {
	b, err := Parse([]byte(`{"en": {"a": "x"}, "fi": {"a": "y"}, "sv": {"a": "z"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		asked []string
		want  string
	}{
		{nil, "en"},
		{[]string{"", "fi-FI,fi;q=0.9,en;q=0.8"}, "fi"},
		{[]string{"sv", "fi"}, "sv"},
		{[]string{"ja", "ja-JP, sv-FI;q=0.4"}, "sv"},
		{[]string{"FI"}, "fi"},
		{[]string{"../etc", "xx"}, "en"},
	} {
		if got := b.Choose(c.asked...); got != c.want {
			t.Errorf("%q: %s, want %s", c.asked, got, c.want)
		}
	}
	if got := b.Languages(); !slices.Equal(got, []string{"en", "fi", "sv"}) {
		t.Errorf("languages %v", got)
	}
	if faults := b.Check(); faults != nil {
		t.Error(faults)
	}
	delete(b, "en") // a page whose keys are its English texts
	if got := b.Choose("en-GB, fi"); got != "en" {
		t.Errorf("%s, want en", got)
	}
	if got := b.Names(); len(got) != 3 || got[0] != (Name{"en", "English"}) {
		t.Errorf("names %v", got)
	}
}

// The control of Check, and a text that is no book.
func TestALanguageThatLacksAWordIsFound(t *testing.T) {
	b := Book{"en": {"a": "x", "b": "y"}, "fi": {"a": "x", "b": " "}, "sv": {"b": "y"}}
	if faults := b.Check(); len(faults) != 2 {
		t.Errorf("%v, want one of fi and one of sv", faults)
	}
	if _, err := Parse([]byte(`{"en": ["a"]}`)); err == nil {
		t.Error("a list was taken for words")
	}
}
