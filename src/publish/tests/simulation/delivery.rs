//! A delivery, as `pipeline` orders it: what is there, an image, the gate, its content, its tags. What it publishes with is the
//! code that publishes.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::history::{Environment, Kind, Run};
use super::line::Line;
use super::world::{HOST, World};
use crate::oci::registry::credentials::{Auth, CachedPassword, Origin, Password};
use crate::oci::registry::{Client, Credentials, Selector};
use crate::oci::{Digest, Image, sample};
use crate::publish::tests::{cleared, tags};
use crate::publish::{
    BeforeTags, Error, Listed, Listener, PublishEvent, Scanned, Shown, Signed, TagSnapshot, TakenTag, Target, tag, upload,
    uploaded_before,
};
use crate::record::Publication;
use crate::secret::Secret;
use crate::tags::PlannedTag;

const COMMITS: u8 = 2;
const BUILDS: u8 = 2;
/// How long a build and its scans take, in milliseconds.
const BUILD: u64 = 1_500;

/// The images that there are, and who has built them.
struct Stock {
    images: Vec<(Origins, Image)>,
    by_digest: BTreeMap<Digest, usize>,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Origins {
    commit: u8,
    environment: Environment,
    build: u8,
}

static STOCK: LazyLock<Stock> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let mut images = Vec::new();
    for commit in 0..COMMITS {
        for environment in [Environment::Dev, Environment::Prod] {
            for build in 0..BUILDS {
                let seed = u8::try_from(images.len()).unwrap();
                let architectures: &[&str] = if commit == 0 { &["amd64"] } else { &["amd64", "arm64"] };
                let image = sample::random(&folder.path().join(seed.to_string()), seed, architectures, 1 << 8);
                images.push((Origins { commit, environment, build }, image));
            }
        }
    }
    let by_digest = images.iter().enumerate().map(|(index, (_, image))| (image.digest, index)).collect();
    Stock { images, by_digest, http: reqwest::Client::new(), _folder: folder }
});

impl Run {
    /// The tags that it sets out to set.
    pub(super) fn tags(&self) -> Vec<PlannedTag> {
        let (commit, environment) =
            (format!("c{}", self.commit), if self.environment == Environment::Dev { "dev" } else { "prod" });
        let named = format!("{environment}-{commit}");
        let mut wanted = vec![&*commit];
        wanted.extend((!self.plain).then_some(&*named));
        wanted.extend(self.latest.then_some("latest"));
        tags(&wanted)
    }

    fn image(&self) -> &'static Image {
        let origins = Origins { commit: self.commit, environment: self.environment, build: self.build };
        &STOCK.images.iter().find(|(built, _)| *built == origins).unwrap().1
    }
}

/// Where the image comes from (`pipeline::reuse`).
enum Course {
    Build,
    Complete(&'static Image),
    Promote(&'static Image),
    Taken(Vec<TakenTag>),
}

fn course(run: &Run, snapshot: &TagSnapshot) -> Course {
    let Some(first) = snapshot.image() else { return Course::Build };
    let named: Vec<_> = snapshot.fixed().filter_map(|tag| Some(TakenTag::new(&tag.planned.tag, tag.names.as_ref()?))).collect();
    let (origins, image) = &STOCK.images[STOCK.by_digest[&first.digest]];
    if origins.commit != run.commit || named.iter().any(|tag| tag.digest != first.digest) {
        return Course::Taken(named);
    }
    let own = snapshot.fixed().any(|tag| tag.planned.tag.as_str().contains('-') && tag.digest() == Some(first.digest));
    if origins.environment != run.environment && !own { Course::Promote(image) } else { Course::Complete(image) }
}

/// The tags without those moving ones that would go back (`pipeline::moving`).
fn forward(run: &Run, snapshot: &TagSnapshot, image: &Image) -> Vec<PlannedTag> {
    let goes_back = |digest: Digest| digest != image.digest && STOCK.images[STOCK.by_digest[&digest]].0.commit > run.commit;
    let kept = snapshot.tags.iter().filter(|tag| !(tag.planned.moving && tag.digest().is_some_and(goes_back)));
    kept.map(|tag| tag.planned.clone()).collect()
}

/// Delivers.
pub(super) async fn deliver(
    world: &Arc<World>,
    index: usize,
    run: Run,
    cancel: &CancellationToken,
) -> Result<Publication, Error> {
    let tags = run.tags();
    let line = Line { world: Arc::clone(world), run: index };
    let target = target(world, &line);
    let client = target.repository().unwrap();
    let looked = async {
        client.has_manifest(&Selector::Tag("latest".parse().unwrap())).await?;
        target.snapshot(&tags).await
    };
    let snapshot = until(cancel, looked).await?;
    let (image, is_there) = match course(&run, &snapshot) {
        Course::Build => (run.image(), false),
        Course::Promote(image) => (image, false),
        Course::Complete(image) => (image, true),
        Course::Taken(taken) => return Err(Error::Taken { repository: HOST.to_owned(), commit: None, digest: None, taken }),
    };
    let built = async {
        tokio::time::sleep(Duration::from_millis(BUILD)).await;
        Ok(())
    };
    until(cancel, built).await?;
    let leave = cleared(image);
    world.state().judge.clears(world.now(), index, image.digest);
    let other = Run { build: (run.build + 1) % BUILDS, commit: (run.commit + 1) % COMMITS, ..run }.image();
    let sent = if run.swapped { other } else { image };
    let heard = Line::clone(&line);
    let listener: Listener = Arc::new(move |event: PublishEvent| {
        let now = heard.world.now();
        heard.world.state().judge.hears(now, heard.run, event);
    });
    let uploaded = match snapshot.image().filter(|_| is_there && !run.swapped) {
        Some(manifest) => uploaded_before(&leave, manifest, &target)?,
        None => until(cancel, upload(&leave, sent, &target, &listener)).await?,
    };
    let ready = uploaded.ready(&BeforeTags {
        listed: Listed::Written,
        shown: Shown::Uploaded,
        scanned: Scanned::Cleared,
        signed: Signed::Written,
    });
    let settable = until(cancel, target.snapshot(&tags)).await?;
    tag(ready, &forward(&run, &settable, image), cancel, &listener).await
}

async fn until<T>(cancel: &CancellationToken, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    cancel.run_until_cancelled(work).await.unwrap_or(Err(Error::Cancelled))
}

fn target(world: &Arc<World>, line: &Line) -> Target {
    let is_ecr = matches!(world.history.registry, Kind::Ecr | Kind::EcrImmutable);
    let credentials = if is_ecr {
        let first = Password { username: "AWS".to_owned(), password: Secret::new(world.issue()), good_for: None };
        let passwords = CachedPassword::new(Arc::new(line.clone()), first);
        Credentials { auth: Auth::Issued(passwords), origin: Origin::Given }
    } else {
        Credentials::anonymous()
    };
    let repository = format!("{HOST}/app").parse().unwrap();
    let client = Client::over(repository, credentials, STOCK.http.clone(), Arc::new(line.clone()));
    let target = Target::of_repository(client);
    if is_ecr { target.with_remover(Arc::new(line.clone())) } else { target }
}
