package spans

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/buildregress/buildregress/fetch/boundjson"
)

// A messageKind is one of the messages of OTLP traces in which attributes are:
// only these can be nested at will.
type messageKind int

const (
	leaf messageKind = iota
	tracesData
	resourceSpans
	resource
	scopeSpans
	scope
	span
	event
	link
	keyValue
	anyValue
	valueList
	keyValueList
)

// messageFields says which fields of a message are messages themselves, see
// https://github.com/open-telemetry/opentelemetry-proto.
var messageFields = map[messageKind]map[protowire.Number]messageKind{
	tracesData:    {1: resourceSpans},
	resourceSpans: {1: resource, 2: scopeSpans, 1000: scopeSpans},
	resource:      {1: keyValue},
	scopeSpans:    {1: scope, 2: span},
	scope:         {3: keyValue},
	span:          {9: keyValue, 11: event, 13: link},
	event:         {3: keyValue},
	link:          {4: keyValue},
	keyValue:      {2: anyValue},
	anyValue:      {5: valueList, 6: keyValueList},
	valueList:     {1: anyValue},
	keyValueList:  {1: keyValue},
}

var errNotOTLP = errors.New("is no OTLP in protobuf, or is cut off")

// IsOTLPProto tells whether data is a whole OTLP message TracesData in protobuf,
// within the bounds of one trace. JSON and text never are.
func IsOTLPProto(data []byte) bool {
	return len(data) > 0 && data[0] == '\n' && checkTraces(data) == nil
}

// checkTraces makes sure that data is a whole TracesData, with no more spans
// than are read, no more messages in one resource's spans than one value of JSON
// may hold objects, and no deeper values than a recursive decoder has stack for.
func checkTraces(data []byte) error {
	c := traceCheck{spans: Max}
	return c.message(data, tracesData, 0)
}

// A traceCheck counts down what a TracesData may yet hold.
type traceCheck struct{ spans, messages int }

func (c *traceCheck) message(data []byte, kind messageKind, depth int) error {
	if depth > boundjson.MaxNesting {
		return boundjson.ErrNesting
	}
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return errNotOTLP
		}
		if kind == tracesData && (number != 1 || wire != protowire.BytesType || n != 1) {
			return errNotOTLP
		}
		data = data[n:]
		child := messageFields[kind][number]
		if wire != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, wire, data); n < 0 {
				return errNotOTLP
			}
			data = data[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(data)
		if n < 0 {
			return errNotOTLP
		}
		data = data[n:]
		if child == leaf {
			continue
		}
		if err := c.count(child); err != nil {
			return err
		}
		if err := c.message(value, child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// count counts one more message.
func (c *traceCheck) count(kind messageKind) error {
	switch kind {
	case resourceSpans:
		c.messages = boundjson.MaxObjects
	case span:
		if c.spans--; c.spans < 0 {
			return ErrTooMany
		}
	}
	if c.messages--; c.messages < 0 {
		return fmt.Errorf("more than %d messages in one", boundjson.MaxObjects)
	}
	return nil
}
