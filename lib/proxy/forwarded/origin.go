package forwarded

import (
	"bytes"
	"net/netip"
	"unsafe"

	"passenger/lib/http1"
)

// Origin is the address that a client is counted by: of IPv6 its network of 64
// bits, since one host may use all addresses of that. It is the zero address if
// text is none, maybe with a port.
func Origin(text string) netip.Addr {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		with, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}
		}
		ip = with.Addr()
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip
	}
	n, _ := ip.WithZone("").Prefix(64) // an address of IPv6 has so many bits
	return n.Addr()
}

// OriginBehind is the Origin of the client that a trusted one speaks for: the last
// address of X-Forwarded-For that is not trusted itself, else the first one. It is
// the zero address if the trusted client names none, or something else before one
// was found.
func OriginBehind(r *http1.Request, trusts func(netip.Addr) bool) (from netip.Addr) {
	for i := r.Count() - 1; i >= 0; i-- {
		if r.Kind(i) != http1.XForwardedFor {
			continue
		}
		for list := r.Value(i); len(list) > 0; {
			cut := bytes.LastIndexByte(list, ',')
			element := bytes.TrimSpace(list[cut+1:])
			text := unsafe.String(unsafe.SliceData(element), len(element)) // no address keeps it
			if from = Origin(text); !from.IsValid() {
				return from
			}
			if ip, err := netip.ParseAddr(text); err != nil || !trusts(ip.Unmap()) {
				return from
			}
			list = list[:max(cut, 0)]
		}
	}
	return from
}
