package fetch

// ErrorWithHint is a new error, unlike all others, that knows what people can do
// about it: it has a method Hint, which says so.
func ErrorWithHint(text, hint string) error { return &hintedError{text, hint} }

type hintedError struct{ text, hint string }

func (e *hintedError) Error() string { return e.text }
func (e *hintedError) Hint() string  { return e.hint }
