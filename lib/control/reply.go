package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"passenger/lib/jsonkey"
	"passenger/lib/protocol"
)

// Decode reads a request's JSON body into v. Unknown keys are ignored; one that
// an object has twice is an error.
//
// It reads no further than the JSON is valid: what is no JSON costs no memory.
func Decode(r *http.Request, v any) error {
	var read bytes.Buffer
	d := json.NewDecoder(io.TeeReader(r.Body, &read))
	if err := d.Decode(v); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return bodyTooLarge(tooLarge)
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
func Body(r *http.Request) ([]byte, error) {
	b, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, bodyTooLarge(tooLarge)
	case err != nil:
		return nil, badRequest("the body could not be read: %v", err)
	}
	return b, nil
}

func bodyTooLarge(err *http.MaxBytesError) error {
	return &protocol.Error{Code: protocol.CodeTooLarge, Message: fmt.Sprintf("the body is over %d bytes", err.Limit)}
}

func badRequest(format string, args ...any) error {
	return &protocol.Error{Code: protocol.CodeBadRequest, Message: fmt.Sprintf(format, args...)}
}

// DecodeOptional is Decode for a body that may be missing, which leaves v as it
// is.
func DecodeOptional(r *http.Request, v any) error {
	if r.ContentLength == 0 {
		return nil
	}
	return Decode(r, v)
}

// ProgramHeader is the value of protocol.HeaderProgram for this process.
func ProgramHeader(program, release string) string {
	return fmt.Sprintf("%s/%s pid=%d", program, release, os.Getpid())
}

func reply(w http.ResponseWriter, status int, v any) {
	if v == nil {
		v = struct{}{}
	}
	b, err := json.Marshal(v)
	if err != nil {
		replyError(w, fmt.Errorf("internal error: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // an error means that the caller is gone
}

func replyError(w http.ResponseWriter, err error) {
	var pe *protocol.Error
	if !errors.As(err, &pe) {
		pe = &protocol.Error{Code: protocol.CodeInternal, Message: err.Error()}
	}
	reply(w, statusOf(pe.Code), protocol.ErrorReply{Error: pe})
}

// statuses are those of the codes, in the order of their list.
var statuses = []struct {
	status int
	codes  []protocol.Code
}{
	{http.StatusBadRequest, []protocol.Code{protocol.CodeBadRequest}},
	{http.StatusForbidden, []protocol.Code{protocol.CodeNotAllowed}},
	{http.StatusNotFound, []protocol.Code{protocol.CodeUnknownApp, protocol.CodeUnknownProcess, protocol.CodeUnknownRequest}},
	{http.StatusConflict, []protocol.Code{protocol.CodeConflict}},
	{http.StatusRequestEntityTooLarge, []protocol.Code{protocol.CodeTooLarge}},
	{http.StatusUnprocessableEntity, []protocol.Code{protocol.CodeInvalidApp}},
	{http.StatusBadGateway, []protocol.Code{protocol.CodeSpawnFailed, protocol.CodeRestartFailed}},
	{http.StatusServiceUnavailable, []protocol.Code{protocol.CodeStopping, protocol.CodeNotReady}},
	{http.StatusGatewayTimeout, []protocol.Code{protocol.CodeTimeout}},
	{http.StatusHTTPVersionNotSupported, []protocol.Code{protocol.CodeVersionMismatch}},
}

func statusOf(code protocol.Code) int {
	for _, s := range statuses {
		if slices.Contains(s.codes, code) {
			return s.status
		}
	}
	return http.StatusInternalServerError
}

// ID returns a path value that names a process, app or proxy, or an error if
// it is none that could exist.
func ID(r *http.Request, name string) (string, error) {
	v := r.PathValue(name)
	ok := v != "" && len(v) <= 64 && v[0] != '.' && strings.Trim(v, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
	if !ok {
		return "", &protocol.Error{
			Code: protocol.CodeBadRequest, Message: fmt.Sprintf("%q is not a valid %s", v, name),
			Hint: "one has characters of a-z, 0-9, '.', '_' and '-' only, no dot first, and at most 64 of them",
		}
	}
	return v, nil
}
