//! The registry of the world that other tests deliver into is checked by strangers: crane, boto3 and plain HTTP.

use doubles::aws::stranger::{Login, digest_of, push, reference, session};
use doubles::aws::{Call, Fault, Mutability, ShelfImage, Times, World};
use serde_json::{Value, json};

#[test]
fn crane_pushes_and_pulls_with_a_password_of_the_session() {
    let world = World::options().start();
    let login = Login::to(&world);
    let digest = push(&world, &login, "one", "v1").unwrap();
    assert_eq!(world.tags().get("v1"), Some(&digest));
    let folder = tempfile::tempdir().unwrap();
    let pulled = folder.path().join("image");
    login.crane(&["pull", "--format=oci", &reference(&world, "v1"), &pulled.to_string_lossy()]).unwrap();
    assert!(pulled.join("index.json").exists());
    assert_eq!((world.count(Call::ManifestPutTag), world.count(Call::ManifestPutByDigest)), (1, 0));
    assert!(world.calls().iter().all(|entry| entry.status.is_some()), "{:?}", world.calls());
}

#[test]
fn the_registry_refuses_as_ecr_does() {
    let world = World::options().start();
    let login = Login::to(&world);
    let stranger = Login::with(&world, "QVdTOm5vbmU=");
    let refusal = push(&world, &stranger, "one", "v1").unwrap_err();
    assert!(refusal.contains("401"), "{refusal}");
    let nowhere = format!("{}/team/none:v1", world.host());
    let refusal = login.crane(&["manifest", &nowhere]).unwrap_err();
    assert!(refusal.contains("is not authorized to perform: ecr:BatchGetImage"), "{refusal}");
    world.allow(&["ecr:BatchGetImage", "ecr:BatchCheckLayerAvailability"]);
    let refusal = push(&world, &login, "one", "v1").unwrap_err();
    let sentence = format!(
        "DENIED: User: arn:aws:sts::{}:assumed-role/delivery/boto is not authorized to perform: ecr:InitiateLayerUpload",
        world.account()
    );
    assert!(refusal.contains(&sentence), "{refusal}");

    let missing = World::options().no_repository().start();
    let refusal = push(&missing, &Login::to(&missing), "one", "v1").unwrap_err();
    let sentence = format!(
        "NAME_UNKNOWN: The repository with name 'team/app' does not exist in the registry with id '{}'",
        missing.account()
    );
    assert!(refusal.contains(&sentence), "{refusal}");

    let late = World::options().first_password_lifetime(0).start();
    let refusal = Login::to(&late).crane(&["manifest", &reference(&late, "v1")]).unwrap_err();
    assert!(refusal.contains("Your authorization token has expired. Reauthenticate and try again."), "{refusal}");
}

#[test]
fn an_immutable_tag_stays_whatever_it_is_to_name() {
    let filters: [(_, &[&str], _, _); 4] = [
        (Mutability::Immutable, &[], false, false),
        (Mutability::ImmutableWithExclusion, &["dev-*"], true, false),
        (Mutability::MutableWithExclusion, &["dev-*"], false, true),
        (Mutability::Mutable, &[], true, true),
    ];
    for (mutability, filters, dev_moves, v1_moves) in filters {
        let world = World::options().tags(mutability, filters).also_allow(&["ecr:DescribeRepositories"]).start();
        let login = Login::to(&world);
        for (tag, moves) in [("dev-1", dev_moves), ("v1", v1_moves)] {
            push(&world, &login, "one", tag).unwrap();
            let said = push(&world, &login, "two", tag);
            assert_eq!(said.is_ok(), moves, "{mutability:?} {tag}: {said:?}");
            if let Err(refusal) = said {
                let sentence = format!(
                    "TAG_INVALID: The image tag '{tag}' already exists in the 'team/app' repository and cannot be overwritten \
                     because the tag is immutable."
                );
                assert!(refusal.contains(&sentence), "{refusal}");
            }
        }
        let said = session(&world, &json!([["ecr", "describe_repositories", {"repositoryNames": ["team/app"]}]]));
        assert_eq!(said[1]["said"]["repositories"][0]["imageTagMutability"], mutability.word());
        let described = said[1]["said"]["repositories"][0]["imageTagMutabilityExclusionFilters"].as_array().map_or(0, Vec::len);
        assert_eq!(described, filters.len());
    }
}

