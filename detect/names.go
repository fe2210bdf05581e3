package detect

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

func nameOf(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return strconv.Itoa(i)
	}
	return names[i]
}

func parseName[T ~int](names []string, text []byte, what string, to *T) error {
	for i, name := range names {
		if string(text) == name {
			*to = T(i)
			return nil
		}
	}
	return fmt.Errorf("%s %.40q is none of %s", what, text, strings.Join(names, ", "))
}

// Seconds is a duration that is a number of seconds in JSON, to the nanosecond.
type Seconds time.Duration

// D returns s as a time.Duration.
func (s Seconds) D() time.Duration { return time.Duration(s) }

// MarshalJSON writes the shortest decimal that is exactly s.
func (s Seconds) MarshalJSON() ([]byte, error) {
	n, sign := int64(s), ""
	if n < 0 {
		n, sign = -n, "-"
	}
	text := fmt.Sprintf("%s%d.%09d", sign, n/1e9, n%1e9)
	return []byte(strings.TrimSuffix(strings.TrimRight(text, "0"), ".")), nil
}

// UnmarshalJSON reads any JSON number that fits a time.Duration.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	var number json.Number
	if err := json.Unmarshal(b, &number); err != nil || number == "" {
		return fmt.Errorf("%.40q is no number of seconds", b)
	}
	d, err := ParseSeconds(number.String())
	*s = Seconds(d)
	return err
}

// ParseSeconds reads a decimal number of seconds, exact to the nanosecond.
func ParseSeconds(text string) (time.Duration, error) {
	if !strings.ContainsAny(text, "eE") {
		if d, err := time.ParseDuration(text + "s"); err == nil {
			return d, nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != f || f > 9e9 || f < -9e9 {
		return 0, fmt.Errorf("%.40q is no usable number of seconds", text)
	}
	return time.Duration(f * 1e9), nil
}
