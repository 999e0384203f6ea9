package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
)

// issuer signs id tokens as GitHub's does; whoever has its key, which is in the folder, makes them.
type issuer struct {
	address string
	key     *rsa.PrivateKey
}

func newIssuer(address string) (*issuer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	return &issuer{address, key}, err
}

func (i *issuer) url() string { return "http://" + i.address }

// discovery is what verifiers fetch first (OpenID Connect Discovery 1.0).
func (i *issuer) discovery() any {
	return map[string]any{
		"issuer":                                i.url(),
		"jwks_uri":                              i.url() + "/.well-known/jwks",
		"subject_types_supported":               []string{"public", "pairwise"},
		"response_types_supported":              []string{"id_token"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported":                      []string{"openid"},
	}
}

// jwks are its published keys (RFC 7517).
func (i *issuer) jwks() any {
	base64url := base64.RawURLEncoding.EncodeToString
	return map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "private-sigstore",
		"n": base64url(i.key.N.Bytes()),
		"e": base64url(big.NewInt(int64(i.key.E)).Bytes()),
	}}}
}

// serveIssuer serves both, as they were written.
func serveIssuer(folder, address string) error {
	for path, file := range map[string]string{
		"/.well-known/openid-configuration": "openid-configuration.json",
		"/.well-known/jwks":                 "jwks.json",
	} {
		content, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			return err
		}
		http.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("content-type", "application/json")
			_, _ = w.Write(content)
		})
	}
	return http.ListenAndServe(address, nil)
}
