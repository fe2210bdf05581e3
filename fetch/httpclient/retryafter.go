package httpclient

import (
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds what a server may ask for: what is further off is never.
const maxRetryAfter = 1 << 20 * time.Second

// RetryAfter is how long the header of an answer asks to wait before the next
// request, at most twelve days; ok tells whether it does. Servers say so in
// seconds, or as a date, which is one by their own clock: the header's Date, or now
// where there is none.
func RetryAfter(h http.Header, now time.Time) (d time.Duration, ok bool) {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second, true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(0, min(at.Sub(now), maxRetryAfter)), true
}
