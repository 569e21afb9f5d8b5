package proxy

import "passenger/lib/proxy/balance"

// places is how many requests may wait for an app for which own wait now.
func (p *Proxy) places(own int) int {
	return balance.Places(int64(own), int64(p.mostWaiting), p.waiting.Load(), p.descriptors.ForClients())
}
