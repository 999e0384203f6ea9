//! Documents that repeat the code say what the code says. `GP_DELIVER_BLESS=1 cargo test --test it docs` writes them anew.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use gp_deliver::environment::Environment;
use gp_deliver::inputs;
use gp_deliver::report::outputs;

/// Two tests may write one document.
static WRITING: Mutex<()> = Mutex::new(());

/// Holds the part of a document between two marks to what the code says.
fn holds(document: &str, mark: &str, expected: &str) {
    let _alone = WRITING.lock();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = if document == "action.yml" {
        (format!("# {mark}\n"), format!("# /{mark}"))
    } else {
        (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"))
    };
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{document} has no {begin}"));
    let (found, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{document} has no {end}"));
    if std::env::var_os("GP_DELIVER_BLESS").is_some() {
        fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(found, expected, "{document}: run GP_DELIVER_BLESS=1 cargo test --test it docs");
}

fn environments() -> String {
    let mut table = "| environment | leaked secrets | vulnerabilities | SARIF upload |\n|---|---|---|---|\n".to_owned();
    for environment in Environment::ALL {
        let demands = environment.requirements();
        let sarif = if demands.sarif_upload { "yes" } else { "no" };
        table += &format!("| `{environment}` | {} | {} | {sarif} |\n", demands.secrets, demands.vulnerabilities);
    }
    table
}

#[test]
fn the_table_of_environments_is_the_codes() {
    holds("README.md", "environments", &environments());
    holds("docs/inputs.md", "environments", &environments());
}

#[test]
fn the_table_of_inputs_is_the_codes() {
    let mut table = "| input | default | what it is |\n|---|---|---|\n".to_owned();
    for input in inputs::of_action() {
        let default = input.default_value().map_or(input.default.to_owned(), |value| format!("`{value}`"));
        table += &format!("| `{}` | {default} | {} |\n", input.name, input.help.replace('|', "\\|"));
    }
    holds("docs/inputs.md", "inputs", &table);
}

#[test]
fn the_table_of_outputs_is_the_codes() {
    let rows = outputs::ALL.iter().map(|(name, what)| format!("| `{name}` | {what} |\n"));
    holds("docs/inputs.md", "outputs", &format!("| output | what it is |\n|---|---|\n{}", rows.collect::<String>()));
}

/// Text as a scalar of YAML.
fn scalar(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[test]
fn the_action_has_the_inputs_and_outputs_of_the_code() {
    let mut inputs = String::new();
    for input in inputs::of_action() {
        let words = if input.default_value().is_none() && !input.default.is_empty() {
            format!(" [default: {}]", input.default)
        } else {
            String::new()
        };
        let allowed = if input.switch { ": true or false" } else { "" };
        let description = scalar(&format!("{}{allowed}{words}", input.help));
        let default = scalar(input.default_value().unwrap_or_default());
        inputs += &format!("  {}:\n    description: {description}\n    required: false\n    default: {default}\n", input.name);
    }
    // The runner takes an output of a container action from the file that the container writes.
    let outputs = outputs::ALL.iter().map(|(name, what)| format!("  {name}:\n    description: {}\n", scalar(what)));
    holds("action.yml", "inputs", &format!("inputs:\n{inputs}"));
    holds("action.yml", "outputs", &format!("outputs:\n{}", outputs.collect::<String>()));
}

#[test]
fn each_input_but_the_token_and_the_command_is_a_flag() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_gp-deliver")).args(["plan", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for input in inputs::of_action() {
        let no_flag = [inputs::TOKEN.name, inputs::COMMAND.name].contains(&input.name);
        assert_eq!(
            help.contains(&format!("--{} <", input.name)) || help.contains(&format!("--{} [", input.name)),
            !no_flag,
            "{}",
            input.name
        );
    }
}

#[test]
fn the_workflow_in_the_readme_is_the_template() {
    let template = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/templates/workflows/delivery.yml"));
    let template = template.unwrap();
    let (_, workflow) = template.split_once('\n').unwrap();
    holds("README.md", "caller", &format!("```yaml\n{workflow}```\n"));
}

/// What `gp-deliver policy` prints for the example of the README.
fn policy(kind: &str) -> String {
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_gp-deliver"))
        .args(["policy", kind, "--environment", "prod", "--ecr-repository", "team/app", "--aws-region", "eu-central-1"])
        .args(["--role-to-assume", "arn:aws:iam::012345678901:role/deliver"])
        .current_dir(source.path())
        .env_clear()
        .env("GITHUB_REPOSITORY", "acme/app")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_three_blocks_of_the_keyless_section_are_what_the_policy_command_prints() {
    for kind in ["trust", "role"] {
        holds("README.md", kind, &format!("```json\n{}\n```\n", policy(kind).trim_end()));
    }
    let job = policy("workflow").trim_end().replace('\n', "\n    ");
    holds("README.md", "workflow", &format!("```yaml\njobs:\n  deliver:\n    environment: prod\n    {job}\n```\n"));
}
