//! What goes wrong with a request.

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends before anything is done.
    Refused,
    /// What is asked is done, and the connection ends without an answer.
    Silence,
    /// There is no answer, ever.
    Hang,
    /// What is asked is done, and the answer ends in its middle.
    Cut,
    /// What is asked is done, and the answer, which says that it is whole, is not.
    Truncated,
    /// Somebody else answers, who is none.
    Wrong,
    /// The API server fails, with this status.
    Status(u16),
    /// Too much is asked (priority and fairness): come back after so many seconds.
    Haste(u64),
    /// A webhook spoils what was written, and says nothing.
    Spoilt,
}
