//! Faults of Amazon ECR while `verify` asks it what it knows of an image. Nothing is delivered there and no report is written:
//! what is to hold is that no answer passes for one that was not given, that the exit code is right, and that nothing is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use doubles::aws::{Call, Fault, ImageScan, Times, World};
use serde_json::{Value, json};

use super::scene::{Case, Comes, case, in_environment, try_all};
use super::{AtAws, DAY, namespace};
use crate::support::processes::{running, signal, wait_until};
use crate::support::{Ended, Source, binary, keyless, run};
use Comes::{Cancelled, Fails, Killed, Overcome};

/// What is asked, as `docs/faults.md` has it.
const STATE: &str = "what Amazon ECR knows of an image, for `verify`";

/// The rows that ECR has a say in.
const ECR: [&str; 4] = ["tag", "ECR scan", "ECR signing", "lifecycle"];

fn cases() -> Vec<Case<AtAws>> {
    use AtAws::{Answers, Jump, Signal};
    use Call::{GetLifecyclePolicy, OtherEcr};
    use Fault::{Expired, Hang, SessionEnds, Truncated};
    use Times::{Always, Once};
    vec![
        // What is waited for longest comes first.
        case(STATE, "hung", Answers(OtherEcr, Always, Hang), Fails),
        case(STATE, "hung", Answers(GetLifecyclePolicy, Always, Hang), Fails),
        case(STATE, "hung", Answers(OtherEcr, Once, Hang), Overcome),
        case(STATE, "truncated", Answers(OtherEcr, Always, Truncated), Fails),
        case(STATE, "expired", Answers(OtherEcr, Always, Expired), Fails),
        // The credentials are those of the surroundings, which can't be asked for others.
        case(STATE, "expired", Answers(OtherEcr, Once, SessionEnds), Fails),
        case(STATE, "SIGTERM", Signal(OtherEcr, 1, "TERM"), Cancelled),
        case(STATE, "SIGKILL", Signal(OtherEcr, 1, "KILL"), Killed),
        case(STATE, "clock", Jump(OtherEcr, 1, DAY), Overcome),
        case(STATE, "clock", Jump(OtherEcr, 1, -DAY), Fails),
    ]
}

pub fn cells() -> Vec<(&'static str, &'static str)> {
    super::cells(cases())
}

/// An image that a key of AWS KMS has signed.
struct Signed {
    world: World,
    /// Where the key's public half is.
    key: PathBuf,
    _source: Source,
}

impl Signed {
    fn new() -> Self {
        let (world, source) = (world(), keyless::source());
        let key = world.create_key(None);
        let delivery = keyless::deliver(&world, &source).flag("--environment", "test").flag("--code-scanning", "off");
        delivery.flag("--sign", "kms").flag("--kms-key", &key).ends_with(0);
        let file = source.beside("key.pem");
        fs::write(&file, world.public_key(&key)).unwrap();
        Self { world, key: file, _source: source }
    }
}

/// A world in which ECR knows something of each image.
fn world() -> World {
    let world = World::options().start();
    let statement = json!({ "Effect": "Allow", "Action": ["ecr:*", "kms:*"], "Resource": "*" });
    world.set_role_policy(&json!({ "Version": "2012-10-17", "Statement": [statement] }));
    world.scan(ImageScan::basic());
    world.answer("DescribeImageSigningStatus", json!({ "signingStatuses": [] }));
    world
}

/// A look at the image in a world of its own.
struct Look {
    world: World,
    surroundings: Source,
    command: Command,
}

impl Look {
    fn at(signed: &Signed) -> Self {
        let (world, surroundings) = (world(), Source::new(&[]));
        run(Command::new("cp").arg("--archive").arg(signed.world.content().join(".")).arg(world.content()));
        let [token, tmp] = ["token", "tmp"].map(|name| surroundings.beside(name));
        fs::write(&token, world.token("sts.amazonaws.com")).unwrap();
        fs::create_dir(&tmp).unwrap();
        let mut command = Command::new(binary());
        command.env_clear().envs(world.variables()).env("HOME", surroundings.beside("home")).env("TMPDIR", tmp);
        command.env("AWS_ROLE_ARN", world.role()).env("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
        command.args(["verify", &format!("{}/{}:latest", world.host(), world.repository()), "--json", "--ecr"]);
        command.args(["--environment", "test", "--key", &format!("test={}", signed.key.display())]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { world, surroundings, command }
    }

    fn end_with(&mut self, trouble: &AtAws) -> Ended {
        match trouble {
            AtAws::Nobody(_) => unreachable!("it is tried with the others of this call"),
            AtAws::Answers(call, times, fault) => {
                self.world.fail(*call, *times, *fault);
                let ended = self.command.output().unwrap().into();
                self.world.mend(*call);
                ended
            }
            AtAws::Signal(call, nth, name) => {
                let held = self.world.hold(*call, *nth);
                let looking = self.command.spawn().unwrap();
                held.arrived();
                signal(looking.id(), name);
                looking.wait_with_output().unwrap().into()
            }
            AtAws::Jump(call, nth, seconds) => {
                let held = self.world.hold(*call, *nth);
                let (mut command, clock) = namespace::clocked(&self.surroundings.beside(""), &self.command);
                let looking = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
                held.arrived();
                clock.jump(*seconds);
                held.release();
                looking.wait_with_output().unwrap().into()
            }
        }
    }

    /// Whether it ended so, and no row fails but some of these.
    fn holds(&self, comes: Comes, may_fail: &[&str], ended: &Ended) {
        let code = match comes {
            Comes::Overcome => Some(0),
            Comes::Fails => Some(3),
            Comes::Cancelled => Some(143),
            Comes::Killed | Comes::KilledAfterwards => None,
        };
        assert_eq!(ended.code, code, "{ended}");
        ended.does_not_say("panicked");
        match comes {
            Comes::Overcome | Comes::Fails => Self::says(comes, may_fail, ended),
            Comes::Cancelled | Comes::Killed | Comes::KilledAfterwards => assert_eq!(ended.stdout, "", "{ended}"),
        }
        let folder = self.surroundings.beside("").display().to_string();
        wait_until("a process goes on", || !running(&folder) && !in_environment(&folder));
        // Whoever would have removed it is gone.
        if comes != Comes::Killed {
            assert!(is_empty(&self.surroundings.beside("tmp")), "scratch folders");
        }
    }

    fn says(comes: Comes, may_fail: &[&str], ended: &Ended) {
        let table: Value = serde_json::from_str(&ended.stdout).unwrap();
        let rows = table["rows"].as_array().unwrap().iter();
        let failing: Vec<_> = rows.filter(|row| row["state"] == "fails").collect();
        let holds = comes == Overcome;
        assert_eq!((table["holds"] == true, failing.is_empty()), (holds, holds), "{ended}");
        for row in failing {
            let (check, says) = (row["check"].as_str().unwrap(), row["says"].as_str().unwrap());
            assert!(may_fail.contains(&check) && !says.contains("nothing found"), "{check}: {ended}");
        }
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn no_fault_of_ecr_passes_for_an_answer_to_who_looks_at_an_image_or_leaves_anything() {
    let signed = Signed::new();
    try_all(STATE, &cases(), |case| {
        let mut look = Look::at(&signed);
        let ended = look.end_with(&case.trouble);
        // What is of days to come then: what is signed, and ECR's scan.
        let may_fail = if let AtAws::Jump(..) = case.trouble { &["gates", "ECR scan"][..] } else { &ECR };
        look.holds(case.comes, may_fail, &ended);
        let after = look.command.output().unwrap().into();
        look.holds(Overcome, &[], &after);
    });
}
