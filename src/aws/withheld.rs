//! Why there are no credentials of AWS for what is pulled.

/// Why nobody is asked for credentials of AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withheld {
    /// The run's event is one that others cause: a pull request, say.
    Event,
    /// No input names an identity.
    NoIdentity,
    /// Someone else's program reads the Dockerfile.
    Frontend,
    /// The builder is on another machine, and spoken to without TLS.
    Exposed,
    /// The policy of the session can't be read, and so not narrowed.
    SessionPolicy,
}
