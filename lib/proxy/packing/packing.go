// Package packing decides whether an answer is compressed on its way to the client, and
// what its head says then.
package packing

import (
	"bytes"

	"passenger/lib/compress"
	"passenger/lib/http1"
)

// Least is the shortest body that is compressed, in bytes: shorter ones fit into a packet
// or two as they are.
const Least = 1024

// A Plan is what becomes of an answer. The zero Plan changes nothing.
type Plan struct {
	Coding compress.Coding // Plain to leave the body as it is

	// NotModified says that the client has the answer already, in the form that we
	// made of it: its entity tag is the weak one of the app's.
	NotModified bool

	// Varies says that the answer may come in several forms.
	Varies bool

	told bool   // the app's Vary says so already
	weak bool   // the tag is that of one of them
	tag  []byte // the app's, if it is a strong one
	kept []byte // the app's, if the head has none
}

// Decide makes the plan for the answer r of an app, whose body is of a kind.
func Decide(q *http1.Request, r *http1.Response, kind http1.BodyKind) (p Plan) {
	head := string(q.Method) == "HEAD"
	switch {
	case r.Status == 304:
	case r.Status < 200, r.Status == 204, r.Status == 206, r.Status >= 300 && r.Status < 400, kind == http1.UntilClose, kind == http1.NoBody && !head,
		r.ContentLength >= 0 && r.ContentLength < Least && kind != http1.ChunkedEnd:
		return p
	}
	suits := false
	for i := range r.Count() {
		switch name, value := r.Name(i), r.Value(i); {
		case http1.EqualFold(name, "content-type"):
			suits = Compressible(value)
		case http1.EqualFold(name, "etag"):
			if strong(value) {
				p.tag = value
			}
		case http1.EqualFold(name, "vary"):
			p.told = p.told || lists(value, "accept-encoding") || lists(value, "*")
		case http1.EqualFold(name, "cache-control"):
			if lists(value, "no-transform") {
				return Plan{}
			}
		case fixes(name):
			return Plan{}
		}
	}
	held := p.tag != nil && (string(q.Method) == "GET" || head) && holds(q, p.tag)
	if r.Status == 304 {
		p.Varies, p.weak = held, held
		return p
	}
	if !suits {
		return Plan{}
	}
	p.Varies, p.NotModified = true, held && r.Status == 200
	if wanted(q) {
		p.Coding = compress.Choose(q.Find(http1.AcceptEncoding))
	}
	p.weak = p.Coding != compress.Plain || p.NotModified
	return p
}

// fixes says that a field of an answer is about the very bytes of its body.
func fixes(name []byte) bool {
	for _, f := range [...]string{"content-encoding", "content-range", "trailer", "content-digest", "repr-digest", "digest", "content-md5"} {
		if http1.EqualFold(name, f) {
			return true
		}
	}
	return false
}

// wanted says that the request allows for another form at all.
func wanted(q *http1.Request) bool {
	for i := range q.Count() {
		name := q.Name(i)
		if http1.EqualFold(name, "range") || http1.EqualFold(name, "cache-control") && lists(q.Value(i), "no-transform") {
			return false
		}
	}
	return true
}

// holds says that the client names the weak form of a strong tag.
func holds(q *http1.Request, tag []byte) bool {
	for i := range q.Count() {
		if !http1.EqualFold(q.Name(i), "if-none-match") {
			continue
		}
		for list := q.Value(i); len(list) > 0; {
			var element []byte
			element, list = http1.CutElement(list)
			if weak, ok := bytes.CutPrefix(element, []byte("W/")); ok && bytes.Equal(weak, tag) {
				return true
			}
		}
	}
	return false
}

// lists says whether a list has a token, which is in lower case.
func lists(list []byte, token string) bool {
	for len(list) > 0 {
		var element []byte
		if element, list = http1.NextToken(list); http1.EqualFold(element, token) {
			return true
		}
	}
	return false
}

// Plain leaves the body as it is, because no encoder was to have. The answer still varies.
func (p *Plan) Plain() {
	p.Coding, p.weak = compress.Plain, p.NotModified
}

// Drops says that a field of the app's goes, or that [Plan.Append] says it in its place.
func (p *Plan) Drops(name []byte) bool {
	switch len(name) {
	case len("etag"):
		return p.weak && p.tag != nil && http1.EqualFold(name, "etag")
	case len("accept-ranges"):
		return p.Coding != compress.Plain && http1.EqualFold(name, "accept-ranges")
	case len("content-length"):
		return p.Coding != compress.Plain && http1.EqualFold(name, "content-length")
	}
	return false
}

// Apart says that a field of the app's is not kept with the answer, because each form of it
// has another; see [Entry].
func (p *Plan) Apart(name []byte) bool {
	return p.Varies && (http1.EqualFold(name, "etag") || http1.EqualFold(name, "accept-ranges"))
}

// Append appends what the head says of the form of the answer.
func (p *Plan) Append(b []byte) []byte {
	if !p.told {
		b = append(b, "Vary: Accept-Encoding\r\n"...)
	}
	if p.weak && p.tag != nil {
		b = append(append(append(b, "ETag: W/"...), p.tag...), "\r\n"...)
	} else if len(p.kept) > 0 {
		b = append(append(append(b, "ETag: "...), p.kept...), "\r\n"...)
	}
	if p.Coding != compress.Plain && !p.NotModified {
		b = append(append(append(b, "Content-Encoding: "...), compress.Names[p.Coding]...), "\r\n"...)
	}
	return b
}

// Compressible says that bodies of a type get shorter. An event stream is none of
// them: it would hold an encoder for as long as it lasts.
func Compressible(kind []byte) bool {
	if i := bytes.IndexByte(kind, ';'); i >= 0 {
		kind = kind[:i]
	}
	kind = bytes.TrimSpace(kind)
	if len(kind) > len("text/") && http1.EqualFold(kind[:len("text/")], "text/") {
		return !http1.EqualFold(kind, "text/event-stream")
	}
	for _, suffix := range [...]string{"+json", "+xml", "+text"} {
		if n := len(kind) - len(suffix); n > 0 && http1.EqualFold(kind[n:], suffix) {
			return true
		}
	}
	for _, t := range types {
		if http1.EqualFold(kind, t) {
			return true
		}
	}
	return false
}

var types = [...]string{"application/json", "application/javascript", "application/xml", "application/x-javascript", "application/wasm",
	"application/x-ndjson", "application/graphql", "application/vnd.ms-fontobject", "font/ttf", "font/otf", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon"}

// strong says that an entity tag is a strong one. Clients take one without quotes for that,
// too.
func strong(tag []byte) bool { return len(tag) > 0 && !bytes.HasPrefix(tag, []byte("W/")) }
