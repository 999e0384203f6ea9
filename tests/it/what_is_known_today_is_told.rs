//! Of an image that was delivered some time ago, what is known today is told by the signed list of what is in it; an image in a
//! folder is looked at there. What can't be told is never clean.

use std::path::{Path, PathBuf};
use std::process::Command;

use doubles::registry::crane;
use serde_json::{Value, json};

use crate::support::{Ended, part, run, tool};
use crate::what_is_delivered_is_signed::{SIGNER, Scene};

const DOCKERFILE: &str = "FROM scratch\nCOPY . /app/\nCOPY rootfs /\n";
/// Debian, with a package whose advisories stand under another name: that of what it was built from.
const DEBIAN: [(&str, &str); 4] = [
    ("Dockerfile", DOCKERFILE),
    ("rootfs/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"),
    ("rootfs/etc/debian_version", "12.5\n"),
    (
        "rootfs/var/lib/dpkg/status",
        "Package: libtinfo6\nStatus: install ok installed\nArchitecture: amd64\nSource: ncurses\nVersion: 6.4-4\n\
         Maintainer: a <a@example.invalid>\nDescription: terminal\n\n\
         Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 12.4+deb12u5\n\
         Maintainer: a <a@example.invalid>\nDescription: base\n",
    ),
];
/// A package with a critical advisory in `fixtures/advisories`.
const CRITICAL: (&str, &str) = ("PyYAML-5.3.dist-info/METADATA", "Metadata-Version: 2.1\nName: PyYAML\nVersion: 5.3\n");

fn delivered(files: &[(&str, &str)]) -> Scene {
    let scene = Scene::holding(files);
    scene.deliver("dev").flag("--sign", "keyless").ends_with(0).says("6 statements");
    scene
}

/// Looks at something by the keys of the private Sigstore, with the programs on this path.
fn verify(scene: &Scene, image: &str, path: &Path, flags: &[&str]) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
    command.env_clear().env("HOME", scene.source.beside("home")).env("PATH", path).args(["verify", image, "--json"]);
    command.args(["--sigstore-trusted-root", &format!("{}/trusted_root.json", part("SIGSTORE")), "--issuer", &part("ISSUER")]);
    let ended = Ended::from(command.args(["--identity", SIGNER]).args(flags).output().unwrap());
    let table = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{flags:?}: {ended}"));
    (ended.code, table)
}

fn tools() -> PathBuf {
    tool("trivy").parent().unwrap().to_owned()
}

fn database() -> String {
    format!("oci:{}:2", part("TRIVY_DB"))
}

/// The row of a check, as its state and words.
fn row<'a>(table: &'a Value, check: &str) -> Option<(&'a str, &'a str)> {
    let row = table["rows"].as_array().unwrap().iter().find(|row| row["check"] == check)?;
    Some((row["state"].as_str().unwrap(), row["says"].as_str().unwrap()))
}

#[test]
fn what_is_known_today_is_told_by_the_signed_sbom_and_the_image_is_not_fetched() {
    let scene = delivered(&[&DEBIAN[..], &[CRITICAL]].concat());
    scene.lose_layers(&scene.sha);
    let image = scene.image(&scene.sha);
    let today =
        |flags: &[&str]| verify(&scene, &image, &tools(), &[&["--today", "--trivy-db-repository", &database()], flags].concat());
    let (code, table) = today(&[]);
    let (state, says) = row(&table, "today").unwrap();
    assert_eq!((code, state), (Some(0), "holds"), "{says}");
    // One of them stands under the name of the package's source.
    assert!(
        says.starts_with("linux/amd64: 1 CRITICAL and 1 MEDIUM known in ") && says.contains("by SBOM, by advisories of 20"),
        "{says}"
    );
    let (code, table) = today(&["--severity-threshold", "LOW"]);
    let (state, says) = row(&table, "today").unwrap();
    assert_eq!((code, state), (Some(3), "fails"), "{says}");
    for named in ["CVE-2020-14343 (pyyaml 5.3)", "CVE-2023-50495 (libtinfo6 6.4-4)"] {
        assert!(says.contains(named), "{named}: {says}");
    }
    let policy = scene.source.beside("policy.yaml");
    let rule = |threshold: &str| format!("signers:\n- identity: {SIGNER:?}\n  issuer: {:?}\n{threshold}", part("ISSUER"));
    for (threshold, code) in [
        ("today:\n  severity-threshold: CRITICAL\n", 3),
        ("today:\n  severity-threshold: CRITICAL\n  ignore-unfixed: false\n", 3),
        ("today: {}\n", 0),
    ] {
        std::fs::write(&policy, rule(threshold)).unwrap();
        let flags = ["--policy", policy.to_str().unwrap(), "--trivy-db-repository", &database()];
        let (ended, table) = verify(&scene, &image, &tools(), &flags);
        assert_eq!(ended, Some(code), "{threshold}: {table}");
    }
    // Not asked for, it is not there.
    let (code, table) = verify(&scene, &image, &tools(), &[]);
    assert_eq!((code, row(&table, "today")), (Some(0), None));
}

