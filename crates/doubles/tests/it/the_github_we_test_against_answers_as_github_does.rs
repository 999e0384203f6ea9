//! The GitHub that other tests report to is checked by strangers: GitHub's own library, a plain client, and Prism.

use doubles::github::stranger::{Client, delivery, octokit, wrapped};
use doubles::github::{Branches, Call, CodeScanning, Fault, GitHub, Moment, Options, Repository, Times};
use rand::RngCore as _;
use serde_json::{Value, json};

const COMMIT: &str = "4b6472266afd7b471e86085a6659e8c7f2b119da";
const MAIN: &str = "refs/heads/main";

fn repository(options: Options) -> Repository {
    GitHub::start().repository(options.branch("main", COMMIT))
}

fn result(fingerprint: &str) -> Value {
    json!({
        "ruleId": "CVE-2026-0001", "message": {"text": "busybox has a hole"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": "Dockerfile"}, "region": {"startLine": 1}}}],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint},
    })
}

fn run(category: &str, results: &[Value]) -> Value {
    json!({
        "tool": {"driver": {"name": "trivy", "rules": [{"id": "CVE-2026-0001", "properties": {"security-severity": "9.8"}}]}},
        "automationDetails": {"id": format!("{category}/")}, "results": results,
    })
}

fn log(runs: &[Value]) -> Value {
    json!({"version": "2.1.0", "runs": runs})
}

fn annotation(line: usize) -> Value {
    json!({"path": "Dockerfile", "start_line": line, "end_line": line, "annotation_level": "warning", "message": "look"})
}

fn check_run(annotations: &[Value]) -> Value {
    json!({"name": "gp-deliver", "head_sha": COMMIT, "output": {"title": "t", "summary": "s", "annotations": annotations}})
}

#[test]
fn githubs_own_library_uploads_an_analysis_and_sees_it_processed() {
    let repository = repository(Options::default().pending(1));
    let upload = delivery(COMMIT, MAIN, &log(&[run("image", &[result("a")])]));
    let (owner, repo) = (json!("octo-org"), json!(repository.slug().split_once('/').unwrap().1));
    let mut parameters = json!({"owner": owner, "repo": repo, "checkout_uri": "file:///github/workspace/"});
    parameters.as_object_mut().unwrap().extend(upload.as_object().unwrap().clone());
    let said = octokit(&repository, &json!([["POST /repos/{owner}/{repo}/code-scanning/sarifs", parameters]]));
    assert_eq!(said[0]["status"], 202, "{said:?}");
    let id = &said[0]["data"]["id"];
    let poll =
        json!(["GET /repos/{owner}/{repo}/code-scanning/sarifs/{sarif_id}", {"owner": owner, "repo": repo, "sarif_id": id}]);
    let list = json!(["GET /repos/{owner}/{repo}/code-scanning/analyses", {"owner": owner, "repo": repo, "ref": MAIN}]);
    let said = octokit(&repository, &json!([poll, poll, list]));
    assert_eq!(said[0]["data"]["processing_status"], "pending");
    assert_eq!((&said[1]["data"]["processing_status"], &said[1]["data"]["errors"]), (&json!("complete"), &Value::Null));
    assert_eq!((&said[2]["data"][0]["category"], &said[2]["data"][0]["results_count"]), (&json!("image"), &json!(1)));
    let alerts = repository.alerts(MAIN);
    assert_eq!((alerts[0].fingerprint.as_deref(), alerts[0].severity), (Some("a"), Some(9.8)));
    let shown = repository.journal();
    assert!(shown.iter().all(|entry| entry.header("authorization").is_none()), "{shown:?}");
    assert_eq!(shown.iter().map(|entry| entry.status).collect::<Vec<_>>(), [Some(202), Some(200), Some(200), Some(200)]);
}

#[test]
fn a_check_run_is_made_filled_in_batches_and_found_again() {
    let repository = repository(Options::default());
    let client = Client::of(&repository);
    let annotations: Vec<Value> = (1..=50).map(annotation).collect();
    let made = client.post("/check-runs", &check_run(&annotations));
    assert_eq!((made.status, &made.document()["output"]["annotations_count"]), (201, &json!(50)), "{made:?}");
    let id = made.document()["id"].as_u64().unwrap();
    let more = json!({"conclusion": "neutral", "status": "completed", "output": {"title": "t", "summary": "u", "annotations": [annotation(51)]}});
    let changed = client.patch(&format!("/check-runs/{id}"), &more).document();
    assert_eq!((&changed["output"]["annotations_count"], &changed["status"]), (&json!(51), &json!("completed")));
    assert_eq!(client.post("/check-runs", &check_run(&[])).status, 201);
    let listed = |query: &str| client.get(&format!("/commits/{COMMIT}/check-runs?{query}")).document();
    assert_eq!(listed("check_name=gp-deliver&filter=latest")["check_runs"][0]["id"], id + 1);
    assert_eq!(listed("check_name=gp-deliver&filter=all")["total_count"], 2);
    assert_eq!(listed("check_name=another")["total_count"], 0);
    assert_eq!(client.get("/commits/main/check-runs").document()["total_count"], 1);
    let runs = repository.check_runs();
    assert_eq!((runs[0].annotations.len(), runs[0].summary.as_deref()), (51, Some("u")));
}

#[test]
fn lists_come_in_pages() {
    let repository = repository(Options::default());
    let client = Client::of(&repository);
    (0..3).for_each(|_| assert_eq!(client.post("/check-runs", &check_run(&[])).status, 201));
    let first = client.get("/commits/main/check-runs?filter=all&per_page=2");
    let (document, link) = (first.document(), first.header("link").unwrap());
    assert_eq!((document["total_count"].as_u64(), document["check_runs"].as_array().unwrap().len()), (Some(3), 2));
    let (address, relation) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
    assert_eq!(relation, "; rel=\"next\"");
    let second = client.get(address.strip_prefix(&format!("{}/repos/{}", repository.api(), repository.slug())).unwrap());
    let (document, made) = (second.document(), repository.check_runs());
    assert_eq!((document["check_runs"][0]["id"].as_u64(), second.header("link")), (Some(made[0].id as u64), None));

    let annotations: Vec<Value> = (1..=31).map(annotation).collect();
    let id = client.post("/check-runs", &check_run(&annotations)).document()["id"].clone();
    let lines = |query: &str| {
        let listed = client.get(&format!("/check-runs/{id}/annotations{query}")).document();
        listed.as_array().unwrap().iter().map(|annotation| annotation["start_line"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((lines(""), lines("?page=2")), ((1..=30).collect(), vec![31]));
    assert_eq!(client.get(&format!("/check-runs/{id}")).document()["output"]["annotations_count"], 31);
}

#[test]
fn prism_finds_a_request_that_github_does_not_describe() {
    let repository = repository(Options::default());
    let said = Client::of(&repository).post("/code-scanning/sarifs", &json!({"commit_sha": COMMIT, "ref": "main", "sarif": ""}));
    assert_eq!(said.status, 422, "{said:?}");
    let found = repository.take_violations();
    assert!(found[0].contains("ref must match pattern"), "{found:?}");
}

#[test]
fn prism_finds_an_answer_that_github_does_not_describe() {
    let repository = repository(Options::default());
    repository.fail(Call::CreateCheckRun, Times::Nth(1), Fault::Malformed);
    let said = Client::of(&repository).post("/check-runs", &check_run(&[]));
    assert_eq!(said.status, 500, "{said:?}");
    let found = repository.take_violations();
    assert!(found[0].contains("id"), "{found:?}");
}

#[test]
fn a_violation_that_nobody_looks_at_fails_the_test() {
    let repository = repository(Options::default());
    Client::of(&repository).post("/check-runs", &json!({"name": 1}));
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(repository)));
    let said = *dropped.unwrap_err().downcast::<String>().unwrap();
    assert!(said.contains("head_sha"), "{said}");
}

#[test]
fn a_stranger_is_refused_before_anything_else_is_looked_at() {
    let visible = repository(Options::default().token("right"));
    let ask = |client: Client| client.get(&format!("/commits/{COMMIT}/check-runs"));
    let told = |client: Client| {
        let said = ask(client);
        (said.status, said.message())
    };
    assert_eq!(told(Client::of(&visible).token(None)), (401, "Requires authentication".into()));
    assert_eq!(told(Client::of(&visible).token(Some("wrong"))), (401, "Bad credentials".into()));
    let nameless = ask(Client::of(&visible).nameless());
    assert!(nameless.status == 403 && nameless.text.contains("make sure your request has a User-Agent header"), "{nameless:?}");
    let invisible = repository(Options::default().invisible());
    assert_eq!(told(Client::of(&invisible)), (404, "Not Found".into()));
    assert_eq!(told(Client::of(&invisible).token(Some("right"))), (401, "Bad credentials".into()));
    assert_eq!(told(Client::of(&visible)).0, 200);
}

#[test]
fn a_token_may_do_what_the_workflows_permissions_say() {
    let reads = repository(Options::default().permissions(&["checks: read", "security-events: read"]));
    let client = Client::of(&reads);
    let upload = delivery(COMMIT, MAIN, &log(&[run("image", &[])]));
    for (said, accepted) in [
        (client.post("/check-runs", &check_run(&[])), "checks=write"),
        (client.patch("/check-runs/4", &json!({"output": {"summary": "s"}, "status": "queued"})), "checks=write"),
        (client.post("/code-scanning/sarifs", &upload), "security_events=write"),
    ] {
        assert_eq!((said.status, said.message().as_str()), (403, "Resource not accessible by integration"));
        assert_eq!(said.header("x-accepted-github-permissions"), Some(accepted));
        assert!(said.document()["documentation_url"].as_str().unwrap().starts_with("https://docs.github.com/rest/"), "{said:?}");
    }
    assert_eq!(client.get(&format!("/commits/{COMMIT}/check-runs")).status, 200);
    let nothing = repository(Options::default().permissions(&["contents: read"]));
    assert_eq!(Client::of(&nothing).get(&format!("/commits/{COMMIT}/check-runs")).status, 403);
    assert_eq!(Client::of(&nothing).get("/code-scanning/sarifs/x").status, 403);
}

#[test]
fn a_repository_that_takes_no_analyses_says_why() {
    let upload = delivery(COMMIT, MAIN, &log(&[run("image", &[])]));
    let off = "Code scanning is not enabled for this repository. Please enable code scanning in the repository settings.";
    let cases = [
        (CodeScanning::WithoutCodeSecurity, "Code Security must be enabled for this repository to use code scanning."),
        (CodeScanning::WithoutAdvancedSecurity, "Advanced Security must be enabled for this repository to use code scanning."),
        (CodeScanning::Off, off),
    ];
    for (code_scanning, sentence) in cases {
        let repository = repository(Options::default().code_scanning(code_scanning));
        let client = Client::of(&repository);
        let said = client.post("/code-scanning/sarifs", &upload);
        assert_eq!((said.status, said.message().as_str()), (403, sentence));
        assert_eq!(client.post("/check-runs", &check_run(&[])).status, 201);
    }
    let archived = repository(Options::default().archived());
    for said in
        [Client::of(&archived).post("/code-scanning/sarifs", &upload), Client::of(&archived).post("/check-runs", &check_run(&[]))]
    {
        assert_eq!((said.status, said.message().as_str()), (403, "Repository was archived so is read-only."));
    }
    assert_eq!(Client::of(&archived).get(&format!("/commits/{COMMIT}/check-runs")).status, 200);
}

#[test]
fn an_upload_that_can_not_be_read_is_refused_at_once() {
    let repository = repository(Options::default());
    let client = Client::of(&repository);
    let upload = |sarif: &str, commit: &str| {
        let said = client.post("/code-scanning/sarifs", &json!({"commit_sha": commit, "ref": MAIN, "sarif": sarif}));
        (said.status, said.message())
    };
    assert_eq!(upload("no base64!", COMMIT), (400, "SARIF ZIP upload is invalid".into()));
    assert_eq!(upload("bm8gZ3ppcA==", COMMIT), (400, "SARIF ZIP upload is invalid".into()));
    assert_eq!(upload(&wrapped(b"{}"), &COMMIT.replace('4', "5")), (404, "commit not found".into()));
    let mut noise = vec![0; 10_000_001];
    rand::rng().fill_bytes(&mut noise);
    assert_eq!(upload(&wrapped(&noise), COMMIT), (413, "Payload Too Large".into()));
    let mut validated = delivery(COMMIT, MAIN, &log(&[run("image", &[json!({"message": {"text": "nowhere"}})])]));
    validated["validate"] = true.into();
    let said = client.post("/code-scanning/sarifs", &validated);
    assert_eq!((said.status, said.message().as_str()), (400, "locationFromSarifResult: expected at least one location"));
    assert!(repository.uploads().is_empty(), "{:?}", repository.uploads());
}

#[test]
fn what_breaks_the_schema_is_told_in_the_words_of_githubs_validator() {
    let repository = repository(Options::default());
    let client = Client::enterprise(&repository);
    let mut cases = vec![
        (
            "POST /code-scanning/sarifs",
            json!({"commit_sha": "n/a", "ref": "main", "sarif": "", "x": 1}),
            "\"x\" is not a permitted key.\nAt least 40 characters are required; only 3 were supplied.\n\
             n/a does not match /^([0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?)$/.\nmain does not match /^refs\\/(heads|tags|pull)\\/.*$/.",
        ),
        ("POST /code-scanning/sarifs", json!({"ref": MAIN, "sarif": ""}), "\"commit_sha\" wasn't supplied."),
        ("POST /check-runs", json!({}), "\"name\", \"head_sha\" weren't supplied."),
        ("POST /check-runs", json!({"name": "n", "head_sha": COMMIT, "output": {"title": "t"}}), "\"summary\" wasn't supplied."),
        (
            "POST /check-runs",
            json!({"name": "n", "head_sha": COMMIT, "status": "completed"}),
            "No subschema in \"anyOf\" matched.",
        ),
        (
            "POST /check-runs",
            json!({"name": "n", "head_sha": COMMIT, "conclusion": "good"}),
            "good is not a member of [\"success\", \"failure\", \"neutral\", \"cancelled\", \"skipped\", \"timed_out\", \
             \"action_required\", \"stale\"].",
        ),
        ("POST /check-runs", check_run(&vec![annotation(1); 51]), "No more than 50 items are allowed; 51 were supplied."),
        (
            "POST /check-runs",
            check_run(&[json!({"path": "a", "start_line": null, "annotation_level": "error"})]),
            "\"end_line\", \"message\" weren't supplied.\nFor 'properties/start_line', nil is not an integer.\n\
             error is not a member of [\"notice\", \"warning\", \"failure\"].",
        ),
    ];
    for name in ["summary", "text"] {
        let mut long = check_run(&[]);
        long["output"][name] = "x".repeat(65_536).into();
        cases.push(("POST /check-runs", long, "Only 65535 characters are allowed; 65536 were supplied."));
    }
    for (route, document, sentences) in cases {
        let (method, path) = route.split_once(' ').unwrap();
        let said = client.ask(method, path, Some(&document)).unwrap();
        assert_eq!((said.status, said.message()), (422, format!("Invalid request.\n\n{sentences}")), "{document}");
    }
    assert_eq!(client.post("/check-runs", &json!([])).message(), "Body should be a JSON object");
    assert!(repository.check_runs().is_empty());
}

#[test]
fn a_check_run_that_makes_no_sense_is_refused() {
    let repository = repository(Options::default());
    let client = Client::of(&repository);
    let with = |changes: Value| {
        let mut annotation = annotation(2);
        annotation.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        client.post("/check-runs", &check_run(&[annotation]))
    };
    let senseless = [
        json!({"start_line": 1, "start_column": 1}),
        json!({"start_line": 1, "start_column": 1, "end_column": 3}),
        json!({"start_column": 3, "end_column": 2}),
        json!({"start_column": 0}),
        json!({"start_line": 3}),
        json!({"start_line": 0, "end_line": 0}),
        json!({"path": ""}),
        json!({"title": "x".repeat(256)}),
        json!({"message": "x".repeat(65_537)}),
        json!({"raw_details": "x".repeat(65_537)}),
    ];
    for changes in senseless {
        let said = with(changes.clone());
        let errors = json!([{"resource": "CheckRun", "code": "invalid", "field": "annotations"}]);
        assert_eq!((said.status, said.message().as_str()), (422, "Validation Failed"), "{changes}");
        assert_eq!(said.document()["errors"], errors, "{changes}");
    }
    assert_eq!(with(json!({"start_column": 2, "end_column": 2, "title": "x".repeat(255)})).status, 201);

    let mut long = check_run(&[]);
    long["output"]["summary"] = "ä".repeat(32_768).into();
    let said = client.post("/check-runs", &long).document();
    assert_eq!(said["errors"][0]["message"], "summary exceeds a maximum bytesize of 65535");
    long["output"]["summary"] = "ä".repeat(32_767).into();
    assert_eq!(client.post("/check-runs", &long).status, 201);

    let other = COMMIT.replace('4', "5");
    let unknown = (422, format!("No commit found for SHA: {other}"));
    let said = client.post("/check-runs", &json!({"name": "n", "head_sha": other}));
    assert_eq!((said.status, said.message()), unknown);
    let said = client.get(&format!("/commits/{other}/check-runs"));
    assert_eq!((said.status, said.message()), unknown);
    assert_eq!(client.patch("/check-runs/99", &json!({"status": "in_progress"})).status, 404);
}

/// A log with so many of something.
type LogOf<'a> = dyn Fn(usize) -> Value + 'a;

#[test]
fn a_log_over_a_limit_fails_with_githubs_words_and_one_at_the_limit_does_not() {
    let repository = repository(Options::default());
    let client = Client::of(&repository);
    let many = |count: usize, one: &Value| Value::Array(vec![one.clone(); count]);
    let runs = |count: usize| log(&(0..count).map(|one| run(&one.to_string(), &[])).collect::<Vec<_>>());
    let of_run = |pointer: &str, value: Value| {
        let mut run = run("image", &[result("a")]);
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        run.pointer_mut(parent).unwrap()[name] = value;
        log(&[run])
    };
    let location = &result("a")["locations"][0];
    let flow = |count: usize| json!([{"threadFlows": [{"locations": many(count, &json!({}))}]}]);
    let cases: Vec<(&str, usize, Box<LogOf>)> = vec![
        ("runs", 20, Box::new(runs)),
        ("results per run", 25_000, Box::new(|count| of_run("/results", many(count, &result("a"))))),
        ("rules per run", 25_000, Box::new(|count| of_run("/tool/driver/rules", many(count, &json!({"id": "a"}))))),
        ("tool extensions per run", 100, Box::new(|count| of_run("/tool/extensions", many(count, &json!({"name": "e"}))))),
        ("threadflow steps per result", 10_000, Box::new(|count| of_run("/results/0/codeFlows", flow(count)))),
        ("locations per result", 1_000, Box::new(|count| of_run("/results/0/locations", many(count, location)))),
        ("tags per rule", 20, Box::new(|count| of_run("/tool/driver/rules/0/properties/tags", many(count, &json!("t"))))),
    ];
    for (what, limit, log) in cases {
        assert_eq!(client.upload(COMMIT, MAIN, &log(limit))["processing_status"], "complete", "{what}");
        let status = client.upload(COMMIT, MAIN, &log(limit + 1));
        let error = format!("rejecting SARIF, as there are more {what} than allowed ({} > {limit})", limit + 1);
        assert_eq!((&status["processing_status"], &status["errors"]), (&json!("failed"), &json!([error])));
    }
}

#[test]
fn a_log_that_github_makes_no_sense_of_fails_with_githubs_words() {
    let repository = repository(Options::default());
    let client = Client::of(&repository);
    let mut undefined = run("image", &[]);
    undefined["tool"]["driver"]["rules"][0]["properties"]["security-severity"] = "undefined".into();
    let (mut nowhere, mut no_file) = (result("a"), result("b"));
    nowhere["locations"] = json!([]);
    no_file["locations"][0]["physicalLocation"] = json!({});
    let cases = [
        (json!("text"), "SARIF file invalid"),
        (
            log(&[run("image", &[]), run("image", &[])]),
            "A delivery cannot contain multiple runs with the same category. Please upload a single run per category. For more \
             information, see https://github.blog/changelog/2025-07-21-code-scanning-will-stop-combining-multiple-sarif-runs-\
             uploaded-in-the-same-sarif-file/",
        ),
        (log(&[undefined]), "could not convert rules: invalid security severity value, is not a number: undefined"),
        (
            log(&[run("image", &[nowhere, no_file, result("c")])]),
            "locationFromSarifResult: expected at least one location, locationFromSarifResult: expected artifact location",
        ),
    ];
    for (log, error) in cases {
        let status = client.upload(COMMIT, MAIN, &log);
        assert_eq!((&status["processing_status"], &status["errors"]), (&json!("failed"), &json!([error])));
    }
    assert_eq!((repository.uploads().len(), repository.analyses().len()), (4, 0));
    assert_eq!(client.get("/code-scanning/sarifs/another").status, 404);
}

#[test]
fn an_analysis_replaces_that_of_the_same_ref_category_and_tool() {
    let repository = repository(Options::default());
    let client = Client::of(&repository);
    let fingerprints = |reference: &str| {
        let alerts = repository.alerts(reference);
        let mut found: Vec<String> = alerts.into_iter().filter_map(|alert| alert.fingerprint).collect();
        found.sort();
        found
    };
    let results = ["a", "b", "b"].map(result);
    let other =
        json!({"tool": {"driver": {"name": "gitleaks"}}, "automationDetails": {"id": "image/"}, "results": [result("c")]});
    client.upload(COMMIT, MAIN, &log(&[run("image", &results), run("other", &[result("d")]), other]));
    assert_eq!(fingerprints(MAIN), ["a", "b", "c", "d"]);
    client.upload(COMMIT, "refs/heads/topic", &log(&[run("image", &[result("t")])]));
    client.upload(COMMIT, MAIN, &log(&[run("image", &[result("e")])]));
    assert_eq!(fingerprints(MAIN), ["c", "d", "e"]);
    assert_eq!(fingerprints("refs/heads/topic"), ["t"]);
    client.upload(COMMIT, MAIN, &log(&[run("image", &[]), run("image", &[])]));
    assert_eq!(fingerprints(MAIN), ["c", "d", "e"], "what fails replaces nothing");
    client.upload(COMMIT, MAIN, &log(&[run("image", &[])]));
    assert_eq!(fingerprints(MAIN), ["c", "d"]);
    let categories: Vec<String> = repository.analyses().into_iter().map(|analysis| analysis.category).collect();
    assert_eq!(categories, ["image", "other", "image", "image", "image", "image"]);
}

#[test]
fn of_many_results_the_worst_five_thousand_are_shown() {
    let repository = repository(Options::default());
    let mut results: Vec<Value> = (0..5_000).map(|number| result(&number.to_string())).collect();
    results.iter_mut().for_each(|result| result["ruleId"] = "mild".into());
    results.push(result("worst"));
    let status = Client::of(&repository).upload(COMMIT, MAIN, &log(&[run("image", &results)]));
    assert_eq!((&status["processing_status"], &status["errors"]), (&json!("complete"), &Value::Null));
    let alerts = repository.alerts(MAIN);
    assert_eq!((alerts.len(), alerts[0].fingerprint.as_deref()), (5_000, Some("worst")));
}

#[test]
fn an_upload_may_stay_pending_for_good() {
    let repository = repository(Options::default().pending_forever());
    let client = Client::of(&repository);
    let said = client.post("/code-scanning/sarifs", &delivery(COMMIT, MAIN, &log(&[run("image", &[])])));
    let status = said.document()["url"].as_str().unwrap().rsplit_once("/code-scanning").unwrap().1.to_owned();
    for _ in 0..20 {
        assert_eq!(client.get(&format!("/code-scanning{status}")).document()["processing_status"], "pending");
    }
}

#[test]
fn an_enterprise_server_answers_under_its_own_address() {
    let repository = repository(Options::default());
    let said = Client::enterprise(&repository).post("/check-runs", &check_run(&[]));
    let api = repository.enterprise().into_iter().find(|(name, _)| name == "GITHUB_API_URL").unwrap().1;
    assert!(api.ends_with("/api/v3"), "{api}");
    let url = format!("{api}/repos/{}/check-runs/{}", repository.slug(), said.document()["id"]);
    assert_eq!((said.status, said.document()["url"].as_str()), (201, Some(url.as_str())));
    assert_eq!(repository.journal()[0].path, format!("/repos/{}/check-runs", repository.slug()));
}

#[test]
fn haste_is_refused_as_github_refuses_it() {
    let repository = repository(Options::default());
    let client = Client::of(&repository);
    let call = Call::CreateCheckRun;
    repository.fail(call, Times::Nth(1), Fault::Limit { status: 403, reset_in: 60 });
    repository.fail(call, Times::Nth(2), Fault::Limit { status: 429, reset_in: 60 });
    repository.fail(call, Times::Nth(3), Fault::Haste { status: 403, retry_after: Some(7) });
    repository.fail(call, Times::Nth(4), Fault::Haste { status: 429, retry_after: None });
    let said: Vec<_> = (0..5).map(|_| client.post("/check-runs", &check_run(&[]))).collect();
    assert_eq!(said.iter().map(|said| said.status).collect::<Vec<_>>(), [403, 429, 403, 429, 201]);
    let now = jiff::Timestamp::now().as_second();
    for said in &said[..2] {
        assert!(said.message().starts_with("API rate limit exceeded for installation ID"), "{said:?}");
        assert_eq!((said.header("x-ratelimit-remaining"), said.header("retry-after")), (Some("0"), None));
        let reset: i64 = said.header("x-ratelimit-reset").unwrap().parse().unwrap();
        assert!(reset > now && reset <= now + 60, "{reset} {now}");
    }
    for (said, retry_after) in said[2..4].iter().zip([Some("7"), None]) {
        assert!(said.message().starts_with("You have exceeded a secondary rate limit. Please wait a few minutes"), "{said:?}");
        assert_eq!((said.header("retry-after"), said.header("x-ratelimit-remaining")), (retry_after, Some("999")));
    }
    assert_eq!(repository.check_runs().len(), 1);
}

#[test]
fn trouble_of_githubs_own_is_a_page_and_nothing_is_done() {
    let repository = repository(Options::default());
    let client = Client::of(&repository);
    for (nth, status) in [500, 502, 503, 504].into_iter().enumerate() {
        repository.fail(Call::CreateCheckRun, Times::Nth(nth + 1), Fault::Status(status));
        let said = client.post("/check-runs", &check_run(&[]));
        assert_eq!((said.status, said.header("content-type")), (status, Some("text/html; charset=utf-8")));
        assert!(said.text.contains("<title>Unicorn! &middot; GitHub</title>"), "{said:?}");
    }
    assert!(repository.check_runs().is_empty());
    repository.fail(Call::CreateCheckRun, Times::Always, Fault::Status(503));
    assert_eq!(client.post("/check-runs", &check_run(&[])).status, 503);
    repository.mend(Call::CreateCheckRun);
    assert_eq!(client.post("/check-runs", &check_run(&[])).status, 201);
}

#[test]
fn a_connection_may_end_before_or_after_what_is_asked_is_done() {
    for (fault, done) in [(Fault::Refused, 0), (Fault::Silence, 1), (Fault::Cut, 1)] {
        let repository = repository(Options::default());
        repository.fail(Call::CreateCheckRun, Times::First(1), fault);
        let client = Client::of(&repository);
        let said = client.ask("POST", "/check-runs", Some(&check_run(&[])));
        assert!(said.is_err(), "{fault:?}: {said:?}");
        assert_eq!(repository.check_runs().len(), done, "{fault:?}");
        assert_eq!(repository.journal()[0].status, None);
        assert_eq!(client.post("/check-runs", &check_run(&[])).status, 201, "{fault:?}");
    }
}

#[test]
fn a_request_is_held_before_or_after_what_it_asks_is_done() {
    for (moment, done) in [(Moment::Before, 0), (Moment::After, 1)] {
        let repository = repository(Options::default());
        let held = repository.hold(Call::CreateCheckRun, 1, moment);
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| Client::of(&repository).post("/check-runs", &check_run(&[])));
            held.arrived();
            assert_eq!(repository.check_runs().len(), done, "{moment:?}");
            assert!(!asking.is_finished());
            held.release();
            assert_eq!(asking.join().unwrap().status, 201);
        });
        assert_eq!(repository.check_runs().len(), 1, "{moment:?}");
    }
}

