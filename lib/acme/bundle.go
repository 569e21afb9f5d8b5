package acme

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// A bundle is a certificate, its chain and its key: what one file holds.
type bundle struct {
	chain [][]byte // DER, the certificate first
	leaf  *x509.Certificate
	key   *ecdsa.PrivateKey
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// newBundle checks that a chain begins with a certificate for the key and, if
// domain is not empty, for the domain.
func newBundle(chain [][]byte, key *ecdsa.PrivateKey, domain string) (*bundle, error) {
	if len(chain) == 0 {
		return nil, errors.New("it holds no certificate")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, err
	}
	if public, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(&key.PublicKey) {
		return nil, errors.New("the certificate is not for its key")
	}
	if domain != "" {
		if err := leaf.VerifyHostname(domain); err != nil {
			return nil, err
		}
	}
	return &bundle{chain, leaf, key}, nil
}

func (b *bundle) certificate() *tls.Certificate {
	return &tls.Certificate{Certificate: b.chain, PrivateKey: b.key, Leaf: b.leaf}
}

// encode returns b as PEM: the key, the certificate, its chain.
func (b *bundle) encode() ([]byte, error) {
	text, err := encodeKey(b.key)
	if err != nil {
		return nil, err
	}
	for _, der := range b.chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text, nil
}

// decodeBundle reads what encode wrote.
func decodeBundle(text []byte, domain string) (*bundle, error) {
	key, rest, err := decodeKey(text)
	if err != nil {
		return nil, err
	}
	var chain [][]byte
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		chain = append(chain, block.Bytes)
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("it is not PEM to its end")
	}
	return newBundle(chain, key, domain)
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// decodeKey reads a key, and returns what follows it.
func decodeKey(text []byte) (*ecdsa.PrivateKey, []byte, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, nil, errors.New("it holds no key")
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, err
	}
	key, ok := any.(*ecdsa.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("its key is a %T, not one of an elliptic curve", any)
	}
	return key, rest, nil
}
