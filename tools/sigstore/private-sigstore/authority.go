package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

const organization = "gp-deliver test"

// authority is a key and the certificate that speaks for it.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// newRoot makes one that certifies others.
func newRoot(name string, since time.Time) (*authority, error) {
	return issue(&x509.Certificate{
		IsCA: true, MaxPathLen: 1, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, name, since, nil)
}

// timestamper makes one that signs timestamps. RFC 3161, section 2.3, wants its usage alone and critical, which Go's own
// field for it is not.
func (root *authority) timestamper(name string, since time.Time) (*authority, error) {
	// SEQUENCE of one OBJECT IDENTIFIER: 1.3.6.1.5.5.7.3.8
	usage := []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08}
	return issue(&x509.Certificate{
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: []int{2, 5, 29, 37}, Critical: true, Value: usage}},
	}, name, since, root)
}

// issue completes a certificate and has it signed by its issuer, or by itself.
func issue(template *x509.Certificate, name string, since time.Time, issuer *authority) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.Subject = pkix.Name{Organization: []string{organization}, CommonName: name}
	template.NotBefore, template.NotAfter = since, since.AddDate(10, 0, 0)
	template.BasicConstraintsValid = true
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.certificate, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{key, certificate}, err
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// privatePEM is a key as PKCS #8.
func privatePEM(key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

// elliptical is a key as RFC 5915 has it, which is all that TesseraCT reads.
func elliptical(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), err
}