#[test]
fn a_client_that_gives_up_is_seen_to_be_gone() {
    let repository = repository(Options::default());
    let held = repository.hold(Call::CreateCheckRun, 1, Moment::Before);
    let address = format!("{}/repos/{}/check-runs", repository.api(), repository.slug());
    let mut curl = std::process::Command::new("curl").args(["-sS", "-d", "{}", &address]).spawn().unwrap();
    held.arrived();
    curl.kill().unwrap();
    curl.wait().unwrap();
    held.gone();
    assert!(repository.check_runs().is_empty());
}

#[test]
fn repositories_have_nothing_in_common() {
    let (one, other) = (repository(Options::default()), repository(Options::default()));
    assert_eq!(Client::of(&one).post("/check-runs", &check_run(&[])).status, 201);
    assert_eq!(Client::of(&other).token(Some(&one.token())).post("/check-runs", &check_run(&[])).status, 401);
    assert_eq!((one.check_runs().len(), other.check_runs().len()), (1, 0));
    assert_eq!((one.count(Call::CreateCheckRun), other.count(Call::CreateCheckRun)), (1, 1));
    assert!(one.slug() != other.slug() && one.token() != other.token());
}

#[test]
fn an_environments_rules_are_read_page_by_page_by_githubs_own_library() {
    let selected = (0..35).map(|n| (format!("release/{n}"), n % 2 == 0)).collect();
    let options = Options::default().permissions(&["actions: read"]).environment("prod", Branches::Selected(selected));
    let repository = repository(options.environment("dev", Branches::Any).environment("test", Branches::Protected));
    let slug = repository.slug();
    let at = |name: &str, rest: &str| format!("GET /repos/{slug}/environments/{name}{rest}");
    let said = octokit(
        &repository,
        &json!([
            [at("prod", ""), {}],
            [at("prod", "/deployment-branch-policies"), {"page": 2}],
            [at("dev", ""), {}],
            [at("test", ""), {}],
            [at("absent", ""), {}],
        ]),
    );
    assert_eq!(said[0]["data"]["deployment_branch_policy"]["custom_branch_policies"], true);
    assert_eq!(
        (said[1]["data"]["total_count"].as_u64(), said[1]["data"]["branch_policies"].as_array().unwrap().len()),
        (Some(35), 5)
    );
    assert_eq!(said[2]["data"]["deployment_branch_policy"], Value::Null);
    assert_eq!(said[3]["data"]["deployment_branch_policy"]["protected_branches"], true);
    assert_eq!(said[4]["status"], 404);
    let without = GitHub::start().repository(Options::default().environment("prod", Branches::Any));
    let refused = Client::of(&without).get("/environments/prod");
    assert_eq!((refused.status, &*refused.message()), (403, "Resource not accessible by integration"));
}

