//! The content of requests and answers, and how both are passed on.

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A body, perhaps still on its way.
pub type Content = UnsyncBoxBody<Bytes, std::io::Error>;
/// What a service says.
pub type Answer = Response<Content>;

/// A body that is there already.
pub fn full(bytes: impl Into<Bytes>) -> Content {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that comes from a connection.
pub fn streamed<B>(body: B) -> Content
where
    B: Body<Data = Bytes, Error = hyper::Error> + Send + 'static,
{
    body.map_err(std::io::Error::other).boxed_unsync()
}

/// All of a body.
pub async fn collected(content: Content) -> std::io::Result<Bytes> {
    Ok(content.collect().await?.to_bytes())
}

/// Sends a request as it is to another server; its `Host` stays what the client wrote, since signatures cover it.
pub async fn forward(address: &str, request: Request<Content>) -> std::io::Result<Answer> {
    let stream = TcpStream::connect(address).await?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(std::io::Error::other)?;
    Ok(answer.map(streamed))
}
