package vocabulary

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kerb/agent/busyness"
	"kerb/agent/ipc"
	"kerb/agent/policy"
	"kerb/agent/store"
	"kerb/configs"
	"kerb/counting"
	"kerb/counting/loop"
)

func TestEveryWordHasAMeaningAndAnAction(t *testing.T) {
	lists := map[string][]Word{"reasons": Reasons(), "losses": LossReasons(), "epochs": EpochReasons()}
	for _, e := range Events() {
		lists["events"] = append(lists["events"], Word{e.Kind, e.Meaning, e.Action})
		for _, m := range e.Data {
			lists[e.Kind] = append(lists[e.Kind], Word{m.Name, m.Doc, m.Shape})
		}
	}
	for name, list := range lists {
		seen := map[string]bool{}
		for _, w := range list {
			if w.Word == "" || w.Meaning == "" || w.Action == "" || seen[w.Word] {
				t.Errorf("%s: %q is not explained, or twice: %+v", name, w.Word, w)
			}
			seen[w.Word] = true
		}
	}
}

// Reasons lists those of package counting by their type; the last one is made by the
// policy alone.
func TestThePolicysOwnReasonIsExplained(t *testing.T) {
	text, err := configs.ReadPolicy("suppress")
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Parse("policy.toml", text)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Unix(0, 0).Add(p.Window())
	tally := counting.Tally{Stream: "s", Start: start, End: start.Add(p.Window()), Observed: time.Second, Counted: [counting.Classes]bool{true}}
	r, err := p.Clear(tally)
	if all := Reasons(); err != nil || r.Reason() != all[len(all)-1].Word {
		t.Errorf("the policy says %q, %v", r.Reason(), err)
	}
}

// The kinds of events, and the members that are written beside them, are those in the
// calls of AddNote and addNote.
func TestEveryEventOfTheProgramIsExplainedAndNoOther(t *testing.T) {
	explained := map[string]map[string]bool{}
	for _, e := range Events() {
		explained[e.Kind] = map[string]bool{}
		for _, m := range e.Data {
			explained[e.Kind][m.Name] = true
		}
	}
	sent := map[string]bool{}
	for _, c := range callsOf(t, "AddNote", "addNote") {
		kind, ok := stringLiteral(c.call.Args[0])
		if !ok {
			if name, isName := c.call.Args[0].(*ast.Ident); !isName || name.Name != "kind" {
				t.Errorf("%s: the kind of an event must be written out, so that this test finds it", c.at)
			}
			continue
		}
		sent[kind] = true
		if explained[kind] == nil {
			t.Errorf("%s: the event %s is not in Events", c.at, kind)
		}
		for _, member := range literalKeys(c.call.Args[len(c.call.Args)-1]) {
			if explained[kind] != nil && !explained[kind][member] {
				t.Errorf("%s: the member %s of the event %s is not in Events", c.at, member, kind)
			}
		}
	}
	for _, e := range deriveBusy(t) { // events that are not notes of a call
		sent[e.Kind] = true
		for member := range e.Data {
			if !explained[e.Kind][member] {
				t.Errorf("the member %s of the event %s is not in Events", member, e.Kind)
			}
		}
	}
	for kind := range explained {
		if !sent[kind] {
			t.Errorf("the event %s is explained and never sent", kind)
		}
	}
}

// deriveBusy returns the events of package busyness: a beginning, an end, and a removal.
func deriveBusy(t *testing.T) (all []store.Event) {
	t.Helper()
	p := policy.DemoBusy()
	judge, facts := busyness.New(p.Alerts()), store.Facts{}
	for i, people := range []int{25, 0, 25} {
		start := time.Date(2026, 11, 23, 14, 0, 5*i, 0, time.UTC)
		tally := counting.Tally{Stream: "pavement", Kind: counting.ZoneStream, Start: start, End: start.Add(p.Window()), Observed: p.Window()}
		tally.Counted[counting.Person], tally.Presence[counting.Person] = true, time.Duration(people)*p.Window()
		r, err := p.Clear(tally)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, judge.Derive(facts, []store.Entry{{Epoch: "e", Seq: uint64(i + 1), Synced: true, Release: r}})...)
	}
	all = append(all, busyness.New(nil).Derive(facts, nil)...)
	if len(all) != 4 {
		t.Fatalf("%d events, want on, off, on, off", len(all))
	}
	return all
}

