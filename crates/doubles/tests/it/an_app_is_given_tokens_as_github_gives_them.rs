//! A GitHub App proves who it is, and gets tokens for what it asks and for no more than its owner has granted.

use std::time::{SystemTime, UNIX_EPOCH};

use doubles::github::stranger::{Client, Said};
use doubles::github::{App, GitHub, Options, Repository};
use serde_json::{Value, json};

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

fn claims(issuer: &Value, begin: i64, end: i64) -> Value {
    json!({"iss": issuer, "iat": now() + begin, "exp": now() + end})
}

fn with(app: &App) -> Repository {
    GitHub::start().repository(Options::default().permissions(&[]).app(app))
}

fn good(app: &App) -> String {
    app.signed(&claims(&json!(app.client_id()), -60, 540))
}

/// What an App is answered that asks for a token.
fn asked(repository: &Repository, app: &App, assertion: &str, document: &Value) -> Said {
    let client = Client::outside(repository).token(Some(assertion));
    client.post(&format!("/app/installations/{}/access_tokens", app.installation()), document)
}

#[test]
fn an_app_finds_its_installation_and_its_token_does_what_it_asked_for_until_it_is_ended() {
    let app = App::new();
    let repository = with(&app);
    let (_, name) = repository.slug().split_once('/').map(|(owner, name)| (owner.to_owned(), name.to_owned())).unwrap();
    let found = Client::of(&repository).token(Some(&good(&app))).get("/installation");
    assert_eq!((found.status, found.document()["id"].as_u64()), (200, Some(app.installation())), "{found:?}");
    let narrow = json!({"repositories": [name], "permissions": {"issues": "write"}});
    let said = asked(&repository, &app, &app.signed(&claims(&json!(app.id().parse::<u64>().unwrap()), 0, 600)), &narrow);
    assert_eq!((said.status, &said.document()["permissions"]), (201, &json!({"issues": "write"})), "{said:?}");
    let token = said.document()["token"].as_str().unwrap().to_owned();
    let client = || Client::of(&repository).token(Some(&token));
    assert_eq!(client().post("/issues", &json!({"title": "t"})).status, 201);
    assert_eq!(client().get("/commits/main/check-runs").status, 403, "it has not asked for that");
    let end = || Client::outside(&repository).token(Some(&token)).ask("DELETE", "/installation/token", None).unwrap();
    assert_eq!((end().status, end().status), (204, 401));
    assert_eq!(client().post("/issues", &json!({"title": "t"})).status, 401);
    assert!(repository.app_tokens()[0].revoked);
}

#[test]
fn an_assertion_that_is_not_this_apps_now_is_refused() {
    let app = App::new();
    let repository = with(&app);
    let id = json!(app.client_id());
    // The signature of another assertion.
    let (one, other) = (good(&app), app.signed(&claims(&id, -60, 500)));
    let foreign = format!("{}.{}", one.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
    let mut without = claims(&id, -60, 540);
    without.as_object_mut().unwrap().remove("iss");
    for (assertion, status, words) in [
        ("x".to_owned(), 401, "could not be decoded"),
        (foreign, 401, "could not be decoded"),
        (repository.token(), 401, "could not be decoded"),
        (app.signed(&without), 401, "Missing 'issuer' claim"),
        (app.signed(&claims(&json!("Iv23liOfSomebodyElse"), -60, 540)), 404, "Integration not found"),
        (app.signed(&claims(&id, -60, 660)), 401, "too far in the future"),
        (app.signed(&claims(&id, -600, -1)), 401, "must be a numeric value"),
        (app.signed(&claims(&id, 60, 540)), 401, "must be an Integer"),
        (app.signed(&json!({"iss": id, "iat": now() - 60, "exp": "soon"})), 401, "must be a numeric value"),
    ] {
        for said in [
            Client::of(&repository).token(Some(&assertion)).get("/installation"),
            asked(&repository, &app, &assertion, &json!({})),
        ] {
            assert!(said.status == status && said.message().contains(words), "{words}: {said:?}");
        }
    }
    assert!(repository.app_tokens().is_empty());
}

#[test]
fn what_the_owner_has_not_granted_is_refused() {
    let wants = |permissions: Value| json!({"permissions": permissions});
    for (app, document, status, words) in [
        (App::new().elsewhere(), json!({}), 404, "Not Found"),
        (App::new().suspended(), json!({}), 403, "This installation has been suspended"),
        (App::new().without_keys(), json!({}), 401, "Integration must generate a public key"),
        (
            App::new().permissions(&["contents: read"]),
            wants(json!({"contents": "write"})),
            422,
            "permissions requested are not granted",
        ),
        (App::new(), json!({"repositories": ["another"]}), 422, "does not exist or is not accessible"),
    ] {
        let repository = with(&app);
        let said = asked(&repository, &app, &good(&app), &document);
        assert!(said.status == status && said.message().contains(words), "{words}: {said:?}");
        assert!(repository.app_tokens().is_empty());
    }
    let app = App::new();
    let said = Client::of(&with(&app)).token(Some(&good(&App::new().elsewhere()))).get("/installation");
    assert_eq!(said.status, 404, "another App's");
}

#[test]
fn githubs_clock_counts_and_a_token_ends_by_itself() {
    let ahead = App::new().ahead(120);
    let said = asked(&with(&ahead), &ahead, &ahead.signed(&claims(&json!(ahead.id()), -60, 100)), &json!({}));
    assert_eq!(said.status, 401, "{said:?}");
    let short = App::new().lifetime(0);
    let repository = with(&short);
    let said = asked(&repository, &short, &good(&short), &json!({}));
    let token = said.document()["token"].as_str().unwrap().to_owned();
    assert_eq!(Client::of(&repository).token(Some(&token)).post("/issues", &json!({"title": "t"})).status, 401);
}
