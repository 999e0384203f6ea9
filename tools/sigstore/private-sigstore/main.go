// Command private-sigstore is what a Sigstore of one's own needs beside its services: keys, certificates and configurations,
// an issuer of id tokens, and a timestamp authority without a fixed port.
//
//	private-sigstore keys FOLDER TEMPLATES FULCIO REKOR REKOR1 TSA ISSUER   writes all that the services and their clients read
//	private-sigstore issuer FOLDER ADDRESS                                  serves what verifiers of id tokens fetch
//	private-sigstore timestamps FOLDER ADDRESS                              serves RFC 3161 timestamps
//
// TEMPLATES is fulcio's own config/identity/config.yaml, FULCIO to ISSUER are addresses: HOST:PORT.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "private-sigstore:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 8 && arguments[0] == "keys":
		return writeAll(arguments[1], arguments[2], addresses{
			fulcio: arguments[3], rekor: arguments[4], rekor1: arguments[5], tsa: arguments[6], issuer: arguments[7],
		})
	case len(arguments) == 3 && arguments[0] == "issuer":
		return serveIssuer(arguments[1], arguments[2])
	case len(arguments) == 3 && arguments[0] == "timestamps":
		return serveTimestamps(arguments[1], arguments[2])
	}
	return fmt.Errorf("usage: private-sigstore keys|issuer|timestamps FOLDER …")
}