#[test]
fn images_are_removed_by_the_api_only_and_go_with_their_last_tag() {
    let world = World::options().also_allow(&["ecr:BatchDeleteImage"]).start();
    let login = Login::to(&world);
    let digest = push(&world, &login, "one", "v1").unwrap();
    assert_eq!(push(&world, &login, "one", "v2").unwrap(), digest);
    let by_digest = format!("{}/team/app@{digest}", world.host());
    let refusal = login.crane(&["delete", &by_digest]).unwrap_err();
    assert!(refusal.contains("UNSUPPORTED"), "{refusal}");
    let remove = |image: Value| {
        let said = session(&world, &json!([["ecr", "batch_delete_image", {"repositoryName": "team/app", "imageIds": [image]}]]));
        said[1]["said"].clone()
    };
    let said = remove(json!({"imageTag": "v1"}));
    assert_eq!(said["imageIds"], json!([{"imageDigest": digest, "imageTag": "v1"}]));
    assert_eq!(world.tags(), [("v2".to_owned(), digest.clone())].into());
    assert_eq!(remove(json!({"imageTag": "v1"}))["failures"][0]["failureCode"], "ImageNotFound");
    assert!(login.crane(&["manifest", &by_digest]).is_ok());
    remove(json!({"imageTag": "v2"}));
    let refusal = login.crane(&["manifest", &by_digest]).unwrap_err();
    assert!(refusal.contains("MANIFEST_UNKNOWN"), "{refusal}");

    push(&world, &login, "one", "v1").unwrap();
    push(&world, &login, "one", "v2").unwrap();
    assert_eq!(remove(json!({"imageDigest": digest}))["imageIds"].as_array().unwrap().len(), 2);
    assert_eq!(world.tags().len(), 0);
}

#[test]
fn an_index_needs_its_images_and_they_stay_while_it_names_them() {
    let world = World::options().also_allow(&["ecr:BatchDeleteImage"]).start();
    let login = Login::to(&world);
    let digests = ["one", "two"].map(|name| push(&world, &login, name, name).unwrap());
    let (one, two, both) = (reference(&world, "one"), reference(&world, "two"), reference(&world, "both"));
    login.crane(&["index", "append", "--manifest", &one, "--manifest", &two, "--tag", &both]).unwrap();
    let index = world.tags()["both"].clone();
    let remove = |image: Value| {
        let said = session(&world, &json!([["ecr", "batch_delete_image", {"repositoryName": "team/app", "imageIds": [image]}]]));
        said[1]["said"].clone()
    };
    let said = remove(json!({"imageDigest": digests[0]}));
    assert_eq!(said["failures"][0]["failureCode"], "ImageReferencedByManifestList");
    assert!(said["failures"][0]["failureReason"].as_str().unwrap().contains(&index), "{said}");
    assert_eq!(remove(json!({"imageTag": "one"}))["failures"], json!([]));
    assert!(login.crane(&["manifest", &format!("{}/team/app@{}", world.host(), digests[0])]).is_ok());
    assert_eq!(remove(json!({"imageTag": "both"}))["failures"], json!([]));
    assert_eq!(world.tags().into_keys().collect::<Vec<_>>(), ["two"]);
}

/// A client that shows the password and follows no redirects.
struct Raw {
    http: reqwest::Client,
    base: String,
    pair: String,
}

