//! A Dockerfile builds as it does with Docker, on every kind of engine, and one that does not build says where and why.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;

use crate::support::{self, Delivery, Source, engines, job};

const BASE: &str = "debian:bookworm-slim";

#[test]
fn stages_arguments_mounts_and_labels_give_the_same_image_on_every_engine() {
    let dockerfile = format!(
        "ARG BASE={BASE}\nFROM ${{BASE}} AS build\nARG NAME=nobody\nWORKDIR /src\nCOPY src/ ./\n\
         RUN --mount=type=bind,source=bound.txt,target=/bound --mount=type=cache,target=/cache cat /bound hello.txt > out && echo \"$NAME\" >> out\n\
         FROM scratch AS unused\nRUN false\nFROM scratch\nCOPY --from=build /src/out /out\nCOPY *.md /docs/\n"
    );
    for engine in engines() {
        let source = Source::in_git(&[
            ("Dockerfile", &dockerfile),
            ("src/hello.txt", "hello\n"),
            ("bound.txt", "bound\n"),
            ("README.md", "readme"),
        ]);
        let delivery = source.deliver().on(&engine).flag("--build-args", "NAME=somebody").flag("--labels", "team=a b=c\nx=y");
        let ended = delivery.flag("--annotations", "org.example.a=1").ends_with(0);
        let files = source.image().files();
        assert_eq!(files["out"], b"bound\nhello\nsomebody\n", "{}: {ended}", engine.name);
        assert_eq!(files["docs/README.md"], b"readme");
        assert_eq!(files.len(), 2, "{files:?}");
        let labels = &source.image().config()["config"]["Labels"];
        assert_eq!((labels["team"].as_str(), labels["x"].as_str()), (Some("a b=c"), Some("y")), "{}", engine.name);
        assert_eq!(source.image().manifest()["annotations"]["org.example.a"], "1");
    }
}

#[test]
fn a_named_target_is_built_instead_of_the_last_stage() {
    for engine in engines() {
        let source = Source::in_git(&[
            ("Dockerfile", "FROM scratch AS one\nCOPY a /\nFROM scratch AS two\nCOPY b /\n"),
            ("a", "1"),
            ("b", "2"),
        ]);
        source.deliver().on(&engine).flag("--build-target", "one").ends_with(0);
        assert_eq!(source.image().files().keys().collect::<Vec<_>>(), ["a"], "{}", engine.name);
    }
}

/// What Docker's own client has flags for is asked of every engine in the same words, and one that would pass over it in silence
/// is not asked.
#[test]
fn steps_have_the_hosts_the_network_the_memory_and_the_limits_that_are_asked_for() {
    let dockerfile = format!(
        "FROM {BASE} AS build\nRUN cat /etc/hosts > /hosts && ls /sys/class/net > /net\n\
         RUN df --output=size -B1 /dev/shm | tail -1 > /shm; ulimit -Sn > /soft; ulimit -Hn > /hard\n\
         FROM scratch\nCOPY --from=build /hosts /net /shm /soft /hard /\n"
    );
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", &dockerfile)]);
        let delivery =
            source.deliver().on(&engine).flag("--add-hosts", "db.local=10.9.8.7,six=fd00::1").flag("--network", "none");
        let limited = delivery.clone().flag("--shm-size", "96m").flag("--ulimit", "nofile=1000:2000");
        let old = engine.name == "docker with a graph driver";
        if old {
            limited.ends_with(1).says("can't be asked for `shm-size`").says("Docker 23");
            delivery.ends_with(0);
        } else {
            limited.ends_with(0);
        }
        let files = source.image().files();
        let file = |name: &str| String::from_utf8_lossy(&files[name]).trim().to_owned();
        let hosts: Vec<_> =
            file("hosts").lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
        for host in [["10.9.8.7", "db.local"], ["fd00::1", "six"]] {
            assert!(hosts.iter().any(|line| line == &host), "{}: {hosts:?}", engine.name);
        }
        assert_eq!(file("net"), "lo", "{}: nothing is reached", engine.name);
        if !old {
            assert_eq!((&*file("shm"), &*file("soft"), &*file("hard")), ("100663296", "1000", "2000"), "{}", engine.name);
        }
    }
}

/// A step that gives something else each time shows whether it was run.
#[test]
fn a_step_is_run_anew_where_that_is_asked_for() {
    let dockerfile =
        format!("FROM {BASE} AS build\nRUN cat /proc/sys/kernel/random/uuid > /once\nFROM scratch\nCOPY --from=build /once /\n");
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", &dockerfile)]);
        let delivery = source.deliver().on(&engine).flag("--reuse", "never");
        let built = |delivery: &Delivery| {
            delivery.ends_with(0);
            source.image().files()["once"].clone()
        };
        let first = built(&delivery);
        assert_eq!(built(&delivery), first, "{}: the cache has it", engine.name);
        assert_ne!(built(&delivery.clone().flag("--no-cache", "true")), first, "{}", engine.name);
    }
}

