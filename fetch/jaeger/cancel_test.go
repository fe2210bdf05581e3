package jaeger

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A server that breaks an answer off long before our time is over is told as that.
func TestCancelledByServer(t *testing.T) {
	err := status.Error(codes.Canceled, "RST_STREAM with error code: CANCEL")
	for limit, own := range map[time.Duration]bool{time.Hour: false, time.Second / 2: true} {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		got := new(GRPC).wrapError(ctx, "get trace", err)
		if errors.Is(got, context.DeadlineExceeded) != own {
			t.Errorf("with %v left it is %v", limit, got)
		}
		if !own && !strings.Contains(got.Error(), "broke the answer off") {
			t.Errorf("it says %v", got)
		}
	}
}
