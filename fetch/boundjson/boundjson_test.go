package boundjson

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestUnmarshalWrong(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"objects", "[" + strings.Repeat("{},", MaxObjects) + "{}]", "more than 1000000 objects"},
		{"values", "[" + strings.Repeat("0,", MaxValues) + "0]", "more than 4000000 values"},
		{"lists", "[" + strings.Repeat("[],", MaxValues/2) + "[]]", "more than 4000000 values"},
		{"nested", strings.Repeat("[", MaxNesting+1), "nested more than 200 deep"},
		{"cut off", `{"a":[`, "cut off"},
		{"cut off in text", `{"a":"`, "cut off"},
		{"wrong type", `{"a":{}}`, "a is a object, which it cannot be"},
		{"wrong value", `[]`, "the value is a array"},
		{"no JSON", `hello`, "bad JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var into struct {
				A []string `json:"a"`
			}
			if err := Unmarshal([]byte(tt.text), &into); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
	// What stands inside of strings does not count.
	if err := Check([]byte(`"` + strings.Repeat(`{[,\"`, MaxValues) + `"`)); err != nil {
		t.Error(err)
	}
}

func TestWalks(t *testing.T) {
	var got []string
	for v, err := range Values([]byte(` {"a":"}"}[1] 2 "b" [3`)) {
		if err != nil {
			v = []byte(err.Error())
		}
		got = append(got, string(v))
	}
	for v := range Elements([]byte(`[1, {"a":[2,3]} ,"]",[[4],5] , null ]`)) {
		got = append(got, string(v))
	}
	for name, v := range Fields([]byte(`{"a" : 1, "\"" :{"c":"}"},"d":[]}`)) {
		got = append(got, name+" "+string(v))
	}
	want := []string{
		`{"a":"}"}`, `[1]`, `2`, `"b"`, "cut off: it ends in the middle",
		`1`, `{"a":[2,3]}`, `"]"`, `[[4],5]`, `null`, `a 1`, `\" {"c":"}"}`, `d []`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// FuzzWalks checks that the walks find what encoding/json finds.
func FuzzWalks(f *testing.F) {
	f.Add([]byte(`{"a":"}","b":[1,{"c":[2]}],"":{}}[] 5 "x"`))
	f.Add([]byte(`]{"a"`))
	f.Add([]byte(`{"a":1,"b`))
	f.Add([]byte(`{"a":`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range Fields(data) { // whatever it is
			_ = v[0]
		}
		for v, err := range Values(data) {
			if err != nil {
				break
			}
			var list []json.RawMessage
			if v[0] == '[' && json.Unmarshal(v, &list) == nil {
				i := 0
				for e := range Elements(v) {
					if i >= len(list) || string(e) != string(list[i]) {
						t.Fatalf("element %d of %q is %q", i, v, e)
					}
					i++
				}
				if i != len(list) {
					t.Fatalf("%d elements of %q, want %d", i, v, len(list))
				}
			}
			var object map[string]json.RawMessage
			if v[0] == '{' && json.Unmarshal(v, &object) == nil {
				last := map[string]string{}
				for name, e := range Fields(v) {
					var spelt string
					if err := json.Unmarshal([]byte(`"`+name+`"`), &spelt); err != nil {
						t.Fatal(err)
					}
					last[spelt] = string(e)
				}
				for name, e := range object {
					if last[name] != string(e) {
						t.Fatalf("field %q of %q is %q", name, v, last[name])
					}
				}
			}
		}
		if err := Unmarshal(data, new(any)); err == nil && !json.Valid(data) {
			t.Error("decoded what is no JSON")
		}
		_ = errors.Is(Check(data), ErrNesting)
	})
}
