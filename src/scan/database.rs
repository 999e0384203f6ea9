//! x
/// m
#[derive(Clone, Debug)]
pub struct Mirror(String);
impl Mirror {
    /// d
    pub const DATABASES: &[&str] = &["a"];
    /// d
    pub const JAVA_DATABASES: &[&str] = &["a"];
}
impl std::str::FromStr for Mirror {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        Ok(Self(s.into()))
    }
}
