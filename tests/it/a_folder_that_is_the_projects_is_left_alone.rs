//! A folder that came with the project is not taken for gp-deliver's: its files are neither scanned away, nor left out, nor
//! offered as delivered.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::support::{Delivery, Layout, Source, run, secret};

const SOURCE: [(&str, &str); 2] = [("Dockerfile", "FROM scratch\nCOPY . /\n"), (".dockerignore", ".git\n")];

/// A delivery to prod that is started in the source, and writes where one does by default.
fn here(source: &Source) -> Delivery {
    let delivery = source.deliver().without("--destination").without("--report-dir").in_folder(&source.context());
    delivery.flag("--environment", "prod")
}

/// All files below a folder, with what they hold; of a link, where it leads.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = walk(folder).into_iter().map(|path| (path.clone(), fs::read(path).unwrap_or_default())).collect();
    files.sort();
    files
}

fn walk(folder: &Path) -> Vec<String> {
    let listed = run(Command::new("find").arg(folder).args(["!", "-type", "d"]));
    listed.lines().map(str::to_owned).collect()
}

/// Commits the image of a harmless delivery as if it were the project's own.
fn plant(source: &Source, place: &str) -> String {
    let elsewhere = source.beside("planted");
    source.deliver().flag("--destination", &format!("oci:{}", elsewhere.display())).flag("--tags", "latest,stable").ends_with(0);
    let digest = Layout(elsewhere.clone()).tags()["latest"].clone();
    let planted = source.context().join(place);
    fs::create_dir_all(planted.parent().unwrap()).unwrap();
    // As git does it: files alone.
    run(Command::new("cp").arg("--recursive").arg(&elsewhere).arg(&planted));
    source.git(&["add", "--force", place]);
    source.commit("an image");
    digest
}

#[test]
fn a_layout_that_was_committed_in_the_report_folder_is_not_delivered() {
    let source = Source::in_git(&SOURCE);
    plant(&source, "gp-deliver-report/image");
    let before = content(&source.context().join("gp-deliver-report"));
    let ended = here(&source).ends_with(2);
    ended.says("gp-deliver-report is not gp-deliver's own").says("\"image\"").says("`report-dir`");
    assert_eq!(content(&source.context().join("gp-deliver-report")), before);
}

#[test]
fn a_layout_that_was_committed_elsewhere_is_not_delivered_to() {
    let source = Source::in_git(&SOURCE);
    plant(&source, "out");
    let before = content(&source.context().join("out"));
    let delivery = here(&source).flag("--destination", "oci:out").flag("--report-dir", "report");
    delivery.ends_with(1).says("out is an image layout that is not gp-deliver's own").says("remove it");
    assert_eq!(content(&source.context().join("out")), before);
}

#[test]
fn what_is_delivered_again_and_again_into_our_own_folder_stays_together() {
    let source = Source::in_git(&SOURCE);
    for version in ["1.0.0", "1.0.1"] {
        here(&source).flag("--version", version).flag("--tags", "{version},latest").ends_with(0);
    }
    let tags = Layout(source.context().join("gp-deliver-report/image")).tags();
    assert_eq!(tags.keys().collect::<Vec<_>>(), ["1.0.0", "1.0.1", "latest"]);
    // As a pull does that brings a file of the same name.
    let report = source.context().join("gp-deliver-report");
    plant(&source, "stranger");
    fs::copy(source.context().join("stranger/index.json"), report.join("image/index.json")).unwrap();
    here(&source).ends_with(1).says("holds something that gp-deliver did not write");
}

#[test]
fn a_folder_that_a_cache_brought_back_is_not_ours_and_the_way_out_is_said() {
    let source = Source::in_git(&SOURCE);
    here(&source).ends_with(0);
    let (report, archive) = (source.context().join("gp-deliver-report"), source.beside("cache.tar"));
    run(Command::new("tar")
        .args(["--create", "--xattrs", "--file"])
        .arg(&archive)
        .arg("-C")
        .arg(source.context())
        .arg("gp-deliver-report"));
    fs::remove_dir_all(&report).unwrap();
    run(Command::new("tar").args(["--extract", "--xattrs", "--file"]).arg(&archive).arg("-C").arg(source.context()));
    here(&source).ends_with(2).says("an archive or a cache is not").says("remove the folder");
    fs::remove_dir_all(&report).unwrap();
    here(&source).ends_with(0);
}

#[test]
fn a_link_of_the_project_leads_no_image_and_no_report_elsewhere() {
    let source = Source::in_git(&SOURCE);
    let outside = source.beside("outside");
    fs::create_dir_all(&outside).unwrap();
    symlink(&outside, source.context().join("link")).unwrap();
    source.commit("a link");
    let link = source.context().join("link");
    for destination in ["oci:link", "oci:link/image", &format!("oci:{}/image", link.display())] {
        let delivery = here(&source).flag("--destination", destination).flag("--report-dir", "report");
        delivery.ends_with(1).says("is a link, and the image goes to");
    }
    for report in ["link", "link/report", &format!("{}/report", link.display())] {
        here(&source).flag("--report-dir", report).ends_with(1).says("A file or a link has the name of a folder");
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn a_report_folder_with_sources_in_it_is_refused_and_left_as_it_is() {
    for folder in ["dist", "gp-deliver-report", "."] {
        let source = Source::in_git(&SOURCE);
        let file = if folder == "." { "app.py".to_owned() } else { format!("{folder}/app.py") };
        source.write(&file, &format!("token = {}\n", secret()));
        source.commit("sources");
        let before = content(&source.context());
        let ended = here(&source).flag("--report-dir", folder).ends_with(2);
        ended.says("is not gp-deliver's own").says("FAILED");
        assert_eq!(content(&source.context()), before, "{folder}");
    }
}

#[test]
fn sources_that_are_put_into_our_own_report_folder_are_not_left_out_by_it() {
    let source = Source::in_git(&SOURCE);
    here(&source).flag("--report-dir", "dist").ends_with(0);
    source.write("dist/app.py", &format!("token = {}\n", secret()));
    here(&source).flag("--report-dir", "dist").ends_with(2).says("\"app.py\"");
}

#[test]
fn a_file_of_the_project_that_comes_into_our_own_report_folder_is_not_left_out_by_it() {
    let source = Source::in_git(&SOURCE);
    here(&source).ends_with(0);
    // As a pull does it: below a name that the report has too, and past what git ignores.
    source.write("gp-deliver-report/sbom/app.py", &format!("token = {}\n", secret()));
    source.git(&["add", "--force", "gp-deliver-report/sbom/app.py"]);
    source.commit("sources");
    here(&source).ends_with(2).says("sbom/app.py").says("is not gp-deliver's own");
    assert!(source.context().join("gp-deliver-report/sbom/app.py").exists());
}
