// Command trivy-db makes a small vulnerability database from advisories in YAML
// and writes it as trivy's own is published: an OCI artifact of one layer.
//
// The same advisories, day and Go version give the same digest.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	fixtures "github.com/aquasecurity/bolt-fixtures"
	_ "modernc.org/sqlite"
)

// How trivy names the two databases that it downloads.
// https://trivy.dev/latest/docs/configuration/db/
var (
	advisoryDatabase = artifact{
		file:      "trivy.db",
		title:     "db.tar.gz",
		mediaType: "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip",
		schema:    2,
	}
	javaDatabase = artifact{
		file:      "trivy-java.db",
		title:     "javadb.tar.gz",
		mediaType: "application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip",
		schema:    1,
	}
)

const (
	configMediaType   = "application/vnd.aquasec.trivy.config.v1+json"
	manifestMediaType = "application/vnd.oci.image.manifest.v1+json"
)

// artifact describes a database: schema is both the version in its metadata and
// its tag.
type artifact struct {
	file, title, mediaType string
	schema                 int
}

type metadata struct {
	Version      int
	NextUpdate   time.Time
	UpdatedAt    time.Time
	DownloadedAt time.Time
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	Manifests     []descriptor `json:"manifests"`
}

func main() {
	advisories := flag.String("advisories", "", "folder of *.yaml, and java-index.json for --java-output")
	output := flag.String("output", "", "OCI layout to write the database to")
	javaOutput := flag.String("java-output", "", "OCI layout to write the Java database to")
	// Midnight: fresh enough for any limit on the age, and stable through a day.
	updatedAt := flag.String("updated-at", time.Now().UTC().Truncate(24*time.Hour).Format(time.RFC3339), "when the database claims to be made")
	flag.Parse()
	if err := run(*advisories, *output, *javaOutput, *updatedAt); err != nil {
		fmt.Fprintln(os.Stderr, "trivy-db:", err)
		os.Exit(1)
	}
}

func run(advisories, output, javaOutput, updatedAt string) error {
	if advisories == "" || output == "" {
		return errors.New("--advisories and --output are needed")
	}
	made, err := time.Parse(time.RFC3339, updatedAt)
	if err != nil {
		return fmt.Errorf("--updated-at: %w", err)
	}
	work, err := os.MkdirTemp("", "trivy-db-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	database := filepath.Join(work, advisoryDatabase.file)
	if err := loadAdvisories(advisories, database); err != nil {
		return err
	}
	if err := advisoryDatabase.publish(database, made.UTC(), output); err != nil {
		return err
	}
	if javaOutput == "" {
		return nil
	}
	database = filepath.Join(work, javaDatabase.file)
	if err := loadJavaIndex(filepath.Join(advisories, "java-index.json"), database); err != nil {
		return err
	}
	return javaDatabase.publish(database, made.UTC(), javaOutput)
}

func loadAdvisories(folder, database string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("there is no *.yaml in %s", folder)
	}
	loader, err := fixtures.New(database, files)
	if err != nil {
		return err
	}
	if err := loader.Load(); err != nil {
		return err
	}
	return loader.Close()
}

// loadJavaIndex writes the tables as trivy-java-db's pkg/db does.
func loadJavaIndex(file, database string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var entries []struct{ Group, Artifact, Version, SHA1 string }
	if err := json.Unmarshal(content, &entries); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	db, err := sql.Open("sqlite", database)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, statement := range []string{
		"CREATE TABLE artifacts(id INTEGER PRIMARY KEY, group_id TEXT, artifact_id TEXT)",
		"CREATE TABLE indices(artifact_id INTEGER, version TEXT, sha1 BLOB, archive_type TEXT, foreign key (artifact_id) references artifacts(id))",
		"CREATE UNIQUE INDEX artifacts_idx ON artifacts(artifact_id, group_id)",
		"CREATE INDEX indices_artifact_idx ON indices(artifact_id)",
		"CREATE UNIQUE INDEX indices_sha1_idx ON indices(sha1)",
	} {
		if _, err := db.Exec(statement); err != nil {
			return err
		}
	}
	for _, entry := range entries {
		sum, err := hex.DecodeString(entry.SHA1)
		if err != nil {
			return fmt.Errorf("%s: sha1 of %s: %w", file, entry.Artifact, err)
		}
		if _, err := db.Exec("INSERT OR IGNORE INTO artifacts(group_id, artifact_id) VALUES (?, ?)", entry.Group, entry.Artifact); err != nil {
			return err
		}
		if _, err := db.Exec(
			"INSERT INTO indices SELECT id, ?, ?, 'jar' FROM artifacts WHERE group_id = ? AND artifact_id = ?",
			entry.Version, sum, entry.Group, entry.Artifact,
		); err != nil {
			return err
		}
	}
	return db.Close()
}

// publish replaces the layout as a whole: it is written beside and renamed in.
func (a artifact) publish(database string, made time.Time, output string) error {
	layer, err := a.layer(database, made)
	if err != nil {
		return err
	}
	output = filepath.Clean(output)
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	next, err := os.MkdirTemp(filepath.Dir(output), ".trivy-db-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(next)
	if err := a.write(next, layer, made); err != nil {
		return err
	}
	if err := os.Chmod(next, 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(output); err != nil {
		return err
	}
	return os.Rename(next, output)
}

func (a artifact) layer(database string, made time.Time) ([]byte, error) {
	content, err := os.ReadFile(database)
	if err != nil {
		return nil, err
	}
	about, err := json.Marshal(metadata{Version: a.schema, UpdatedAt: made, NextUpdate: made.Add(24 * time.Hour)})
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	zipped := gzip.NewWriter(&layer)
	archive := tar.NewWriter(zipped)
	for _, file := range []struct {
		name    string
		content []byte
	}{{a.file, content}, {"metadata.json", about}} {
		if err := archive.WriteHeader(&tar.Header{Name: file.name, Mode: 0o644, Size: int64(len(file.content)), ModTime: made}); err != nil {
			return nil, err
		}
		if _, err := archive.Write(file.content); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		return nil, err
	}
	return layer.Bytes(), nil
}

func (a artifact) write(layout string, layer []byte, made time.Time) error {
	config, err := blob(layout, configMediaType, []byte("{}"))
	if err != nil {
		return err
	}
	content, err := blob(layout, a.mediaType, layer)
	if err != nil {
		return err
	}
	content.Annotations = map[string]string{"org.opencontainers.image.title": a.title}
	body, err := json.Marshal(manifest{
		SchemaVersion: 2,
		MediaType:     manifestMediaType,
		Config:        config,
		Layers:        []descriptor{content},
		Annotations:   map[string]string{"org.opencontainers.image.created": made.Format(time.RFC3339)},
	})
	if err != nil {
		return err
	}
	entry, err := blob(layout, manifestMediaType, body)
	if err != nil {
		return err
	}
	entry.Annotations = map[string]string{"org.opencontainers.image.ref.name": fmt.Sprint(a.schema)}
	list, err := json.Marshal(index{SchemaVersion: 2, Manifests: []descriptor{entry}})
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(layout, "index.json"), list, 0o644),
		os.WriteFile(filepath.Join(layout, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644),
	)
}

func blob(layout, mediaType string, content []byte) (descriptor, error) {
	sum := sha256.Sum256(content)
	name := hex.EncodeToString(sum[:])
	folder := filepath.Join(layout, "blobs", "sha256")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return descriptor{}, err
	}
	return descriptor{MediaType: mediaType, Digest: "sha256:" + name, Size: len(content)},
		os.WriteFile(filepath.Join(folder, name), content, 0o644)
}
