//! Deliveries of one platform each, and what makes one image of them.

use std::collections::BTreeSet;

use super::reader::Reader;
use super::{Config, Env, Publish, Signing};
use crate::inputs::{self, Inputs, Lines, ListedImage, Problem};
use crate::oci::{Digest, Platform};
use crate::scan::syft::Format;

/// The image of each platform that is asked for, in the order in which they are asked for. Which images these are is what other
/// jobs say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed(pub(crate) Vec<(Platform, Digest)>);

impl Config {
    /// Holds a delivery without tags to what can be assembled, and to what needs no tag.
    pub(super) fn for_assembly(self, inputs: &Inputs) -> Result<Self, Vec<Problem>> {
        if let Some(images) = inputs.given(&inputs::IMAGES) {
            return Err(vec![inputs::IMAGES.problem(images, "the command assemble takes them, and nothing is built then")]);
        }
        if !self.untagged {
            return Ok(self);
        }
        let mut problems = Vec::new();
        if self.build.platforms.len() != 1 {
            let expected = "one platform is expected where untagged is true: assemble makes one image of several";
            problems.push(inputs::PLATFORMS.problem(inputs.text(&inputs::PLATFORMS), expected));
        }
        if !self.sbom_formats.contains(&Format::SpdxJson) {
            let expected = "spdx-json is expected among them where untagged is true: assemble judges what that lists";
            problems.push(inputs::SBOM_FORMATS.problem(inputs.text(&inputs::SBOM_FORMATS), expected));
        }
        if let Some(tags) = inputs.given(&inputs::TAGS) {
            problems.push(inputs::TAGS.problem(tags, "none is set where untagged is true: assemble takes them"));
        }
        if !self.destination.is_a_registry() {
            let expected =
                "a repository of a registry is expected with it, as destination or ecr-repository: that has images without a tag";
            problems.push(inputs::UNTAGGED.problem("true", expected));
        }
        if let (Publish::Yes, Signing::No(why)) = (&self.publish, &self.signing) {
            let expected = format!("an image without a tag is taken by what is signed about it, and nothing would be: {why}");
            problems.push(inputs::SIGN.problem(inputs.text(&inputs::SIGN), expected));
        }
        if self.gitops.is_some() {
            let expected = "nothing is set there where untagged is true: assemble takes it";
            problems.push(inputs::GITOPS_REPOSITORY.problem(inputs.text(&inputs::GITOPS_REPOSITORY), expected));
        }
        if problems.is_empty() { Ok(self) } else { Err(problems) }
    }

    /// Sees to it that tags are to be set.
    pub(super) fn is_tagged(&self, inputs: &Inputs) -> Result<(), Vec<Problem>> {
        let expected = "only what is built is delivered without a tag";
        if self.untagged { Err(vec![inputs::UNTAGGED.problem(inputs.text(&inputs::UNTAGGED), expected)]) } else { Ok(()) }
    }

    /// Reads and checks the inputs of an assembly: those of a delivery of the same source, and the images.
    ///
    /// # Errors
    /// All that is wrong with them, in the order of [`crate::inputs::ALL`].
    pub(crate) fn of_assembly(inputs: &Inputs, env: &Env<'_>) -> Result<(Self, Listed), Vec<Problem>> {
        let config = Reader::read(inputs, env, |reader| reader.config(Reader::build))?.for_a_cluster(inputs)?;
        config.is_tagged(inputs)?;
        let Lines(images) = inputs.get(&inputs::IMAGES)?;
        let mut problems = Vec::new();
        if !config.destination.is_a_registry() {
            let expected = "a repository of a registry is expected, or ecr-repository: the one that the images are in";
            problems.push(inputs::DESTINATION.problem(inputs.text(&inputs::DESTINATION), expected));
        }
        match (&config.publish, &config.signing) {
            (Publish::No(why), _) => problems.push(inputs::PUBLISH.problem("", format!("what is assembled is published: {why}"))),
            (Publish::Yes, Signing::No(why)) => {
                let expected = format!("whoever signs the images of the platforms signs the whole, and nothing would be: {why}");
                problems.push(inputs::SIGN.problem(inputs.text(&inputs::SIGN), expected));
            }
            (Publish::Yes, _) => {}
        }
        match listed(&config.build.platforms, &images) {
            Ok(listed) if problems.is_empty() => Ok((config, listed)),
            Ok(_) => Err(problems),
            Err(wrong) => Err(problems.into_iter().chain(wrong).collect()),
        }
    }
}

