//! Commits, trees, blobs and branches: a real bare repository, which git itself keeps, behind GitHub's addresses and refusals.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::content::Answer;
use super::refusal::{Refusal, answer};
use super::repository::Repository;
use super::schema::Complaints;

const USER: [(&str, &str); 4] = [
    ("GIT_AUTHOR_NAME", "octo-app[bot]"),
    ("GIT_AUTHOR_EMAIL", "octo-app@users.noreply.github.com"),
    ("GIT_COMMITTER_NAME", "GitHub"),
    ("GIT_COMMITTER_EMAIL", "noreply@github.com"),
];

/// The repository of git behind one at GitHub.
struct Git<'a> {
    folder: &'a Path,
    url: String,
}

impl<'a> Git<'a> {
    fn of(repository: &'a Repository, base: &str) -> Result<Self, Refusal> {
        let folder = repository.options.git.as_deref().ok_or_else(|| Refusal::new(404, "Not Found"))?;
        let git = Self { folder, url: format!("{base}/repos/{}", repository.slug) };
        let is_empty = git.run(&["for-each-ref", "--count=1"], b"").is_none_or(|refs| refs.is_empty());
        if is_empty { Err(Refusal::new(409, "Git Repository is empty.")) } else { Ok(git) }
    }

    /// Runs git, and gives what it says if it ends well.
    fn bytes(&self, arguments: &[&str], input: &[u8], index: Option<&Path>) -> Option<Vec<u8>> {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.folder).args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs(USER);
        git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_LITERAL_PATHSPECS", "1");
        git.envs(index.map(|index| ("GIT_INDEX_FILE", index)));
        let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("git starts");
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(&input).ok());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        output.status.success().then_some(output.stdout)
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Option<String> {
        self.bytes(arguments, input, None).map(|text| String::from_utf8_lossy(&text).trim_end_matches('\n').to_owned())
    }

    /// The object of a kind that a text names.
    fn object(&self, kind: &str, text: &str) -> Option<String> {
        let is_id = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.run(&["rev-parse", "--verify", "--quiet", &format!("{text}^{{{kind}}}")], b"").filter(|_| is_id)
    }

    fn branch(&self, name: &str) -> Option<String> {
        self.run(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{name}")], b"")
    }

    fn is_ancestor(&self, one: &str, other: &str) -> bool {
        self.run(&["merge-base", "--is-ancestor", one, other], b"").is_some()
    }

    fn reference(&self, name: &str, sha: &str) -> Value {
        json!({
            "ref": format!("refs/heads/{name}"), "node_id": "MDM6UmVmcmVmcy9oZWFkcy9mZWF0dXJlQQ==",
            "url": format!("{}/git/refs/heads/{name}", self.url),
            "object": {"type": "commit", "sha": sha, "url": format!("{}/git/commits/{sha}", self.url)},
        })
    }

    fn commit(&self, sha: &str) -> (Value, String, String, Vec<String>) {
        let format = "--format=%an%x00%ae%x00%aI%x00%T%x00%P%x00%B";
        let shown = self.run(&["show", "--no-patch", format, sha], b"").unwrap();
        let parts: Vec<_> = shown.splitn(6, '\0').collect();
        let user = json!({"name": parts[0], "email": parts[1], "date": parts[2]});
        (user, parts[5].to_owned(), parts[3].to_owned(), parts[4].split_whitespace().map(str::to_owned).collect())
    }

    fn git_commit(&self, sha: &str) -> Value {
        let (user, message, tree, parents) = self.commit(sha);
        let parent = |sha: &String| json!({"sha": sha, "url": format!("{}/git/commits/{sha}", self.url), "html_url": format!("{}/commit/{sha}", self.url)});
        json!({
            "sha": sha, "node_id": "MDY6Q29tbWl0", "url": format!("{}/git/commits/{sha}", self.url),
            "html_url": format!("{}/commit/{sha}", self.url), "author": user, "committer": user, "message": message,
            "tree": {"sha": tree, "url": format!("{}/git/trees/{tree}", self.url)},
            "parents": parents.iter().map(parent).collect::<Vec<_>>(),
            "verification": {"verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null},
        })
    }

    fn listed(&self, sha: &str) -> Value {
        let (user, message, tree, parents) = self.commit(sha);
        let parent = |sha: &String| json!({"sha": sha, "url": format!("{}/commits/{sha}", self.url), "html_url": format!("{}/commit/{sha}", self.url)});
        json!({
            "sha": sha, "node_id": "MDY6Q29tbWl0", "url": format!("{}/commits/{sha}", self.url),
            "html_url": format!("{}/commit/{sha}", self.url), "comments_url": format!("{}/commits/{sha}/comments", self.url),
            "commit": {
                "url": format!("{}/git/commits/{sha}", self.url), "author": user, "committer": user, "message": message,
                "comment_count": 0, "tree": {"sha": tree, "url": format!("{}/git/trees/{tree}", self.url)},
                "verification": {"verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null},
            },
            "author": null, "committer": null, "parents": parents.iter().map(parent).collect::<Vec<_>>(),
        })
    }
}

fn missing() -> Refusal {
    Refusal::new(404, "Not Found")
}

/// Get a reference.
pub fn reference(repository: &Repository, name: &str, base: &str) -> Result<Answer, Refusal> {
    let git = Git::of(repository, base)?;
    let name = branch_of(name)?;
    let sha = git.branch(&name).ok_or_else(missing)?;
    Ok(answer(200, &git.reference(&name, &sha)))
}

/// Whether its git folder has a commit, where it has one.
pub fn has(repository: &Repository, commit: &str) -> bool {
    Git::of(repository, "").is_ok_and(|git| git.object("commit", commit).is_some())
}

/// Get a commit object.
pub fn commit(repository: &Repository, sha: &str, base: &str) -> Result<Answer, Refusal> {
    let git = Git::of(repository, base)?;
    let sha = git.object("commit", sha).ok_or_else(missing)?;
    Ok(answer(200, &git.git_commit(&sha)))
}

/// Get a tree.
pub fn tree(repository: &Repository, sha: &str, query: &str, base: &str) -> Result<Answer, Refusal> {
    let git = Git::of(repository, base)?;
    let sha = git.object("tree", sha).ok_or_else(missing)?;
    let recursive = asked(query).contains_key("recursive");
    let flags: &[&str] =
        if recursive { &["ls-tree", "-z", "--long", "-r", "-t", &sha] } else { &["ls-tree", "-z", "--long", &sha] };
    let listed = git.run(flags, b"").unwrap();
    let limit = repository.options.largest_tree;
    let all: Vec<_> = listed.split('\0').filter(|line| !line.is_empty()).collect();
    let entries = all.iter().take(limit).map(|line| {
        let (head, path) = line.split_once('\t').unwrap();
        let words: Vec<_> = head.split_whitespace().collect();
        let mut entry = json!({"path": path, "mode": words[0], "type": words[1], "sha": words[2]});
        if words[1] == "blob" {
            entry["size"] = words[3].parse::<u64>().unwrap().into();
        }
        if words[1] != "commit" {
            entry["url"] = format!("{}/git/{}s/{}", git.url, words[1], words[2]).into();
        }
        entry
    });
    let entries: Vec<_> = entries.collect();
    let url = format!("{}/git/trees/{sha}", git.url);
    Ok(answer(200, &json!({"sha": sha, "url": url, "tree": entries, "truncated": all.len() > limit})))
}

/// Get a blob.
pub fn blob(repository: &Repository, sha: &str, base: &str) -> Result<Answer, Refusal> {
    let git = Git::of(repository, base)?;
    let sha = git.object("blob", sha).ok_or_else(missing)?;
    let content = git.bytes(&["cat-file", "blob", &sha], b"", None).unwrap();
    // As GitHub breaks it: 60 digits a line.
    let digits = STANDARD.encode(&content);
    let lines: Vec<_> = digits.as_bytes().chunks(60).map(|line| String::from_utf8_lossy(line).into_owned() + "\n").collect();
    Ok(answer(
        200,
        &json!({
            "sha": sha, "node_id": "MDQ6QmxvYg==", "size": content.len(), "url": format!("{}/git/blobs/{sha}", git.url),
            "content": lines.concat(), "encoding": "base64",
        }),
    ))
}

/// List commits.
pub fn commits(repository: &Repository, query: &str, base: &str) -> Result<Answer, Refusal> {
    let git = Git::of(repository, base)?;
    let asked = asked(query);
    let from = asked.get("sha").cloned().unwrap_or_else(|| "HEAD".to_owned());
    let number = |name: &str, usual: usize| asked.get(name).map_or(usual, |text| text.parse().unwrap());
    let (size, page) = (number("per_page", 30), number("page", 1));
    let (count, skip) = (format!("--max-count={size}"), format!("--skip={}", (page - 1) * size));
    let path = asked.get("path").cloned().unwrap_or_else(|| ".".to_owned());
    let found = git.run(&["log", "--format=%H", &count, &skip, &from, "--", &path], b"").ok_or_else(missing)?;
    Ok(answer(200, &found.lines().map(|sha| git.listed(sha)).collect()))
}

/// Compare two commits.
pub fn compare(repository: &Repository, both: &str, base: &str) -> Result<Answer, Refusal> {
    let git = Git::of(repository, base)?;
    let (one, other) = both.split_once("...").ok_or_else(missing)?;
    let (Some(one), Some(other)) = (git.object("commit", one), git.object("commit", other)) else { return Err(missing()) };
    let merge_base = git.run(&["merge-base", &one, &other], b"").ok_or_else(missing)?;
    let count =
        |from: &str, to: &str| git.run(&["rev-list", "--count", &format!("{from}..{to}")], b"").unwrap().parse::<u64>().unwrap();
    let (ahead, behind) = (count(&one, &other), count(&other, &one));
    let status = match (ahead, behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    let url = format!("{}/compare/{one}...{other}", git.url);
    Ok(answer(
        200,
        &json!({
            "url": url, "html_url": url, "permalink_url": url, "diff_url": format!("{url}.diff"), "patch_url": format!("{url}.patch"),
            "base_commit": git.listed(&one), "merge_base_commit": git.listed(&merge_base), "status": status,
            "ahead_by": ahead, "behind_by": behind, "total_commits": ahead, "commits": [], "files": [],
        }),
    ))
}

/// Create a tree.
pub fn create_tree(repository: &Repository, document: &Value, base: &str) -> Result<Answer, Refusal> {
    let git = Git::of(repository, base)?;
    let mut complaints = Complaints::default();
    complaints.required(document, &["tree"]).list(document, &["tree"]).text(document, &["base_tree"]).refusal()?;
    let index = tempfile::tempdir().unwrap();
    let index = index.path().join("index");
    if let Some(from) = document["base_tree"].as_str() {
        let from = git.object("tree", from).ok_or_else(|| Refusal::new(422, "base_tree is not a valid tree oid"))?;
        git.bytes(&["read-tree", &from], b"", Some(&index)).unwrap();
    }
    for entry in document["tree"].as_array().unwrap() {
        let (path, mode) = (entry["path"].as_str().unwrap_or_default(), entry["mode"].as_str().unwrap_or_default());
        if path.is_empty() || !["100644", "100755", "040000", "160000", "120000"].contains(&mode) {
            return Err(Refusal::new(422, "tree.path or tree.mode is malformed"));
        }
        let sha = match (entry["content"].as_str(), entry["sha"].as_str()) {
            (Some(content), None) => git.run(&["hash-object", "-w", "--stdin"], content.as_bytes()).unwrap(),
            (None, Some(sha)) => git.object("blob", sha).ok_or_else(|| Refusal::new(422, "tree.sha is not a valid blob"))?,
            _ => return Err(Refusal::new(422, "Must supply either tree.sha or tree.content, not both")),
        };
        let info = format!("{mode},{sha},{path}");
        git.bytes(&["update-index", "--add", "--cacheinfo", &info], b"", Some(&index))
            .ok_or_else(|| Refusal::new(422, "tree.path contains a malformed path component"))?;
    }
    let sha = String::from_utf8(git.bytes(&["write-tree"], b"", Some(&index)).unwrap()).unwrap().trim().to_owned();
    let url = format!("{}/git/trees/{sha}", git.url);
    Ok(answer(201, &json!({"sha": sha, "url": url, "tree": [], "truncated": false})))
}

/// Create a commit.
pub fn create_commit(repository: &Repository, document: &Value, base: &str) -> Result<Answer, Refusal> {
    let git = Git::of(repository, base)?;
    let mut complaints = Complaints::default();
    complaints
        .required(document, &["message", "tree"])
        .text(document, &["message", "tree"])
        .list(document, &["parents"])
        .refusal()?;
    let tree =
        git.object("tree", document["tree"].as_str().unwrap()).ok_or_else(|| Refusal::new(422, "Tree SHA does not exist"))?;
    let mut arguments = vec!["commit-tree".to_owned(), tree];
    for parent in document["parents"].as_array().into_iter().flatten() {
        let parent = git.object("commit", parent.as_str().unwrap_or_default());
        arguments.extend([
            "-p".to_owned(),
            parent.ok_or_else(|| Refusal::new(422, "Parent SHA does not exist or is not a commit object"))?,
        ]);
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let sha = git.run(&arguments, document["message"].as_str().unwrap().as_bytes()).unwrap();
    Ok(answer(201, &git.git_commit(&sha)))
}

/// Update a reference.
pub fn update(repository: &Repository, name: &str, document: &Value, base: &str) -> Result<Answer, Refusal> {
    let git = Git::of(repository, base)?;
    Complaints::default().required(document, &["sha"]).text(document, &["sha"]).refusal()?;
    let name = branch_of(name)?;
    let _turn = repository.turns.lock().unwrap();
    let now = git.branch(&name).ok_or_else(|| Refusal::new(422, "Reference does not exist"))?;
    let sha =
        git.object("commit", document["sha"].as_str().unwrap()).ok_or_else(|| Refusal::new(422, "Object does not exist"))?;
    if repository.options.protected.contains(&name) {
        let words = "Repository rule violations found\n\nChanges must be made through a pull request.\n\n";
        return Err(Refusal::new(422, words));
    }
    if !git.is_ancestor(&now, &sha) && document["force"] != true {
        return Err(Refusal::new(422, "Update is not a fast forward"));
    }
    git.run(&["update-ref", &format!("refs/heads/{name}"), &sha, &now], b"").unwrap();
    Ok(answer(200, &git.reference(&name, &sha)))
}

/// Create a reference.
pub fn create(repository: &Repository, document: &Value, base: &str) -> Result<Answer, Refusal> {
    let git = Git::of(repository, base)?;
    Complaints::default().required(document, &["ref", "sha"]).text(document, &["ref", "sha"]).refusal()?;
    let reference = document["ref"].as_str().unwrap();
    let name = reference.strip_prefix("refs/heads/").ok_or_else(|| Refusal::new(422, "Reference name is not valid"))?;
    let _turn = repository.turns.lock().unwrap();
    if git.branch(name).is_some() {
        return Err(Refusal::new(422, "Reference already exists"));
    }
    let sha =
        git.object("commit", document["sha"].as_str().unwrap()).ok_or_else(|| Refusal::new(422, "Object does not exist"))?;
    git.run(&["update-ref", reference, &sha], b"").ok_or_else(|| Refusal::new(422, "Reference name is not valid"))?;
    Ok(answer(201, &git.reference(name, &sha)))
}

fn branch_of(name: &str) -> Result<String, Refusal> {
    let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy();
    name.strip_prefix("heads/").map(str::to_owned).ok_or_else(missing)
}

/// The parameters of a query.
pub fn asked(query: &str) -> HashMap<String, String> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}