#[test]
fn what_was_accepted_by_name_is_shown_as_accepted_and_does_not_count() {
    let list = |expires: &str| {
        format!(
            "vulnerabilities:\n  - id: CVE-2020-14343\n    statement: no stranger's YAML is read\n    expired_at: {expires}\n"
        )
    };
    let of_source = list("2999-01-01");
    let scene = Scene::holding(&[CRITICAL, (".trivyignore.yaml", &of_source)]);
    let deliver = |environment: &str| scene.deliver(environment).flag("--sign", "keyless").flag("--suppressions", "head");
    let image = scene.image(&scene.sha);
    let flags = ["--today", "--trivy-db-repository", &database(), "--severity-threshold", "LOW"];
    let today = |more: &[&str]| {
        let (code, table) = verify(&scene, &image, &tools(), &[&flags, more].concat());
        (code, row(&table, "today").unwrap().1.to_owned())
    };
    // Where gates only advise, nobody has let it pass.
    deliver("dev").ends_with(0);
    let (code, says) = today(&[]);
    assert_eq!(code, Some(3), "{says}");
    deliver("prod").ends_with(0);
    let (code, says) = today(&["--environment", "prod"]);
    assert_eq!(code, Some(0), "{says}");
    let commit = scene.source.git(&["rev-parse", "HEAD"]);
    let by = format!(
        "accepted when it was delivered, by .trivyignore.yaml, set in {commit}: CVE-2020-14343: no stranger's YAML is read"
    );
    assert!(says.contains("1 CRITICAL known") && says.contains(&by), "{by}: {says}");
    // Nor is it accepted for an environment that was not asked, or by nobody's word.
    assert_eq!(today(&["--environment", "dev"]).0, Some(3));
    // A list of one's own counts where it is named, until it expires.
    let own = scene.source.beside("own.yaml");
    std::fs::write(&own, list("2999-01-01")).unwrap();
    let named = ["--environment", "dev", "--ignore-file", own.to_str().unwrap()];
    let (code, says) = today(&named);
    assert_eq!(code, Some(0), "{says}");
    assert!(says.contains("accepted by ") && says.contains("own.yaml: CVE-2020-14343"), "{says}");
    std::fs::write(&own, list("2020-01-01")).unwrap();
    assert_eq!(today(&named).0, Some(3));
    std::fs::write(&own, "vulnerabilities: 1\n").unwrap();
    let refused = |flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gp-deliver"));
        let ended = Ended::from(command.env_clear().args(["verify", &image, "--identity", SIGNER]).args(flags).output().unwrap());
        assert!(ended.code == Some(2) && ended.stderr.contains("ignore-file"), "{ended}");
    };
    refused(&["--today", "--ignore-file", own.to_str().unwrap()]);
    refused(&["--ignore-file", own.to_str().unwrap()]);
}

#[test]
fn what_can_not_be_told_today_is_not_clean() {
    let scene = delivered(&[]);
    let image = scene.image(&scene.sha);
    let nowhere = scene.source.beside("nowhere");
    let old = scene.source.beside("old-database");
    let advisories = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/advisories");
    run(Command::new(tool("trivy-db"))
        .arg("--advisories")
        .arg(advisories)
        .arg("--output")
        .arg(&old)
        .args(["--updated-at", "2026-01-01T00:00:00Z"]));
    let old = format!("oci:{}:2", old.display());
    for (path, mirror, why) in [
        (nowhere.clone(), database(), "trivy"),
        (tools(), format!("oci:{}", nowhere.display()), "nowhere"),
        (tools(), old, "2026-01-01"),
    ] {
        let (code, table) = verify(&scene, &image, &path, &["--today", "--trivy-db-repository", &mirror]);
        let (state, says) = row(&table, "today").unwrap();
        assert_eq!((code, state), (Some(3), "fails"), "{says}");
        assert!(says.starts_with("it can't be told") && says.contains(why), "{why}: {says}");
    }
    let (code, table) =
        verify(&scene, &image, &tools(), &["--today", "--trivy-db-repository", &database(), "--ref", "refs/heads/x"]);
    let (state, says) = row(&table, "today").unwrap();
    assert_eq!((code, state), (Some(3), "fails"), "{says}");
    assert!(says.contains("nobody whose word counts has signed an SBOM"), "{says}");
}

