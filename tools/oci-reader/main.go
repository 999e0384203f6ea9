// Reads documents as engines and registries do, by Go's encoding/json into the types of the image specification, and says
// what it saw: the tests compare that with our own reading.
//
// A line of standard input is a document in base64. A line of standard output is what it is as an index, as a manifest and
// as a configuration.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"os"

	"github.com/opencontainers/image-spec/specs-go/v1"
)

// reading is what one reader makes of a document.
type reading struct {
	Error string `json:"error,omitempty"`
	Value any    `json:"value,omitempty"`
}

// unknown is what containerd looks at to tell the kinds apart (its core/images, validateMediaType).
type unknown struct {
	MediaType string
	Config    json.RawMessage
	Layers    json.RawMessage
	Manifests json.RawMessage
	FSLayers  json.RawMessage `json:"fsLayers"`
}

// shape is the part of it that matters.
type shape struct {
	MediaType string `json:"mediaType"`
	Config    bool   `json:"config"`
	Layers    bool   `json:"layers"`
	Manifests bool   `json:"manifests"`
	FSLayers  bool   `json:"fsLayers"`
}

// config has what an engine runs an image by, in Docker's own names too.
type config struct {
	v1.Image
	Config struct {
		v1.ImageConfig
		Healthcheck json.RawMessage `json:",omitempty"`
		Shell       []string        `json:",omitempty"`
		OnBuild     []string        `json:",omitempty"`
	} `json:"config"`
}

func read[T any](document []byte) reading {
	var value T
	if err := json.Unmarshal(document, &value); err != nil {
		return reading{Error: err.Error()}
	}
	return reading{Value: value}
}

func shapeOf(document []byte) reading {
	var seen unknown
	if err := json.Unmarshal(document, &seen); err != nil {
		return reading{Error: err.Error()}
	}
	return reading{Value: shape{
		seen.MediaType, len(seen.Config) != 0, len(seen.Layers) != 0, len(seen.Manifests) != 0, len(seen.FSLayers) != 0,
	}}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		document, err := base64.StdEncoding.DecodeString(lines.Text())
		if err != nil {
			panic(err)
		}
		answer := map[string]reading{
			"shape":    shapeOf(document),
			"index":    read[v1.Index](document),
			"manifest": read[v1.Manifest](document),
			"config":   read[config](document),
		}
		if err := answers.Encode(answer); err != nil {
			panic(err)
		}
	}
	if err := lines.Err(); err != nil {
		panic(err)
	}
}