#[test]
fn githubs_own_library_makes_finds_changes_and_closes_an_issue() {
    let repository = repository(Options::default().permissions(&["issues: write"]));
    let (owner, repo) = (json!("octo-org"), json!(repository.slug().split_once('/').unwrap().1));
    let of = |more: Value| {
        let mut parameters = json!({"owner": owner, "repo": repo});
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parameters
    };
    let issues = "/repos/{owner}/{repo}/issues";
    let made = json!([format!("POST {issues}"), of(json!({"title": "t", "body": "b", "labels": ["one", "two"]}))]);
    let change = |more: Value| json!([format!("PATCH {issues}/{{issue_number}}"), of(more)]);
    let list = |more: Value| json!([format!("GET {issues}"), of(more)]);
    let said = octokit(
        &repository,
        &json!([
            made,
            change(json!({"issue_number": 1, "body": "c"})),
            list(json!({"labels": "two", "state": "all"})),
            list(json!({"labels": "three"})),
            list(json!({"creator": "mallory"})),
            change(json!({"issue_number": 1, "state": "closed", "state_reason": "not_planned"})),
            list(json!({})),
            change(json!({"issue_number": 9, "title": "t"})),
        ]),
    );
    assert_eq!((&said[0]["status"], &said[0]["data"]["user"]["login"]), (&json!(201), &json!("github-actions[bot]")), "{said:?}");
    assert_eq!((&said[2]["data"][0]["body"], &said[2]["data"][0]["labels"][1]["name"]), (&json!("c"), &json!("two")));
    assert_eq!([3, 4, 6].map(|at: usize| said[at]["data"].as_array().unwrap().len()), [0; 3]);
    assert_eq!((&said[5]["data"]["state_reason"], &said[7]["status"]), (&json!("not_planned"), &json!(404)));
}

#[test]
fn issues_are_refused_as_github_refuses_them() {
    let issue = json!({"title": "t"});
    let reads = repository(Options::default().permissions(&["issues: read"]));
    let said = Client::of(&reads).post("/issues", &issue);
    assert_eq!((said.status, said.message().as_str()), (403, "Resource not accessible by integration"));
    assert_eq!(said.header("x-accepted-github-permissions"), Some("issues=write"));
    assert_eq!(Client::of(&reads).get("/issues").status, 200, "anyone may read those of a public repository");
    let off = repository(Options::default().permissions(&["issues: write"]).without_issues());
    let said = Client::of(&off).post("/issues", &issue);
    assert_eq!((said.status, said.message().as_str()), (410, "Issues are disabled for this repo"));
    let writes = repository(Options::default().permissions(&["issues: write"]));
    for (document, words) in [
        (json!({"body": "b"}), "\"title\" wasn't supplied."),
        (json!({"title": "t".repeat(257)}), "Validation Failed"),
        (json!({"title": "t", "body": "b".repeat(65_537)}), "Validation Failed"),
    ] {
        let said = Client::enterprise(&writes).post("/issues", &document);
        assert!(said.status == 422 && said.message().contains(words), "{said:?}");
    }
}