#[test]
fn a_dockerfile_outside_the_context_is_used_with_its_own_ignore_file() {
    for engine in engines() {
        let source = Source::in_git(&[("a", "1"), ("b", "2")]);
        let dockerfile = source.beside("elsewhere/App.Dockerfile");
        fs::create_dir_all(dockerfile.parent().unwrap()).unwrap();
        fs::write(&dockerfile, "FROM scratch\nCOPY . /\n").unwrap();
        fs::write(source.beside("elsewhere/App.Dockerfile.dockerignore"), "b\n.git\n").unwrap();
        source.deliver().on(&engine).flag("--dockerfile-path", dockerfile.to_str().unwrap()).ends_with(0);
        assert_eq!(source.image().files().keys().collect::<Vec<_>>(), ["a"], "{}", engine.name);
    }
}

#[test]
fn what_the_ignore_file_names_does_not_travel() {
    for engine in engines() {
        let ignore = "# comment\n*.log\n!keep.log\nsecret/\n**/deep\n/top\n";
        let source = Source::in_git(&[
            ("Dockerfile", "FROM scratch\nCOPY . /\n"),
            (".dockerignore", ignore),
            ("a.log", ""),
            ("keep.log", ""),
            ("secret/key", ""),
            ("x/deep/file", ""),
            ("x/top", ""),
            ("top", ""),
        ]);
        source.git(&["gc", "--quiet"]);
        let ended = source.deliver().on(&engine).flag("--build-args", "X=1").ends_with(0);
        let files: Vec<_> = source.image().files().into_keys().filter(|path| !path.starts_with(".git/")).collect();
        assert_eq!(files, [".dockerignore", "Dockerfile", "keep.log", "x/top"], "{}: {ended}", engine.name);
    }
}

#[test]
fn our_own_report_never_gets_into_the_image() {
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY . /app/\n"), (".dockerignore", ".git\n"), ("a", "1")]);
    let report = source.context().join("report");
    let delivery = source.deliver().flag("--report-dir", report.to_str().unwrap());
    delivery.ends_with(0);
    delivery.ends_with(0);
    assert!(report.join("summary.md").exists());
    assert!(!source.image().files().keys().any(|path| path.starts_with("app/report")), "{:?}", source.image().files().keys());
}

#[test]
fn an_image_without_layers_is_refused_by_name_on_every_engine() {
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", "FROM scratch\nLABEL a=b\nENTRYPOINT [\"/x\"]\n")]);
        source.deliver().on(&engine).ends_with(1).says("The image has no layers").says("build-target");
    }
}

#[test]
fn a_dockerfile_in_lower_case_is_built_where_there_is_no_other_and_a_near_name_is_said() {
    for engine in engines() {
        let source = Source::in_git(&[("dockerfile", "FROM scratch\nCOPY a /\n"), ("a", "1")]);
        source.deliver().on(&engine).ends_with(0);
        assert_eq!(source.image().files()["a"], b"1", "{}", engine.name);
    }
    let source = Source::in_git(&[("Dockerfile.prod", "FROM scratch\n"), ("app/Dockerfile", "FROM scratch\n")]);
    source.deliver().ends_with(2).says("dockerfile-path").says("/Dockerfile.prod");
    source.deliver().flag("--dockerfile-path", "app/Dockerfile").ends_with(2).says("source/app/Dockerfile");
}

#[test]
fn a_value_of_several_lines_comes_from_the_environment_and_quotes_are_no_way_to_give_it() {
    let dockerfile =
        format!("FROM {BASE} AS build\nARG TEXT\nRUN printf %s \"$TEXT\" > /o\nFROM scratch\nCOPY --from=build /o /\n");
    let source = Source::in_git(&[("Dockerfile", &dockerfile)]);
    for given in ["\"TEXT=one\ntwo\"", "TEXT=\"one\nTWO=two\"", "'TEXT=one\nTWO=two'"] {
        source.deliver().flag("--build-args", given).ends_with(2).says("build-args").says("NAME alone");
    }
    source.deliver().flag("--build-args", "TEXT").variable("TEXT", "one\ntwo").ends_with(0);
    assert_eq!(source.image().files()["o"], b"one\ntwo");
}

