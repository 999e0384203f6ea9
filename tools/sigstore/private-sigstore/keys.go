package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// rekorOrigin and rekor1Origin are the names that the logs sign their checkpoints with.
const (
	rekorOrigin  = "rekor.local"
	rekor1Origin = "rekor1.local"
)

// addresses are where the services will be.
type addresses struct{ fulcio, rekor, rekor1, tsa, issuer string }

// sigstore is everything that has a key.
type sigstore struct {
	addresses
	since            time.Time
	fulcioCA         *authority
	tsaRoot, tsaLeaf *authority
	ctLog, rekor1Log *ecdsa.PrivateKey
	rekorLog         ed25519.PrivateKey
	issuerOfTokens   *issuer
}

func newSigstore(at addresses) (*sigstore, error) {
	// Before now, for a clock that is behind.
	s := &sigstore{addresses: at, since: time.Now().UTC().Truncate(time.Second).Add(-time.Hour)}
	var err error
	if s.fulcioCA, err = newRoot("fulcio test root", s.since); err != nil {
		return nil, err
	}
	if s.tsaRoot, err = newRoot("tsa test root", s.since); err != nil {
		return nil, err
	}
	if s.tsaLeaf, err = s.tsaRoot.timestamper("tsa test leaf", s.since); err != nil {
		return nil, err
	}
	if s.ctLog, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	if s.rekor1Log, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	if _, s.rekorLog, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, err
	}
	s.issuerOfTokens, err = newIssuer(at.issuer)
	return s, err
}

// writeAll makes a new one and writes what its services and its clients read.
func writeAll(folder, templates string, at addresses) error {
	s, err := newSigstore(at)
	if err != nil {
		return err
	}
	files, err := s.keys()
	if err != nil {
		return err
	}
	if files["fulcio.yaml"], err = s.fulcioConfig(templates); err != nil {
		return err
	}
	root, err := s.trustedRoot()
	if err != nil {
		return err
	}
	for name, document := range map[string]any{
		"trusted_root.json":          root,
		"signing_config.json":        s.signingConfig(service{s.rekor, 2}),
		"signing_config_v1.json":     s.signingConfig(service{s.rekor1, 1}),
		"signing_config_no_log.json": s.signingConfig(),
		"openid-configuration.json":  s.issuerOfTokens.discovery(),
		"jwks.json":                  s.issuerOfTokens.jwks(),
	} {
		if files[name], err = json.MarshalIndent(document, "", "  "); err != nil {
			return err
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// keys are the private keys, and the certificates that go with them, by file.
func (s *sigstore) keys() (map[string][]byte, error) {
	ct, err := elliptical(s.ctLog)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		"ct.key":     ct,
		"fulcio.pem": s.fulcioCA.pem(),
		"tsa.pem":    append(s.tsaLeaf.pem(), s.tsaRoot.pem()...),
	}
	for name, key := range map[string]any{
		"fulcio.key": s.fulcioCA.key, "tsa.key": s.tsaLeaf.key, "rekor.key": s.rekorLog, "rekor1.key": s.rekor1Log,
		"issuer.key": s.issuerOfTokens.key,
	} {
		if files[name], err = privatePEM(key); err != nil {
			return nil, err
		}
	}
	return files, nil
}
