//! What `examples/` has for teams to copy is delivered as it stands.

use std::path::Path;
use std::process::Command;

use doubles::aws::World;

use crate::support::{Source, keyless, run, tool};

/// A copy of an example, as the repository that a team makes of it.
fn example(name: &str) -> Source {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(&root).into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file()) {
        let path = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        files.push((path, std::fs::read_to_string(entry.path()).unwrap()));
    }
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Source::in_git(&files)
}

#[test]
fn wordpress_is_delivered_with_a_stand_in_for_its_base() {
    let world = World::options().repository("goldenpath-wordpress-app").start();
    let source = example("wordpress");
    // Debian has the user www-data too.
    let delivery = keyless::deliver(&world, &source).flag("--build-args", "BASE=debian:bookworm-slim");
    delivery.ends_with(0).says("goldenpath-wordpress-app");
    let sha = keyless::sha(&source);
    let tags: Vec<_> = world.tags().into_keys().collect();
    for tag in [sha.clone(), format!("dev-{sha}"), "latest".to_owned()] {
        assert!(tags.contains(&tag), "{tag}: {tags:?}");
    }
    let record = source.record();
    assert_eq!(record["result"], "delivered", "{record}");
    // What is the site's own is in the image, and nothing else of the folder.
    let tar = source.beside("image.tar");
    let image = format!("{}/goldenpath-wordpress-app:latest", world.registry());
    run(Command::new(tool("crane")).args(["export", "--insecure", &image]).arg(&tar));
    let files = run(Command::new("tar").arg("-tvf").arg(&tar));
    let of_site = "usr/src/wordpress/wp-content/themes/goldenpath/style.css";
    let listed = files.lines().find(|line| line.ends_with(of_site)).unwrap_or_else(|| panic!("{files}"));
    assert!(listed.contains(" 33/33 ") || listed.contains("www-data/www-data"), "{listed}");
    assert!(files.lines().any(|line| line.ends_with("usr/local/etc/php/conf.d/goldenpath.ini")), "{files}");
    assert!(!files.lines().any(|line| line.ends_with("main.tf") || line.ends_with("delivery.yml")), "{files}");
}
