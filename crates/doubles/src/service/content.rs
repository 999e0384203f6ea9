//! The content of requests and answers, and how both are passed on.

use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Body, Bytes, Frame};
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

/// The answer as far as its middle; an error where there is nothing in it to cut.
pub async fn cut(answer: Answer) -> std::io::Result<Answer> {
    let (mut head, content) = answer.into_parts();
    let bytes = collected(content).await?;
    if bytes.len() < 2 {
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    head.headers.remove("transfer-encoding");
    head.headers.insert("content-length", bytes.len().into());
    Ok(Answer::from_parts(head, broken(bytes.slice(..bytes.len() / 2))))
}

/// What somebody says who is none of the services: a network whose users have to agree to something first.
pub fn of_another() -> Answer {
    let page = "<!DOCTYPE html><title>Welcome</title><p>Please accept the terms of this network.\n";
    Response::builder().header("content-type", "text/html").body(full(page)).unwrap()
}

/// A body that ends too early.
fn broken(bytes: Bytes) -> Content {
    let parts = stream::unfold(Some(bytes), |bytes| async {
        match bytes {
            Some(bytes) if !bytes.is_empty() => Some((Ok(Frame::data(bytes)), Some(Bytes::new()))),
            // What was written goes out while the rest is waited for.
            Some(_) => {
                tokio::task::yield_now().await;
                Some((Err(std::io::ErrorKind::ConnectionReset.into()), None))
            }
            None => None,
        }
    });
    StreamBody::new(parts).boxed_unsync()
}
