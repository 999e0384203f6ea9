//! A repository's commits, files and branches, without a clone (GitHub docs, "REST API endpoints for Git database", "… for
//! commits").

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::api::{Api, Call, Error};
use crate::net::RetryPolicy;
use crate::sink::Body;
use crate::text;

/// How many commits of a file are asked for at once: the most that GitHub gives.
pub(crate) const PAGE: usize = 100;

/// What a branch names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The commit.
    pub(crate) commit: String,
    /// Its tree.
    pub(crate) tree: String,
    /// Its message.
    pub(crate) message: String,
}

/// All files below a tree.
#[derive(Debug, Deserialize)]
pub(crate) struct Tree {
    sha: String,
    /// What is in it, at any depth.
    #[serde(rename = "tree")]
    pub(crate) entries: Vec<Entry>,
    /// Whether there is more than this.
    pub(crate) truncated: bool,
}

/// What is at a path.
#[derive(Debug, Deserialize)]
pub(crate) struct Entry {
    /// The path, from the root.
    pub(crate) path: String,
    /// `100644` and `100755` are files, `120000` is a link, `160000` a submodule.
    pub(crate) mode: String,
    /// `blob`, `tree` or `commit`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Its object.
    pub(crate) sha: String,
    /// The bytes of a blob.
    #[serde(default)]
    pub(crate) size: Option<u64>,
}

/// A file.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// The path, from the root.
    pub(crate) path: String,
    /// Its mode.
    pub(crate) mode: String,
    /// Its bytes.
    pub(crate) content: Vec<u8>,
}

/// What a commit is to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ancestry {
    /// The same.
    Same,
    /// It comes from the other.
    Descendant,
    /// The other comes from it.
    Ancestor,
    /// Neither comes from the other.
    Apart,
}

#[derive(Deserialize)]
struct Object {
    sha: String,
}

#[derive(Deserialize)]
struct Reference {
    object: Object,
}

#[derive(Deserialize)]
struct Commit {
    sha: String,
    message: String,
    tree: Object,
}

