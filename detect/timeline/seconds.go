package timeline

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Seconds is a duration that is a number of seconds in JSON, to the nanosecond.
type Seconds time.Duration

// D returns s as a time.Duration.
func (s Seconds) D() time.Duration { return time.Duration(s) }

// String writes s as people say it: "850 ms", "1.24 s", "61 s", "3 m 12 s",
// "2 h 5 m". Seconds go up to two minutes, as steps are compared in them.
func (s Seconds) String() string {
	d := s.D()
	switch {
	case d < 0:
		return "−" + (-max(s, math.MinInt64+1)).String()
	case d == 0:
		return "0 s"
	case d < time.Millisecond:
		return "<1 ms"
	case d < 999500*time.Microsecond:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	case d < 9995*time.Millisecond:
		digits := strconv.FormatFloat(d.Seconds(), 'f', 2, 64)
		return strings.TrimSuffix(strings.TrimRight(digits, "0"), ".") + " s"
	case d.Round(time.Second) < 2*time.Minute:
		return fmt.Sprintf("%d s", d.Round(time.Second)/time.Second)
	case d.Round(time.Second) < time.Hour:
		d = d.Round(time.Second)
		return twoUnits(d/time.Minute, "m", d%time.Minute/time.Second, "s")
	}
	d = d.Round(time.Minute)
	return twoUnits(d/time.Hour, "h", d%time.Hour/time.Minute, "m")
}

func twoUnits(big time.Duration, unit string, small time.Duration, smallUnit string) string {
	if small == 0 {
		return fmt.Sprintf("%d %s", big, unit)
	}
	return fmt.Sprintf("%d %s %d %s", big, unit, small, smallUnit)
}

// MarshalJSON writes the shortest decimal that is exactly s.
func (s Seconds) MarshalJSON() ([]byte, error) {
	n, sign := max(int64(s), -math.MaxInt64), ""
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
	d, err := parseSeconds(number.String())
	*s = Seconds(d)
	return err
}

// parseSeconds reads a decimal number of seconds, exact to the nanosecond.
func parseSeconds(text string) (time.Duration, error) {
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
