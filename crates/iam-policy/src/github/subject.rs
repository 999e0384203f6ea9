//! The parts of a subject.

/// The parts of a subject, or of a pattern for subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SubjectParts<'a> {
    pub(crate) owner: Name<'a>,
    pub(crate) repository: Name<'a>,
    /// What follows the repository.
    pub(crate) context: Option<&'a str>,
}

/// A name with its id, if that is written after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub(crate) text: &'a str,
    pub(crate) id: Option<&'a str>,
}

/// What a context is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContextKind {
    Environment,
    PullRequest,
    Ref,
}

impl<'a> SubjectParts<'a> {
    /// Splits a subject; `None` if it does not have GitHub's default form.
    pub(crate) fn of(subject: &'a str) -> Option<Self> {
        let (owner, rest) = subject.strip_prefix("repo:")?.split_once('/')?;
        let (repository, context) =
            rest.split_once(':').map_or((rest, None), |(repository, context)| (repository, Some(context)));
        // A colon before the slash: the slash belongs to something else.
        (!owner.contains(':')).then_some(Self { owner: Name::of(owner), repository: Name::of(repository), context })
    }

    /// Whether it has ids.
    pub(crate) fn is_immutable(&self) -> bool {
        self.owner.id.is_some() || self.repository.id.is_some()
    }

    /// The repository by its names, without ids.
    pub(crate) fn by_name(&self) -> String {
        format!("{}/{}", self.owner.text, self.repository.text)
    }

    /// The repository as it is written.
    pub(crate) fn in_full(&self) -> String {
        format!("{}/{}", self.owner.in_full(), self.repository.in_full())
    }

    /// What the context is about, where that can be said.
    pub(crate) fn kind(&self) -> Option<ContextKind> {
        match self.context?.split_once(':').map_or((self.context?, ""), |parts| parts) {
            ("environment", _) => Some(ContextKind::Environment),
            ("pull_request", "") => Some(ContextKind::PullRequest),
            ("ref", _) => Some(ContextKind::Ref),
            _ => None,
        }
    }
}

impl<'a> Name<'a> {
    /// Neither owners nor repositories have an `@` in their names.
    fn of(text: &'a str) -> Self {
        text.split_once('@').map_or(Self { text, id: None }, |(text, id)| Self { text, id: Some(id) })
    }

    fn in_full(&self) -> String {
        self.id.map_or_else(|| self.text.to_owned(), |id| format!("{}@{id}", self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_taken_apart() {
        let parts = SubjectParts::of("repo:octo-org@1/octo-repo@2:ref:refs/heads/a@b").unwrap();
        assert_eq!((parts.by_name().as_str(), parts.owner.id, parts.repository.id), ("octo-org/octo-repo", Some("1"), Some("2")));
        assert_eq!((parts.kind(), parts.is_immutable()), (Some(ContextKind::Ref), true));
        let pattern = SubjectParts::of("repo:octo-org/*").unwrap();
        assert_eq!((pattern.by_name().as_str(), pattern.context, pattern.kind()), ("octo-org/*", None, None));
        for subject in ["", "repo:", "repo:*", "repository_owner:x", "repo:a:ref:refs/heads/main", "octo-org/octo-repo:ref:x"] {
            assert_eq!(SubjectParts::of(subject), None, "{subject}");
        }
    }
}