impl Raw {
    fn to(world: &World) -> Self {
        let said = session(world, &json!([["ecr", "get_authorization_token", {}]]));
        let pair = said[1]["said"]["authorizationData"][0]["authorizationToken"].as_str().unwrap().to_owned();
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, base: format!("http://{}", world.host()), pair }
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let address = if path.starts_with("http://") { path.to_owned() } else { format!("{}{path}", self.base) };
        let authorization = format!("Basic {}", self.pair);
        self.http.request(method.parse().unwrap(), address).header("authorization", authorization)
    }

    /// The status, the `Location` and the body of an answer.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String, String) {
        let answer = self.request(method, path).body(body.to_owned()).send().await.unwrap();
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), location.unwrap_or_default(), answer.text().await.unwrap())
    }
}

#[tokio::test]
async fn whoever_shows_no_password_is_asked_for_one() {
    let world = World::options().start();
    let answer = reqwest::get(format!("http://{}/v2/", world.host())).await.unwrap();
    assert_eq!(answer.status(), 401);
    let challenge = format!("Basic realm=\"http://{}/\",service=\"ecr.amazonaws.com\"", world.host());
    assert_eq!(answer.headers()["www-authenticate"], challenge);
    assert_eq!(Raw::to(&world).ask("GET", "/v2/", "").await.0, 200);
}

#[tokio::test]
async fn of_an_upload_in_parts_the_first_is_kept_and_the_others_are_taken_and_dropped() {
    let world = World::options().start();
    let client = Raw::to(&world);
    for (content, status) in [("first", 201), ("firstsecond", 400)] {
        let (_, upload, _) = client.ask("POST", "/v2/team/app/blobs/uploads/", "").await;
        let (first, next, _) = client.ask("PATCH", &upload, "first").await;
        let (second, last, _) = client.ask("PATCH", &next, "second").await;
        assert_eq!((first, second), (201, 201));
        let (answer, _, text) = client.ask("PUT", &format!("{last}&digest={}", digest_of(content.as_bytes())), "").await;
        assert_eq!(answer, status, "{content}: {text}");
    }
}