#[derive(Deserialize)]
struct Listed {
    commit: Message,
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

#[derive(Deserialize)]
struct Blob {
    sha: String,
    size: usize,
    content: String,
    encoding: String,
}

#[derive(Deserialize)]
struct Comparison {
    status: String,
}

/// An answer that is not of what was asked for.
fn of_another(call: Call) -> Error {
    Error::Malformed { call, reason: text::words("it is of something else than what was asked for") }
}

/// A name as one segment of an address.
fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The commit that a branch names; none where there is no such branch.
///
/// # Errors
/// GitHub refuses or can't be reached; 404 where the token may not see the repository is the same as no branch.
pub(crate) async fn commit_of(api: &Api, branch: &str) -> Result<Option<String>, Error> {
    let path = format!("/git/ref/heads%2F{}", encoded(branch));
    match RetryPolicy::GITHUB_API.run(|| api.get::<Reference>(Call::ReadBranch, &path, &[])).await {
        Ok(reference) => Ok(Some(reference.object.sha)),
        // An empty repository answers 409.
        Err(error) if error.refusal().is_some_and(|status| matches!(status.as_u16(), 404 | 409)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a branch names; none where there is no such branch.
///
/// # Errors
/// As [`commit_of`].
pub(crate) async fn head(api: &Api, branch: &str) -> Result<Option<Head>, Error> {
    let Some(commit) = commit_of(api, branch).await? else { return Ok(None) };
    let path = format!("/git/commits/{}", encoded(&commit));
    let Commit { sha, message, tree } = RetryPolicy::GITHUB_API.run(|| api.get(Call::ReadBranch, &path, &[])).await?;
    if sha == commit { Ok(Some(Head { commit, tree: tree.sha, message })) } else { Err(of_another(Call::ReadBranch)) }
}

/// All files below a tree.
///
/// # Errors
/// GitHub refuses or can't be reached.
pub(crate) async fn tree(api: &Api, sha: &str) -> Result<Tree, Error> {
    let path = format!("/git/trees/{}", encoded(sha));
    let tree: Tree = RetryPolicy::GITHUB_API.run(|| api.get(Call::ReadFiles, &path, &[("recursive", "1")])).await?;
    if tree.sha == sha { Ok(tree) } else { Err(of_another(Call::ReadFiles)) }
}

/// The bytes of a file.
///
/// # Errors
/// GitHub refuses or can't be reached.
pub(crate) async fn blob(api: &Api, sha: &str) -> Result<Vec<u8>, Error> {
    let path = format!("/git/blobs/{}", encoded(sha));
    let malformed = |reason: &str| Error::Malformed { call: Call::ReadFiles, reason: text::words(reason) };
    let blob: Blob = RetryPolicy::GITHUB_API.run(|| api.get(Call::ReadFiles, &path, &[])).await?;
    if blob.encoding != "base64" {
        return Err(malformed("the file is not in base64"));
    }
    let digits: String = blob.content.split_ascii_whitespace().collect();
    let content = STANDARD.decode(digits).map_err(|_| malformed("the file is not in base64"))?;
    if blob.sha == sha && blob.size == content.len() { Ok(content) } else { Err(of_another(Call::ReadFiles)) }
}

/// The messages of the last commits that changed a file, the newest first: a page of them, from 1.
///
/// # Errors
/// GitHub refuses or can't be reached.
pub(crate) async fn messages(api: &Api, commit: &str, file: &str, page: usize) -> Result<Vec<String>, Error> {
    let (size, page) = (PAGE.to_string(), page.to_string());
    let query = [("sha", commit), ("path", file), ("per_page", &*size), ("page", &*page)];
    let commits: Vec<Listed> = RetryPolicy::GITHUB_API.run(|| api.get(Call::ReadHistory, "/commits", &query)).await?;
    Ok(commits.into_iter().map(|listed| listed.commit.message).collect())
}

/// What `ours` is to `theirs`.
///
/// # Errors
/// GitHub refuses or can't be reached; 404 where it does not know one of them.
pub(crate) async fn compare(api: &Api, theirs: &str, ours: &str) -> Result<Ancestry, Error> {
    let path = format!("/compare/{}...{}", encoded(theirs), encoded(ours));
    let query = [("per_page", "1")];
    let comparison: Comparison = RetryPolicy::GITHUB_API.run(|| api.get(Call::CompareCommits, &path, &query)).await?;
    Ok(match &*comparison.status {
        "identical" => Ancestry::Same,
        "ahead" => Ancestry::Descendant,
        "behind" => Ancestry::Ancestor,
        _ => Ancestry::Apart,
    })
}

/// Makes the tree that a tree is with these files, and returns its object; none where a secret is in one of them, of which
/// nothing can be left out.
///
/// # Errors
/// GitHub refuses or can't be reached.
pub(crate) async fn create_tree(api: &Api, base: &str, files: &[File]) -> Result<Option<String>, Error> {
    let texts: Vec<_> = files.iter().map(|file| String::from_utf8_lossy(&file.content)).collect();
    let entry = |(file, content): (&File, &Cow<'_, str>)| json!({"path": file.path, "mode": file.mode, "type": "blob", "content": content});
    let entries: Vec<_> = files.iter().zip(&texts).map(entry).collect();
    let Some(body) = Body::signed(&json!({"base_tree": base, "tree": entries}), &texts.join("\n")) else { return Ok(None) };
    let tree: Object = RetryPolicy::GITHUB_API.run(|| api.post(Call::WriteCommit, "/git/trees", &body)).await?;
    Ok(Some(tree.sha))
}

/// Makes a commit, which no branch names yet.
///
/// # Errors
/// GitHub refuses or can't be reached.
pub(crate) async fn create_commit(api: &Api, message: &str, tree: &str, parents: &[&str]) -> Result<String, Error> {
    let body = Body::of(&json!({"message": message, "tree": tree, "parents": parents}));
    let commit: Object = RetryPolicy::GITHUB_API.run(|| api.post(Call::WriteCommit, "/git/commits", &body)).await?;
    Ok(commit.sha)
}

/// Has a branch name a commit that comes from the one that it names now; anything else GitHub refuses.
///
/// # Errors
/// GitHub refuses or can't be reached.
pub(crate) async fn move_branch(api: &Api, branch: &str, commit: &str) -> Result<(), Error> {
    let path = format!("/git/refs/heads%2F{}", encoded(branch));
    let body = Body::of(&json!({"sha": commit, "force": false}));
    RetryPolicy::GITHUB_API.run(|| api.patch::<Reference>(Call::MoveBranch, &path, &body)).await.map(|_| ())
}

/// Makes a branch.
///
/// # Errors
/// GitHub refuses or can't be reached; 422 where it is there already.
pub(crate) async fn create_branch(api: &Api, branch: &str, commit: &str) -> Result<(), Error> {
    let body = Body::of(&json!({"ref": format!("refs/heads/{branch}"), "sha": commit}));
    RetryPolicy::GITHUB_API.run(|| api.post::<Reference>(Call::MoveBranch, "/git/refs", &body)).await.map(|_| ())
}
