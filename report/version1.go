package report

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/buildregress/buildregress/detect"
)

// Documents of schema version 1 have reasons, notes and causes as bare texts. They
// are read by turning each into a note of version 2; nothing else has changed. That
// version had some kinds only in how a text begins, which is fixed for good: this is the
// one place that still reads it.

// beginnings are how version 1 let kinds be known. A text that begins in another way gets
// none, and is shown as it is.
var beginnings = []struct {
	text string
	kind detect.Kind
}{
	{"ignored: ", detect.KindIgnored},
	{"accepted since ", detect.KindAccepted},
	{"edited; was ", detect.KindEdited},
	{"by a rule of its own: ", detect.KindOwnThresholds},
	{"level shifted since ", detect.KindLevelShift},
	{"no history", detect.KindNoHistory},
	{"too little history: ", detect.KindTooLittleHistory},
	{"too few builds: ", detect.KindTooLittleHistory},
}

// upgrade makes a document of version 2 of one of version 1.
func upgrade(data []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var report map[string]any
	if err := d.Decode(&report); err != nil {
		return nil, err
	}
	report["schema_version"] = 2
	upgradeNotes(report)
	for _, result := range objects(report["results"]) {
		upgradeNotes(result)
		for _, step := range objects(result["steps"]) {
			upgradeNotes(step)
		}
		cache, _ := result["cache"].(map[string]any)
		for _, loss := range objects(cache["losses"]) {
			upgradeNotes(loss)
		}
	}
	return json.Marshal(report)
}

// upgradeNotes turns the texts of one object.
func upgradeNotes(object map[string]any) {
	for _, name := range []string{"reason", "cause"} {
		if text, is := object[name].(string); is {
			object[name] = noteOf(text)
		}
	}
	notes, _ := object["notes"].([]any)
	for i := range notes {
		if text, is := notes[i].(string); is {
			notes[i] = noteOf(text)
		}
	}
}

func noteOf(text string) detect.Note {
	for _, b := range beginnings {
		if strings.HasPrefix(text, b.text) {
			return detect.Note{Kind: b.kind, Text: text}
		}
	}
	return detect.Note{Text: text}
}

// objects are the objects of a list; none of anything else.
func objects(list any) (out []map[string]any) {
	all, _ := list.([]any)
	for _, one := range all {
		if object, is := one.(map[string]any); is {
			out = append(out, object)
		}
	}
	return out
}