func TestEveryReasonForALossOrANewEpochIsExplained(t *testing.T) {
	epochs := append(store.StartReasons(), "store_failed")
	if got := wordsOf(EpochReasons()); !slices.Equal(got, slices.Sorted(slices.Values(epochs))) {
		t.Errorf("epochs: %v, want %v", got, epochs)
	}
	losses := []string{"restored", "deleted", "damaged", "foreign", "expired", "refused"} // of the start: see store.Tombstone
	for _, c := range callsOf(t, "addTombstone") {
		if reason, ok := stringLiteral(c.call.Args[3]); ok {
			losses = append(losses, reason)
		}
	}
	if got := wordsOf(LossReasons()); !slices.Equal(got, slices.Sorted(slices.Values(losses))) {
		t.Errorf("losses: %v, want %v", got, losses)
	}
}

// The members of events that hold a word list all words of its type.
func TestEveryWordOfAMemberIsListed(t *testing.T) {
	docs := map[string]string{}
	for _, e := range Events() {
		for _, m := range e.Data {
			docs[e.Kind+"."+m.Name] = m.Doc
		}
	}
	words := map[string][]string{}
	words["camera_lost.why"] = ipc.CameraLossWords()
	for f := counting.ViewGood + 1; f.IsKnown(); f++ {
		words["camera_fault.fault"] = append(words["camera_fault.fault"], f.String())
	}
	for f := loop.Relay; f < loop.Slow; f <<= 1 {
		words["loop_fault.fault"] = append(words["loop_fault.fault"], f.String())
	}
	for n := range uint8(32) {
		words["sense_lost.why"] = append(words["sense_lost.why"], ipc.LostWord(n))
		words["aim.act"] = append(words["aim.act"], (&ipc.Aim{Act: n}).ActWord())
		if why, ok := (&ipc.Aim{Act: ipc.AimEnd, Why: n}).EventData("")["why"].(string); ok {
			words["aim.why"] = append(words["aim.why"], why)
		}
	}
	for member, list := range words {
		for _, w := range list {
			if !strings.Contains(docs[member], w) {
				t.Errorf("%s does not list %s", member, w)
			}
		}
	}
}

// The page and the schemas are made from the tables.
func TestThePageAndTheSchemasAreMadeFromTheTables(t *testing.T) {
	schema, err := EventSchema()
	if err != nil {
		t.Fatal(err)
	}
	checkFile(t, "../../configs/event.schema.json", func([]byte) []byte { return schema })
	checkFile(t, "../../firmware-notes/words.md", func([]byte) []byte { return Page() })
	checkFile(t, "../../configs/count.schema.json", func(old []byte) []byte { return setExamples(t, old, Reasons()) })
	checkFile(t, "../../configs/ack.schema.json", func(old []byte) []byte { return setExamples(t, old, LossReasons()) })
}

// checkFile complains of a file that is not what make makes of it. With KERB_UPDATE it
// writes the file.
func checkFile(t *testing.T, path string, make func(old []byte) []byte) {
	t.Helper()
	old, err := os.ReadFile(path)
	want := make(old)
	switch {
	case err == nil && bytes.Equal(old, want):
	case os.Getenv("KERB_UPDATE") == "":
		t.Errorf("%s is not made from the tables: write it with KERB_UPDATE=1 go test ./agent/vocabulary", path)
	default:
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// setExamples returns the text of a schema with the words as the examples of its one
// member reason.
func setExamples(t *testing.T, text []byte, words []Word) []byte {
	t.Helper()
	list := regexp.MustCompile(`( *)"examples": \[[^\]]*\]`)
	if len(list.FindAll(text, -1)) != 1 {
		t.Fatal("the schema has not one list of examples")
	}
	indent := string(list.FindSubmatch(text)[1])
	var quoted []string
	for _, w := range words {
		quoted = append(quoted, indent+"  "+quote(w.Word))
	}
	return list.ReplaceAllLiteral(text, []byte(indent+`"examples": [`+"\n"+strings.Join(quoted, ",\n")+"\n"+indent+"]"))
}

// found is one call with its place.
type found struct {
	call *ast.CallExpr
	at   token.Position
}

// callsOf returns the calls of functions and methods with these names in the program.
func callsOf(t *testing.T, names ...string) (all []found) {
	t.Helper()
	files := token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if f, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains(names, f.Sel.Name) {
					all = append(all, found{call, files.Position(call.Pos())})
				}
			}
			return true
		})
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d calls of %v, %v", len(all), names, err)
	}
	return all
}

// literalKeys returns the keys of a map that is written out as an argument.
func literalKeys(e ast.Expr) (keys []string) {
	m, ok := e.(*ast.CompositeLit)
	if !ok {
		return nil
	}
	for _, member := range m.Elts {
		if pair, ok := member.(*ast.KeyValueExpr); ok {
			if key, ok := stringLiteral(pair.Key); ok {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

func stringLiteral(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

func wordsOf(list []Word) []string {
	set := map[string]bool{}
	for _, w := range list {
		set[w.Word] = true
	}
	return slices.Sorted(maps.Keys(set))
}
