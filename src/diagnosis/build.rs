//! The words for a build that failed.

use super::Diagnosis;
use crate::build_check::BuildCheck;
use crate::buildkit::Error;
use crate::buildkit::error::{StepFailure, Untaken};
use crate::finding::Instruction;
use crate::oci::Platform;
use crate::text;

/// The most checks of a Dockerfile that its failure names.
const CHECKS: usize = 20;

impl From<&Error> for Diagnosis {
    fn from(error: &Error) -> Self {
        match error {
            Error::NoEngine { tried, reason } => Self::new(
                "No Docker engine or buildkitd answers",
                format!("Tried {}: {reason}", tried.join(", ")),
                tls_hint(tried, reason).unwrap_or(
                    "Start Docker (`systemctl start docker`, Docker Desktop), set DOCKER_HOST or the Docker context to where it \
                     listens, or name a buildkitd with `buildkit-host`. If it runs, this user may lack the right to use its socket.",
                ),
            ),
            Error::NoBuilder { platforms, tried } => no_builder(platforms, tried),
            Error::Died { platform, died, rest } => died_all(platform.as_deref(), died, rest),
            Error::OtherPlatform { builder, platform, answered } => other_platform(builder, platform, answered),
            Error::Unreadable { reason } => unreadable(reason),
            Error::EngineTooOld { version, api } => Self::new(
                format!("The Docker engine {version} is too old"),
                format!("It speaks API {api}; building needs 1.41, which Docker has since 20.10."),
                "Upgrade the engine, or name a buildkitd with `buildkit-host`.",
            ),
            Error::Certificate { path, reason } => Self::new(
                "A certificate for the builder can't be used",
                format!("{}: {reason}", path.display()),
                "Point DOCKER_CERT_PATH (for a buildkitd: `buildkit-certificates`) to a folder with ca.pem, and with cert.pem and \
                 key.pem where the server asks for a client certificate, all in PEM form.",
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
            Error::Silent { .. } => Self::new(
                "The builder does not answer any more",
                format!("One that is there answers at once, and asks every few seconds whether gp-deliver is there: {error}."),
                "Look at the builder's own log: it may hang, or have run out of memory. Restart it, then run again.",
            ),
            Error::CacheSilent => Self::new(
                "The build cache does not answer",
                "The builder was told to take steps from it, and waits in vain.",
                "Look at the registry that `cache-repository` names, or set `cache: off`.",
            ),
            Error::NoCacheExport => Self::new(
                "The builder writes to no such cache",
                "It takes a buildkitd, or Docker with the containerd image store.",
                "Set `cache: off`, or build by another one (`buildkit-host`).",
            ),
            Error::TooLong { .. } => Self::new(
                "The build takes too long",
                format!("It was given up: {error}."),
                "Look at the log for the step that does not end, and end it in the Dockerfile (`RUN timeout …`).",
            ),
            Error::Step(step) => step_failure(step),
            Error::Dockerfile { message, at } => Self::new(
                at.as_ref()
                    .map_or_else(|| "The Dockerfile can't be read".to_owned(), |at| format!("{} can't be read", place(at))),
                message.clone(),
                dockerfile_hint(message),
            ),
            Error::Checks { rules, checks } => failed_checks(rules, checks),
            Error::ImageGone { reason } => image_gone(reason),
            Error::NoLayers => Self::new(
                "The image has no layers",
                "The stage that is built puts no file into it: there is nothing to scan and nothing to run.",
                "Copy something into the Dockerfile's last stage, or name another stage with `build-target`.",
            ),
            Error::NoSuchOption { input, builder } => Self::new(
                format!("This builder can't be asked for `{input}`"),
                format!("{builder} would pass over it in silence, and build without it."),
                format!("Build by Docker 23 or later or by a buildkitd (`buildkit-host`), or leave `{input}` out."),
            ),
            Error::OldFrontend { reference, line } => Self::new(
                "The Dockerfile's frontend can't be asked for `build-contexts`",
                format!("{reference:?} ({}) would pass over them in silence: the first to know them is 1.4.", said_in(*line)),
                "Name docker/dockerfile:1 in the `# syntax=` line, or remove that line: the builder then reads the Dockerfile by itself.",
            ),
            Error::Frontend { reference, line } => frontend(reference, *line),
            Error::ProxyInImage => Self::new(
                "The image's configuration holds the credentials of a proxy",
                "The Dockerfile declares a proxy's variable (`ARG HTTP_PROXY`, `ENV http_proxy=$http_proxy`), which makes its value \
                 a part of the image.",
                "Remove these lines: steps have the proxies of Docker's client configuration without them.",
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

/// The words for platforms of which no builder answers.
fn no_builder(platforms: &[Platform], tried: &[Untaken]) -> Diagnosis {
    let platforms: Vec<_> = platforms.iter().map(ToString::to_string).collect();
    let is_tls = |one: &Untaken| tls_hint(std::slice::from_ref(&one.address), &one.reason).is_some();
    let remedy = if tried.iter().any(is_tls) {
        "Check the ca.pem, cert.pem and key.pem in `buildkit-certificates`, which are the same for all builders, and that each \
         builder's certificate is for the host name in `buildkit-host`."
    } else {
        "Start one of them, or correct the lines of `buildkit-host`. A builder that this machine may not reach is one that a \
         firewall or a NetworkPolicy keeps from it."
    };
    let of = if platforms.is_empty() { String::new() } else { format!(" of {}", text::list(&platforms)) };
    Diagnosis::new(format!("No builder{of} answers"), untaken(tried), remedy)
}

/// The words for a platform whose builders died.
fn died_all(platform: Option<&Platform>, died: &[Untaken], rest: &[Untaken]) -> Diagnosis {
    let of = platform.map(|platform| format!(" of {platform}")).unwrap_or_default();
    let what = match (died, rest) {
        ([_], []) => format!("The builder{of} died, and `buildkit-host` names no other one"),
        ([_], _) => format!("The builder{of} died, and no other one answers"),
        _ => format!("The builder{of} died, and the one that took its place died too"),
    };
    Diagnosis::new(
        what,
        [untaken(died), untaken(rest)].into_iter().filter(|lines| !lines.is_empty()).collect::<Vec<_>>().join("\n"),
        "Look at the builder's own log: it may have run out of memory or disk, or been restarted. Where two builders die of the same \
         build, look at what its steps need. A second line in `buildkit-host` for the platform is a builder to fall back on.",
    )
}

/// The words for an image of another platform than the one that was asked for.
fn other_platform(builder: &str, platform: &Platform, answered: &Platform) -> Diagnosis {
    Diagnosis::new(
        format!("The image that was built for {platform} is one for {answered}"),
        format!("{builder} was asked for {platform}, and another builder is asked for {answered} or nobody is."),
        "Remove `--platform=` from the Dockerfile's last `FROM` where it names another platform; else the builder answers what it \
         was not asked, and should not be trusted.",
    )
}

/// The words for a layer that came, and can't be taken.
fn unreadable(reason: &str) -> Diagnosis {
    Diagnosis::new(
        "A layer of the image can't be read",
        format!("The builder sent all of it: {reason}."),
        "Make room on this machine's disk; if that is not it, the builder's store may be damaged: prune its cache, and run again.",
    )
}

/// The words for an image that was gone before it was read.
fn image_gone(reason: &str) -> Diagnosis {
    Diagnosis::new(
        "The engine lost the image before it could be saved",
        reason,
        "Something else removes images from this engine at the same moment: builds of the same image, or `docker image prune`. Run \
         again; if it happens again, let them run one after the other.",
    )
}

/// A line a builder: where it is, and what is the matter with it.
fn untaken(builders: &[Untaken]) -> String {
    let line = |Untaken { address, reason }: &Untaken| format!("{address}: {}", reason.trim_end_matches('.'));
    builders.iter().map(|one| format!("{}.", line(one))).collect::<Vec<_>>().join("\n")
}

/// A reader of Dockerfiles that is not trusted with the builder's state.
fn frontend(reference: &str, line: u32) -> Diagnosis {
    let place = said_in(line);
    Diagnosis::new(
        "The Dockerfile's frontend is not known to keep builds apart",
        format!(
            "{reference:?} ({place}) is a program that decides what the builder does. With `builder-cache: isolated` only \
             docker/dockerfile, in version 1.2 or later, is let near the cache that a trusted image is built from."
        ),
        "Remove that (the builder then reads the Dockerfile by itself), or name docker/dockerfile:1. Where nobody builds on this \
         builder who is trusted less than that program, set `builder-cache: shared`.",
    )
}

/// The words for a Dockerfile that asks to fail on its checks.
fn failed_checks(rules: &str, checks: &[BuildCheck]) -> Diagnosis {
    let said: Vec<_> = checks.iter().take(CHECKS).map(|check| format!("{check}.")).collect();
    let why = if said.is_empty() { format!("It does not pass {rules}.") } else { said.join("\n") };
    Diagnosis::new(
        "The Dockerfile does not pass its build checks, and asks to fail on that",
        why,
        "Correct those lines, or take the rule out with `# check=skip=RULE` at the top of the Dockerfile; without `error=true` \
         there they are advice.",
    )
}

/// Where a reader of Dockerfiles is asked for.
fn said_in(line: u32) -> String {
    if line == 0 { "the build argument BUILDKIT_SYNTAX".to_owned() } else { format!("line {line} of the Dockerfile") }
}

/// What to do where one side speaks TLS to the engine and the other does not, or one does not believe the other.
fn tls_hint(tried: &[String], reason: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if !tried.iter().any(|address| address.starts_with("tcp://")) {
        return None;
    }
    if says(&["HTTPS server"]) {
        return Some(
            "The engine speaks TLS there: set DOCKER_TLS_VERIFY to 1, and DOCKER_CERT_PATH to the folder with its ca.pem, and with \
             cert.pem and key.pem for this client.",
        );
    }
    if says(&["InvalidContentType", "corrupt message"]) {
        return Some(
            "Nothing speaks TLS there: unset DOCKER_TLS_VERIFY, or name the port at which the engine has TLS (mostly 2376).",
        );
    }
    // An engine that does not believe this client may just close the connection.
    let is_closed =
        tried.iter().any(|address| address.ends_with(" with TLS")) && says(&["reset", "closed", "cancel", "end of file"]);
    (is_closed || says(&["invalid peer certificate", "received fatal alert"])).then_some(
        "TLS fails because one side does not believe the other: check the ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH (or \
         those of the Docker context), and that the engine's certificate is for this host name.",
    )
}

/// Syntax that older readers of Dockerfiles do not know reads as an error to them.
fn dockerfile_hint(message: &str) -> &'static str {
    let message = message.to_lowercase();
    if message.contains("unknown flag: security") {
        "gp-deliver runs no step with the builder's own rights: remove `--security=insecure` from that RUN."
    } else if message.contains("unknown flag: network") {
        "This builder does not know `--network`, and gp-deliver gives no step the builder's own network: remove `--network=host`, \
         or upgrade the engine to Docker 23 or later for `--network=none`."
    } else if message.contains("unknown instruction") || message.contains("unknown flag") {
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
        (
            "SSH key",
            "The step wants an SSH agent: give it the one of SSH_AUTH_SOCK with the line `default` in `ssh`, or another with ID=SOCKET.",
        ),
        (
            "SSH agent",
            "The step wants an SSH agent: give it one under that ID with a line of `ssh`, `ID` for the agent of SSH_AUTH_SOCK or ID=SOCKET.",
        ),
        (
            "network.host is not allowed",
            "gp-deliver gives no step the builder's own network: remove `--network=host` from that RUN.",
        ),
        (
            "security.insecure is not allowed",
            "gp-deliver runs no step with the builder's own rights: remove `--security=insecure` from that RUN.",
        ),
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
    fn a_right_that_no_step_gets_is_named() {
        for (message, word) in [
            ("network.host is not allowed", "--network=host"),
            ("failed to load LLB: security.insecure is not allowed", "--security=insecure"),
            ("no SSH key \"default\" forwarded from the client", "`ssh`"),
            ("rpc error: code = NotFound desc = no SSH agent is given for the ID \"git\"", "`ssh`"),
        ] {
            let remedy = diagnosis("[2/2] RUN x", message).remedy;
            assert!(remedy.contains(word), "{message}: {remedy}");
        }
    }

    #[test]
    fn an_engine_that_speaks_tls_or_does_not_is_said_to() {
        let remedy = |reason: &str, tried: &str| {
            Diagnosis::from(&Error::NoEngine { tried: vec![tried.to_owned()], reason: reason.to_owned() }).remedy
        };
        let tcp = "tcp://h:2376";
        assert!(remedy("Client sent an HTTP request to an HTTPS server.", tcp).contains("DOCKER_TLS_VERIFY to 1"));
        assert!(remedy("invalid peer certificate: UnknownIssuer", tcp).contains("ca.pem"));
        assert!(remedy("received corrupt message of type InvalidContentType", tcp).contains("unset DOCKER_TLS_VERIFY"));
        assert!(remedy("Connection refused", tcp).contains("Start Docker"));
        assert!(remedy("received fatal alert", "unix:///x").contains("Start Docker"));
    }

    #[test]
    fn builders_that_do_not_answer_or_die_are_named_each_with_why() {
        let untaken = |address: &str, reason: &str| Untaken { address: address.to_owned(), reason: reason.to_owned() };
        let (arm, amd): (Platform, Platform) = ("linux/arm64".parse().unwrap(), "linux/amd64".parse().unwrap());
        let (a, b) = (untaken("tcp://a:1", "Connection refused."), untaken("tcp://b:1", "no such host"));
        let tried = vec![a.clone(), b.clone()];
        let none = Diagnosis::from(&Error::NoBuilder { platforms: vec![amd, arm.clone()], tried });
        assert_eq!(none.what, "No builder of linux/amd64 and linux/arm64 answers");
        assert_eq!(none.why, "tcp://a:1: Connection refused.\ntcp://b:1: no such host.");
        assert!(none.remedy.contains("`buildkit-host`") && !none.remedy.contains("buildkit-certificates"));
        let tried = vec![untaken("tcp://c:1", "invalid peer certificate: UnknownIssuer")];
        let tls = Diagnosis::from(&Error::NoBuilder { platforms: vec![], tried });
        assert!(tls.what == "No builder answers" && tls.remedy.contains("`buildkit-certificates`"), "{tls:?}");

        let died = |died: &[Untaken], rest: &[Untaken]| {
            Diagnosis::from(&Error::Died { platform: Some(Box::new(arm.clone())), died: died.to_vec(), rest: rest.to_vec() })
        };
        let one = std::slice::from_ref(&a);
        assert!(died(one, &[]).what.ends_with("and `buildkit-host` names no other one"));
        assert!(died(one, std::slice::from_ref(&b)).what.ends_with("and no other one answers"));
        let both = died(&[a.clone(), b.clone()], &[]);
        assert!(both.what.ends_with("died too") && both.why.contains("tcp://a:1") && both.why.contains("tcp://b:1"), "{both:?}");
    }

    #[test]
    fn the_last_lines_of_a_step_are_the_excerpt() {
        assert_eq!(diagnosis("[2/3] RUN make", "exit code: 2").excerpt, ["last"]);
    }
}
