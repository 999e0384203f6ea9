//! How anyone can check what was published: the commands, to copy.

use crate::environment::Environment;
use crate::record::{Certified, KeySigner, Publication, Record, Signer, Sigstore};
use crate::text;

/// What the trusted root is called where no file of it is known: the reader has to put it there.
const TRUSTED_ROOT: &str = "trusted_root.json";
/// The issuer that `gp-deliver verify` takes for granted.
const GITHUB_ISSUER: &str = "https://token.actions.githubusercontent.com";

/// A command that checks, without gp-deliver, what was published: of a signed image its signature, else that the registry
/// holds it. None for a folder.
#[must_use]
pub(crate) fn command(record: &Record) -> Option<String> {
    let image = image(record)?;
    let signed = record.signer.as_ref().and_then(|signer| match signer {
        Signer::Certificate(signer) => cosign(signer, &image),
        Signer::Key(signer) => cosign_by_key(signer, &image),
    });
    signed.or_else(|| line(&["docker", "buildx", "imagetools", "inspect", &image]))
}

/// The command by which gp-deliver checks a signed image.
#[must_use]
pub(crate) fn own_command(record: &Record) -> Option<String> {
    let (publication, signer) = (record.publication.as_ref()?, record.signer.as_ref()?);
    // It reads a folder too.
    let image = format!("{}@{}", publication.destination, publication.digest);
    let environment = record.environment.filter(|environment| environment.is_blocking());
    let signer = match signer {
        Signer::Certificate(signer) => signer,
        Signer::Key(signer) => return own_by_key(signer, &image, environment),
    };
    // What stands for more than itself in a pattern would let others pass.
    if signer.identity.contains('*') {
        return None;
    }
    let mut words = vec!["gp-deliver", "verify", &image];
    if let Some(environment) = environment {
        words.extend(["--environment", Environment::name(environment)]);
    }
    words.extend(["--identity", &signer.identity]);
    if signer.issuer != GITHUB_ISSUER {
        words.extend(["--issuer", &signer.issuer]);
    }
    match signer.sigstore {
        Sigstore::Public => {}
        Sigstore::GitHub => words.extend(["--sigstore-trusted-root", "github"]),
        Sigstore::Private => words.extend(["--sigstore-trusted-root", root(signer.trusted_root.as_deref())]),
    }
    line(&words)
}

/// The published image by its digest; none where it is in a folder.
fn image(record: &Record) -> Option<String> {
    let Publication { destination, digest, .. } = record.publication.as_ref()?;
    (!destination.starts_with("oci:")).then(|| format!("{destination}@{digest}"))
}

/// The command of cosign (3) for what this signer has signed.
fn cosign(signer: &Certified, image: &str) -> Option<String> {
    let mut words = vec!["cosign", "verify", "--certificate-identity", &signer.identity];
    words.extend(["--certificate-oidc-issuer", &signer.issuer]);
    if signer.sigstore != Sigstore::Public {
        words.extend(["--trusted-root", root(signer.trusted_root.as_deref())]);
    }
    if signer.log.is_none() {
        words.extend(["--insecure-ignore-tlog", "--use-signed-timestamps"]);
    }
    if !signer.certificate_log {
        words.push("--insecure-ignore-sct");
    }
    words.push(image);
    line(&words)
}

/// The command of cosign (3) for what this key has signed. It asks AWS KMS for the key by itself. None where it is not known
/// where the key is.
fn cosign_by_key(signer: &KeySigner, image: &str) -> Option<String> {
    let source = signer.source.as_deref()?;
    let key = if source.starts_with("arn:") { format!("awskms:///{source}") } else { source.to_owned() };
    let mut words = vec!["cosign", "verify", "--key", &key, "--insecure-ignore-tlog"];
    if signer.timestamps {
        words.extend(["--trusted-root", root(signer.trusted_root.as_deref()), "--use-signed-timestamps"]);
    }
    words.push(image);
    line(&words)
}

/// The command of gp-deliver for what this key has signed, for an environment where that blocks.
fn own_by_key(signer: &KeySigner, image: &str, environment: Option<Environment>) -> Option<String> {
    let source = signer.source.as_deref()?;
    let bound = environment.map(|environment| format!("{environment}=")).unwrap_or_default();
    let key = format!("{bound}{source}");
    let mut words = vec!["gp-deliver", "verify", image];
    if let Some(environment) = environment {
        words.extend(["--environment", Environment::name(environment)]);
    }
    words.extend(["--key", &key]);
    if signer.timestamps {
        words.extend(["--sigstore-trusted-root", root(signer.trusted_root.as_deref())]);
    }
    line(&words)
}

fn root(file: Option<&str>) -> &str {
    file.unwrap_or(TRUSTED_ROOT)
}

