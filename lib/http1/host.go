package http1

import (
	"bytes"
	"net/netip"
	"unsafe"
)

// ValidHost reports whether b is a host with or without a port: a registered
// name, an IPv4 address or an IPv6 address in brackets. Userinfo is none.
func ValidHost(b []byte) bool {
	host, port := SplitHost(b)
	if len(port) > 5 || len(port) > 0 && (number(port) < 0 || number(port) > 65535) {
		return false
	}
	if len(host)+len(port) != len(b) && len(host)+1+len(port) != len(b) {
		return false
	}
	if len(host) > 2 && host[0] == '[' {
		return host[len(host)-1] == ']' && validIPv6(host[1:len(host)-1])
	}
	return len(host) > 0 && len(host) <= 255 && all(host, isHost)
}

// SplitHost returns the host, with the brackets of an IPv6 address, and the
// port, which is empty if there is none.
func SplitHost(b []byte) (host, port []byte) {
	from := 0
	if len(b) > 0 && b[0] == '[' {
		if from = bytes.IndexByte(b, ']'); from < 0 {
			return nil, nil
		}
		from++
		if from < len(b) && b[from] != ':' {
			return nil, nil
		}
	}
	if i := bytes.IndexByte(b[from:], ':'); i >= 0 {
		return b[:from+i], b[from+i+1:]
	}
	return b, nil
}

// sameHost says that a and b name the same host and port, of which either may
// leave out the default.
func sameHost(a, b []byte, defaultPort string) bool {
	if bytes.EqualFold(a, b) {
		return true
	}
	hostA, portA := SplitHost(a)
	hostB, portB := SplitHost(b)
	isDefault := func(port []byte) bool { return len(port) == 0 || string(port) == defaultPort }
	return bytes.EqualFold(hostA, hostB) && (string(portA) == string(portB) || isDefault(portA) && isDefault(portB))
}

// validIPv6 reports whether b is an IPv6 address without a zone, which has a
// meaning on one machine only: RFC 3986, 3.2.2.
func validIPv6(b []byte) bool {
	if len(b) > len("0000:0000:0000:0000:0000:0000:255.255.255.255") || bytes.IndexByte(b, '%') >= 0 {
		return false
	}
	// Nothing keeps the string, but an error that is dropped at once.
	a, err := netip.ParseAddr(unsafe.String(unsafe.SliceData(b), len(b)))
	return err == nil && a.Is6()
}