/// Copies an image with what is beside it into a layout folder.
fn in_a_folder(scene: &Scene) -> PathBuf {
    let folder = scene.source.beside("layout");
    crane(&["pull", "--insecure", "--format", "oci", &scene.image(&scene.sha), folder.to_str().unwrap()]);
    let index_file = folder.join("index.json");
    let mut index: Value = serde_json::from_slice(&std::fs::read(&index_file).unwrap()).unwrap();
    let keep = |bytes: &[u8], digest: &str| std::fs::write(folder.join("blobs/sha256").join(&digest[7..]), bytes).unwrap();
    for listed in scene.listed(&scene.digest(&scene.sha))["manifests"].as_array().unwrap() {
        let digest = listed["digest"].as_str().unwrap();
        let of = |digest: &str| format!("{}@{digest}", scene.repository());
        let manifest = Command::new(tool("crane")).args(["manifest", "--insecure", &of(digest)]).output().unwrap().stdout;
        let parsed: Value = serde_json::from_slice(&manifest).unwrap();
        keep(&manifest[..usize::try_from(listed["size"].as_u64().unwrap()).unwrap()], digest);
        let bundle = parsed["layers"][0]["digest"].as_str().unwrap();
        keep(&Command::new(tool("crane")).args(["blob", "--insecure", &of(bundle)]).output().unwrap().stdout, bundle);
        index["manifests"].as_array_mut().unwrap().push(listed.clone());
    }
    std::fs::write(index_file, index.to_string()).unwrap();
    folder
}

#[test]
fn an_image_in_a_folder_is_looked_at_with_what_is_listed_beside_it() {
    let scene = delivered(&[]);
    let folder = in_a_folder(&scene);
    let image = format!("oci:{}", folder.display());
    let flags = ["--today", "--trivy-db-repository", &database()];
    let (code, table) = verify(&scene, &image, &tools(), &flags);
    assert_eq!(code, Some(0), "{table}");
    assert_eq!(table["digest"], json!(scene.digest(&scene.sha)));
    for check in ["signature", "content", "SBOM", "today", "commit"] {
        assert_eq!(row(&table, check).unwrap().0, "holds", "{check}: {table}");
    }
    // One byte of a layer.
    let manifest: Value = serde_json::from_str(&crane(&["manifest", "--insecure", &scene.image(&scene.sha)])).unwrap();
    let layer = folder.join("blobs/sha256").join(&manifest["layers"][0]["digest"].as_str().unwrap()[7..]);
    let whole = std::fs::read(&layer).unwrap();
    let mut spoilt = whole.clone();
    *spoilt.last_mut().unwrap() ^= 1;
    std::fs::write(&layer, &spoilt).unwrap();
    let (code, table) = verify(&scene, &image, &tools(), &[]);
    assert_eq!((code, row(&table, "content").unwrap().0), (Some(3), "fails"), "{table}");
    // In its place what never begins.
    std::fs::remove_file(&layer).unwrap();
    run(Command::new("mkfifo").arg(&layer));
    let (code, table) = verify(&scene, &image, &tools(), &[]);
    assert_eq!((code, row(&table, "content").unwrap().0), (Some(3), "fails"), "{table}");
    std::fs::remove_file(&layer).unwrap();
    std::fs::write(&layer, &whole).unwrap();
    // Without what is beside it, and with what is about another image.
    let index_file = folder.join("index.json");
    let mut index: Value = serde_json::from_slice(&std::fs::read(&index_file).unwrap()).unwrap();
    let all = index["manifests"].as_array().unwrap().clone();
    index["manifests"] = json!([all[0]]);
    std::fs::write(&index_file, index.to_string()).unwrap();
    let (code, table) = verify(&scene, &image, &tools(), &[]);
    assert_eq!((code, row(&table, "signature").unwrap().0), (Some(3), "fails"), "{table}");
    let other = scene.source.beside("other");
    crane(&["mutate", "--insecure", &scene.image(&scene.sha), "--entrypoint", "/evil", "--tag", &scene.image("evil")]);
    crane(&["pull", "--insecure", "--format", "oci", &scene.image("evil"), other.to_str().unwrap()]);
    for blob in std::fs::read_dir(folder.join("blobs/sha256")).unwrap().flatten() {
        std::fs::copy(blob.path(), other.join("blobs/sha256").join(blob.file_name())).unwrap();
    }
    let mut index: Value = serde_json::from_slice(&std::fs::read(other.join("index.json")).unwrap()).unwrap();
    index["manifests"].as_array_mut().unwrap().extend(all[1..].iter().cloned());
    std::fs::write(other.join("index.json"), index.to_string()).unwrap();
    let (code, table) = verify(&scene, &format!("oci:{}", other.display()), &tools(), &[]);
    assert_eq!((code, row(&table, "signature").unwrap().0), (Some(3), "fails"), "{table}");
}