/// The images of exactly these platforms, each of one of its own.
fn listed(platforms: &[Platform], images: &[ListedImage]) -> Result<Listed, Vec<Problem>> {
    let problem = |value: String, expected: &str| inputs::IMAGES.problem(value, expected);
    let mut problems = Vec::new();
    if platforms.is_empty() {
        let expected = "the platforms of the image are expected: one that is not named can't be missed";
        problems.push(inputs::PLATFORMS.problem("", expected));
    }
    let (mut seen, mut digests) = (BTreeSet::new(), BTreeSet::new());
    for ListedImage { platform, digest } in images {
        if !seen.insert(platform) {
            problems.push(problem(platform.to_string(), "each platform may be given only once"));
        } else if !platforms.is_empty() && !platforms.contains(platform) {
            problems.push(problem(platform.to_string(), "it is none of platforms"));
        }
        if let Some(digest) = digest.filter(|digest| !digests.insert(*digest)) {
            problems.push(problem(digest.to_string(), "it is given for two platforms, and an image is of one"));
        }
    }
    let mut listed = Vec::new();
    for platform in platforms {
        match images.iter().find(|image| image.platform == *platform).and_then(|image| image.digest) {
            Some(digest) => listed.push((platform.clone(), digest)),
            None => {
                let expected =
                    "its image is missing: the job that delivers it was skipped or cancelled, or its image was held back";
                problems.push(problem(platform.to_string(), expected));
            }
        }
    }
    if problems.is_empty() { Ok(Listed(listed)) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(platforms: &[&str], images: &[(&str, Option<&[u8]>)]) -> Result<Listed, Vec<String>> {
        let platforms: Vec<_> = platforms.iter().map(|platform| platform.parse().unwrap()).collect();
        let images: Vec<_> = images
            .iter()
            .map(|(platform, image)| ListedImage { platform: platform.parse().unwrap(), digest: image.map(Digest::of) })
            .collect();
        listed(&platforms, &images).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_images_are_those_of_the_platforms_that_are_asked_for_in_their_order() {
        let Listed(listed) =
            asked(&["linux/arm64", "linux/amd64"], &[("linux/amd64", Some(b"1")), ("linux/arm64", Some(b"2"))]).unwrap();
        let platforms: Vec<_> = listed.iter().map(|(platform, _)| platform.to_string()).collect();
        assert_eq!(platforms, ["linux/arm64", "linux/amd64"]);
        assert_eq!(listed[0].1, Digest::of(b"2"));
    }

    #[test]
    fn a_platform_that_is_missing_twice_there_or_not_asked_for_is_named() {
        let both = ["linux/amd64", "linux/arm64"];
        for (platforms, images, says) in [
            (&both[..], &[("linux/amd64", Some(&b"1"[..]))][..], "\"linux/arm64\": its image is missing"),
            (&both, &[("linux/amd64", Some(b"1")), ("linux/arm64", None)], "\"linux/arm64\": its image is missing"),
            (&both[..1], &[("linux/amd64", Some(b"1")), ("linux/amd64", Some(b"2"))], "only once"),
            // Another name of the same one.
            (&both[1..], &[("linux/arm64", Some(b"1")), ("linux/arm64/v8", Some(b"2"))], "only once"),
            (&both[..1], &[("linux/amd64", Some(b"1")), ("linux/arm64", Some(b"2"))], "\"linux/arm64\": it is none of platforms"),
            (&both[1..], &[("linux/arm/v7", Some(b"1")), ("linux/arm64", Some(b"2"))], "\"linux/arm/v7\": it is none"),
            (&both, &[("linux/amd64", Some(b"1")), ("linux/arm64", Some(b"1"))], "an image is of one"),
            (&[], &[("linux/amd64", Some(b"1"))], "the platforms of the image are expected"),
        ] {
            let problems = asked(platforms, images).unwrap_err();
            assert!(problems.iter().any(|problem| problem.contains(says)), "{says}: {problems:?}");
        }
    }
}