/// Words as a line for a POSIX shell, to which nothing in them means anything. None where one can't stand in a line as it is.
fn line(words: &[&str]) -> Option<String> {
    let plain = words.iter().all(|word| text::line(word, usize::MAX) == *word);
    plain.then(|| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
}

/// A word, quoted where that is needed (POSIX.1-2024, Shell Command Language, 2.2.2: between single quotes all is literal).
fn quoted(word: &str) -> String {
    let is_harmless = |character: char| character.is_ascii_alphanumeric() || "-_./:@,+=%".contains(character);
    if !word.is_empty() && word.chars().all(is_harmless) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;
    use crate::report::fixture;

    const IDENTITY: &str = "https://github.com/acme/gp-deliver/.github/workflows/_build-and-release.yml@refs/tags/v1";

    fn signed(change: impl FnOnce(&mut Certified)) -> Record {
        let mut record = fixture::signed();
        let Some(Signer::Certificate(signer)) = &mut record.signer else { panic!("{:?}", record.signer) };
        change(signer);
        record
    }

    fn by_key(source: Option<&str>, timestamps: bool) -> Record {
        let key = KeySigner {
            key: crate::oci::Digest::of(b"key"),
            source: source.map(str::to_owned),
            timestamps,
            trusted_root: timestamps.then(|| "times.json".to_owned()),
        };
        Record { signer: Some(Signer::Key(key)), ..fixture::signed() }
    }

    #[test]
    fn what_a_key_has_signed_is_checked_by_that_key_and_for_its_environment() {
        let (image, arn) = (image(), "arn:aws:kms:eu-central-1:012345678901:key/a");
        let record = by_key(Some(arn), false);
        assert_eq!(command(&record).unwrap(), format!("cosign verify --key awskms:///{arn} --insecure-ignore-tlog {image}"));
        let own = format!("gp-deliver verify {image} --environment prod --key prod={arn}");
        assert_eq!(own_command(&record).unwrap(), own);
        let record = by_key(Some("our keys/prod.pem"), true);
        let flags = "--insecure-ignore-tlog --trusted-root times.json --use-signed-timestamps";
        assert_eq!(command(&record).unwrap(), format!("cosign verify --key 'our keys/prod.pem' {flags} {image}"));
        assert!(own_command(&record).unwrap().ends_with("--key 'prod=our keys/prod.pem' --sigstore-trusted-root times.json"));
        assert!(command(&by_key(None, false)).unwrap().starts_with("docker buildx imagetools inspect "));
        assert_eq!(own_command(&by_key(None, false)), None);
    }

    fn image() -> String {
        format!("registry.example/team/hello@{}", crate::oci::Digest::of(b"image"))
    }

    /// What a shell makes of a line.
    fn words(line: &str) -> Vec<String> {
        let said = Command::new("sh").args(["-c", &format!("printf '%s\\0' {line}")]).output().unwrap();
        assert!(said.status.success(), "{line}");
        let said = String::from_utf8(said.stdout).unwrap();
        said.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn the_command_is_that_of_the_instance_that_has_signed() {
        let image = image();
        let issuer = "--certificate-oidc-issuer https://token.actions.githubusercontent.com";
        let begin = format!("cosign verify --certificate-identity {IDENTITY} {issuer}");
        assert_eq!(command(&signed(|_| ())).unwrap(), format!("{begin} {image}"));
        let private = signed(|signer| {
            (signer.sigstore, signer.trusted_root) = (Sigstore::Private, Some("our keys/root.json".to_owned()));
        });
        assert_eq!(command(&private).unwrap(), format!("{begin} --trusted-root 'our keys/root.json' {image}"));
        assert!(own_command(&private).unwrap().ends_with("--sigstore-trusted-root 'our keys/root.json'"));
        let github = signed(|signer| {
            (signer.sigstore, signer.log, signer.certificate_log) = (Sigstore::GitHub, None, false);
        });
        let flags = "--trusted-root trusted_root.json --insecure-ignore-tlog --use-signed-timestamps --insecure-ignore-sct";
        assert_eq!(command(&github).unwrap(), format!("{begin} {flags} {image}"));
        let own = format!("gp-deliver verify {image} --environment prod --identity {IDENTITY} --sigstore-trusted-root github");
        assert_eq!(own_command(&github).unwrap(), own);
    }

    #[test]
    fn of_an_image_that_is_not_signed_the_registry_is_asked() {
        let record = fixture::delivered();
        assert_eq!(command(&record).unwrap(), format!("docker buildx imagetools inspect {}", image()));
        assert_eq!(own_command(&record), None);
    }

    #[test]
    fn an_identity_that_is_a_pattern_or_no_line_is_in_no_command() {
        let record = signed(|signer| signer.identity = "https://github.com/**@**".to_owned());
        assert_eq!(own_command(&record), None);
        let record = signed(|signer| signer.identity = "a\nrm -rf b".to_owned());
        assert!(command(&record).unwrap().starts_with("docker buildx imagetools inspect "));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_in_a_command_means_anything_to_a_shell(name in "[ -~é🚀]{1,40}", spoilt in r#"['"`$();&|<>*?~#! \\{}\[\]-]{1,20}"#) {
            let identity = format!("https://github.com/o/r/.github/workflows/w.yml@refs/heads/{name}{spoilt}");
            let record = signed(|signer| {
                (signer.identity, signer.sigstore, signer.trusted_root) =
                    (identity.clone(), Sigstore::Private, Some(spoilt.clone()));
            });
            let (command, image) = (command(&record).unwrap(), image());
            if command.starts_with("cosign") {
                let issuer = "https://token.actions.githubusercontent.com";
                let expected = ["cosign", "verify", "--certificate-identity", &identity, "--certificate-oidc-issuer", issuer,
                    "--trusted-root", &spoilt, &image];
                prop_assert_eq!(words(&command), expected);
            }
        }
    }
}
