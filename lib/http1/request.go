package http1

import "bytes"

// A Request is the head of one request. The zero Request is not ready: call
// Reset first, and before each new message.
type Request struct {
	Head

	// Method, Target, Path, Query and Host are parts of the buffer. Target is
	// as it was sent; Path and Query are its parts, Path never empty and "*"
	// only for OPTIONS, Query without the question mark and nil if there is
	// none. Of a target with bytes above 0x7f, which no URI has, they are a copy
	// in which such bytes are percent-encoded, as they should have been. Host is the authority that the request is for, nil if an HTTP/1.0
	// client named none.
	Method, Target, Path, Query, Host []byte

	// Whole says that the request is for the server as a whole: the target is
	// "*", or the absolute form of it.
	Whole bool

	// Continue says that the client waits for 100 before it sends its body.
	Continue bool

	method, target field
}

// Reset makes r ready for another request.
func (r *Request) Reset() {
	r.reset()
	r.Method, r.Target, r.Path, r.Query, r.Host, r.Whole, r.Continue = nil, nil, nil, nil, nil, false, false
}

// Parse looks at buf, which holds a request from its first byte on, and says
// whether its head is complete. If not, call it again with the same bytes and
// more; lines already seen are not looked at twice. An error is an *[Error],
// and nothing after the head can be trusted; Method and Target are set if the
// error is behind the request line, for logs.
func (r *Request) Parse(buf []byte) (done bool, err error) {
	r.buf = buf
	for r.lines == 0 {
		ok, err := r.parseLine()
		if err != nil || !ok {
			return false, err
		}
	}
	done, err = r.parseFields()
	if err == nil && done {
		err = r.checkFraming()
	}
	if err != nil {
		r.readLine()
		return false, err
	}
	if !done {
		return false, nil
	}
	return true, r.finish()
}

// readLine sets what the request line says, which was parsed.
func (r *Request) readLine() {
	r.Method = r.buf[r.method.start:r.method.end]
	r.Target = r.buf[r.target.start:r.target.end]
}

// Rebase points r, a parsed request, to a copy of its buffer.
func (r *Request) Rebase(buf []byte) error {
	r.buf = buf
	return r.finish()
}

func (r *Request) parseLine() (ok bool, err error) {
	// RFC 9112, 2.2: an empty line before a request is ignored; a client may
	// have sent it after its last body.
	if r.pos == 0 && len(r.buf) >= 2 && r.buf[0] == '\r' && r.buf[1] == '\n' {
		r.pos = 2
	}
	line, start, ok, err := r.line()
	switch {
	case err != nil:
		return false, err
	case len(line) > MaxRequestLine, !ok && len(r.buf)-start > MaxRequestLine:
		return false, errLineTooLong
	case !ok:
		return false, r.checkStart(r.buf[start:])
	}
	method, rest, found := bytes.Cut(line, []byte{' '})
	if err := checkMethod(method); err != nil {
		return false, err
	}
	target, version, found2 := bytes.Cut(rest, []byte{' '})
	if !found || !found2 || len(target) == 0 {
		return false, errRequestLine
	}
	if r.Minor, err = parseVersion(version); err != nil {
		return false, err
	}
	if !all(target, isTarget) {
		return false, errTarget
	}
	r.method = field{start: uint16(start), end: uint16(start + len(method))}
	at := start + len(method) + 1
	r.target = field{start: uint16(at), end: uint16(at + len(target))}
	return true, nil
}

// checkStart refuses what can become no request line, so that a client that
// speaks another protocol need not wait for a timeout.
func (r *Request) checkStart(start []byte) error {
	if r.pos == 0 && len(start) == 1 && start[0] == '\r' {
		return nil
	}
	method, _, found := bytes.Cut(start, []byte{' '})
	if len(method) == 0 && !found {
		return nil
	}
	return checkMethod(method)
}

func checkMethod(method []byte) error {
	switch {
	case len(method) == 0 || !all(method[:min(len(method), MaxMethod)], isToken):
		return errMethod
	case len(method) > MaxMethod:
		return errMethodLong
	}
	return nil
}

func parseVersion(v []byte) (minor uint8, err error) {
	switch {
	case string(v) == "HTTP/1.1":
		return 1, nil
	case string(v) == "HTTP/1.0":
		return 0, nil
	case len(v) == 8 && string(v[:5]) == "HTTP/" && v[5] >= '0' && v[5] <= '9' && v[6] == '.' && v[7] >= '0' && v[7] <= '9':
		return 0, errVersion
	}
	return 0, errRequestLine
}

