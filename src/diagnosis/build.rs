//! The words for a build that failed.

use super::Diagnosis;
use crate::buildkit::Error;
use crate::buildkit::error::StepFailure;
use crate::finding::Instruction;

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::NoEngine { tried, reason } => Self::new(
                "No Docker engine or buildkitd answers",
                format!("Tried {}: {reason}", tried.join(", ")),
                "Start Docker (`systemctl start docker`, Docker Desktop), set DOCKER_HOST to where it listens, \
                 or name a buildkitd with `buildkit-host`. If it runs, this user may lack the right to use its socket.",
            ),
            Error::EngineTooOld { version, api } => Self::new(
                format!("The Docker engine {version} is too old"),
                format!("It speaks API {api}; building needs 1.41, which Docker has since 20.10."),
                "Upgrade the engine, or name a buildkitd with `buildkit-host`.",
            ),
            Error::Certificate { path, reason } => Self::new(
                "A certificate for buildkitd can't be used",
                format!("{}: {reason}", path.display()),
                "Point `buildkit-certificates` to a folder with ca.pem, and with cert.pem and key.pem where the server asks for a \
                 client certificate, all in PEM form.",
            ),
            Error::Call { call, message } => Self::new(
                format!("The builder could not {call}"),
                message.clone(),
                hint(message).unwrap_or("Look at the builder's own log; run again if the fault may be temporary."),
            ),
            Error::Lost { reason } => Self::new(
                "The connection to the builder broke off",
                reason.clone(),
                "Check that the engine or buildkitd still runs (it may have run out of memory, or been restarted), then run again.",
            ),
            Error::Step(step) => step_failure(step),
            Error::Dockerfile { message, at } => Self::new(
                at.as_ref()
                    .map_or_else(|| "The Dockerfile can't be read".to_owned(), |at| format!("{} can't be read", place(at))),
                message.clone(),
                dockerfile_hint(message),
            ),
            Error::Session(error) => Self::from(error),
            Error::Protocol(reason) => Self::new(
                "The builder's answer is not valid",
                reason.clone(),
                "This builder may be newer or older than those that gp-deliver knows: try another version, and report this.",
            ),
            Error::LayerMismatch { expected, actual } => Self::new(
                "A layer does not match the image's configuration",
                format!("The configuration names {expected}, the builder sent {actual}."),
                "The builder's store may be damaged: prune its cache (`docker builder prune`), pull the base image again, and run again.",
            ),
            Error::Layout(error) => Self::from(error),
        }
    }
}

/// Syntax that older readers of Dockerfiles do not know reads as an error to them.
fn dockerfile_hint(message: &str) -> &'static str {
    let message = message.to_lowercase();
    if message.contains("unknown instruction") || message.contains("unknown flag") {
        "Correct that line. If it is newer syntax (a here-document, COPY --link), this builder is too old for it: \
         upgrade the engine to Docker 23 or later, or begin the Dockerfile with `# syntax=docker/dockerfile:1`."
    } else {
        "Correct that line of the Dockerfile."
    }
}

fn step_failure(step: &StepFailure) -> Diagnosis {
    let mut diagnosis = match (base_image(&step.step), syntax_image(&step.step)) {
        (_, Some(image)) => Diagnosis::new(
            format!("The Dockerfile's `# syntax=` image {image} can't be fetched"),
            &*step.message,
            "Remove the `# syntax=` line (the builder then reads the Dockerfile by itself), or make that registry reachable for the builder.",
        ),
        (Some(image), None) => Diagnosis::new(
            format!("The base image {image} can't be fetched"),
            &*step.message,
            "Check its name and tag. If it is private, `docker login` to its registry; if the builder has no network, load the image into it.",
        ),
        (None, None) => {
            let step_text = step.at.as_ref().map_or_else(|| step.step.clone(), |at| format!("{}: {}", place(at), at.text.trim()));
            let remedy = hint(&step.message)
                .or_else(|| missing_source(step))
                .unwrap_or("The step's last lines say what went wrong: correct it, and run again.");
            Diagnosis::new(format!("A build step failed: {step_text}"), &*step.message, remedy)
        }
    };
    diagnosis.excerpt.clone_from(&step.lines);
    diagnosis
}

/// What to do about failures that are recognised by their message.
fn hint(message: &str) -> Option<&'static str> {
    let known = [
        (
            "exec format error",
            "The builder can't run programs of that platform: install emulation (`docker run --privileged --rm tonistiigi/binfmt --install all`, or Debian's qemu-user-static), or build on such a machine.",
        ),
        ("no space left on device", "The builder's disk is full: make room (`docker system prune`, `docker builder prune`)."),
        ("could not be found", "Name a stage that the Dockerfile has: see `build-target` and `check-targets`."),
        ("secret", "Give the secret with `build-secrets` under the id that the Dockerfile asks for."),
    ];
    let not_found = message.contains("not found") || message.contains("could not be found");
    known.into_iter().find(|(words, _)| message.contains(words) && (*words != "secret" || not_found)).map(|(_, hint)| hint)
}

/// A COPY or ADD of what is not in the context.
fn missing_source(step: &StepFailure) -> Option<&'static str> {
    let copies = ["COPY ", "ADD "].into_iter().any(|keyword| step.step.contains(keyword));
    (copies && step.message.contains("not found")).then_some(
        "The file to copy is not in the build context: check its path, whether .dockerignore leaves it out, and that it is not a link \
         to a place outside.",
    )
}

/// The base image whose metadata the builder was loading.
fn base_image(step: &str) -> Option<&str> {
    step.strip_prefix("[internal] load metadata for ")
}

/// The frontend image that a `# syntax=` line names.
fn syntax_image(step: &str) -> Option<&str> {
    step.split_once("resolve image config for ").map(|(_, image)| image.trim_start_matches("docker-image://"))
}

/// `Dockerfile:3`, or `Dockerfile:3-5`.
fn place(at: &Instruction) -> String {
    let file = if at.file.is_empty() { "Dockerfile" } else { &at.file };
    if at.end_line > at.line { format!("{file}:{}-{}", at.line, at.end_line) } else { format!("{file}:{}", at.line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnosis(step: &str, message: &str) -> Diagnosis {
        let failure =
            StepFailure { step: step.to_owned(), message: message.to_owned(), at: None, lines: vec!["last".to_owned()] };
        Diagnosis::from(&Error::Step(Box::new(failure)))
    }

    #[test]
    fn a_base_image_that_is_not_there_is_named() {
        let diagnosis = diagnosis("[internal] load metadata for docker.io/library/nope:1", "pull access denied");
        assert!(diagnosis.what.contains("docker.io/library/nope:1"), "{diagnosis:?}");
    }

    #[test]
    fn a_syntax_image_that_is_not_there_is_named_as_one() {
        let diagnosis = diagnosis("resolve image config for docker.io/docker/dockerfile:1", "dial tcp: lookup failed");
        assert!(diagnosis.what.contains("# syntax=") && diagnosis.remedy.contains("Remove"), "{diagnosis:?}");
    }

    #[test]
    fn a_missing_copy_source_points_to_the_ignore_file() {
        let message = "failed to compute cache key: \"/nope\" not found: not found";
        assert!(diagnosis("[2/3] COPY nope /", message).remedy.contains(".dockerignore"));
    }

    #[test]
    fn the_last_lines_of_a_step_are_the_excerpt() {
        assert_eq!(diagnosis("[2/3] RUN make", "exit code: 2").excerpt, ["last"]);
    }
}