/// A step that asks an agent for its keys and to forget them, and keeps the answers.
const ASKING: &str = r#"perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new($ENV{SSH_AUTH_SOCK}) or die; for (11, 19) { syswrite $s, pack("NC", 1, $_); sysread $s, $b, 99; print unpack("H*", $b), "\n" }' > /o"#;

#[test]
fn a_step_gets_the_ssh_agent_that_it_is_given_and_can_change_nothing_in_it() {
    for engine in engines() {
        let dockerfile = format!(
            "FROM {BASE} AS build\nRUN --mount=type=ssh {ASKING}\nRUN --mount=type=ssh,id=git test -S \"$SSH_AUTH_SOCK\"\n\
             FROM scratch\nCOPY --from=build /o /\n"
        );
        let source = Source::in_git(&[("Dockerfile", &dockerfile)]);
        let socket = source.beside("agent.sock");
        let asked = agent(&socket);
        let delivery = source.deliver().on(&engine).flag("--ssh", &format!("default\ngit={}", socket.display()));
        delivery.ends_with(2).says("ssh").says("SSH_AUTH_SOCK is not set");
        delivery.variable("SSH_AUTH_SOCK", socket.to_str().unwrap()).ends_with(0);
        // No keys; and the second answer is a failure.
        assert_eq!(source.image().files()["o"], b"000000050c00000000\n0000000105\n", "{}", engine.name);
        assert_eq!(asked.try_iter().collect::<Vec<_>>(), [11], "{}", engine.name);
    }
}

/// An agent without keys, and the kinds of the messages that it gets.
fn agent(socket: &std::path::Path) -> std::sync::mpsc::Receiver<u8> {
    let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, sender) = (stream.unwrap(), sender.clone());
            std::thread::spawn(move || {
                let mut message = [0; 5];
                while stream.read_exact(&mut message).is_ok() {
                    let _ = sender.send(message[4]);
                    let _ = stream.write_all(&[0, 0, 0, 5, 12, 0, 0, 0, 0]);
                }
            });
        }
    });
    receiver
}

#[test]
fn a_step_that_wants_what_no_step_gets_is_told_so() {
    for engine in engines() {
        for (flag, word) in [("--mount=type=ssh,required", "`ssh`"), ("--network=host", "--network=host")] {
            let source = Source::in_git(&[("Dockerfile", &format!("FROM {BASE}\nRUN {flag} true\n"))]);
            let ended = source.deliver().on(&engine).ends_with(1);
            ended.says(word);
        }
        let insecure = format!("FROM {BASE}\nRUN --security=insecure true\n");
        Source::in_git(&[("Dockerfile", &insecure)]).deliver().on(&engine).ends_with(1).says("--security=insecure");
    }
}

#[test]
fn a_failing_step_ends_with_its_last_lines_and_its_place_in_the_dockerfile() {
    let dockerfile = format!("FROM {BASE}\n\nENV A=b\nRUN echo the-step-says-this && \\\n    exit 7\n");
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", &dockerfile)]);
        let ended = source.deliver().on(&engine).ends_with(1);
        ended.says("Dockerfile:4-5").says("RUN echo the-step-says-this").says("exit code: 7");
        let failure = source.record()["failure"].clone();
        assert_eq!(failure["excerpt"][0], "the-step-says-this", "{}: {failure}", engine.name);
        assert_eq!(source.record()["result"], "failed");
        assert!(source.summary().contains("Dockerfile:4"), "{}", source.summary());
        assert!(!source.beside("image").exists(), "nothing is published");
    }
}

#[test]
fn a_dockerfile_that_can_not_be_read_names_the_line() {
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", "FROM scratch\n\nNONSENSE x\n")]);
        source.deliver().on(&engine).ends_with(1).says("Dockerfile:3").says("NONSENSE");
    }
}

#[test]
fn a_copy_source_that_is_not_there_is_named_with_its_line() {
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY nowhere.txt /\n")]);
        source.deliver().on(&engine).ends_with(1).says("Dockerfile:2").says("nowhere.txt").says(".dockerignore");
    }
}

#[test]
fn a_link_that_leads_out_of_the_context_brings_nothing_from_there() {
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY link/private /\n")]);
        fs::create_dir_all(source.beside("outside")).unwrap();
        fs::write(source.beside("outside/private"), "not for the image").unwrap();
        symlink("../outside", source.context().join("link")).unwrap();
        source.deliver().on(&engine).ends_with(1).says("private").does_not_say("not for the image");
    }
}

#[test]
fn a_base_image_that_can_not_be_had_is_named() {
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", "FROM 127.0.0.1:1/team/base:9\nCOPY . /\n")]);
        source.deliver().on(&engine).ends_with(1).says("127.0.0.1:1/team/base:9");
    }
}

