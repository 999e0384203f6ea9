package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"sigs.k8s.io/yaml"
)

// object is a JSON object.
type object = map[string]any

// service is one of the services that clients speak to.
type service struct {
	address string
	version int
}

func (s *sigstore) validFor() object { return object{"start": s.since.Format(time.RFC3339)} }

// signingConfig is what a client signs with: a log, or none.
func (s *sigstore) signingConfig(logs ...service) object {
	describe := func(url string, version int) object {
		return object{"url": url, "majorApiVersion": version, "validFor": s.validFor(), "operator": "gp-deliver"}
	}
	config := object{
		"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
		"caUrls":    []object{describe("http://"+s.fulcio, 1)},
		"oidcUrls":  []object{describe(s.issuerOfTokens.url(), 1)},
		"tsaUrls":   []object{describe("http://"+s.tsa+"/api/v1/timestamp", 1)},
		"tsaConfig": object{"selector": "ANY"},
	}
	for _, log := range logs {
		config["rekorTlogUrls"] = []object{describe("http://"+log.address, log.version)}
		config["rekorTlogConfig"] = object{"selector": "ANY"}
	}
	return config
}

// trustedRoot is what a client verifies with: both logs are in it.
func (s *sigstore) trustedRoot() (object, error) {
	ct, err := s.log("http://ct.local", s.ctLog.Public(), "PKIX_ECDSA_P256_SHA_256")
	if err != nil {
		return nil, err
	}
	rekor1, err := s.log("http://"+rekor1Origin, s.rekor1Log.Public(), "PKIX_ECDSA_P256_SHA_256")
	if err != nil {
		return nil, err
	}
	public := s.rekorLog.Public().(ed25519.PublicKey)
	rekor, err := s.log("http://"+rekorOrigin, public, "PKIX_ED25519")
	if err != nil {
		return nil, err
	}
	// Of an Ed25519 key the id is that of the checkpoint's signature: https://c2sp.org/signed-note
	id := sha256.Sum256(append([]byte(rekorOrigin+"\n\x01"), public...))
	rekor["logId"] = object{"keyId": id[:]}
	return object{
		"mediaType":              "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"tlogs":                  []object{rekor, rekor1},
		"ctlogs":                 []object{ct},
		"certificateAuthorities": []object{s.chain("http://"+s.fulcio, s.fulcioCA)},
		"timestampAuthorities":   []object{s.chain("http://"+s.tsa, s.tsaLeaf, s.tsaRoot)},
	}, nil
}

func (s *sigstore) log(url string, key crypto.PublicKey, details string) (object, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	id := sha256.Sum256(der)
	return object{
		"baseUrl": url, "hashAlgorithm": "SHA2_256",
		"publicKey": object{"rawBytes": der, "keyDetails": details, "validFor": s.validFor()},
		"logId":     object{"keyId": id[:]},
	}, err
}

// chain describes an authority by its certificates, the root last.
func (s *sigstore) chain(uri string, links ...*authority) object {
	certificates := []object{}
	for _, link := range links {
		certificates = append(certificates, object{"rawBytes": link.certificate.Raw})
	}
	return object{
		"subject":   object{"organization": organization, "commonName": links[0].certificate.Subject.CommonName},
		"uri":       uri,
		"certChain": object{"certificates": certificates},
		"validFor":  s.validFor(),
	}
}

// fulcioConfig has the public instance's own templates for GitHub's claims, for another issuer. It is YAML, for in JSON fulcio
// knows its settings by other names, and says nothing of those that it does not know.
func (s *sigstore) fulcioConfig(templates string) ([]byte, error) {
	content, err := os.ReadFile(templates)
	if err != nil {
		return nil, err
	}
	var public struct {
		Providers map[string]any `json:"ci-issuer-metadata"`
	}
	if err := yaml.Unmarshal(content, &public); err != nil {
		return nil, err
	}
	const provider = "github-workflow"
	metadata, found := public.Providers[provider]
	if !found {
		return nil, fmt.Errorf("%s: there is no %s in it", templates, provider)
	}
	return yaml.Marshal(object{
		"oidc-issuers": object{s.issuerOfTokens.url(): object{
			"issuer-url": s.issuerOfTokens.url(), "client-id": "sigstore", "type": "ci-provider", "ci-provider": provider,
		}},
		"ci-issuer-metadata": object{provider: metadata},
	})
}
