package detect

import "testing"

// Ratio and usual range are those of the nearest mode below: beyond the slow mode of
// a step that has two, it is not 285 times as slow as usual, but twice.
func TestUsualIsTheNearestModeBelow(t *testing.T) {
	h := historyOf(mixed(times(17, 7), times(3, 945)))
	s, _ := afterwards(t, h, 2000)
	if s.Usual.D() != seconds(945) || s.Ratio > 2.2 || s.Low.D() != seconds(945) {
		t.Errorf("2,000 s: usually %v (%v to %v), ×%.3g; want 945 s, ×2.12", s.Usual, s.Low, s.High, s.Ratio)
	}
	s, _ = afterwards(t, h, 945)
	if s.High.D() != seconds(7) {
		t.Errorf("945 s: usually %v to %v; want 7 s", s.Low, s.High)
	}
}
