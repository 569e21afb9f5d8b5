package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"passenger/lib/jsonkey"
	"passenger/lib/protocol"
)

// Decode reads a request's JSON body into v. Unknown keys are ignored; one that
// an object has twice is an error.
//
// It reads no further than the JSON is valid: what is no JSON costs no memory.
func Decode(r *Request, v any) error {
	var read bytes.Buffer
	d := json.NewDecoder(io.TeeReader(r.Body, &read))
	if err := d.Decode(v); err != nil {
		if errors.Is(err, errTooLarge) {
			return bodyTooLarge()
		}
		return badRequest("the body is not the JSON expected: %v", inWords(err))
	}
	for _, t := range jsonkey.Twins(read.Bytes()[:d.InputOffset()], 1) {
		return badRequest("the body has the key %q twice", t.Path)
	}
	// Its end is what lifts its deadline. What comes behind is not ours to
	// judge.
	_, _ = io.Copy(io.Discard, r.Body)
	return nil
}

// Body reads a request's body. Its end is what lifts its deadline.
func Body(r *Request) ([]byte, error) {
	b, err := io.ReadAll(r.Body)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, bodyTooLarge()
	case err != nil:
		return nil, badRequest("the body could not be read: %v", err)
	}
	return b, nil
}

func bodyTooLarge() error {
	return &protocol.Error{Code: protocol.CodeTooLarge, Message: fmt.Sprintf("the body is over %d bytes", protocol.MaxBody)}
}

func badRequest(format string, args ...any) error {
	return &protocol.Error{Code: protocol.CodeBadRequest, Message: fmt.Sprintf(format, args...)}
}

// DecodeOptional is Decode for a body that may be missing, which leaves v as it
// is.
func DecodeOptional(r *Request, v any) error {
	if r.ContentLength == 0 {
		return nil
	}
	return Decode(r, v)
}

// ProgramHeader is the value of protocol.HeaderProgram for this process.
func ProgramHeader(program, release string) string {
	return fmt.Sprintf("%s/%s pid=%d", program, release, os.Getpid())
}

func reply(a *answer, status int, v any) {
	if v == nil {
		v = struct{}{}
	}
	b, err := json.Marshal(v)
	if err != nil {
		replyError(a, fmt.Errorf("internal error: %w", err))
		return
	}
	a.whole(status, kindJSON, append(b, '\n'))
}

func replyError(a *answer, err error) {
	var pe *protocol.Error
	if !errors.As(err, &pe) {
		pe = &protocol.Error{Code: protocol.CodeInternal, Message: err.Error()}
	}
	reply(a, statusOf(pe.Code), protocol.ErrorReply{Error: pe})
}

// statuses are those of the codes, in the order of their list.
var statuses = []struct {
	status int
	codes  []protocol.Code
}{
	{400, []protocol.Code{protocol.CodeBadRequest}},
	{403, []protocol.Code{protocol.CodeNotAllowed}},
	{404, []protocol.Code{protocol.CodeUnknownApp, protocol.CodeUnknownProcess, protocol.CodeUnknownRequest}},
	{409, []protocol.Code{protocol.CodeConflict}},
	{413, []protocol.Code{protocol.CodeTooLarge}},
	{422, []protocol.Code{protocol.CodeInvalidApp}},
	{502, []protocol.Code{protocol.CodeSpawnFailed, protocol.CodeRestartFailed}},
	{503, []protocol.Code{protocol.CodeStopping, protocol.CodeNotReady}},
	{504, []protocol.Code{protocol.CodeTimeout}},
	{505, []protocol.Code{protocol.CodeVersionMismatch}},
}

func statusOf(code protocol.Code) int {
	for _, s := range statuses {
		if slices.Contains(s.codes, code) {
			return s.status
		}
	}
	return 500
}
