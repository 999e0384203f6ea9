//! A workflow that uses the action, as act runs it.

use std::fs;

use serde_json::json;

use crate::support::act::Act;
use crate::support::{self, Source, part};

const WORKFLOW: &str = r#"
on: push
jobs:
  deliver:
    runs-on: ubuntu-latest
    outputs:
      result: ${{ steps.deliver.outputs.result }}
    steps:
      - uses: actions/checkout@v7
      - id: deliver
        name: Deliver
        uses: org/gp-deliver@v1
        with:
          environment: dev
          destination: oci:image
          trivy-db-repository: ${{ vars.DATABASE }}
      - name: Look
        env: { SECRET: '${{ secrets.SECRET }}' }
        run: |
          echo "result is ${{ steps.deliver.outputs.result }}, by $WHO"
          echo "the secret has ${#SECRET} characters"
          test -f image/index.json && echo "the image is there"
      - uses: actions/upload-artifact@v7
        with: { name: report, path: gp-deliver-report }
"#;

const ACTION: &str = r"
name: Deliver
description: The action, until there is one
inputs:
  environment: { description: '', default: auto }
  destination: { description: '', default: '' }
  trivy-db-repository: { description: '', default: '' }
runs:
  using: docker
  image: docker://IMAGE
  args: [deliver]
";

/// A repository with a workflow, and the action in a folder beside it.
fn source() -> Source {
    let source = Source::in_git(&[
        ("Dockerfile", "FROM scratch\nCOPY file /file\n"),
        ("file", "1\n"),
        (".github/workflows/deliver.yml", WORKFLOW),
    ]);
    source.git(&["remote", "add", "origin", "https://github.com/octo-org/octo-repo"]);
    fs::create_dir(source.beside("action")).unwrap();
    fs::write(source.beside("action/action.yml"), ACTION.replace("IMAGE", &part("IMAGE"))).unwrap();
    source
}

fn act(source: &Source) -> Act {
    // The database goes with the checkout: the job's containers see no other folder of this machine.
    support::run(std::process::Command::new("cp").arg("-R").arg(part("TRIVY_DB")).arg(source.context().join("trivy-db")));
    Act::new(&source.context(), ".github/workflows/deliver.yml")
        .event("push", &json!({"ref": "refs/heads/development"}))
        .provide("org/gp-deliver@v1", &source.beside("action"))
        .stand_in("actions/upload-artifact@v7", &["name", "path"], "ls \"$INPUT_PATH\"")
        .var("DATABASE", "oci:trivy-db:2")
        .variable("WHO", "a variable")
        .secret("SECRET", "12345")
}

#[test]
fn inputs_reach_the_action_and_its_outputs_reach_later_steps() {
    let ran = act(&source()).succeeds();
    ran.says("DELIVERED to dev").says("result is delivered, by a variable").says("the image is there");
    ran.says("the secret has 5 characters");
    ran.says("name=report").says("summary.md");
    assert_eq!(ran.steps()["Deliver"], "success", "{}", ran.log());
}

#[test]
fn a_step_that_fails_fails_the_job() {
    let source = source();
    source.write("Dockerfile", "FROM scratch\nCOPY absent /file\n");
    let ran = act(&source).run();
    assert_eq!((ran.code, ran.job_results()), (Some(1), vec!["failure".to_owned()]), "{}", ran.log());
    assert_eq!(ran.steps()["Deliver"], "failure");
    ran.says("Dockerfile:2: COPY absent /file");
}