#[test]
fn a_syntax_image_that_can_not_be_fetched_is_named_as_one() {
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", "# syntax=127.0.0.1:1/docker/dockerfile:1\nFROM scratch\nCOPY . /\n")]);
        source.deliver().on(&engine).ends_with(1).says("# syntax=").says("127.0.0.1:1/docker/dockerfile:1");
    }
}

#[test]
fn a_heredoc_and_a_linked_copy_work_or_say_that_the_engine_is_too_old() {
    let heredoc = format!(
        "FROM {BASE} AS build\nRUN <<EOF\necho one > /out\necho two >> /out\nEOF\nFROM scratch\nCOPY --from=build /out /\nCOPY --link a /\n"
    );
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", &heredoc), ("a", "1")]);
        let ended = source.deliver().on(&engine).output();
        if ended.code == Some(0) {
            assert_eq!(source.image().files()["out"], b"one\ntwo\n");
        } else {
            ended.says("Dockerfile:3").says("too old");
        }
    }
}

#[test]
fn a_build_secret_reaches_its_step_and_nothing_else() {
    let secret = format!("{}-{}", "s3cr3t", std::process::id());
    let dockerfile = format!(
        "FROM {BASE} AS build\nRUN --mount=type=secret,id=token test \"$(cat /run/secrets/token)\" = \"{secret}\" && cat /run/secrets/token && sha256sum /run/secrets/file | cut -c1-4 > /out || exit 9\n\
         RUN --mount=type=secret,id=file cat /run/secrets/file > /dev/null\nFROM scratch\nCOPY --from=build /out /\n"
    );
    for engine in engines() {
        let source = Source::in_git(&[
            (
                "Dockerfile",
                &dockerfile
                    .replace(&secret, "$(cat /expected)")
                    .replace("FROM debian:bookworm-slim AS build\n", &format!("FROM {BASE} AS build\nCOPY expected /\n")),
            ),
            ("expected", &secret),
        ]);
        let file = source.beside("file.txt");
        fs::write(&file, "from a file").unwrap();
        let secrets = format!("id=token,env=TOKEN\nid=file,src={}", file.display());
        let ended = source.deliver().on(&engine).variable("TOKEN", &secret).flag("--build-secrets", &secrets).ends_with(0);
        ended.does_not_say(&secret);
        for (path, content) in source.image().files() {
            assert!(!String::from_utf8_lossy(&content).contains(&secret), "{path}");
        }
        for report in walk(&source.beside("report")) {
            assert!(!String::from_utf8_lossy(&fs::read(&report).unwrap()).contains(&secret), "{}", report.display());
        }
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_check_that_fails_stops_the_delivery_in_every_environment() {
    let dockerfile = format!("FROM {BASE} AS base\nFROM base AS lint\nRUN echo lint-says-no && exit 3\nFROM scratch\nCOPY a /\n");
    for environment in ["local", "dev", "prod"] {
        let source = Source::in_git(&[("Dockerfile", &dockerfile), ("a", "1")]);
        let ended = source.deliver().flag("--environment", environment).flag("--check-targets", "lint").ends_with(1);
        ended.says("lint-says-no").says("Dockerfile:3");
        assert!(!source.beside("image").exists(), "nothing is published");
    }
}

#[test]
fn a_check_that_passes_leaves_nothing_in_the_image() {
    let dockerfile = format!("FROM {BASE} AS lint\nRUN echo fine > /lint-ran\nFROM scratch\nCOPY a /\n");
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", &dockerfile), ("a", "1")]);
        source.deliver().on(&engine).flag("--check-targets", "lint").ends_with(0);
        assert_eq!(source.image().files().len(), 1);
        let stages = source.record()["stages"].clone();
        assert!(
            stages.as_array().unwrap().iter().any(|stage| stage["name"] == "checks" && stage["outcome"]["is"] == "passed"),
            "{stages}"
        );
    }
}

#[test]
fn a_check_target_that_is_no_stage_is_an_error() {
    let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY . /\n")]);
    source.deliver().flag("--check-targets", "nope").ends_with(1).says("nope");
}

#[test]
fn several_platforms_give_an_index_with_one_image_each() {
    for engine in engines() {
        let source = Source::in_git(&[
            ("Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY ${TARGETARCH}.txt /\n"),
            ("amd64.txt", "x"),
            ("arm64.txt", "y"),
        ]);
        source.deliver().on(&engine).flag("--platforms", "linux/amd64,linux/arm64").ends_with(0);
        let image = source.image();
        let index = image.document(image.index()["manifests"][0]["digest"].as_str().unwrap());
        let platforms: Vec<_> = index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["platform"]["architecture"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(platforms, ["amd64", "arm64"], "{}", engine.name);
        let sboms = fs::read_dir(source.beside("report/sbom")).unwrap().count();
        assert_eq!(sboms, 4, "two formats, two platforms");
    }
}

#[test]
fn the_same_layers_have_the_same_digests_in_every_delivery() {
    let dockerfile = format!("FROM {BASE}\nCOPY a /\n");
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", &dockerfile), ("a", "1")]);
        let layers = || {
            source.deliver().on(&engine).ends_with(0);
            source.image().manifest()["layers"].clone()
        };
        assert_eq!(layers(), layers(), "{}", engine.name);
    }
}

#[test]
fn an_image_with_a_source_date_is_the_same_when_its_steps_are_run_anew() {
    // A step leaves files of its own time. Its cache is that of one delivery's environment, so each of the two runs it.
    let dockerfile = format!("FROM {BASE}\nARG SOURCE_DATE_EPOCH\nRUN date --utc > /now && touch /time && rm /now\nCOPY a /\n");
    for engine in engines().into_iter().filter(|engine| engine.name == "buildkitd") {
        let source = Source::in_git(&[("Dockerfile", &dockerfile), ("a", "1")]);
        let image = |environment, date: &str| {
            let delivery = job::in_job(&source, Vec::new()).flag("--environment", environment).on(&engine);
            let _ = fs::remove_dir_all(source.beside("image"));
            delivery.flag("--build-args", &format!("SOURCE_DATE_EPOCH={date}")).flag("--platforms", "linux/amd64").ends_with(0);
            let manifest = source.image().manifest();
            (manifest["config"]["digest"].clone(), manifest["layers"].clone())
        };
        assert_eq!(image("local", "1700000000"), image("dev", "1700000000"), "{}", engine.name);
        assert_ne!(image("local", "1700000000"), image("dev", "1600000000"), "the date counts");
    }
}

#[test]
fn zstd_layers_are_made_when_they_are_asked_for() {
    for engine in engines() {
        // Nobody else's content: a layer that the builder has as gzip for another's sake stays as it is.
        let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY a /\n"), ("a", "zstd")]);
        source.deliver().on(&engine).flag("--compression", "zstd").ends_with(0);
        let layer = source.image().manifest()["layers"][0]["mediaType"].clone();
        assert_eq!(layer, "application/vnd.oci.image.layer.v1.tar+zstd", "{}", engine.name);
        assert_eq!(source.image().files()["a"], b"zstd");
    }
}

#[test]
fn links_modes_and_odd_names_arrive_as_they_are() {
    for engine in engines() {
        let source = Source::in_git(&[
            ("Dockerfile", "FROM scratch\nCOPY tree/ /\n"),
            ("tree/plain", "1"),
            ("tree/späce name", "2"),
            ("tree/foo/x", ""),
            ("tree/foo-z", ""),
            ("tree/foo.bar", ""),
        ]);
        support::script(&source.context().join("tree/run.sh"), "#!/bin/sh\n");
        symlink("plain", source.context().join("tree/link")).unwrap();
        fs::hard_link(source.context().join("tree/plain"), source.context().join("tree/hard")).unwrap();
        source.deliver().on(&engine).ends_with(0);
        let listing: String = source.image().manifest()["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|layer| {
                let blob = source.image().blob(layer["digest"].as_str().unwrap());
                support::run(
                    std::process::Command::new("tar").args(["--numeric-owner", "--quoting-style=literal", "-tvzf"]).arg(blob),
                )
            })
            .collect();
        assert!(
            listing.lines().any(|line| line.starts_with("-rwxr-xr-x 0/0") && line.ends_with("run.sh")),
            "{}: {listing}",
            engine.name
        );
        assert!(listing.contains("link -> plain") && listing.contains("späce name"), "{listing}");
        assert_eq!(source.image().files()["hard"], b"1");
    }
}

#[test]
fn a_context_of_many_files_arrives_whole_and_the_second_time_not_at_all() {
    for engine in engines() {
        let source = Source::in_git(&[("Dockerfile", "FROM scratch\nCOPY many /many\n")]);
        for number in 0..20_000 {
            source.write(&format!("many/{}/{number}", number % 100), &number.to_string());
        }
        let delivery = source.deliver().on(&engine).flag("--secrets-history", "none").flag("--sbom-formats", "spdx-json");
        let delivered = delivery.ends_with(0);
        assert_eq!(source.image().files().len(), 20_000, "{}: {delivered}", engine.name);
        delivery.ends_with(0).says("1 file of the context sent");
    }
}
