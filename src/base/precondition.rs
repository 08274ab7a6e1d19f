//! What a caller expects of a thing before it is changed (RFC 9110 §13.1.1).

/// What the revision of a thing must be for a write to happen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum IfMatch {
    /// Anything, or no thing at all.
    #[default]
    Anything,
    /// That it is there.
    Exists,
    /// That it is of one of these revisions.
    OneOf(Vec<i64>),
}

impl IfMatch {
    /// Whether a thing of this revision, or one that is not there, is as expected.
    #[must_use]
    pub fn holds(&self, revision: Option<i64>) -> bool {
        match self {
            Self::Anything => true,
            Self::Exists => revision.is_some(),
            Self::OneOf(expected) => revision.is_some_and(|it| expected.contains(&it)),
        }
    }
}
