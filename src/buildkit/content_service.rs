//! What is read by containerd's content service (`api/services/content/v1/content.proto`), which a builder serves to us and we to
//! a builder.

/// The method.
pub(super) const READ: &str = "/containerd.services.content.v1.Content/Read";

/// `ReadContentRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ReadRequest {
    #[prost(string, tag = "1")]
    pub(super) digest: String,
    #[prost(int64, tag = "2")]
    pub(super) offset: i64,
    #[prost(int64, tag = "3")]
    pub(super) size: i64,
}

/// `ReadContentResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ReadResponse {
    #[prost(int64, tag = "1")]
    pub(super) offset: i64,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) data: Vec<u8>,
}