#[tokio::test]
async fn a_blob_is_mounted_where_the_account_and_the_role_let_it() {
    let (actions, content) = (json!(["ecr:*"]), "layer");
    for (options, expected) in [(World::options(), 202), (World::options().mounts(), 201)] {
        let world = options.start();
        world.create_repository("team/base", Mutability::Mutable, &[]);
        world.set_role_policy(&json!({"Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}}));
        let client = Raw::to(&world);
        let (_, upload, _) = client.ask("POST", "/v2/team/base/blobs/uploads/", "").await;
        let digest = digest_of(content.as_bytes());
        assert_eq!(client.ask("PUT", &format!("{upload}&digest={digest}"), content).await.0, 201);
        let mount = format!("/v2/team/app/blobs/uploads/?mount={digest}&from=team/base");
        assert_eq!(client.ask("POST", &mount, "").await.0, expected);
        world.allow(&["ecr:InitiateLayerUpload"]);
        assert_eq!(client.ask("POST", &mount, "").await.0, 202, "the role may not read the other repository");
    }
}

#[tokio::test]
async fn content_is_elsewhere_and_no_password_belongs_there() {
    let world = World::options().start();
    let client = Raw::to(&world);
    let (_, upload, _) = client.ask("POST", "/v2/team/app/blobs/uploads/", "").await;
    let digest = digest_of(b"layer");
    client.ask("PUT", &format!("{upload}&digest={digest}"), "layer").await;
    let (status, location, _) = client.ask("GET", &format!("/v2/team/app/blobs/{digest}"), "").await;
    assert!(status == 307 && location.starts_with(&format!("http://{}/", world.storage())), "{status} {location}");
    let (status, _, text) = client.ask("GET", &location, "").await;
    assert!(status == 400 && text.contains("Only one auth mechanism allowed"), "{status} {text}");
    assert_eq!(client.http.get(&location).send().await.unwrap().text().await.unwrap(), "layer");
    assert_eq!(client.http.get(location.replace("Signature=", "Signature=x")).send().await.unwrap().status(), 403);
    let (status, _, text) = client.ask("GET", &format!("/v2/team/app/blobs/{}", digest_of(b"none")), "").await;
    assert!(status == 404 && text.contains("BLOB_UNKNOWN"), "{status} {text}");
    assert_eq!((world.count(Call::BlobGet), world.count(Call::BlobContent)), (2, 3));
    world.fail(Call::BlobContent, Times::Once, Fault::Throttle);
    let (status, _, text) = client.ask("GET", &location, "").await;
    assert!(status == 503 && text.contains("SlowDown"), "{status} {text}");
}

#[tokio::test]
async fn a_manifest_that_names_what_is_missing_is_refused_in_ecrs_words() {
    let world = World::options().start();
    let client = Raw::to(&world);
    let none = digest_of(b"none");
    let [image, config, layer, index] = ["image.manifest.v1", "image.config.v1", "image.layer.v1.tar", "image.index.v1"]
        .map(|kind| format!("application/vnd.oci.{kind}{}", if kind.contains("layer") { "" } else { "+json" }));
    let blob = |kind: &str| json!({"mediaType": kind, "digest": none, "size": 4});
    let manifest = json!({"schemaVersion": 2, "mediaType": image, "config": blob(&config), "layers": [blob(&layer)]});
    let list = json!({"schemaVersion": 2, "mediaType": index, "manifests": [blob(&image)]});
    for (kind, document, word) in [(&image, manifest, "Layers"), (&index, list, "Images")] {
        let request = client.request("PUT", "/v2/team/app/manifests/v1").header("content-type", kind);
        let text = request.body(document.to_string()).send().await.unwrap().text().await.unwrap();
        let beginning = format!("\"message\":\"{word} with digests '[{none}");
        assert!(text.contains("MANIFEST_BLOB_UNKNOWN") && text.contains(&beginning), "{text}");
    }
    assert!(world.tags().is_empty());
}

#[tokio::test]
async fn connections_end_where_the_test_wants_them_to() {
    let world = World::options().start();
    let client = Raw::to(&world);
    let (_, upload, _) = client.ask("POST", "/v2/team/app/blobs/uploads/", "").await;
    let upload = format!("{upload}&digest={}", digest_of(b"layer"));
    world.fail(Call::UploadPut, Times::Once, Fault::CutRequest(2));
    world.fail(Call::UploadPut, Times::Once, Fault::Silence);
    assert!(client.request("PUT", &upload).body("layer").send().await.is_err());
    let head = format!("/v2/team/app/blobs/{}", digest_of(b"layer"));
    assert_eq!(client.ask("HEAD", &head, "").await.0, 404, "nothing is done of a request that was cut");
    assert!(client.request("PUT", &upload).body("layer").send().await.is_err());
    assert_eq!(client.ask("HEAD", &head, "").await.0, 200, "what was asked is done in silence");
    world.fail(Call::Ping, Times::Once, Fault::Cut);
    let answer = client.request("GET", "/v2/").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.is_err());
    world.fail(Call::Ping, Times::Exactly(2), Fault::Delay(1));
    assert_eq!(client.ask("GET", "/v2/", "").await.0, 200);
    let statuses: Vec<_> = world.calls().iter().filter(|entry| entry.call == Call::UploadPut).map(|entry| entry.status).collect();
    assert_eq!(statuses, [None, None]);
}

#[test]
fn of_a_client_that_dies_while_its_request_is_held_nothing_is_done() {
    let world = World::options().start();
    let login = Login::to(&world);
    let held = world.hold(Call::ManifestPutTag, 1);
    let mut pushing = login.pushing(&world, "one", "v1");
    held.arrived();
    pushing.kill().unwrap();
    pushing.wait().unwrap();
    held.gone();
    held.release();
    assert!(push(&world, &login, "two", "v2").is_ok());
    assert_eq!(world.tags().into_keys().collect::<Vec<_>>(), ["v2"]);
}

#[test]
fn boto3_reads_images_and_lifecycle_policies_and_is_refused_as_by_ecr() {
    let actions = ["ecr:DescribeImages", "ecr:BatchGetImage", "ecr:*LifecyclePolicy*"];
    let world = World::options().also_allow(&actions).start();
    let child = ShelfImage::new("child", &[], 40.0).archived(10.0);
    let index = ShelfImage::index(&["v1"], 40.0, &[&child]);
    let [old, new] = [ShelfImage::new("old", &["v2"], 3.0), ShelfImage::new("new", &["v3"], 2.0).pulled(1.0)];
    world.shelve([index.clone(), child.clone(), old.clone(), new]);
    let name = world.repository();
    let rule = |priority: u32, status: &str, number: u32| {
        json!({"rulePriority": priority, "action": {"type": "expire"},
            "selection": {"tagStatus": status, "countType": "imageCountMoreThan", "countNumber": number}})
    };
    let text = |rules: Value| json!({"rules": rules}).to_string();
    let put = |text: String| json!(["ecr", "put_lifecycle_policy", {"repositoryName": name, "lifecyclePolicyText": text}]);
    let of = |call: &str| json!(["ecr", call, {"repositoryName": name}]);
    let calls = json!([
        of("describe_images"),
        ["ecr", "batch_get_image", {"repositoryName": name, "imageIds": [{"imageDigest": index.digest()}]}],
        of("get_lifecycle_policy"),
        of("get_lifecycle_policy_preview"),
        put("{\"rules\":[]}".into()),
        put(text(json!([rule(1, "any", 1), rule(2, "untagged", 1)]))),
        put(text(json!([rule(1, "untagged", 1), rule(2, "untagged", 1)]))),
        put(text(json!([rule(1, "tagged", 1)]))),
        put(text(json!([rule(1, "any", 0)]))),
        put(text(json!([rule(1, "any", 2)]))),
        of("start_lifecycle_policy_preview"),
        of("start_lifecycle_policy_preview"),
        of("get_lifecycle_policy_preview"),
        of("get_lifecycle_policy_preview"),
    ]);
    let said = session(&world, &calls);
    let details = said[1]["said"]["imageDetails"].as_array().unwrap();
    assert_eq!(details.len(), 3, "what is archived is left out unless it is asked for");
    assert!(said[2]["said"]["images"][0]["imageManifest"].as_str().unwrap().contains(&child.digest()));
    let codes: Vec<_> = [3, 4, 5, 6, 7, 8, 9, 10, 12].iter().map(|at| said[*at]["code"].as_str().unwrap_or("")).collect();
    let invalid = "InvalidParameterException";
    assert_eq!(
        codes,
        [
            "LifecyclePolicyNotFoundException",
            "LifecyclePolicyPreviewNotFoundException",
            invalid,
            invalid,
            invalid,
            invalid,
            invalid,
            "",
            "LifecyclePolicyPreviewInProgressException"
        ]
    );
    let words = |at: usize| said[at]["message"].as_str().unwrap().to_owned();
    assert!(words(6).contains("Rule for tagStatus=ANY must have the lowest priority per storage class"), "{}", words(6));
    assert!(words(7).contains("Only one rule can select Untagged images per storage class"), "{}", words(7));
    assert!(words(8).contains("Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."), "{}", words(8));
    assert!(words(9).contains("instance failed to match exactly one schema (matched 0 out of 2)"), "{}", words(9));
    assert_eq!(said[13]["said"]["status"], "IN_PROGRESS");
    let preview = &said[14]["said"];
    assert_eq!((&preview["status"], &preview["summary"]["expiringImageTotalCount"]), (&json!("COMPLETE"), &json!(1)));
    assert_eq!(
        preview["previewResults"][0]["imageDigest"],
        index.digest(),
        "the oldest goes, and what it refers to does not count"
    );
}
