package main

import (
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
)

// serveTimestamps serves Sigstore's own timestamp authority. Its command also serves metrics, at a port that can't be set,
// and ends where that is taken: by the one of another clone, say.
func serveTimestamps(folder, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	for name, value := range map[string]any{
		"timestamp-signer":         "file",
		"timestamp-signer-hash":    "sha256",
		"file-signer-key-path":     filepath.Join(folder, "tsa.key"),
		"certificate-chain-path":   filepath.Join(folder, "tsa.pem"),
		"enforce-intermediate-eku": true,
		// The defaults of its command.
		"default-policy-oid":    "1.3.6.1.4.1.57264.2",
		"accepted-policy-oids":  []string{"1.3.6.1.4.1.57264.2"},
		"max-request-body-size": uint64(1 << 20),
	} {
		viper.Set(name, value)
	}
	return server.NewRestAPIServer(host, number, []string{"http"}, false, time.Minute, time.Minute).Serve()
}
