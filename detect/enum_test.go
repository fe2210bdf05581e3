package detect

import "testing"

func TestEnumsReadBack(t *testing.T) {
	for s := StatusUnjudged; s <= StatusSlower; s++ {
		var back Status
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s {
			t.Errorf("%v reads back as %v (%v)", s, back, err)
		}
	}
	var v Verdict
	if err := v.UnmarshalText([]byte("fine")); err == nil {
		t.Error(`"fine" is a verdict`)
	}
}