// finish sets what needs the whole head.
func (r *Request) finish() error {
	r.readLine()
	r.readConnection()
	if r.oldBody() {
		r.KeepAlive = false
	}
	if err := r.readHost(); err != nil {
		return err
	}
	if string(r.Method) == "CONNECT" {
		return errConnect
	}
	if err := r.readTarget(); err != nil {
		return err
	}
	return r.checkFields()
}

// oldBody reports a body that a server of HTTP/1.0 may not look for: RFC 1945,
// 8.1 to 8.3 gives these methods none. Who came before us may take it for the
// next request, so nothing may follow it on the connection. nginx, which asks
// in HTTP/1.0 and closes, may send one.
func (r *Request) oldBody() bool {
	if r.Minor > 0 || r.ContentLength <= 0 {
		return false
	}
	m := string(r.Method)
	return m == "GET" || m == "HEAD" || m == "DELETE"
}

// checkFields refuses what a client may say once only, and in one way.
func (r *Request) checkFields() error {
	types := 0
	for i := range r.count {
		switch r.fields[i].kind {
		case Expect:
			if err := r.expect(r.Value(i)); err != nil {
				return err
			}
		case ContentLength:
			// Some read 010 as eight.
			if v := r.Value(i); len(v) > 1 && v[0] == '0' {
				return errLength
			}
		case ContentType:
			if types++; types > 1 {
				return errTypeTwice
			}
		}
	}
	return nil
}

// expect takes a list of expectations, which may be empty: RFC 9110, 10.1.1.
func (r *Request) expect(list []byte) error {
	for list != nil {
		var element []byte
		element, list = NextToken(list)
		switch {
		case len(element) == 0:
		case !bytes.EqualFold(element, []byte("100-continue")):
			return errExpect
		default:
			r.Continue = r.Minor > 0
		}
	}
	return nil
}

func (r *Request) readHost() error {
	switch {
	case r.hosts > 1:
		return errHostTwice
	case r.hosts == 0 && r.Minor > 0:
		return errNoHost
	case r.hosts == 0:
		return nil
	}
	r.Host = r.buf[r.host.start:r.host.end]
	if !ValidHost(r.Host) {
		return errHost
	}
	return nil
}

// readTarget takes the target apart: origin form, absolute form, or "*".
func (r *Request) readTarget() error {
	t := r.Target
	switch {
	case t[0] == '/':
	case string(t) == "*" && string(r.Method) == "OPTIONS":
		r.Path, r.Query, r.Whole = t, nil, true
		return nil
	default:
		scheme := len("http://")
		if len(t) > scheme && t[4]|0x20 == 's' {
			scheme++
		}
		if len(t) <= scheme || !hasScheme(t[:scheme]) {
			return errTarget
		}
		t = t[scheme:]
		end := bytes.IndexAny(t, "/?")
		if end < 0 {
			end = len(t)
		}
		if !ValidHost(t[:end]) {
			return errTarget
		}
		if r.hosts > 0 && !sameHost(t[:end], r.Host, defaultPorts[scheme-len("http://")]) {
			return errOtherHost
		}
		r.Host, t = t[:end], t[end:]
		r.Whole = len(t) == 0 && string(r.Method) == "OPTIONS"
	}
	if encoded := encodeHigh(t); encoded != nil {
		if len(encoded) > MaxRequestLine {
			return errLineTooLong
		}
		if t = encoded; r.Target[0] == '/' {
			r.Target = t
		}
	}
	r.Path, r.Query = t, nil
	if q := bytes.IndexByte(t, '?'); q >= 0 {
		r.Path, r.Query = t[:q], t[q+1:]
	}
	switch {
	case r.Whole:
		r.Path = wholePath
	case len(r.Path) == 0:
		r.Path = rootPath
	}
	return nil
}

// encodeHigh returns b with its bytes above 0x7f percent-encoded, nil if there are
// none.
func encodeHigh(b []byte) (encoded []byte) {
	const hex = "0123456789ABCDEF"
	for i, c := range b {
		switch {
		case c < 0x80 && encoded == nil:
			continue
		case encoded == nil:
			encoded = append(make([]byte, 0, len(b)+2*(len(b)-i)), b[:i]...)
		}
		if c < 0x80 {
			encoded = append(encoded, c)
		} else {
			encoded = append(encoded, '%', hex[c>>4], hex[c&15])
		}
	}
	return encoded
}

var rootPath, wholePath = []byte("/"), []byte("*")

var defaultPorts = [...]string{"80", "443"} // of http and https

func hasScheme(b []byte) bool {
	return bytes.EqualFold(b, []byte("http://")) || bytes.EqualFold(b, []byte("https://"))
}
