package http1

import "testing"

func TestMethodsAreSafeOrIdempotent(t *testing.T) {
	t.Parallel()
	for method, want := range map[string][2]bool{
		"GET": {true, true}, "HEAD": {true, true}, "OPTIONS": {true, true}, "TRACE": {true, true},
		"PUT": {false, true}, "DELETE": {false, true}, "POST": {}, "PATCH": {}, "CONNECT": {}, "get": {}, "": {},
	} {
		r := Request{Method: []byte(method)}
		if got := [2]bool{r.Safe(), r.Idempotent()}; got != want {
			t.Errorf("%q: got %v, want %v", method, got, want)
		}
	}
}
