// Command referrers-registry serves a registry that has the referrers API, which Debian's has not: referrers-registry ADDRESS
// FOLDER keeps blobs in the folder and everything else in memory.
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: referrers-registry ADDRESS FOLDER")
	}
	blobs := registry.WithBlobHandler(registry.NewDiskBlobHandler(os.Args[2]))
	log.Fatal(http.ListenAndServe(os.Args[1], registry.New(registry.WithReferrersSupport(true), blobs)))
}
