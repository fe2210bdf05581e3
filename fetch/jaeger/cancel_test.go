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
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	err := new(GRPC).wrapError(ctx, "get trace", status.Error(codes.Canceled, "RST_STREAM with error code: CANCEL"))
	if errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "broke the answer off") {
		t.Errorf("it is told as %v", err)
	}
	if err := new(GRPC).wrapError(ctx, "get trace", status.Error(codes.DeadlineExceeded, "")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the end of our time is told as %v", err)
	}
}
